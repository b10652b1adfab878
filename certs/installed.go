package certs

import (
	"slices"
)

// policyKey is the name of a policy file in the CApath.
type policyKey struct {
	kind fileKind
	hash string
}

// policyFile is an installed policy file.
type policyFile struct {
	files   []string     // its names
	content *fileContent // nil if it cannot be read
	problem *Problem     // why it refuses everything; nil if it is sound
}

// judge asks the file whether the issuer may sign the subject, in both forms
// of their names: see nameForms. The expressions of a .namespaces file could
// match the octets of any character: there those of Latin-1 alone count. own
// says that the file belongs to the issuer.
func (p *policyFile) judge(issuer, subject nameForms, own bool) policyDecision {
	if p.problem != nil {
		return malformedPolicy(*p.problem)
	}
	var decision policyDecision
	octetsPermit := subject.unlike
	if p.content.signing == nil {
		octetsPermit = subject.unlike && subject.latin1
	}
	for _, by := range issuer.forms(issuer.unlike) {
		for _, of := range subject.forms(octetsPermit) {
			var got policyDecision
			if p.content.signing != nil {
				got = p.content.signing.judge(by.dn, of.dn)
			} else {
				got = p.content.names.judge(by.dn, of.dn, own)
			}
			switch {
			case got.Denied:
				return got
			case !by.permits || !of.permits:
				continue
			case decision.Verdict == policySilent || got.Verdict == policyPermits:
				decision = got
			}
		}
	}
	return decision
}

func (p *policyFile) show(kind fileKind) PolicyFile {
	shown := PolicyFile{Files: p.files, Kind: KindSigningPolicy, Problem: p.problem}
	if kind == kindNamespaces {
		shown.Kind = KindNamespaces
	}
	return shown
}

// policiesOf gives the files of a kind that have a CA's name, usually one
// under both hashes.
func (s *Snapshot) policiesOf(kind fileKind, ca *element) []*policyFile {
	var found []*policyFile
	for _, hash := range ca.hashNames() {
		if p := s.policies[policyKey{kind, hash}]; p != nil && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	return found
}

// installedCRL is a list in the CApath.
type installedCRL struct {
	list       *crl
	files      []string
	kept       bool  // the file is bad now, and this is what it held before
	unverified error // why no installed CA has signed it; nil if one has
	orphan     bool  // no CA of its issuer's name is installed
}

// addList takes a list, once for all its copies.
func (s *Snapshot) addList(file string, list *crl, kept bool) {
	key := list.issuer.Canonical()
	for _, known := range s.lists[key] {
		if known.list.same(list) {
			if !slices.Contains(known.files, file) {
				known.files = append(known.files, file)
			}
			known.kept = known.kept && kept
			return
		}
	}
	s.lists[key] = append(s.lists[key], &installedCRL{
		list: list, files: []string{file}, kept: kept, unverified: s.unsigned(list),
		orphan: len(s.bySubject[key]) == 0,
	})
}

func (c *installedCRL) show() CRL {
	list := c.list
	shown := CRL{
		Files: c.files, ThisUpdate: list.thisUpdate, NextUpdate: list.nextUpdate,
		Number: list.number, Entries: list.entries, Defect: list.defect(), LastGood: c.kept,
		where: position(list.file, list.line),
	}
	if c.unverified != nil {
		shown.Unverified = c.unverified.Error()
	}
	return shown
}

// verified reports whether an installed CA of the issuer's name has signed the
// list.
func (c *installedCRL) verified() bool { return !c.orphan && c.unverified == nil }

// verifiedBy reports whether an installed CA of the issuer's name or one of a
// path has signed the list.
func (c *installedCRL) verifiedBy(path []*element) bool {
	return c.verified() || slices.ContainsFunc(path, func(e *element) bool {
		return e.subjectKey == c.list.issuer.Canonical() && c.list.signedBy(e.cert) == nil
	})
}

// whyUnverified says why the list is not used for what issuer has issued.
func (c *installedCRL) whyUnverified(issuer *element) error {
	if c.unverified != nil {
		return c.unverified
	}
	return c.list.signedBy(issuer.cert)
}

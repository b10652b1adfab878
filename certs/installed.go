package certs

import (
	"slices"

	"github.com/gtunnel/gtunnel/certs/internal/crl"
	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/files"
	"github.com/gtunnel/gtunnel/certs/internal/policy"
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

// judge asks the file whether the issuer may sign the subject. own says that
// the file belongs to the issuer.
func (p *policyFile) judge(issuer, subject dn.Forms, own bool) policy.Decision {
	if p.problem != nil {
		return policy.Unreadable(*p.problem)
	}
	return p.content.policy.Judge(issuer, subject, own)
}

func (p *policyFile) show(kind fileKind) PolicyFile {
	return PolicyFile{Files: p.files, Kind: string(policyKinds[kind]), Problem: p.problem}
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
	list       *crl.List
	files      []string
	kept       bool  // the file is bad now, and this is what it held before
	unverified error // why no installed CA has signed it; nil if one has
	orphan     bool  // no CA of its issuer's name is installed
}

// addList takes a list, once for all its copies.
func (s *Snapshot) addList(file string, list *crl.List, kept bool) {
	key := list.Issuer.Canonical()
	for _, known := range s.lists[key] {
		if known.list.Same(list) {
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
		Files: c.files, ThisUpdate: list.ThisUpdate, NextUpdate: list.NextUpdate,
		Number: list.Number, Entries: list.Entries, Defect: list.Defect(), LastGood: c.kept,
		where: files.Position(list.File, list.Line),
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
		return e.subjectKey == c.list.Issuer.Canonical() && c.list.SignedBy(e.cert) == nil
	})
}

// whyUnverified says why the list is not used for what issuer has issued.
func (c *installedCRL) whyUnverified(issuer *element) error {
	if c.unverified != nil {
		return c.unverified
	}
	return c.list.SignedBy(issuer.cert)
}

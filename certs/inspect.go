package certs

import (
	"math/big"
	"slices"
	"time"
)

// PolicyFile is a signing_policy or namespaces file of a CA.
type PolicyFile struct {
	Files   []string // its names in the CApath, usually both hashes
	Kind    string   // signing_policy or namespaces
	Problem *Problem // why it refuses everything that it is asked of; nil if it is sound
}

// CRL is a revocation list of a CA.
type CRL struct {
	Files      []string  // its names in the CApath, usually both hashes
	ThisUpdate time.Time // when it was issued
	NextUpdate time.Time // when the next one is due at the latest; zero if it does not say
	Number     *big.Int  // its cRLNumber; nil if it has none
	Entries    int       // how many certificates it revokes
	Defect     string    // why it cannot tell that a certificate is good; empty if it can
	Unverified string    // why no installed key of the CA's name has signed it; empty if one has
	LastGood   bool      // the file is bad now, and this is what it held before

	foreign  bool        // another key of the CA's name signed it
	vouching []crlSigner // who signed it and vouches for the other key then
	where    string      // file and line
}

// State says how the list stands at the time now: empty if it is current and
// verified, otherwise the code with which CRLRequire would refuse if there
// were no other, and why.
func (c CRL) State(now time.Time) (code Code, why string) {
	switch {
	case c.Unverified != "":
		return CodeCRLInvalid, c.Unverified
	case c.foreign && !slices.ContainsFunc(c.vouching, func(by crlSigner) bool { return by.validAt(now) }):
		return CodeCRLMissing, "it is of another key of this name: " + noVoucher
	case c.Defect != "":
		return CodeCRLUnusable, c.Defect
	case now.Before(c.ThisUpdate):
		return CodeCRLNotYetValid, "it begins on " + formatTime(c.ThisUpdate)
	case !c.NextUpdate.IsZero() && !now.Before(c.NextUpdate):
		return CodeCRLExpired, "the next one was due on " + formatTime(c.NextUpdate)
	}
	return "", ""
}

// CRLState says how the CA's lists stand at the time now: empty if one of
// them is current and verified, otherwise a code and why. A file that is no
// list at all counts if there is no other. It looks at no scope: a list may
// speak of some certificates only.
func (ca *CA) CRLState(now time.Time) (code Code, why string) {
	code, why, _ = ca.crlState(now)
	return code, why
}

// crlState is CRLState with the latest time when one of the current lists
// ends, or one of the stale ones was due; zero: never.
func (ca *CA) crlState(now time.Time) (code Code, why string, due time.Time) {
	code, why = CodeCRLMissing, "there is no list"
	if len(ca.brokenLists) > 0 {
		code, why = CodeCRLInvalid, ca.brokenLists[0].String()
	}
	current, best := false, 0
	for _, list := range ca.CRLs {
		listCode, listWhy := list.State(now)
		switch rank := objectionRank(listCode); {
		case listCode == "":
			if !current || !due.IsZero() && (list.NextUpdate.IsZero() || list.NextUpdate.After(due)) {
				due = list.NextUpdate
			}
			current = true
			continue
		case listCode == CodeCRLMissing && code == CodeCRLMissing:
			why = "there is no list of this key: " + list.where + ": " + listWhy
		case rank > best:
			code, why, best = listCode, list.where+": "+listWhy, rank
		}
		if listCode == CodeCRLExpired && !current && list.NextUpdate.After(due) {
			due = list.NextUpdate
		}
	}
	if current {
		return "", "", due
	}
	return code, why, due
}

// describe completes what is shown of a CA.
func (b *builder) describe(e *element, ca *CA, problems map[string][]Problem) {
	s := b.snapshot
	hashes := slices.Compact(e.hashes[:])
	for _, kind := range []fileKind{kindSigningPolicy, kindNamespaces} {
		for _, policy := range s.policiesOf(kind, e) {
			ca.Policies = append(ca.Policies, policy.show(kind))
		}
	}
	ca.CRLs = s.showLists(e)
	for _, hash := range hashes {
		ca.brokenLists = append(ca.brokenLists, s.brokenLists[hash]...)
	}
	if !e.fromCAfile || s.config.CApath != "" {
		for _, hash := range hashes {
			ca.Problems = append(ca.Problems, problems[hash]...)
		}
	}
}

// showLists shows the lists of a CA's name as they count for the CA.
func (s *Snapshot) showLists(e *element) []CRL {
	var all []CRL
	var signers []crlSigner
	for _, list := range s.lists[e.subjectKey] {
		shown := list.show()
		if list.verified() && list.list.SignedBy(e.cert) != nil {
			if signers == nil {
				signers = crlSigners(s.chain(e), s.bySubject[e.subjectKey], func(child, issuer *element) bool {
					return issuer.signed(child) && !s.revokedSigner(child, nil)
				})
			}
			shown.foreign = true
			shown.vouching = slices.DeleteFunc(slices.Clone(signers), func(by crlSigner) bool {
				return list.list.SignedBy(by.cert) != nil
			})
		}
		all = append(all, shown)
	}
	return all
}

// chain is a CA with the installed ones above it, as far as there are any.
func (s *Snapshot) chain(e *element) []*element {
	chain := []*element{e}
	for len(chain) <= defaultMaxDepth && !e.anchor {
		above := s.issuers(e)
		i := slices.IndexFunc(above, func(issuer *element) bool {
			return !slices.ContainsFunc(chain, issuer.sameKey) && issuer.signed(e)
		})
		if i < 0 {
			break
		}
		e = above[i]
		chain = append(chain, e)
	}
	return chain
}

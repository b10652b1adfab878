package certs

import (
	"crypto/x509"
	"math/big"
	"slices"
	"time"
)

// PolicyFile is a signing_policy or namespaces file of a CA.
type PolicyFile struct {
	Files   []string // its names in the CApath, usually both hashes
	Kind    string   // KindSigningPolicy or KindNamespaces
	Problem *Problem // why it refuses everything that it is asked of; nil if it is sound
}

// The values of PolicyFile.Kind.
const (
	KindSigningPolicy = "signing_policy"
	KindNamespaces    = "namespaces"
)

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

	others []*x509.Certificate // CAs of the same name that signed it, if the CA itself did not
}

// State says how the list stands at the time now: empty if it is current and
// verified, otherwise the code with which --crl require would refuse, and
// why.
func (c CRL) State(now time.Time) (code Code, why string) {
	switch {
	case c.Unverified != "":
		return CodeCRLInvalid, c.Unverified
	case len(c.others) > 0 && !slices.ContainsFunc(c.others, func(other *x509.Certificate) bool { return validAt(other, now) }):
		return CodeCRLInvalid, otherKey
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
// list at all counts if there is no other. It looks at no scope: a list may speak of some certificates only.
func (ca *CA) CRLState(now time.Time) (code Code, why string) {
	code, why = CodeCRLMissing, "there is no list"
	if len(ca.CRLs) == 0 && len(ca.brokenLists) > 0 {
		return CodeCRLInvalid, ca.brokenLists[0].String()
	}
	for _, list := range ca.CRLs {
		listCode, listWhy := list.State(now)
		if listCode == "" {
			return "", ""
		}
		if code == CodeCRLMissing || listCode == CodeCRLExpired {
			code, why = listCode, position(list.Files[0], 0)+": "+listWhy
		}
	}
	return code, why
}

package certs

import (
	"fmt"
	"strings"
)

// NamespacesMode says which policy files decide what a CA may sign: its
// .signing_policy, which Globus defined, and .namespaces, of the EUGridPMA.
// The modes are those of canl. It implements encoding.TextMarshaler and
// TextUnmarshaler: the names are canl's in lower case with hyphens.
type NamespacesMode int

// The modes. In those that end with Require a CA of which no file speaks may
// sign nothing; in the others it may sign anything.
const (
	NamespacesEUGridPMAAndGlobusRequire NamespacesMode = iota // both where present, at least one must be; the grid's default
	NamespacesEUGridPMAAndGlobus                              // both where present
	NamespacesGlobusRequire                                   // .signing_policy alone
	NamespacesGlobus                                          // .signing_policy alone
	NamespacesEUGridPMARequire                                // .namespaces alone
	NamespacesEUGridPMA                                       // .namespaces alone
	NamespacesGlobusEUGridPMARequire                          // .signing_policy; .namespaces where that is silent
	NamespacesGlobusEUGridPMA                                 // .signing_policy; .namespaces where that is silent
	NamespacesEUGridPMAGlobusRequire                          // .namespaces; .signing_policy where that is silent
	NamespacesEUGridPMAGlobus                                 // .namespaces; .signing_policy where that is silent
	NamespacesIgnore                                          // neither
)

// namespacesModes are the names, in the order of the constants.
var namespacesModes = []string{
	"eugridpma-and-globus-require", "eugridpma-and-globus",
	"globus-require", "globus",
	"eugridpma-require", "eugridpma",
	"globus-eugridpma-require", "globus-eugridpma",
	"eugridpma-globus-require", "eugridpma-globus",
	"ignore",
}

// String gives the mode's name.
func (m NamespacesMode) String() string {
	if m < 0 || int(m) >= len(namespacesModes) {
		return fmt.Sprintf("NamespacesMode(%d)", int(m))
	}
	return namespacesModes[m]
}

// MarshalText gives the mode's name.
func (m NamespacesMode) MarshalText() ([]byte, error) {
	if m < 0 || int(m) >= len(namespacesModes) {
		return nil, fmt.Errorf("unknown %v", m)
	}
	return []byte(m.String()), nil
}

// UnmarshalText reads a mode's name.
func (m *NamespacesMode) UnmarshalText(text []byte) error {
	for i, name := range namespacesModes {
		if name == string(text) {
			*m = NamespacesMode(i)
			return nil
		}
	}
	return fmt.Errorf("no namespaces mode %q: use one of %s", text, strings.Join(namespacesModes, ", "))
}

// decide combines what the two kinds of files say. Each function is called
// at most once, and only if the mode asks for it. The result denies, with a
// Code; or it permits; or it is silent, which means that no file speaks of
// the CA and that this does not matter.
func (m NamespacesMode) decide(signing, names func() policyDecision) policyDecision {
	var decision policyDecision
	var required bool
	missing := "neither a signing_policy nor a namespaces file speaks of this CA"
	switch m {
	case NamespacesIgnore:
		return policyDecision{}
	case NamespacesGlobus, NamespacesGlobusRequire:
		decision, required = signing(), m == NamespacesGlobusRequire
		missing = "no signing_policy file speaks of this CA"
	case NamespacesEUGridPMA, NamespacesEUGridPMARequire:
		decision, required = names(), m == NamespacesEUGridPMARequire
		missing = "no namespaces file speaks of this CA"
	case NamespacesGlobusEUGridPMA, NamespacesGlobusEUGridPMARequire:
		decision, required = firstToSpeak(signing, names), m == NamespacesGlobusEUGridPMARequire
	case NamespacesEUGridPMAGlobus, NamespacesEUGridPMAGlobusRequire:
		decision, required = firstToSpeak(names, signing), m == NamespacesEUGridPMAGlobusRequire
	default: // an unknown mode is the strictest
		decision, required = both(names(), signing()), m != NamespacesEUGridPMAAndGlobus
	}
	if decision.Verdict == policyDenies && decision.Code == "" {
		decision.Code = CodePolicyDenied
	}
	if decision.Verdict == policySilent {
		decision = policyDecision{}
		if required {
			decision = policyDecision{Verdict: policyDenies, Code: CodePolicyMissing, Reason: missing}
		}
	}
	return decision
}

// firstToSpeak asks the second only if the first is silent.
func firstToSpeak(first, second func() policyDecision) policyDecision {
	if decision := first(); decision.Verdict != policySilent {
		return decision
	}
	return second()
}

// both permits if none denies and one permits.
func both(first, second policyDecision) policyDecision {
	if first.Verdict == policyDenies || second.Verdict == policySilent {
		return first
	}
	return second
}

// malformedPolicy is what a file says that cannot be read: it denies, as long
// as the file is asked.
func malformedPolicy(problem Problem) policyDecision {
	return policyDecision{
		Verdict: policyDenies, Code: CodePolicyMalformed, File: problem.File, Line: problem.Line,
		Reason: "the policy file is malformed: " + problem.Message,
	}
}

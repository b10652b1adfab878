package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Mode says which policy files decide what a CA may sign: its .signing_policy,
// which Globus defined, and .namespaces, of the EUGridPMA. The modes are those
// of canl. It implements encoding.TextMarshaler and TextUnmarshaler: the names are
// canl's in lower case with hyphens.
type Mode int

// The modes. In those that end with Require a CA of which no file speaks may
// sign nothing; in the others it may sign anything.
const (
	EUGridPMAAndGlobusRequire Mode = iota // both where present, at least one must be; the grid's default
	EUGridPMAAndGlobus                    // both where present
	GlobusRequire                         // .signing_policy alone
	Globus                                // .signing_policy alone
	EUGridPMARequire                      // .namespaces alone
	EUGridPMA                             // .namespaces alone
	GlobusEUGridPMARequire                // .signing_policy; .namespaces where that is silent
	GlobusEUGridPMA                       // .signing_policy; .namespaces where that is silent
	EUGridPMAGlobusRequire                // .namespaces; .signing_policy where that is silent
	EUGridPMAGlobus                       // .namespaces; .signing_policy where that is silent
	Ignore                                // neither
)

// modes are the names, in the order of the constants.
var modes = []string{
	"eugridpma-and-globus-require", "eugridpma-and-globus",
	"globus-require", "globus",
	"eugridpma-require", "eugridpma",
	"globus-eugridpma-require", "globus-eugridpma",
	"eugridpma-globus-require", "eugridpma-globus",
	"ignore",
}

// String gives the mode's name.
func (m Mode) String() string {
	if m < 0 || int(m) >= len(modes) {
		return fmt.Sprintf("NamespacesMode(%d)", int(m))
	}
	return modes[m]
}

// MarshalText gives the mode's name.
func (m Mode) MarshalText() ([]byte, error) {
	if m < 0 || int(m) >= len(modes) {
		return nil, fmt.Errorf("unknown %v", m)
	}
	return []byte(m.String()), nil
}

// UnmarshalText reads a mode's name.
func (m *Mode) UnmarshalText(text []byte) error {
	i := slices.Index(modes, string(text))
	if i < 0 {
		return fmt.Errorf("no namespaces mode %q: use one of %s", text, strings.Join(modes, ", "))
	}
	*m = Mode(i)
	return nil
}

// Decide combines what the two kinds of files say. Each function is called
// at most once, and only if the mode asks for it. The result denies, with a
// Cause; or it permits; or it is silent, which means that no file speaks of
// the CA and that this does not matter.
func (m Mode) Decide(signing, names func() Decision) Decision {
	var decision Decision
	var required bool
	missing := "neither a signing_policy nor a namespaces file speaks of this CA"
	switch m {
	case Ignore:
		return Decision{}
	case Globus, GlobusRequire:
		decision, required = signing(), m == GlobusRequire
		missing = "no signing_policy file speaks of this CA"
	case EUGridPMA, EUGridPMARequire:
		decision, required = names(), m == EUGridPMARequire
		missing = "no namespaces file speaks of this CA"
	case GlobusEUGridPMA, GlobusEUGridPMARequire:
		decision, required = firstToSpeak(signing, names), m == GlobusEUGridPMARequire
	case EUGridPMAGlobus, EUGridPMAGlobusRequire:
		decision, required = firstToSpeak(names, signing), m == EUGridPMAGlobusRequire
	default: // an unknown mode is the strictest
		decision, required = Both(names(), signing()), m != EUGridPMAAndGlobus
	}
	if decision.Verdict == Silent {
		decision = Decision{}
		if required {
			decision = Decision{Verdict: Denies, Cause: Missing, Reason: missing}
		}
	}
	return decision
}

// firstToSpeak asks the second only if the first is silent.
func firstToSpeak(first, second func() Decision) Decision {
	if decision := first(); decision.Verdict != Silent {
		return decision
	}
	return second()
}

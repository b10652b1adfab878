package certs

// CRLMode says what is asked of certificate revocation lists (CRLs), for
// every certificate of a path but self-issued CAs. It implements
// encoding.TextMarshaler and TextUnmarshaler: if-valid, require, ignore.
//
// In both modes that look at lists, a verified list that names a certificate
// refuses it, even if the list is stale.
type CRLMode int

// The modes.
const (
	CRLIfValid CRLMode = iota // a CA without a current, verified list is a Warning
	CRLRequire                // a CA without a current, verified list is a Refusal
	CRLIgnore                 // lists are not looked at
)

var crlModes = []string{CRLIfValid: "if-valid", CRLRequire: "require", CRLIgnore: "ignore"}

// String is the mode's name.
func (m CRLMode) String() string {
	text, err := m.MarshalText()
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// MarshalText writes the mode's name.
func (m CRLMode) MarshalText() ([]byte, error) { return marshalWord(int(m), crlModes, "CRL mode") }

// UnmarshalText reads the mode's name.
func (m *CRLMode) UnmarshalText(text []byte) error {
	i, err := unmarshalWord(text, crlModes, "CRL mode")
	if err == nil {
		*m = CRLMode(i)
	}
	return err
}

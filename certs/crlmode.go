package certs

import "time"

// CRLMode says what is asked of certificate revocation lists (CRLs), for
// every certificate of a path but the anchor. It implements
// encoding.TextMarshaler and TextUnmarshaler: if-present, require, if-valid,
// ignore.
//
// In all modes that look at lists, a verified list that names a certificate
// refuses it, even if the list is stale. Lists count for the key that signed
// them, see crlSigners. The certificate by which a CA changes its key needs
// no list, but one that is there counts.
type CRLMode int

// The modes.
const (
	// CRLIfPresent does as canl (IF_VALID) and Globus do, and is the preset: a
	// CA without a list is a Warning; a list that is there and cannot be used
	// is a Refusal, unless another one can. A list that is merely stale is a
	// Warning for Policy.CRLGrace.
	CRLIfPresent CRLMode = iota

	CRLRequire // a CA without a current, verified list is a Refusal
	CRLIfValid // a CA without a current, verified list is a Warning
	CRLIgnore  // lists are not looked at
)

var crlModes = []string{CRLIfPresent: "if-present", CRLRequire: "require", CRLIfValid: "if-valid", CRLIgnore: "ignore"}

// toleratesCRL says whether a certificate is accepted that no list proves
// good, for the reason code, and until when if not for ever. due is when the
// latest of its lists was due, if they are merely stale; open says that the
// peer's session is open already.
func (p Policy) toleratesCRL(code Code, due, now time.Time, open bool) (until time.Time, ok bool) {
	switch p.CRL {
	case CRLIfValid, CRLIgnore:
		return time.Time{}, true
	case CRLIfPresent:
		if code == CodeCRLMissing {
			return time.Time{}, true
		}
	case CRLRequire:
		if !open {
			return time.Time{}, false
		}
	}
	until = due.Add(p.CRLGrace)
	return until, code == CodeCRLExpired && now.Before(until)
}

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

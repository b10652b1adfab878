package certs

import (
	"fmt"
	"strings"
	"time"
)

// CRLReport counts how the revocation lists of the trusted CAs stand at a
// moment, and says what the mode in force makes of that. Expired CAs do not
// count. Certificates of one name and key are one CA: they share their lists.
type CRLReport struct {
	Mode    CRLMode `json:"mode"`
	CAs     int     `json:"cas"`
	Current int     `json:"current"` // of these with a current, verified list
	Ending  int     `json:"ending"`  // of the current ones: the list ends within a day
	Stale   int     `json:"stale"`   // the latest list is past its nextUpdate
	Missing int     `json:"missing"` // there is no list
	Bad     int     `json:"bad"`     // what there is cannot be used
	Refused int     `json:"refused"` // of all these: new peers of the CA are refused now
}

// crlEnding is how long before its end a list is said to end soon. CAs issue
// the next one days before.
const crlEnding = 24 * time.Hour

// CRLReport judges the lists of all CAs by the Policy, at the time now.
func (s *Snapshot) CRLReport(policy Policy, now time.Time) CRLReport {
	report := CRLReport{Mode: policy.CRL}
	seen := make(map[string]bool)
	for _, ca := range s.cas {
		key := ca.Subject.Canonical() + string(ca.Certificate.RawSubjectPublicKeyInfo)
		if seen[key] || now.After(ca.Certificate.NotAfter) {
			continue
		}
		seen[key] = true
		report.CAs++
		code, _, due := ca.crlState(now)
		switch code {
		case "":
			report.Current++
			if !due.IsZero() && due.Sub(now) < crlEnding {
				report.Ending++
			}
		case CodeCRLExpired:
			report.Stale++
		case CodeCRLMissing:
			report.Missing++
		default:
			report.Bad++
		}
		if _, refused := ca.CRLRefusal(policy, now); refused {
			report.Refused++
		}
	}
	return report
}

// CRLRefusal says whether the state of the CA's lists has new peers of the CA
// refused, and why.
func (ca *CA) CRLRefusal(policy Policy, now time.Time) (why string, refused bool) {
	code, why, due := ca.crlState(now)
	if code == "" {
		return "", false
	}
	_, tolerated := policy.toleratesCRL(code, due, now, false)
	return fmt.Sprintf("%s: %s", code, why), !tolerated
}

// Sound reports whether nothing needs to be done: every CA has a list that is
// good for another day, or nobody asks.
func (r CRLReport) Sound() bool { return r.Mode == CRLIgnore || r.Current == r.CAs && r.Ending == 0 }

// String is the report on one line.
func (r CRLReport) String() string {
	switch {
	case r.Mode == CRLIgnore:
		return "revocation lists are not looked at (‹crl› ignore): revoked peers are let in"
	case r.CAs == 0:
		return "revocation lists: every CA has expired"
	}
	var parts []string
	add := func(n int, words string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words))
		}
	}
	current := "current"
	if r.Ending > 0 {
		current = fmt.Sprintf("current (%d within a day of the end)", r.Ending)
	}
	add(r.Current, current)
	add(r.Stale, "stale")
	add(r.Bad, "unusable")
	add(r.Missing, "missing")
	line := fmt.Sprintf("revocation lists of %s: %s", counted(r.CAs, "CA", "CAs"), strings.Join(parts, ", "))
	switch {
	case r.Refused > 0:
		return fmt.Sprintf("%s; ‹crl› %s refuses the peers of %s for it", line, r.Mode, counted(r.Refused, "CA", "CAs"))
	case r.Current < r.CAs:
		return fmt.Sprintf("%s; ‹crl› %s refuses nobody for it now", line, r.Mode)
	}
	return line
}

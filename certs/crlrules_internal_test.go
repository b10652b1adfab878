package certs

import (
	"testing"
	"time"
)

// TestGraceOfLists: only a list that is stale, and nothing worse, has a grace;
// under CRLRequire only for a session that is open.
func TestGraceOfLists(t *testing.T) {
	t.Parallel()
	due := testThisUpdate
	const day = 24 * time.Hour
	for _, test := range []struct {
		mode CRLMode
		code Code
		now  time.Time
		open bool
		want bool
	}{
		{CRLIfPresent, CodeCRLMissing, due, false, true},
		{CRLIfPresent, CodeCRLExpired, due, false, true},
		{CRLIfPresent, CodeCRLExpired, due.Add(day - 1), false, true},
		{CRLIfPresent, CodeCRLExpired, due.Add(day), false, false},
		{CRLIfPresent, CodeCRLUnusable, due, false, false},
		{CRLIfPresent, CodeCRLInvalid, due, true, false},
		{CRLRequire, CodeCRLMissing, due, true, false},
		{CRLRequire, CodeCRLExpired, due, false, false},
		{CRLRequire, CodeCRLExpired, due, true, true},
		{CRLRequire, CodeCRLExpired, due.Add(day), true, false},
		{CRLRequire, CodeCRLUnusable, due, true, false},
		{CRLIfValid, CodeCRLInvalid, due, false, true},
		{CRLIgnore, CodeCRLInvalid, due, false, true},
	} {
		policy := Policy{CRL: test.mode, CRLGrace: day}
		if _, ok := policy.toleratesCRL(test.code, due, test.now, test.open); ok != test.want {
			t.Errorf("%s, %s, %s after it was due, open %t: tolerated %t", test.mode, test.code, test.now.Sub(due), test.open,
				ok)
		}
	}
}

// TestVouchingEnds: who vouches for lists does so from the first moment to the
// last of the certificates, both included.
func TestVouchingEnds(t *testing.T) {
	t.Parallel()
	from, until := testThisUpdate, testThisUpdate.AddDate(0, 1, 0)
	limited, always := crlSigner{from: from, until: until}, crlSigner{}
	for at, want := range map[time.Time]bool{from.Add(-1): false, from: true, until: true, until.Add(1): false} {
		if got := limited.validAt(at); got != want {
			t.Errorf("%s: %t", at, got)
		}
		if !always.validAt(at) {
			t.Errorf("%s: who has no end does not vouch", at)
		}
	}
}

package certs

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

// TestReplacedLists: a list makes an older one of its key and scope
// superfluous, and no other.
func TestReplacedLists(t *testing.T) {
	t.Parallel()
	ca, err := newElement(testCA(t, testKeys().ecdsa, x509.KeyUsageCRLSign))
	if err != nil {
		t.Fatal(err)
	}
	s := &Snapshot{bySubject: map[string][]*element{ca.subjectKey: {ca}}}
	old := testList{version: 2}.parse(t)
	for name, test := range map[string]struct {
		list testList
		want bool
	}{
		"the same":    {testList{version: 2}, true},
		"newer":       {testList{version: 2, thisUpdate: testThisUpdate.Add(time.Second)}, true},
		"older":       {testList{version: 2, thisUpdate: testThisUpdate.Add(-time.Second)}, false},
		"of users":    {testList{version: 2, extensions: []testExtension{issuingDistributionPoint(t, nil, 1)}}, false},
		"of a point":  {testList{version: 2, extensions: []testExtension{issuingDistributionPoint(t, []string{"http://x"})}}, false},
		"by a forger": {testList{version: 2, sign: func([]byte) []byte { return []byte("x") }}, false},
	} {
		if got := s.replaces(test.list.parse(t), old); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestSignatureIsCheckedOnce: for each CA.
func TestSignatureIsCheckedOnce(t *testing.T) {
	t.Parallel()
	list := testList{}.parse(t)
	ca := testCA(t, testKeys().ecdsa, x509.KeyUsageCRLSign)
	if err := list.signedBy(ca); err != nil {
		t.Fatal(err)
	}
	remembered := errors.New("remembered")
	list.memory.signers[string(ca.Raw)] = remembered
	if err := list.signedBy(ca); !errors.Is(err, remembered) {
		t.Errorf("the signature is checked again: %v", err)
	}
	if err := list.signedBy(testCA(t, testKeys().other, x509.KeyUsageCRLSign)); err == nil || errors.Is(err, remembered) {
		t.Errorf("another CA: %v", err)
	}
}

// TestSignersRememberedAreFew: what checkSignature said is remembered of so many
// CAs, and no more.
func TestSignersRememberedAreFew(t *testing.T) {
	t.Parallel()
	list := testList{}.parse(t)
	key := testCA(t, testKeys().ecdsa, x509.KeyUsageCRLSign)
	for i := range 2*maxSigners + 1 {
		ca := *key
		ca.Raw = []byte{byte(i), byte(i >> 8)}
		if err := list.signedBy(&ca); err != nil {
			t.Fatal(err)
		}
		if n := len(list.memory.signers); n == 0 || n > maxSigners {
			t.Fatalf("%d are remembered", n)
		}
	}
}

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
			t.Errorf("%s, %s, %s after it was due, open %t: tolerated %t", test.mode, test.code, test.now.Sub(due), test.open, ok)
		}
	}
}

// TestCRLsAreCompared: lists are the same by what is signed and by the
// signature, and speak of the same certificates by the whole of their scope.
func TestCRLsAreCompared(t *testing.T) {
	t.Parallel()
	signed := func(n byte, signature string) *crl {
		return testList{
			entries: []testEntry{{serial: []byte{n}, date: testThisUpdate}},
			sign:    func([]byte) []byte { return []byte(signature) },
		}.parse(t)
	}
	list := signed(1, "one")
	for name, test := range map[string]struct {
		other *crl
		same  bool
	}{
		"the same": {signed(1, "one"), true}, "another content": {signed(2, "one"), false}, "another signature": {signed(1, "two"), false},
	} {
		if got := list.same(test.other); got != test.same {
			t.Errorf("%s: %t", name, got)
		}
	}
	scopes := []crlScope{
		{},
		{onlyUser: true},
		{onlyCA: true},
		{onlyAttribute: true},
		{onlyReasons: true},
		{indirect: true},
		{delta: true},
		{points: []string{"a"}},
	}
	for i := range scopes {
		for j := range scopes {
			if got := scopes[i].same(&scopes[j]); got != (i == j) {
				t.Errorf("%+v and %+v: %t", scopes[i], scopes[j], got)
			}
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

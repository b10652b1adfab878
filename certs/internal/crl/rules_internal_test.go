package crl

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
	keys := []*x509.Certificate{testCA(t, testKeys().ecdsa, x509.KeyUsageCRLSign)}
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
		if got := test.list.parse(t).Replaces(old, keys); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestSignatureIsCheckedOnce: for each CA.
func TestSignatureIsCheckedOnce(t *testing.T) {
	t.Parallel()
	list := testList{}.parse(t)
	ca := testCA(t, testKeys().ecdsa, x509.KeyUsageCRLSign)
	if err := list.SignedBy(ca); err != nil {
		t.Fatal(err)
	}
	remembered := errors.New("remembered")
	list.memory.signers[string(ca.Raw)] = remembered
	if err := list.SignedBy(ca); !errors.Is(err, remembered) {
		t.Errorf("the signature is checked again: %v", err)
	}
	if err := list.SignedBy(testCA(t, testKeys().other, x509.KeyUsageCRLSign)); err == nil || errors.Is(err, remembered) {
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
		if err := list.SignedBy(&ca); err != nil {
			t.Fatal(err)
		}
		if n := len(list.memory.signers); n == 0 || n > maxSigners {
			t.Fatalf("%d are remembered", n)
		}
	}
}

// TestCRLsAreCompared: lists are the same by what is signed and by the
// signature, and speak of the same certificates by the whole of their scope.
func TestCRLsAreCompared(t *testing.T) {
	t.Parallel()
	signed := func(n byte, signature string) *List {
		return testList{
			entries: []testEntry{{serial: []byte{n}, date: testThisUpdate}},
			sign:    func([]byte) []byte { return []byte(signature) },
		}.parse(t)
	}
	list := signed(1, "one")
	for name, test := range map[string]struct {
		other *List
		same  bool
	}{
		"the same": {signed(1, "one"), true}, "another content": {signed(2, "one"), false}, "another signature": {signed(1, "two"), false},
	} {
		if got := list.Same(test.other); got != test.same {
			t.Errorf("%s: %t", name, got)
		}
	}
	scopes := []scope{
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

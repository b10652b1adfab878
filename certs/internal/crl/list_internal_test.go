package crl

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"
)

func TestCRLHeader(t *testing.T) {
	t.Parallel()
	next := testThisUpdate.AddDate(0, 1, 0)
	list := testList{
		version: 2, nextUpdate: next,
		entries: []testEntry{{serial: []byte{7}, date: testThisUpdate}},
		extensions: []testExtension{
			{oid: oidAuthorityKeyID, value: []byte{0x30, 5, 0x80, 3, 9, 8, 7}},
			{oid: oidCRLNumber, value: []byte{2, 2, 1, 0}},
			{oid: asn1.ObjectIdentifier{1, 2, 3}, value: []byte{1}},
		},
	}
	c := list.parse(t)
	if c.File != "test.r0" || versionOf(t, list.der(t)) != 2 || c.Entries != 1 || c.Defect() != "" {
		t.Errorf("list %+v", c)
	}
	if !bytes.Equal(c.rawIssuer, testIssuer(t)) || !bytes.Equal(c.authorityKeyID, []byte{9, 8, 7}) {
		t.Errorf("issuer %x, key %x", c.rawIssuer, c.authorityKeyID)
	}
	if c.Number == nil || c.Number.Int64() != 256 {
		t.Errorf("number %v", c.Number)
	}
	if !c.ThisUpdate.Equal(testThisUpdate) || !c.NextUpdate.Equal(next) {
		t.Errorf("times %v, %v", c.ThisUpdate, c.NextUpdate)
	}
	for _, test := range []struct {
		now  time.Time
		want Age
	}{
		{testThisUpdate.Add(-time.Second), Future},
		{testThisUpdate, Current},
		{next.Add(-time.Second), Current},
		{next, Stale},
	} {
		if got := c.Age(test.now); got != test.want {
			t.Errorf("age at %v = %d, want %d", test.now, got, test.want)
		}
	}
	if err := c.checkSignature(testCA(t, testKeys().ecdsa, x509.KeyUsageCRLSign)); err != nil {
		t.Error(err)
	}
}

func TestCRLWithoutNextUpdate(t *testing.T) {
	t.Parallel()
	c := testList{}.parse(t)
	if versionOf(t, testList{}.der(t)) != 1 || !c.NextUpdate.IsZero() || c.Entries != 0 {
		t.Errorf("list %+v", c)
	}
	if got := c.Age(testThisUpdate.AddDate(20, 0, 0)); got != Current {
		t.Errorf("age = %d, want current", got)
	}
	if _, revoked := c.Lookup(big.NewInt(1)); revoked {
		t.Error("an empty list revokes")
	}
}

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
		"the same": {testList{version: 2}, true},
		"newer":    {testList{version: 2, thisUpdate: testThisUpdate.Add(time.Second)}, true},
		"older":    {testList{version: 2, thisUpdate: testThisUpdate.Add(-time.Second)}, false},
		"of users": {testList{version: 2, extensions: []testExtension{issuingDistributionPoint(t, nil, 1)}}, false},
		"of a point": {
			testList{version: 2, extensions: []testExtension{issuingDistributionPoint(t, []string{"http://x"})}}, false,
		},
		"by a forger": {testList{version: 2, sign: func([]byte) []byte { return []byte("x") }}, false},
	} {
		if got := test.list.parse(t).Replaces(old, keys); got != test.want {
			t.Errorf("%s: %t", name, got)
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
		"the same": {signed(1, "one"), true}, "another content": {signed(2, "one"), false},
		"another signature": {signed(1, "two"), false},
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

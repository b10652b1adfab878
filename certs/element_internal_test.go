package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"
)

var testThisUpdate = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// keySet is some keys.
type keySet struct{ ecdsa, other, p384 *ecdsa.PrivateKey }

var testKeys = sync.OnceValue(func() keySet {
	generate := func(curve elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	}
	return keySet{ecdsa: generate(elliptic.P256()), other: generate(elliptic.P256()), p384: generate(elliptic.P384())}
})

// certified has a key certify another, as a CA of the name; none of its
// certificates has a key identifier.
func certified(
	tb testing.TB, subject, issuer string, key, by crypto.Signer, algorithm x509.SignatureAlgorithm,
) *element {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: subject}, SignatureAlgorithm: algorithm,
		NotBefore: testThisUpdate, NotAfter: testThisUpdate.AddDate(10, 0, 0), BasicConstraintsValid: true, IsCA: true,
		SubjectKeyId: []byte{}, // or one is made
	}
	parent := &x509.Certificate{Subject: pkix.Name{CommonName: issuer}}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	e, err := newElement(cert)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// TestRolledOver: without key identifiers, a certificate of a CA for itself is
// no root if another key of the name signed it that is one.
func TestRolledOver(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	const sha256 = x509.ECDSAWithSHA256
	root := certified(t, "CA", "CA", keys.ecdsa, keys.ecdsa, sha256)
	successor := certified(t, "CA", "CA", keys.other, keys.ecdsa, sha256)
	circle := certified(t, "CA", "CA", keys.ecdsa, keys.other, sha256)
	stranger := certified(t, "CA", "CA", keys.p384, keys.p384, x509.ECDSAWithSHA384)
	old := certified(t, "CA", "CA", keys.ecdsa, keys.ecdsa, x509.ECDSAWithSHA1) // Go checks no such signature
	for name, test := range map[string]struct {
		installed []*element // the first is asked about
		want      bool
	}{
		"a root beside its successor":     {[]*element{root, successor}, false},
		"a successor beside the root":     {[]*element{successor, root}, true},
		"a successor alone":               {[]*element{successor}, false},
		"a successor beside another root": {[]*element{successor, stranger}, false},
		"two that sign each other":        {[]*element{successor, circle}, false},
		"a root signed with SHA-1":        {[]*element{old, stranger}, false},
	} {
		s := &Snapshot{bySubject: map[string][]*element{root.subjectKey: test.installed}}
		if got := s.rolledOver(test.installed[0]); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestMayBeCA: a certificate without basicConstraints is a CA's only if it is
// of X.509 version 1 and self-signed.
func TestMayBeCA(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		e    element
		want bool
	}{
		"CA": {
			element{cert: &x509.Certificate{Version: 3, BasicConstraintsValid: true, IsCA: true}}, true,
		},
		"no CA":                    {element{cert: &x509.Certificate{Version: 3, BasicConstraintsValid: true}}, false},
		"root of version 1":        {element{cert: &x509.Certificate{Version: 1}}, true},
		"subordinate of version 1": {element{cert: &x509.Certificate{Version: 1}, issuerKey: "another"}, false},
		"root of version 3":        {element{cert: &x509.Certificate{Version: 3}}, false},
	} {
		if got := test.e.mayBeCA(); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestChainAbove: the CAs above another are those that signed it, whoever has
// their names, and none twice.
func TestChainAbove(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	const sha256 = x509.ECDSAWithSHA256
	root, stranger := certified(t, "CA", "CA", keys.ecdsa, keys.ecdsa, sha256),
		certified(t, "CA", "CA", keys.other, keys.other, sha256)
	root.anchor, stranger.anchor = true, true
	sub := certified(t, "Sub", "CA", keys.p384, keys.ecdsa, sha256)
	one, two := certified(t, "CA", "CA", keys.ecdsa, keys.other, sha256),
		certified(t, "CA", "CA", keys.other, keys.ecdsa, sha256)
	for name, test := range map[string]struct{ installed, want []*element }{
		"two of a name":            {[]*element{stranger, root}, []*element{sub, root}},
		"another of the name":      {[]*element{stranger}, []*element{sub}},
		"two that sign each other": {[]*element{one, two}, []*element{sub, one, two}},
	} {
		s := &Snapshot{bySubject: map[string][]*element{root.subjectKey: test.installed}}
		if got := s.chain(sub); !slices.Equal(got, test.want) {
			t.Errorf("%s: %d certificates, want %d", name, len(got), len(test.want))
		}
	}
}

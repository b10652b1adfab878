package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"
)

// certified has a key certify another, as a CA of the name; none of its
// certificates has a key identifier.
func certified(tb testing.TB, subject, issuer string, key, by crypto.Signer, algorithm x509.SignatureAlgorithm) *element {
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
		"CA":                       {element{cert: &x509.Certificate{Version: 3, BasicConstraintsValid: true, IsCA: true}}, true},
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

// TestKeysOfCAs: what is said of a CA's key, and whether it is refused.
func TestKeysOfCAs(t *testing.T) {
	t.Parallel()
	bits := func(n uint) *x509.Certificate {
		modulus := new(big.Int).SetBit(big.NewInt(1), int(n-1), 1)
		return &x509.Certificate{PublicKey: &rsa.PublicKey{N: modulus, E: 65537}}
	}
	for name, test := range map[string]struct {
		cert    *x509.Certificate
		words   string
		refused bool
	}{
		"ECDSA":     {&x509.Certificate{PublicKey: testKeys().ecdsa.Public()}, "", false},
		"RSA 2048":  {bits(2048), "", false},
		"RSA 2047":  {bits(2047), "2047 bits, fewer than 2048, and may be broken; what this CA signed is accepted", false},
		"RSA 1024":  {bits(1024), "1024 bits, fewer than 2048, and may be broken; what this CA signed is accepted", false},
		"RSA 1023":  {bits(1023), "1023 bits, fewer than 1024: what this CA signed is refused", true},
		"malformed": {&x509.Certificate{PublicKey: &rsa.PublicKey{N: big.NewInt(1 << 40), E: 3}}, "malformed: the modulus", true},
		"unknown":   {&x509.Certificate{RawSubjectPublicKeyInfo: []byte{0x30, 7, 0x30, 5, 6, 3, 42, 3, 4}}, "1.2.3.4, which is not supported", true},
		"no key":    {&x509.Certificate{RawSubjectPublicKeyInfo: []byte{0x31, 0}}, "that cannot be read", true},
		"no type":   {&x509.Certificate{RawSubjectPublicKeyInfo: []byte{0x30, 4, 0x30, 2, 5, 0}}, "that cannot be read", true},
	} {
		text, refused := (&CA{Certificate: test.cert}).Weakness()
		if refused != test.refused || (text == "") != (test.words == "") || !strings.Contains(text, test.words) {
			t.Errorf("%s: %q, refused %t", name, text, refused)
		}
	}
}

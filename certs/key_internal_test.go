package certs

import (
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
)

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
		"ECDSA":    {&x509.Certificate{PublicKey: testKeys().ecdsa.Public()}, "", false},
		"RSA 2048": {bits(2048), "", false},
		"RSA 2047": {bits(2047), "2047 bits, fewer than 2048, and may be broken; what this CA signed is accepted", false},
		"RSA 1024": {bits(1024), "1024 bits, fewer than 2048, and may be broken; what this CA signed is accepted", false},
		"RSA 1023": {bits(1023), "1023 bits, fewer than 1024: what this CA signed is refused", true},
		"malformed": {
			&x509.Certificate{PublicKey: &rsa.PublicKey{N: big.NewInt(1 << 40), E: 3}}, "malformed: the modulus", true,
		},
		"unknown": {
			&x509.Certificate{RawSubjectPublicKeyInfo: []byte{0x30, 7, 0x30, 5, 6, 3, 42, 3, 4}},
			"1.2.3.4, which is not supported", true,
		},
		"no key":  {&x509.Certificate{RawSubjectPublicKeyInfo: []byte{0x31, 0}}, "that cannot be read", true},
		"no type": {&x509.Certificate{RawSubjectPublicKeyInfo: []byte{0x30, 4, 0x30, 2, 5, 0}}, "that cannot be read", true},
	} {
		text, refused := (&CA{Certificate: test.cert}).Weakness()
		if refused != test.refused || (text == "") != (test.words == "") || !strings.Contains(text, test.words) {
			t.Errorf("%s: %q, refused %t", name, text, refused)
		}
	}
}

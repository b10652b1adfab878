package crl

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var derNull = []byte{5, 0}

// pssParameters builds RSASSA-PSS-params.
func pssParameters(tb testing.TB, hash, maskHash asn1.ObjectIdentifier, salt int64) []byte {
	tb.Helper()
	explicit := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).Constructed().ContextSpecific() }
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddBytes(algorithmIdentifier(tb, hash, derNull)) })
		b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
			b.AddBytes(algorithmIdentifier(tb, oidMGF1, algorithmIdentifier(tb, maskHash, nil)))
		})
		b.AddASN1(explicit(2), func(b *cryptobyte.Builder) { b.AddASN1Int64(salt) })
	})
	return builtBytes(tb, &b)
}

func TestCRLSignature(t *testing.T) {
	t.Parallel()
	keys := testKeys()
	rsaOID := func(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, n} }
	ecdsaOID := func(n ...int) asn1.ObjectIdentifier {
		return append(asn1.ObjectIdentifier{1, 2, 840, 10045, 4}, n...)
	}
	sha := func(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, n} }
	pkcs1 := func(hash crypto.Hash) func([]byte) []byte {
		return func(tbs []byte) []byte {
			signature, err := rsa.SignPKCS1v15(rand.Reader, keys.rsa, hash, digest(hash, tbs))
			if err != nil {
				panic(err)
			}
			return signature
		}
	}
	pss := func(hash crypto.Hash) func([]byte) []byte {
		return func(tbs []byte) []byte {
			signature, err := rsa.SignPSS(rand.Reader, keys.rsa, hash, digest(hash, tbs),
				&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
			if err != nil {
				panic(err)
			}
			return signature
		}
	}
	ec := func(hash crypto.Hash) func([]byte) []byte {
		return func(tbs []byte) []byte { return signECDSA(t, keys.ecdsa, hash, tbs) }
	}
	edwards := func(tbs []byte) []byte { return ed25519.Sign(keys.ed25519, tbs) }
	tests := []struct {
		name       string
		key        crypto.Signer
		oid        asn1.ObjectIdentifier
		parameters []byte
		sign       func([]byte) []byte
		message    string // a part of the error; empty: the signature is good
	}{
		{"RSA SHA-256", keys.rsa, rsaOID(11), derNull, pkcs1(crypto.SHA256), ""},
		{"RSA SHA-384", keys.rsa, rsaOID(12), derNull, pkcs1(crypto.SHA384), ""},
		{"RSA SHA-512", keys.rsa, rsaOID(13), derNull, pkcs1(crypto.SHA512), ""},
		{"RSA SHA-256 without NULL", keys.rsa, rsaOID(11), nil, pkcs1(crypto.SHA256), ""},
		{"RSA SHA-1", keys.rsa, rsaOID(5), derNull, pkcs1(crypto.SHA1), ""},
		{"RSA MD5", keys.rsa, rsaOID(4), derNull, pkcs1(crypto.MD5), "MD5 is broken"},
		{"RSA other parameters", keys.rsa, rsaOID(11), []byte{2, 1, 1}, pkcs1(crypto.SHA256), "malformed"},
		{"RSA wrong hash", keys.rsa, rsaOID(11), derNull, pkcs1(crypto.SHA512), "not of this CA's key"},
		{"RSA key, PSS signature", keys.rsa, rsaOID(11), derNull, pss(crypto.SHA256), "not of this CA's key"},
		{"PSS SHA-256", keys.rsa, oidRSAPSS, pssParameters(t, sha(1), sha(1), 32), pss(crypto.SHA256), ""},
		{"PSS SHA-384", keys.rsa, oidRSAPSS, pssParameters(t, sha(2), sha(2), 48), pss(crypto.SHA384), ""},
		{"PSS SHA-512", keys.rsa, oidRSAPSS, pssParameters(t, sha(3), sha(3), 64), pss(crypto.SHA512), ""},
		{
			"PSS wrong signature", keys.rsa, oidRSAPSS, pssParameters(t, sha(1), sha(1), 32), pkcs1(crypto.SHA256),
			"not of this CA's key",
		},
		{
			"PSS other mask", keys.rsa, oidRSAPSS, pssParameters(t, sha(1), sha(2), 32), pss(crypto.SHA256),
			"parameters of RSA-PSS",
		},
		{
			"PSS other salt", keys.rsa, oidRSAPSS, pssParameters(t, sha(1), sha(1), 20), pss(crypto.SHA256),
			"parameters of RSA-PSS",
		},
		{"PSS defaults, which are SHA-1", keys.rsa, oidRSAPSS, []byte{0x30, 0}, pss(crypto.SHA256), "parameters of RSA-PSS"},
		{"PSS without parameters", keys.rsa, oidRSAPSS, nil, pss(crypto.SHA256), "parameters of RSA-PSS"},
		{"ECDSA SHA-256", keys.ecdsa, ecdsaOID(3, 2), nil, ec(crypto.SHA256), ""},
		{"ECDSA SHA-384", keys.ecdsa, ecdsaOID(3, 3), nil, ec(crypto.SHA384), ""},
		{"ECDSA SHA-512", keys.ecdsa, ecdsaOID(3, 4), nil, ec(crypto.SHA512), ""},
		{"ECDSA SHA-1", keys.ecdsa, ecdsaOID(1), nil, ec(crypto.SHA1), ""},
		{"ECDSA with NULL", keys.ecdsa, ecdsaOID(3, 2), derNull, ec(crypto.SHA256), "malformed"},
		{"another key", keys.other, ecdsaOID(3, 2), nil, ec(crypto.SHA256), "not of this CA's key"},
		{"a key of another curve", keys.p384, ecdsaOID(3, 2), nil, ec(crypto.SHA256), "not of this CA's key"},
		{"garbage", keys.ecdsa, ecdsaOID(3, 2), nil, func([]byte) []byte { return []byte{1, 2, 3} }, "not of this CA's key"},
		{"nothing", keys.ecdsa, ecdsaOID(3, 2), nil, func([]byte) []byte { return nil }, "not of this CA's key"},
		{"Ed25519", keys.ed25519, asn1.ObjectIdentifier{1, 3, 101, 112}, nil, edwards, ""},
		{
			"Ed25519 garbage", keys.ed25519,
			asn1.ObjectIdentifier{1, 3, 101, 112},
			nil,
			func([]byte) []byte { return make([]byte, 64) }, "not of this CA's key",
		},
		{
			"Ed25519 short", keys.ed25519,
			asn1.ObjectIdentifier{1, 3, 101, 112},
			nil, func([]byte) []byte { return []byte{1} },
			"not of this CA's key",
		},
		{"RSA key for ECDSA", keys.rsa, ecdsaOID(3, 2), nil, ec(crypto.SHA256), "the CA's key is RSA"},
		{"ECDSA key for RSA", keys.ecdsa, rsaOID(11), derNull, pkcs1(crypto.SHA256), "the CA's key is ECDSA"},
		{"Ed25519 key for ECDSA", keys.ed25519, ecdsaOID(3, 2), nil, ec(crypto.SHA256), "the CA's key is Ed25519"},
		{"ECDSA key for Ed25519", keys.ecdsa, asn1.ObjectIdentifier{1, 3, 101, 112}, nil, edwards, "the CA's key is ECDSA"},
		{"DSA", keys.rsa, asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 3}, nil, pkcs1(crypto.SHA1), "DSA is not supported"},
		{"unknown", keys.rsa, asn1.ObjectIdentifier{1, 2, 3}, nil, pkcs1(crypto.SHA256), "1.2.3 is not supported"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			list := testList{
				version: 2, entries: []testEntry{{serial: []byte{1}, date: testThisUpdate}},
				algorithm: algorithmIdentifier(t, test.oid, test.parameters), sign: test.sign,
			}
			c := list.parse(t)
			err := c.checkSignature(testCA(t, test.key, x509.KeyUsageCRLSign))
			if (err == nil) != (test.message == "") || err != nil && !strings.Contains(err.Error(), test.message) {
				t.Fatalf("error %v, want %q", err, test.message)
			}
			if isSHA1 := c.algorithm.hash == crypto.SHA1; isSHA1 != strings.Contains(test.name, "SHA-1") && err == nil {
				t.Errorf("isSHA1 = %t", isSHA1)
			}
			if err != nil {
				return
			}
			der := list.der(t)
			altered := parseInMemory(t, bytes.Replace(der, []byte{2, 1, 1, 0x17}, []byte{2, 1, 2, 0x17}, 1))
			if err := altered.checkSignature(testCA(t, test.key, x509.KeyUsageCRLSign)); err == nil {
				t.Error("an altered list has a good signature")
			}
		})
	}
}

func TestCRLSigner(t *testing.T) {
	t.Parallel()
	key := testKeys().ecdsa
	c := testList{}.parse(t)
	for _, test := range []struct {
		usage x509.KeyUsage
		ok    bool
	}{
		{0, true}, // no keyUsage
		{x509.KeyUsageCRLSign, true},
		{x509.KeyUsageCRLSign | x509.KeyUsageCertSign, true},
		{x509.KeyUsageCertSign, false},
	} {
		err := c.checkSignature(testCA(t, key, test.usage))
		if (err == nil) != test.ok || err != nil && !strings.Contains(err.Error(), "cRLSign") {
			t.Errorf("keyUsage %b: %v", test.usage, err)
		}
	}
}

// Ed25519 signs the list itself: it is checked when the file is gone, too.
func TestCRLSignatureWithoutFile(t *testing.T) {
	t.Parallel()
	key := testKeys().ed25519
	list := testList{
		algorithm: algorithmIdentifier(t, asn1.ObjectIdentifier{1, 3, 101, 112}, nil),
		sign:      func(tbs []byte) []byte { return ed25519.Sign(key, tbs) },
	}
	c := list.parse(t)
	c.source.read = func() ([]byte, error) { return nil, errors.New("gone") }
	if err := c.checkSignature(testCA(t, key, x509.KeyUsageCRLSign)); err != nil {
		t.Error(err)
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

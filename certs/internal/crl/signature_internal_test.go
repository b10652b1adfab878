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
	"slices"
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

// Identifiers of algorithms: of RSA and ECDSA by the ends of theirs, of SHA-2
// by its numbers (1 to 3), and of Ed25519.
func rsaOID(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, n} }

func ecdsaOID(n ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 840, 10045, 4}, n...)
}

func sha(n int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, n} }

var ed25519OID = asn1.ObjectIdentifier{1, 3, 101, 112}

// byPKCS1 signs with the RSA key of testKeys, byPSS likewise, byECDSA and
// byEd25519 with those of their kind.
func byPKCS1(hash crypto.Hash) func([]byte) []byte {
	return func(tbs []byte) []byte {
		signature, err := rsa.SignPKCS1v15(rand.Reader, testKeys().rsa, hash, digest(hash, tbs))
		if err != nil {
			panic(err)
		}
		return signature
	}
}

func byPSS(hash crypto.Hash) func([]byte) []byte {
	return func(tbs []byte) []byte {
		signature, err := rsa.SignPSS(rand.Reader, testKeys().rsa, hash, digest(hash, tbs),
			&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		if err != nil {
			panic(err)
		}
		return signature
	}
}

func byECDSA(t *testing.T, hash crypto.Hash) func([]byte) []byte {
	t.Helper()
	return func(tbs []byte) []byte { return signECDSA(t, testKeys().ecdsa, hash, tbs) }
}

func byEd25519(tbs []byte) []byte { return ed25519.Sign(testKeys().ed25519, tbs) }

// signatureCase is a list and how it is signed.
type signatureCase struct {
	name       string
	key        crypto.Signer
	oid        asn1.ObjectIdentifier
	parameters []byte
	sign       func([]byte) []byte
	message    string // a part of the error; empty: the signature is good
}

func rsaSignatures() []signatureCase {
	keys := testKeys()
	return []signatureCase{
		{name: "RSA SHA-256", key: keys.rsa, oid: rsaOID(11), parameters: derNull, sign: byPKCS1(crypto.SHA256)},
		{name: "RSA SHA-384", key: keys.rsa, oid: rsaOID(12), parameters: derNull, sign: byPKCS1(crypto.SHA384)},
		{name: "RSA SHA-512", key: keys.rsa, oid: rsaOID(13), parameters: derNull, sign: byPKCS1(crypto.SHA512)},
		{name: "RSA SHA-256 without NULL", key: keys.rsa, oid: rsaOID(11), sign: byPKCS1(crypto.SHA256)},
		{name: "RSA SHA-1", key: keys.rsa, oid: rsaOID(5), parameters: derNull, sign: byPKCS1(crypto.SHA1)},
		{
			name: "RSA MD5", key: keys.rsa, oid: rsaOID(4), parameters: derNull, sign: byPKCS1(crypto.MD5),
			message: "MD5 is broken",
		},
		{
			name: "RSA other parameters", key: keys.rsa, oid: rsaOID(11), parameters: []byte{2, 1, 1},
			sign: byPKCS1(crypto.SHA256), message: "malformed",
		},
		{
			name: "RSA wrong hash", key: keys.rsa, oid: rsaOID(11), parameters: derNull, sign: byPKCS1(crypto.SHA512),
			message: "not of this CA's key",
		},
		{
			name: "RSA key, PSS signature", key: keys.rsa, oid: rsaOID(11), parameters: derNull, sign: byPSS(crypto.SHA256),
			message: "not of this CA's key",
		},
	}
}

func pssSignatures(t *testing.T) []signatureCase {
	t.Helper()
	keys := testKeys()
	return []signatureCase{
		{
			name: "PSS SHA-256", key: keys.rsa, oid: oidRSAPSS, parameters: pssParameters(t, sha(1), sha(1), 32),
			sign: byPSS(crypto.SHA256),
		},
		{
			name: "PSS SHA-384", key: keys.rsa, oid: oidRSAPSS, parameters: pssParameters(t, sha(2), sha(2), 48),
			sign: byPSS(crypto.SHA384),
		},
		{
			name: "PSS SHA-512", key: keys.rsa, oid: oidRSAPSS, parameters: pssParameters(t, sha(3), sha(3), 64),
			sign: byPSS(crypto.SHA512),
		},
		{
			name: "PSS wrong signature", key: keys.rsa, oid: oidRSAPSS, parameters: pssParameters(t, sha(1), sha(1), 32),
			sign: byPKCS1(crypto.SHA256), message: "not of this CA's key",
		},
		{
			name: "PSS other mask", key: keys.rsa, oid: oidRSAPSS, parameters: pssParameters(t, sha(1), sha(2), 32),
			sign: byPSS(crypto.SHA256), message: "parameters of RSA-PSS",
		},
		{
			name: "PSS other salt", key: keys.rsa, oid: oidRSAPSS, parameters: pssParameters(t, sha(1), sha(1), 20),
			sign: byPSS(crypto.SHA256), message: "parameters of RSA-PSS",
		},
		{
			name: "PSS defaults, which are SHA-1", key: keys.rsa, oid: oidRSAPSS, parameters: []byte{0x30, 0},
			sign: byPSS(crypto.SHA256), message: "parameters of RSA-PSS",
		},
		{
			name: "PSS without parameters", key: keys.rsa, oid: oidRSAPSS, sign: byPSS(crypto.SHA256),
			message: "parameters of RSA-PSS",
		},
	}
}

func ecdsaSignatures(t *testing.T) []signatureCase {
	t.Helper()
	keys := testKeys()
	return []signatureCase{
		{name: "ECDSA SHA-256", key: keys.ecdsa, oid: ecdsaOID(3, 2), sign: byECDSA(t, crypto.SHA256)},
		{name: "ECDSA SHA-384", key: keys.ecdsa, oid: ecdsaOID(3, 3), sign: byECDSA(t, crypto.SHA384)},
		{name: "ECDSA SHA-512", key: keys.ecdsa, oid: ecdsaOID(3, 4), sign: byECDSA(t, crypto.SHA512)},
		{name: "ECDSA SHA-1", key: keys.ecdsa, oid: ecdsaOID(1), sign: byECDSA(t, crypto.SHA1)},
		{
			name: "ECDSA with NULL", key: keys.ecdsa, oid: ecdsaOID(3, 2), parameters: derNull, sign: byECDSA(t, crypto.SHA256),
			message: "malformed",
		},
		{
			name: "another key", key: keys.other, oid: ecdsaOID(3, 2), sign: byECDSA(t, crypto.SHA256),
			message: "not of this CA's key",
		},
		{
			name: "a key of another curve", key: keys.p384, oid: ecdsaOID(3, 2), sign: byECDSA(t, crypto.SHA256),
			message: "not of this CA's key",
		},
		{
			name: "garbage", key: keys.ecdsa, oid: ecdsaOID(3, 2), sign: func([]byte) []byte { return []byte{1, 2, 3} },
			message: "not of this CA's key",
		},
		{
			name: "nothing", key: keys.ecdsa, oid: ecdsaOID(3, 2), sign: func([]byte) []byte { return nil },
			message: "not of this CA's key",
		},
	}
}

func ed25519Signatures() []signatureCase {
	keys := testKeys()
	return []signatureCase{
		{name: "Ed25519", key: keys.ed25519, oid: ed25519OID, sign: byEd25519},
		{
			name: "Ed25519 garbage", key: keys.ed25519, oid: ed25519OID,
			sign: func([]byte) []byte { return make([]byte, 64) }, message: "not of this CA's key",
		},
		{
			name: "Ed25519 short", key: keys.ed25519, oid: ed25519OID,
			sign: func([]byte) []byte { return []byte{1} }, message: "not of this CA's key",
		},
	}
}

// mismatchedSignatures are of another kind than the CA's key, or of none that
// is known.
func mismatchedSignatures(t *testing.T) []signatureCase {
	t.Helper()
	keys := testKeys()
	return []signatureCase{
		{
			name: "RSA key for ECDSA", key: keys.rsa, oid: ecdsaOID(3, 2), sign: byECDSA(t, crypto.SHA256),
			message: "the CA's key is RSA",
		},
		{
			name: "ECDSA key for RSA", key: keys.ecdsa, oid: rsaOID(11), parameters: derNull, sign: byPKCS1(crypto.SHA256),
			message: "the CA's key is ECDSA",
		},
		{
			name: "Ed25519 key for ECDSA", key: keys.ed25519, oid: ecdsaOID(3, 2), sign: byECDSA(t, crypto.SHA256),
			message: "the CA's key is Ed25519",
		},
		{
			name: "ECDSA key for Ed25519", key: keys.ecdsa, oid: ed25519OID, sign: byEd25519,
			message: "the CA's key is ECDSA",
		},
		{
			name: "DSA", key: keys.rsa, oid: asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 3}, sign: byPKCS1(crypto.SHA1),
			message: "DSA is not supported",
		},
		{
			name: "unknown", key: keys.rsa, oid: asn1.ObjectIdentifier{1, 2, 3}, sign: byPKCS1(crypto.SHA256),
			message: "1.2.3 is not supported",
		},
	}
}

func TestCRLSignature(t *testing.T) {
	t.Parallel()
	tests := slices.Concat(rsaSignatures(), pssSignatures(t), ecdsaSignatures(t), ed25519Signatures(),
		mismatchedSignatures(t))
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

package crl

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	_ "crypto/md5" // #nosec G501 -- registers MD5, to be refused
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// testList is a CRL to be built, well-formed or not. Its zero value is an
// empty version 1 list.
type testList struct {
	version    int       // 2, or anything else for a list without a version
	thisUpdate time.Time // zero: a fixed one
	nextUpdate time.Time // zero: none
	entries    []testEntry
	extensions []testExtension

	algorithm      []byte // the DER of the inner AlgorithmIdentifier; nil: ECDSA with SHA-256
	outerAlgorithm []byte // nil: the inner one
	sign           func(tbs []byte) []byte
}

type testEntry struct {
	serial     []byte // the content of the INTEGER
	date       time.Time
	extensions []testExtension
}

type testExtension struct {
	oid      asn1.ObjectIdentifier
	critical bool
	value    []byte
}

var testThisUpdate = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// der builds the list.
func (l testList) der(tb testing.TB) []byte {
	tb.Helper()
	algorithm := l.algorithm
	if algorithm == nil {
		algorithm = algorithmECDSA(tb)
	}
	outer := l.outerAlgorithm
	if outer == nil {
		outer = algorithm
	}
	sign := l.sign
	if sign == nil {
		sign = func(tbs []byte) []byte { return signECDSA(tb, testKeys().ecdsa, crypto.SHA256, tbs) }
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if l.version == 2 {
			b.AddASN1Int64(1)
		}
		b.AddBytes(algorithm)
		b.AddBytes(testIssuer(tb))
		this := l.thisUpdate
		if this.IsZero() {
			this = testThisUpdate
		}
		b.AddASN1UTCTime(this)
		if !l.nextUpdate.IsZero() {
			b.AddASN1UTCTime(l.nextUpdate)
		}
		if len(l.entries) > 0 {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, e := range l.entries {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(e.serial) })
						if e.date.Year() < 2050 {
							b.AddASN1UTCTime(e.date)
						} else {
							b.AddASN1GeneralizedTime(e.date)
						}
						if len(e.extensions) > 0 {
							addExtensions(b, e.extensions)
						}
					})
				}
			})
		}
		if len(l.extensions) > 0 {
			b.AddASN1(cbasn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
				addExtensions(b, l.extensions)
			})
		}
	})
	tbs := builtBytes(tb, &b)
	var list cryptobyte.Builder
	list.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(outer)
		b.AddASN1BitString(sign(tbs))
	})
	return builtBytes(tb, &list)
}

func addExtensions(b *cryptobyte.Builder, extensions []testExtension) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, e := range extensions {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(e.oid)
				if e.critical {
					b.AddASN1Boolean(true)
				}
				b.AddASN1OctetString(e.value)
			})
		}
	})
}

func builtBytes(tb testing.TB, b *cryptobyte.Builder) []byte {
	tb.Helper()
	der, err := b.Bytes()
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// parse reads a list that lookup finds again in memory.
func (l testList) parse(tb testing.TB) *List {
	tb.Helper()
	return parseInMemory(tb, l.der(tb))
}

func parseInMemory(tb testing.TB, data []byte) *List {
	tb.Helper()
	c, err := parseOnly("test.r0", data)
	if err != nil {
		tb.Fatal(err)
	}
	c.source.read = func() ([]byte, error) { return data, nil }
	return c
}

// parseOnly reads a file of one list.
func parseOnly(file string, data []byte) (*List, error) {
	lists, problems := Parse(file, data)
	switch {
	case len(problems) > 0:
		return nil, errors.New(problems[0].String())
	case len(lists) != 1:
		return nil, fmt.Errorf("%d lists", len(lists))
	}
	return lists[0], nil
}

// versionOf reads the version of a list.
func versionOf(tb testing.TB, der []byte) int {
	tb.Helper()
	input := cryptobyte.String(der)
	var list, tbs cryptobyte.String
	if !input.ReadASN1(&list, cbasn1.SEQUENCE) || !list.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		tb.Fatalf("no list: %x", der)
	}
	version := 0
	if tbs.PeekASN1Tag(cbasn1.INTEGER) && !tbs.ReadASN1Integer(&version) {
		tb.Fatalf("no version: %x", der)
	}
	return version + 1
}

// reason is the extension reasonCode.
func reason(code byte) testExtension {
	return testExtension{oid: oidReasonCode, value: []byte{0x0a, 1, code}}
}

func testIssuer(tb testing.TB) []byte {
	tb.Helper()
	raw, err := asn1.Marshal(pkix.Name{CommonName: "CA", Organization: []string{"Grid"}}.ToRDNSequence())
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// keySet is a key of each kind.
type keySet struct {
	ecdsa, other, p384 *ecdsa.PrivateKey
	rsa                *rsa.PrivateKey
	ed25519            ed25519.PrivateKey
}

var testKeys = sync.OnceValue(func() keySet {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var keys keySet
	var err error
	keys.ecdsa, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	keys.other, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	keys.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	keys.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	_, keys.ed25519, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return keys
})

// testCA makes a CA's certificate of the key.
func testCA(tb testing.TB, key crypto.Signer, usage x509.KeyUsage) *x509.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), RawSubject: testIssuer(tb),
		NotBefore: testThisUpdate, NotAfter: testThisUpdate.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: usage, SubjectKeyId: []byte{1, 2, 3, 4},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return certificate
}

// algorithmIdentifier builds one with the DER of its parameters.
func algorithmIdentifier(tb testing.TB, oid asn1.ObjectIdentifier, parameters []byte) []byte {
	tb.Helper()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddBytes(parameters)
	})
	return builtBytes(tb, &b)
}

func algorithmECDSA(tb testing.TB) []byte {
	tb.Helper()
	return algorithmIdentifier(tb, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, nil)
}

func digest(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}

func signECDSA(tb testing.TB, key *ecdsa.PrivateKey, hash crypto.Hash, tbs []byte) []byte {
	tb.Helper()
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest(hash, tbs))
	if err != nil {
		tb.Fatal(err)
	}
	return signature
}

// issuingDistributionPoint builds an IssuingDistributionPoint; points may be
// nil, flags are its BOOLEANs and onlySomeReasons by their tags.
func issuingDistributionPoint(tb testing.TB, points []string, flags ...uint8) testExtension {
	tb.Helper()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if points != nil {
			b.AddASN1(cbasn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.Tag(0).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) {
					for _, point := range points {
						b.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(point)) })
					}
				})
			})
		}
		for _, flag := range flags {
			value := []byte{0xff}
			if flag == 3 {
				value = []byte{1, 0x60}
			}
			b.AddASN1(cbasn1.Tag(flag).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(value) })
		}
	})
	return testExtension{oid: oidIssuingDistribution, critical: true, value: builtBytes(tb, &b)}
}

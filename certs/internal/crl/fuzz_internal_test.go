package crl

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"
)

func FuzzCRL(f *testing.F) {
	key := testKeys().ecdsa
	ca := testCA(f, key, x509.KeyUsageCRLSign)
	full := testList{
		version: 2, nextUpdate: testThisUpdate.AddDate(0, 1, 0),
		entries: []testEntry{
			{serial: []byte{1}, date: testThisUpdate, extensions: []testExtension{reason(1)}},
			{serial: []byte{0, 0x80}, date: testThisUpdate.AddDate(30, 0, 0)},
			{serial: []byte{0x9a}, date: testThisUpdate},
		},
		extensions: []testExtension{
			{oid: oidAuthorityKeyID, value: []byte{0x30, 5, 0x80, 3, 9, 8, 7}},
			{oid: oidCRLNumber, value: []byte{2, 2, 1, 0}},
			issuingDistributionPoint(f, []string{"http://a/"}, 1, 3),
			{oid: asn1.ObjectIdentifier{1, 2, 3}, critical: true, value: []byte{1}},
		},
	}
	f.Add(full.der(f))
	f.Add(testList{entries: full.entries}.der(f))
	f.Add(testList{}.der(f))
	block := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: full.der(f)})
	f.Add(block)
	f.Add(slices.Concat(block, []byte("text\n"), block[:len(block)-30], block))
	f.Add(append(full.der(f), testList{}.der(f)...))
	pss := full
	pss.algorithm = algorithmIdentifier(f, oidRSAPSS,
		pssParameters(f, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1},
			asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, 32))
	f.Add(pss.der(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		lists, problems := Parse("f", data)
		if len(lists)+len(problems) == 0 {
			t.Fatal("neither a list nor a problem")
		}
		var sound [][]byte
		for _, block := range splitFile(data) {
			if block.Err != nil { // such as damaged base64, whose bytes may be those of a list all the same
				continue
			}
			if _, err := parse("f", block.DER); err == nil {
				sound = append(sound, block.DER)
			}
		}
		if len(sound) != len(lists) {
			t.Fatalf("%d lists of %d sound ones", len(lists), len(sound))
		}
		for i, c := range lists {
			c.source.read = func() ([]byte, error) { return data, nil }
			_ = c.checkSignature(ca)
			_, _ = c.Covers(ca)
			if r, revoked := c.Lookup(big.NewInt(1)); revoked && r.Unconfirmed {
				t.Fatal("a list is not found again")
			}
			if c.Age(c.ThisUpdate) == Future || c.Defect() == "" && (c.scope.indirect || c.scope.delta) {
				t.Fatalf("list %+v", c)
			}
			if want, err := x509.ParseRevocationList(sound[i]); err == nil {
				sameAsStandardLibrary(t, c, want)
			}
		}
	})
}

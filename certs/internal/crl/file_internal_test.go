package crl

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/gtunnel/gtunnel/certs/internal/files"
)

func TestCRLFormats(t *testing.T) {
	t.Parallel()
	der := testList{version: 2, entries: []testEntry{{serial: []byte{3}, date: testThisUpdate}}}.der(t)
	block := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})
	for name, data := range map[string][]byte{
		"DER":                   der,
		"DER and white space":   append(bytes.Clone(der), " \r\n"...),
		"PEM":                   block,
		"text before":           append([]byte("0 Certificate Revocation List (CRL):\n    Version 2\n"), block...),
		"text after":            append(bytes.Clone(block), "\n# fetched\n"...),
		"CRLF":                  bytes.ReplaceAll(block, []byte("\n"), []byte("\r\n")),
		"after another block":   append(bytes.Clone(certificate), block...),
		"before another block":  append(bytes.Clone(block), certificate...),
		"no line end":           bytes.TrimSpace(block),
		"before a broken block": append(bytes.Clone(block), "-----BEGIN CERTIFICATE-----\nx"...),
	} {
		if _, revoked := parseInMemory(t, data).Lookup(big.NewInt(3)); !revoked {
			t.Errorf("%s: the serial is not revoked", name)
		}
	}
}

// TestWhiteSpaceEndsAList: the last octet of a signature is no white space,
// whatever it looks like.
func TestWhiteSpaceEndsAList(t *testing.T) {
	t.Parallel()
	list := testList{sign: func([]byte) []byte { return []byte("signature \n") }}
	first := testList{entries: []testEntry{{serial: []byte{3}, date: testThisUpdate}}}
	lists, problems := Parse("f", slices.Concat(first.der(t), []byte("\r\n"), list.der(t)))
	if len(lists) != 2 || len(problems) > 0 {
		t.Errorf("%d lists, problems %v", len(lists), problems)
	}
}

// An entry whose date makes no sense is revoked all the same.
func TestCRLEntryWithBadDate(t *testing.T) {
	t.Parallel()
	der := testList{
		version: 2, nextUpdate: testThisUpdate,
		entries: []testEntry{{serial: []byte{3}, date: testThisUpdate.Add(time.Second)}},
	}.der(t)
	c := parseInMemory(t, bytes.Replace(der, []byte("260102030406Z"), []byte("26010203040xZ"), 1))
	if got, revoked := c.Lookup(big.NewInt(3)); !revoked || !got.Date.IsZero() || got.Unconfirmed {
		t.Errorf("lookup = %+v, %t", got, revoked)
	}
}

// sameAsStandardLibrary compares with what crypto/x509 reads.
func sameAsStandardLibrary(tb testing.TB, c *List, want *x509.RevocationList) {
	tb.Helper()
	if c.Entries != len(want.RevokedCertificateEntries) || len(c.revoked) != c.Entries && !c.scope.indirect {
		tb.Fatalf("%d entries, %d hashes, want %d", c.Entries, len(c.revoked), len(want.RevokedCertificateEntries))
	}
	if !bytes.Equal(c.rawIssuer, want.RawIssuer) || !c.ThisUpdate.Equal(want.ThisUpdate) ||
		!c.NextUpdate.Equal(want.NextUpdate) {
		tb.Fatalf("header %x %v %v, want %x %v %v", c.rawIssuer, c.ThisUpdate, c.NextUpdate, want.RawIssuer, want.ThisUpdate,
			want.NextUpdate)
	}
	if !bytes.Equal(c.authorityKeyID, want.AuthorityKeyId) || (c.Number == nil) != (want.Number == nil) ||
		c.Number != nil && c.Number.Cmp(want.Number) != 0 {
		tb.Fatalf("key %x, number %v; want %x, %v", c.authorityKeyID, c.Number, want.AuthorityKeyId, want.Number)
	}
	if c.scope.indirect {
		return
	}
	first := make(map[string]x509.RevocationListEntry)
	for _, entry := range want.RevokedCertificateEntries {
		if _, again := first[entry.SerialNumber.String()]; !again {
			first[entry.SerialNumber.String()] = entry
		}
	}
	for _, entry := range first {
		if entry.SerialNumber.Sign() < 0 {
			continue
		}
		got, revoked := c.Lookup(entry.SerialNumber)
		if !revoked || got.Unconfirmed || !got.Date.Equal(entry.RevocationTime) {
			tb.Fatalf("lookup(%v) = %+v, %t, want %v", entry.SerialNumber, got, revoked, entry.RevocationTime)
		}
		if code := entry.ReasonCode; code > 0 && code < len(reasonCodes) && got.Reason != reasonCodes[code] {
			tb.Fatalf("reason of %v = %q, want %q", entry.SerialNumber, got.Reason, reasonCodes[code])
		}
	}
}

// Lists of random content read the same as with crypto/x509.
func TestCRLAgainstStandardLibrary(t *testing.T) {
	t.Parallel()
	random := mathrand.New(mathrand.NewPCG(1, 2))
	key := testKeys().ecdsa
	ca := testCA(t, key, x509.KeyUsageCRLSign)
	for range 50 {
		template := &x509.RevocationList{
			Number:     big.NewInt(random.Int64()),
			ThisUpdate: testThisUpdate, NextUpdate: testThisUpdate.Add(time.Duration(random.IntN(1e6)) * time.Second),
		}
		listed := make(map[string]bool)
		for range random.IntN(200) {
			serial := make([]byte, 1+random.IntN(20))
			for i := range serial {
				serial[i] = byte(random.Uint32())
			}
			number := new(big.Int).SetBytes(serial)
			if listed[number.String()] {
				continue
			}
			listed[number.String()] = true
			code := random.IntN(11)
			if code == 7 {
				code = 0
			}
			template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{
				SerialNumber: number, ReasonCode: code,
				RevocationTime: testThisUpdate.Add(time.Duration(random.IntN(2e9)-1e9) * time.Second),
			})
		}
		der, err := x509.CreateRevocationList(rand.Reader, template, ca, key)
		if err != nil {
			t.Fatal(err)
		}
		want, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		c := parseInMemory(t, der)
		if err := c.checkSignature(ca); err != nil {
			t.Fatal(err)
		}
		sameAsStandardLibrary(t, c, want)
		for range 100 {
			number := big.NewInt(random.Int64N(1 << uint(8+random.IntN(40))))
			if _, revoked := c.Lookup(number); revoked != listed[number.String()] {
				t.Fatalf("lookup(%v) = %t", number, revoked)
			}
		}
	}
}

// Of an indirect list the entries count that speak of the list's issuer: those
// before the first certificateIssuer, and those after one that names it.
func TestCRLIndirect(t *testing.T) {
	t.Parallel()
	names := func(raw ...[]byte) []testExtension {
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, name := range raw {
				b.AddASN1(cbasn1.Tag(4).Constructed().ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(name) })
			}
		})
		return []testExtension{{oid: oidCertificateIssuer, critical: true, value: builtBytes(t, &b)}}
	}
	own := testIssuer(t)
	other, err := asn1.Marshal(pkix.Name{CommonName: "Other"}.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	entry := func(serial byte, extensions []testExtension) testEntry {
		return testEntry{serial: []byte{serial}, date: testThisUpdate, extensions: extensions}
	}
	list := testList{version: 2, nextUpdate: testThisUpdate.AddDate(0, 1, 0), entries: []testEntry{
		entry(1, nil), entry(2, names(other)), entry(3, nil), entry(1, nil),
		entry(4, names(own)), entry(5, nil), entry(3, nil),
		entry(6, names(other)), entry(7, names(other, own)),
		entry(8, names(other)), entry(9, []testExtension{{oid: oidCertificateIssuer, value: []byte{5, 0}}}),
	}}
	c := list.parse(t)
	if !strings.Contains(c.Defect(), "indirect") || c.Entries != len(list.entries) {
		t.Errorf("%d entries, the defect %q", c.Entries, c.Defect())
	}
	for serial, want := range map[int64]bool{
		1: true, 2: false, 3: true, 4: true, 5: true, 6: false, 7: true, 8: false, 9: true,
	} {
		if got, revoked := c.Lookup(big.NewInt(serial)); revoked != want || got.Unconfirmed {
			t.Errorf("%d: %+v, %t, want %t", serial, got, revoked, want)
		}
	}
}

// listOf makes a list of so many entries, one of which is of the serial number
// 0x11. Every other one says a reason.
func listOf(tb testing.TB, entries int) []byte {
	tb.Helper()
	random := mathrand.New(mathrand.NewPCG(3, 4))
	list := testList{version: 2, nextUpdate: testThisUpdate.AddDate(0, 1, 0), entries: make([]testEntry, entries)}
	for i := range list.entries {
		serial := make([]byte, 16)
		for j := range serial {
			serial[j] = byte(random.Uint32())
		}
		serial[0] &= 0x7f
		list.entries[i] = testEntry{serial: serial, date: testThisUpdate}
		if i%2 == 0 {
			list.entries[i].extensions = []testExtension{reason(byte(i % 6))}
		}
	}
	list.entries[entries/2].serial = []byte{0x11}
	return list.der(tb)
}

// A million entries: the time to load and check, and the memory that stays.
func BenchmarkCRLMillion(b *testing.B) {
	const entries = 1_000_000
	der := listOf(b, entries)
	ca := testCA(b, testKeys().ecdsa, x509.KeyUsageCRLSign)
	for name, data := range map[string][]byte{
		"DER": der,
		"PEM": pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}),
	} {
		file := filepath.Join(b.TempDir(), "ca.r0")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			b.Fatal(err)
		}
		size := len(data)
		b.Run(name, func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var c *List
			for b.Loop() {
				data, err := files.Read(file, MaxBytes)
				if err != nil {
					b.Fatal(err)
				}
				if c, err = parseOnly(file, data); err != nil {
					b.Fatal(err)
				}
				if err := c.checkSignature(ca); err != nil {
					b.Fatal(err)
				}
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(size), "B-file")
			b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)), "B-lasting")
			if _, revoked := c.Lookup(big.NewInt(0x11)); !revoked || c.Entries != entries {
				b.Fatal("the list was not read")
			}
		})
		c, err := parseOnly(file, data)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/miss", func(b *testing.B) {
			serial := big.NewInt(0x12)
			for b.Loop() {
				if _, revoked := c.Lookup(serial); revoked {
					b.Fatal("revoked")
				}
			}
		})
		b.Run(name+"/hit", func(b *testing.B) {
			for b.Loop() {
				clear(c.memory.confirmed)
				if _, revoked := c.Lookup(big.NewInt(0x11)); !revoked {
					b.Fatal("not revoked")
				}
			}
		})
	}
}

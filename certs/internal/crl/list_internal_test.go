package crl

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/gtunnel/gtunnel/certs/internal/files"
)

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

func TestCRLLookup(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte{0x7f}, 20)
	far := time.Date(2051, 1, 1, 0, 0, 0, 0, time.UTC)
	entries := []testEntry{
		{serial: []byte{1}, date: testThisUpdate},
		{serial: []byte{0, 0x80}, date: testThisUpdate, extensions: []testExtension{reason(1)}},
		{serial: []byte{0x9a}, date: testThisUpdate}, // negative
		{serial: []byte{0, 0, 5}, date: testThisUpdate, extensions: []testExtension{reason(6)}},
		{serial: long, date: far, extensions: []testExtension{{oid: oidInvalidityDate, value: []byte{0x18, 0}}, reason(8)}},
		{serial: []byte{0}, date: testThisUpdate, extensions: []testExtension{reason(7)}},
		{serial: []byte{66}, date: testThisUpdate, extensions: []testExtension{reason(99)}},
		{serial: []byte{102}, date: testThisUpdate},
	}
	for version := 1; version <= 2; version++ {
		c := testList{version: version, entries: entries}.parse(t)
		for _, test := range []struct {
			serial *big.Int
			want   *Revocation
		}{
			{big.NewInt(1), &Revocation{Date: testThisUpdate}},
			{big.NewInt(0x80), &Revocation{Date: testThisUpdate, Reason: "keyCompromise"}},
			{big.NewInt(5), &Revocation{Date: testThisUpdate, Reason: "certificateHold"}},
			{new(big.Int).SetBytes(long), &Revocation{Date: far, Reason: "removeFromCRL"}},
			{big.NewInt(0), &Revocation{Date: testThisUpdate}},
			{big.NewInt(66), &Revocation{Date: testThisUpdate}},
			{big.NewInt(0x9a), nil},
			{big.NewInt(102), &Revocation{Date: testThisUpdate}},
			{big.NewInt(-102), nil},
			{big.NewInt(2), nil},
			{big.NewInt(0x8000), nil},
			{new(big.Int).Lsh(big.NewInt(1), 2000), nil},
		} {
			for range 2 { // from the file, then from memory
				got, revoked := c.Lookup(test.serial)
				if revoked != (test.want != nil) || revoked && (!got.Date.Equal(test.want.Date) || got.Reason != test.want.Reason || got.Unconfirmed) {
					t.Errorf("version %d: lookup(%v) = %+v, %t; want %+v", version, test.serial, got, revoked, test.want)
				}
			}
		}
	}
}

// A hash on the list is not enough: the serial itself must be.
func TestCRLLookupCollision(t *testing.T) {
	t.Parallel()
	c := testList{entries: []testEntry{{serial: []byte{1}, date: testThisUpdate}}}.parse(t)
	other := testList{entries: []testEntry{{serial: []byte{2}, date: testThisUpdate}}}.parse(t)
	other.seed = c.seed
	if err := other.readEntries(entriesOf(t, []byte{0x30, 0x12, 2, 1, 2, 0x17, 0x0d}, "260102030405Z")); err != nil {
		t.Fatal(err)
	}
	c.revoked = append(c.revoked, other.revoked...)
	slices.Sort(c.revoked)
	if got, revoked := c.Lookup(big.NewInt(2)); revoked {
		t.Errorf("a colliding hash revokes: %+v", got)
	}
	if _, revoked := c.Lookup(big.NewInt(1)); !revoked {
		t.Error("the listed serial is not revoked")
	}
}

func entriesOf(t *testing.T, head []byte, date string) cryptobyte.String {
	t.Helper()
	return cryptobyte.String(append(head, date...))
}

// When the file has changed since it was loaded the list still refuses.
func TestCRLLookupChanged(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "12345678.r0")
	write := func(list testList) {
		t.Helper()
		if err := os.WriteFile(file, list.der(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := testList{entries: []testEntry{{serial: []byte{1}, date: testThisUpdate}, {serial: []byte{2}, date: testThisUpdate}}}
	write(list)
	data, err := files.Read(file, MaxBytes)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseOnly(file, data)
	if err != nil {
		t.Fatal(err)
	}
	if got, revoked := c.Lookup(big.NewInt(1)); !revoked || got.Unconfirmed || !got.Date.Equal(testThisUpdate) {
		t.Fatalf("lookup = %+v, %t", got, revoked)
	}
	changes := []func(){
		func() { write(testList{}) },
		func() { _ = os.WriteFile(file, nil, 0o644) },
		func() { _ = os.WriteFile(file, []byte("\x30\x03abc"), 0o644) },
		func() { _ = os.Remove(file) },
		func() { _ = syscall.Mkfifo(file, 0o644) },
	}
	for i, change := range changes {
		change()
		if got, revoked := c.Lookup(big.NewInt(2)); !revoked || !got.Unconfirmed || !got.Date.IsZero() {
			t.Errorf("change %d: lookup = %+v, %t, want an unconfirmed revocation", i, got, revoked)
		}
		if got, revoked := c.Lookup(big.NewInt(1)); !revoked || got.Unconfirmed {
			t.Errorf("change %d: lookup = %+v, %t, want the one found before", i, got, revoked)
		}
		if _, revoked := c.Lookup(big.NewInt(3)); revoked {
			t.Errorf("change %d: a serial that was never listed is revoked", i)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	write(testList{entries: list.entries[:1]})
	if got, _ := c.Lookup(big.NewInt(2)); !got.Unconfirmed {
		t.Error("another list confirms")
	}
}

// A list that is no longer in its file is not read again at each look-up, and
// nobody else waits while it is read.
func TestCRLLookupOfMissingFile(t *testing.T) {
	t.Parallel()
	c := testList{entries: []testEntry{{serial: []byte{1}, date: testThisUpdate}, {serial: []byte{2}, date: testThisUpdate}}}.parse(t)
	sound := c.source.read
	if got, revoked := c.Lookup(big.NewInt(1)); !revoked || got.Unconfirmed {
		t.Fatalf("lookup = %+v, %t", got, revoked)
	}
	reads := 0
	reading, gone := make(chan struct{}), make(chan struct{})
	c.source.read = func() ([]byte, error) {
		reads++
		close(reading)
		<-gone // as a file server that does not answer
		return nil, errors.New("gone")
	}
	var waiting sync.WaitGroup
	unconfirmed := func() {
		if got, revoked := c.Lookup(big.NewInt(2)); !revoked || !got.Unconfirmed {
			t.Errorf("lookup = %+v, %t", got, revoked)
		}
	}
	for range 20 {
		waiting.Go(unconfirmed)
	}
	<-reading
	// This would wait for ever.
	if got, revoked := c.Lookup(big.NewInt(1)); !revoked || got.Unconfirmed {
		t.Errorf("lookup = %+v, %t", got, revoked)
	}
	_ = c.SignedBy(testCA(t, testKeys().ecdsa, x509.KeyUsageCRLSign))
	close(gone)
	waiting.Wait()
	c.source.read = func() ([]byte, error) { reads++; return sound() }
	unconfirmed()
	if reads != 1 {
		t.Errorf("the file was read %d times", reads)
	}
	c.source.failed = time.Now().Add(-rereadPause)
	if got, revoked := c.Lookup(big.NewInt(2)); !revoked || got.Unconfirmed {
		t.Errorf("after the pause: lookup = %+v, %t", got, revoked)
	}
}

func TestCRLLookupConcurrent(t *testing.T) {
	t.Parallel()
	c := testList{entries: []testEntry{{serial: []byte{1}, date: testThisUpdate}, {serial: []byte{2}, date: testThisUpdate}}}.parse(t)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 100 {
				if _, revoked := c.Lookup(big.NewInt(int64(i % 4))); revoked != (i%4 == 1 || i%4 == 2) {
					t.Errorf("worker %d: serial %d: revoked %t", n, i%4, revoked)
				}
			}
		})
	}
	wg.Wait()
}

// The memory of what was looked up is bounded.
func TestCRLConfirmedBound(t *testing.T) {
	t.Parallel()
	var list testList
	for i := range maxConfirmed + 10 {
		list.entries = append(list.entries, testEntry{serial: []byte{1, byte(i >> 8), byte(i)}, date: testThisUpdate})
	}
	c := list.parse(t)
	for i := range maxConfirmed + 10 {
		if _, revoked := c.Lookup(big.NewInt(1<<16 + int64(i))); !revoked {
			t.Fatalf("entry %d is not revoked", i)
		}
		if len(c.memory.confirmed) > maxConfirmed {
			t.Fatalf("%d serials are remembered", len(c.memory.confirmed))
		}
	}
}

func TestCRLScope(t *testing.T) {
	t.Parallel()
	const point = "http://crl.example.org/ca.crl"
	host := &x509.Certificate{}
	ca := &x509.Certificate{BasicConstraintsValid: true, IsCA: true}
	withPoint := certificateWithPoints(t, "http://other.example.org/", point)
	tests := []struct {
		name      string
		extension testExtension
		defect    string // a part of it
		covers    []*x509.Certificate
		coversNot []*x509.Certificate
	}{
		{"plain", testExtension{oid: oidCRLNumber, value: []byte{2, 1, 1}}, "", []*x509.Certificate{host, ca, withPoint}, nil},
		{"empty", issuingDistributionPoint(t, nil), "", []*x509.Certificate{host, ca, withPoint}, nil},
		{"users", issuingDistributionPoint(t, nil, 1), "", []*x509.Certificate{host}, []*x509.Certificate{ca}},
		{"CAs", issuingDistributionPoint(t, nil, 2), "", []*x509.Certificate{ca}, []*x509.Certificate{host}},
		{"some reasons", issuingDistributionPoint(t, nil, 3), "only some reasons", []*x509.Certificate{host, ca}, nil},
		{"indirect", issuingDistributionPoint(t, nil, 4), "indirect", []*x509.Certificate{host, ca}, nil},
		{"attributes", issuingDistributionPoint(t, nil, 5), "attribute", nil, []*x509.Certificate{host, ca}},
		{"point", issuingDistributionPoint(t, []string{point}), "", []*x509.Certificate{withPoint}, []*x509.Certificate{host, ca}},
		{"another point", issuingDistributionPoint(t, []string{"http://third.example.org/"}), "", nil, []*x509.Certificate{withPoint, host}},
		{"several points", issuingDistributionPoint(t, []string{"ldap://x", point}), "", []*x509.Certificate{withPoint}, nil},
		{"point and users", issuingDistributionPoint(t, []string{point}, 1), "", []*x509.Certificate{withPoint}, []*x509.Certificate{host, ca}},
		{"delta", testExtension{oid: oidDeltaIndicator, critical: true, value: []byte{2, 1, 1}}, "delta", []*x509.Certificate{host}, nil},
		{"unknown critical", testExtension{oid: asn1.ObjectIdentifier{1, 2, 3, 4}, critical: true}, "1.2.3.4", []*x509.Certificate{host}, nil},
		{"unknown", testExtension{oid: asn1.ObjectIdentifier{1, 2, 3, 4}}, "", []*x509.Certificate{host}, nil},
		{"critical key identifier", testExtension{oid: oidAuthorityKeyID, critical: true, value: []byte{0x30, 0}}, "", []*x509.Certificate{host}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := testList{version: 2, extensions: []testExtension{test.extension}}.parse(t)
			if got := c.Defect(); (got == "") != (test.defect == "") || !strings.Contains(got, test.defect) {
				t.Errorf("defect %q, want %q", got, test.defect)
			}
			for _, certificate := range test.covers {
				if why, ok := c.Covers(certificate); !ok || why != "" {
					t.Errorf("does not cover %v: %s", certificate.IsCA, why)
				}
			}
			for _, certificate := range test.coversNot {
				if why, ok := c.Covers(certificate); ok || why == "" {
					t.Errorf("covers a certificate, CA %v", certificate.IsCA)
				}
			}
		})
	}
}

// certificateWithPoints gives the extensions that covers looks at.
func certificateWithPoints(t *testing.T, points ...string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "host"},
		NotBefore: testThisUpdate, NotAfter: testThisUpdate.AddDate(1, 0, 0), CRLDistributionPoints: points,
	}
	key := testKeys().ecdsa
	der, err := x509.CreateCertificate(rand.Reader, template, testCA(t, key, 0), key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func TestCRLEntryExtensions(t *testing.T) {
	t.Parallel()
	entry := func(e testExtension) testList {
		return testList{version: 2, entries: []testEntry{{serial: []byte{1}, date: testThisUpdate, extensions: []testExtension{e}}}}
	}
	c := entry(testExtension{oid: asn1.ObjectIdentifier{1, 2, 9}, critical: true}).parse(t)
	if !strings.Contains(c.Defect(), "1.2.9") {
		t.Errorf("defect %q of an unknown critical entry extension", c.Defect())
	}
	if _, revoked := c.Lookup(big.NewInt(1)); !revoked {
		t.Error("a list with a defect no longer revokes what it names")
	}
	critical := reason(4)
	critical.critical = true
	if c = entry(critical).parse(t); c.Defect() != "" {
		t.Errorf("defect %q of a critical reasonCode", c.Defect())
	}
	if got, _ := c.Lookup(big.NewInt(1)); got.Reason != "superseded" {
		t.Errorf("reason %q", got.Reason)
	}
	if c = entry(testExtension{oid: asn1.ObjectIdentifier{1, 2, 9}}).parse(t); c.Defect() != "" {
		t.Errorf("defect %q of an unknown entry extension", c.Defect())
	}
	other := []byte{0x30, 0x10, 0xa4, 0x0e, 0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 6, 3, 0x55, 4, 3, 0x0c, 1, 'X'} // CN=X
	c = entry(testExtension{oid: oidCertificateIssuer, critical: true, value: other}).parse(t)
	if !strings.Contains(c.Defect(), "indirect") {
		t.Errorf("defect %q of an entry of another issuer", c.Defect())
	}
	if _, revoked := c.Lookup(big.NewInt(1)); revoked {
		t.Error("an entry of another issuer revokes")
	}
	var many testList
	for i := range 100 {
		many.entries = append(many.entries, testEntry{
			serial: []byte{byte(i)}, date: testThisUpdate,
			extensions: []testExtension{{oid: asn1.ObjectIdentifier{1, 2, 9, i}, critical: true}},
		})
	}
	if c = many.parse(t); len(c.defects) > 5 {
		t.Errorf("%d defects are kept", len(c.defects))
	}
}

func TestDistributionPoints(t *testing.T) {
	t.Parallel()
	const point = "http://crl.example.org/ca.crl"
	got := distributionPoints(certificateWithPoints(t, point))
	want := string(append([]byte{0x86, byte(len(point))}, point...))
	if len(got) != 1 || got[0] != want {
		t.Errorf("points %q, want %q", got, want)
	}
	if got := distributionPoints(&x509.Certificate{Extensions: []pkix.Extension{{Id: oidCRLDistribution, Value: []byte{0x30, 2, 0x30, 1}}}}); got != nil {
		t.Errorf("points %q of a malformed extension", got)
	}
}

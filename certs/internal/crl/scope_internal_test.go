package crl

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// scopeCase is an extension of a list and what the list covers by it.
type scopeCase struct {
	name      string
	extension testExtension
	defect    string // a part of it
	covers    []*x509.Certificate
	coversNot []*x509.Certificate
}

// distributionPointScopes are those of the issuing distribution point.
func distributionPointScopes(t *testing.T) []scopeCase {
	t.Helper()
	const point = "http://crl.example.org/ca.crl"
	host := &x509.Certificate{}
	ca := &x509.Certificate{BasicConstraintsValid: true, IsCA: true}
	withPoint := certificateWithPoints(t, "http://other.example.org/", point)
	return []scopeCase{
		{
			name: "plain", extension: testExtension{oid: oidCRLNumber, value: []byte{2, 1, 1}},
			covers: []*x509.Certificate{host, ca, withPoint},
		},
		{name: "empty", extension: issuingDistributionPoint(t, nil), covers: []*x509.Certificate{host, ca, withPoint}},
		{
			name: "users", extension: issuingDistributionPoint(t, nil, 1), covers: []*x509.Certificate{host},
			coversNot: []*x509.Certificate{ca},
		},
		{
			name: "CAs", extension: issuingDistributionPoint(t, nil, 2), covers: []*x509.Certificate{ca},
			coversNot: []*x509.Certificate{host},
		},
		{
			name: "some reasons", extension: issuingDistributionPoint(t, nil, 3), defect: "only some reasons",
			covers: []*x509.Certificate{host, ca},
		},
		{
			name: "indirect", extension: issuingDistributionPoint(t, nil, 4), defect: "indirect",
			covers: []*x509.Certificate{host, ca},
		},
		{
			name: "attributes", extension: issuingDistributionPoint(t, nil, 5), defect: "attribute",
			coversNot: []*x509.Certificate{host, ca},
		},
		{
			name: "point", extension: issuingDistributionPoint(t, []string{point}), covers: []*x509.Certificate{withPoint},
			coversNot: []*x509.Certificate{host, ca},
		},
		{
			name: "another point", extension: issuingDistributionPoint(t, []string{"http://third.example.org/"}),
			coversNot: []*x509.Certificate{withPoint, host},
		},
		{
			name: "several points", extension: issuingDistributionPoint(t, []string{"ldap://x", point}),
			covers: []*x509.Certificate{withPoint},
		},
		{
			name: "point and users", extension: issuingDistributionPoint(t, []string{point}, 1),
			covers: []*x509.Certificate{withPoint}, coversNot: []*x509.Certificate{host, ca},
		},
	}
}

// otherScopes are those of other extensions.
func otherScopes() []scopeCase {
	host := &x509.Certificate{}
	return []scopeCase{
		{
			name: "delta", extension: testExtension{oid: oidDeltaIndicator, critical: true, value: []byte{2, 1, 1}},
			defect: "delta", covers: []*x509.Certificate{host},
		},
		{
			name: "unknown critical", extension: testExtension{oid: asn1.ObjectIdentifier{1, 2, 3, 4}, critical: true},
			defect: "1.2.3.4", covers: []*x509.Certificate{host},
		},
		{
			name: "unknown", extension: testExtension{oid: asn1.ObjectIdentifier{1, 2, 3, 4}}, covers: []*x509.Certificate{host},
		},
		{
			name:      "critical key identifier",
			extension: testExtension{oid: oidAuthorityKeyID, critical: true, value: []byte{0x30, 0}},
			covers:    []*x509.Certificate{host},
		},
	}
}

func TestCRLScope(t *testing.T) {
	t.Parallel()
	tests := slices.Concat(distributionPointScopes(t), otherScopes())
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
		return testList{
			version: 2, entries: []testEntry{{serial: []byte{1}, date: testThisUpdate, extensions: []testExtension{e}}},
		}
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
	if got := distributionPoints(&x509.Certificate{
		Extensions: []pkix.Extension{{Id: oidCRLDistribution, Value: []byte{0x30, 2, 0x30, 1}}},
	}); got != nil {
		t.Errorf("points %q of a malformed extension", got)
	}
}

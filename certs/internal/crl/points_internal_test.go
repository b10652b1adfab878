package crl

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// commonName writes the AttributeTypeAndValue of a CN in a string type.
func commonName(tag cbasn1.Tag, value string) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes([]byte{6, 3, 0x55, 4, 3})
			b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(value)) })
		})
	}
}

// relativePoint is a DistributionPointName relative to the issuer, fullPoint
// the same in full.
func relativePoint(cn func(*cryptobyte.Builder)) func(*cryptobyte.Builder) {
	return func(b *cryptobyte.Builder) { b.AddASN1(tagRelativeName, cn) }
}

func fullPoint(issuer []byte, cn func(*cryptobyte.Builder)) func(*cryptobyte.Builder) {
	var above cryptobyte.String
	input := cryptobyte.String(issuer)
	input.ReadASN1(&above, cbasn1.SEQUENCE)
	return func(b *cryptobyte.Builder) {
		b.AddASN1(tagFullName, func(b *cryptobyte.Builder) {
			b.AddASN1(tagDirectory, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddBytes(above)
					b.AddASN1(cbasn1.SET, cn)
				})
			})
		})
	}
}

// TestRelativePoints: a name relative to the issuer of a list is the issuer's
// name with one RDN more, on the list as in the certificate, in any encoding.
func TestRelativePoints(t *testing.T) {
	t.Parallel()
	const utf8, printable = cbasn1.UTF8String, cbasn1.PrintableString
	issuer := testIssuer(t)
	list := func(point func(*cryptobyte.Builder)) *List {
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1(tagPointName, point) })
		return testList{
			version: 2, extensions: []testExtension{{oid: oidIssuingDistribution, critical: true, value: builtBytes(t, &b)}},
		}.parse(t)
	}
	certificate := func(point func(*cryptobyte.Builder)) *x509.Certificate {
		return &x509.Certificate{
			RawIssuer: issuer, Extensions: []pkix.Extension{{Id: oidCRLDistribution, Value: pointsExtension(t, point)}},
		}
	}
	lists := map[string]*List{
		"relative": list(relativePoint(commonName(utf8, "CRL 1"))),
		"full":     list(fullPoint(issuer, commonName(utf8, "CRL 1"))),
	}
	for name, point := range map[string]func(*cryptobyte.Builder){
		"relative":                    relativePoint(commonName(utf8, "CRL 1")),
		"full":                        fullPoint(issuer, commonName(utf8, "CRL 1")),
		"relative in another string":  relativePoint(commonName(printable, "crl  1")),
		"full name in another string": fullPoint(issuer, commonName(printable, "CRL 1 ")),
	} {
		for kind, list := range lists {
			if why, ok := list.Covers(certificate(point)); !ok {
				t.Errorf("%s does not meet the list's %s name: %s", name, kind, why)
			}
		}
	}
	for name, point := range map[string]func(*cryptobyte.Builder){
		"another RDN": relativePoint(commonName(utf8, "CRL 2")),
		"another CA":  fullPoint([]byte{0x30, 0}, commonName(utf8, "CRL 1")),
	} {
		for kind, list := range lists {
			if _, ok := list.Covers(certificate(point)); ok {
				t.Errorf("%s meets the list's %s name", name, kind)
			}
		}
	}
}

// pointsExtension is the extension cRLDistributionPoints with one point.
func pointsExtension(t *testing.T, point func(*cryptobyte.Builder)) []byte {
	t.Helper()
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1(tagPointName, point) })
	})
	return builtBytes(t, &b)
}

// TestOtherListIssuer: who publishes the lists of a certificate, if it is not
// its issuer.
func TestOtherListIssuer(t *testing.T) {
	t.Parallel()
	issuer := testIssuer(t)
	other := commonName(cbasn1.UTF8String, "CRL 1")
	by := func(name func(*cryptobyte.Builder)) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) { b.AddASN1(tagListIssuer, name) }
	}
	directory := func(der []byte) func(*cryptobyte.Builder) {
		return func(b *cryptobyte.Builder) {
			b.AddASN1(tagDirectory, func(b *cryptobyte.Builder) { b.AddBytes(der) })
		}
	}
	otherDER := func(b *cryptobyte.Builder) {
		b.AddASN1(tagDirectory, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SET, other) })
		})
	}
	name := func(b *cryptobyte.Builder) { b.AddASN1(tagPointName, fullPoint(issuer, other)) }
	reasons := func(b *cryptobyte.Builder) { b.AddBytes([]byte{0x81, 2, 1, 6}) }
	type point []func(*cryptobyte.Builder)
	for about, test := range map[string]struct {
		points []point
		other  bool
	}{
		"none":                        {},
		"the issuer's":                {[]point{{name}}, false},
		"another's":                   {[]point{{by(otherDER)}}, true},
		"another's with name":         {[]point{{name, reasons, by(otherDER)}}, true},
		"the issuer's in words":       {[]point{{by(directory(issuer))}}, false},
		"two of another's":            {[]point{{name, by(otherDER)}, {by(otherDER)}}, true},
		"one of each":                 {[]point{{name, by(otherDER)}, {name}}, false},
		"no name where a name is due": {[]point{{by(directory([]byte{5, 0}))}}, false},
	} {
		var b cryptobyte.Builder
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, point := range test.points {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					for _, field := range point {
						field(b)
					}
				})
			}
		})
		parsed, err := dn.Parse(issuer)
		if err != nil {
			t.Fatal(err)
		}
		certificate := &x509.Certificate{Extensions: []pkix.Extension{{Id: oidCRLDistribution, Value: builtBytes(t, &b)}}}
		if got := OtherIssuer(certificate, parsed); (got != nil) != test.other || got != nil && got.Slash() != "/CN=CRL 1" {
			t.Errorf("%s: got %v", about, got)
		}
	}
}

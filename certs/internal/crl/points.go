package crl

import (
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// Tags of DistributionPoint, DistributionPointName and GeneralName (RFC 5280,
// sections 4.2.1.6 and 4.2.1.13): constructed and context-specific.
const (
	tagPointName    = cbasn1.Tag(0xa0)
	tagListIssuer   = cbasn1.Tag(0xa2)
	tagFullName     = cbasn1.Tag(0xa0)
	tagRelativeName = cbasn1.Tag(0xa1)
	tagDirectory    = cbasn1.Tag(0xa4)
)

// readPointNames reads a DistributionPointName into its names: directory
// names in canonical form, so that two encodings of a name are one, others as
// the DER of their GeneralName. A nameRelativeToCRLIssuer is the issuer's name,
// here its DER, with one RDN more (RFC 5280, sections 4.2.1.13 and 5.2.5).
func readPointNames(point cryptobyte.String, issuer []byte) ([]string, bool) {
	if point.PeekASN1Tag(tagRelativeName) {
		name, ok := relativeName(point, issuer)
		return []string{name}, ok
	}
	var names cryptobyte.String
	if !point.ReadASN1(&names, tagFullName) || !point.Empty() || names.Empty() {
		return nil, false
	}
	var all []string
	for !names.Empty() {
		var element, content cryptobyte.String
		var tag cbasn1.Tag
		if !names.ReadAnyASN1Element(&element, &tag) {
			return nil, false
		}
		key := string(element)
		if element.ReadASN1(&content, tagDirectory) {
			if name, err := dn.Parse(content); err == nil {
				key = directoryPoint(name)
			}
		}
		all = append(all, key)
	}
	return all, true
}

// relativeName completes a nameRelativeToCRLIssuer.
func relativeName(point cryptobyte.String, issuer []byte) (string, bool) {
	var relative, names cryptobyte.String
	above := cryptobyte.String(issuer)
	if !point.ReadASN1(&relative, tagRelativeName) || !point.Empty() || !above.ReadASN1(&names, cbasn1.SEQUENCE) {
		return "", false
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(names)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(relative) })
	})
	der, err := b.Bytes()
	if err != nil {
		return "", false
	}
	name, err := dn.Parse(der)
	if err != nil {
		return "", false
	}
	return directoryPoint(name), true
}

// directoryPoint marks a directory name off from the DER of other names.
func directoryPoint(name *dn.Name) string { return "directoryName:" + name.Canonical() }

// distributionPoints gives the names of a certificate's distribution points,
// see readPointNames (RFC 5280, section 4.2.1.13). What cannot be read is left
// out.
func distributionPoints(certificate *x509.Certificate) []string {
	points, ok := pointsOf(certificate)
	if !ok {
		return nil
	}
	var all []string
	for !points.Empty() {
		var point, name cryptobyte.String
		var present bool
		if !points.ReadASN1(&point, cbasn1.SEQUENCE) ||
			!point.ReadOptionalASN1(&name, &present, tagPointName) {
			break
		}
		if names, ok := readPointNames(name, certificate.RawIssuer); present && ok {
			all = append(all, names...)
		}
	}
	return all
}

// pointsOf gives the content of a certificate's cRLDistributionPoints.
func pointsOf(certificate *x509.Certificate) (points cryptobyte.String, ok bool) {
	for _, e := range certificate.Extensions {
		if e.Id.Equal(oidCRLDistribution) {
			input := cryptobyte.String(e.Value)
			ok = input.ReadASN1(&points, cbasn1.SEQUENCE)
			return points, ok
		}
	}
	return nil, false
}

// OtherIssuer gives who publishes the lists of a certificate in the place of
// its issuer (cRLIssuer, RFC 5280, section 4.2.1.13); nil if one of its
// distribution points, or none, leaves it to the issuer.
func OtherIssuer(certificate *x509.Certificate, issuer *dn.Name) *dn.Name {
	points, ok := pointsOf(certificate)
	if !ok {
		return nil
	}
	var other *dn.Name
	for !points.Empty() {
		var point, issuers, name cryptobyte.String
		if !points.ReadASN1(&point, cbasn1.SEQUENCE) || !point.SkipOptionalASN1(tagPointName) ||
			!point.SkipOptionalASN1(cbasn1.Tag(1).ContextSpecific()) || // reasons
			!point.ReadASN1(&issuers, tagListIssuer) || !issuers.ReadASN1(&name, tagDirectory) {
			return nil
		}
		var err error
		if other, err = dn.Parse(name); err != nil || other.Equal(issuer) {
			return nil
		}
	}
	return other
}

// HasRelativePoint reports whether the DER of a certificate has a distribution
// point with a nameRelativeToCRLIssuer, for which crypto/x509 takes it for
// malformed.
func HasRelativePoint(der []byte) bool {
	input := cryptobyte.String(der)
	var certificate, tbs, field, extensions cryptobyte.String
	var tag cbasn1.Tag
	if !input.ReadASN1(&certificate, cbasn1.SEQUENCE) || !certificate.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return false
	}
	for tag != cbasn1.Tag(3).Constructed().ContextSpecific() {
		if !tbs.ReadAnyASN1(&field, &tag) {
			return false
		}
	}
	if !field.ReadASN1(&extensions, cbasn1.SEQUENCE) {
		return false
	}
	for !extensions.Empty() {
		e, ok := readExtension(&extensions)
		if !ok {
			return false
		}
		var points, point, name cryptobyte.String
		if !e.is(oidCRLDistribution) || !e.value.ReadASN1(&points, cbasn1.SEQUENCE) {
			continue
		}
		for points.ReadASN1(&point, cbasn1.SEQUENCE) {
			if point.ReadASN1(&name, tagPointName) && name.PeekASN1Tag(tagRelativeName) {
				return true
			}
		}
	}
	return false
}

package crl

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// scope says of which certificates a list speaks (RFC 5280, section
// 5.2.5).
type scope struct {
	onlyUser      bool     // onlyContainsUserCerts
	onlyCA        bool     // onlyContainsCACerts
	onlyAttribute bool     // onlyContainsAttributeCerts
	onlyReasons   bool     // onlySomeReasons is present
	indirect      bool     // may contain certificates of other issuers
	delta         bool     // only what changed since another list
	points        []string // the distributionPoint's names, see readPointNames; none: any
}

// same reports whether two lists speak of the same certificates.
func (s *scope) same(other *scope) bool {
	return s.onlyUser == other.onlyUser && s.onlyCA == other.onlyCA && s.onlyAttribute == other.onlyAttribute &&
		s.onlyReasons == other.onlyReasons && s.indirect == other.indirect && s.delta == other.delta &&
		slices.Equal(s.points, other.points)
}

// Covers reports whether the list speaks of the certificate: by its kind,
// and, if the list names a distribution point, by the points that the
// certificate names (RFC 5280, section 6.3.3, b 2). If not, why says so. That
// the issuers agree is the caller's to check.
func (c *List) Covers(certificate *x509.Certificate) (why string, ok bool) {
	isCA := certificate.BasicConstraintsValid && certificate.IsCA
	switch {
	case c.scope.onlyUser && isCA:
		return "it lists only certificates that are no CA's", false
	case c.scope.onlyCA && !isCA:
		return "it lists only certificates of CAs", false
	case c.scope.onlyAttribute:
		return "it lists only attribute certificates", false
	case len(c.scope.points) == 0:
		return "", true
	}
	for _, name := range distributionPoints(certificate) {
		if slices.Contains(c.scope.points, name) {
			return "", true
		}
	}
	return "it is the list of a distribution point that the certificate does not name", false
}

// addDefect notes a defect once, and of many only the first few.
func (c *List) addDefect(defect string) {
	const most = 5
	if len(c.defects) < most && !slices.Contains(c.defects, defect) {
		c.defects = append(c.defects, defect)
	}
}

// findDefects notes the scopes that make a list useless on its own.
func (c *List) findDefects() {
	s := &c.scope
	switch {
	case s.delta:
		c.addDefect("it is a delta CRL, which says only what changed since another list")
	case s.indirect:
		c.addDefect("it is an indirect CRL, which may speak of other issuers")
	case s.onlyReasons:
		c.addDefect("it lists only some reasons of revocation")
	case s.onlyAttribute:
		c.addDefect("it lists only attribute certificates")
	}
}

// Defect says why the list cannot tell that a certificate is good; empty if
// it can. A certificate that it names is revoked all the same.
func (c *List) Defect() string {
	if len(c.defects) == 0 {
		return ""
	}
	return c.defects[0]
}

// readExtensions reads the extensions of the list (RFC 5280, section 5.2).
func (c *List) readExtensions(extensions cryptobyte.String) error {
	seen := make(map[string]bool)
	for !extensions.Empty() {
		e, ok := readExtension(&extensions)
		if !ok {
			return errors.New("the CRL is malformed: an extension cannot be read")
		}
		if seen[string(e.oid)] {
			return fmt.Errorf("the CRL is malformed: it has the extension %s twice", e.name())
		}
		seen[string(e.oid)] = true
		switch {
		case e.is(oidAuthorityKeyID):
			ok = c.readAuthorityKeyID(e.value)
		case e.is(oidCRLNumber):
			c.Number = new(big.Int)
			ok = e.value.ReadASN1Integer(c.Number) && e.value.Empty()
		case e.is(oidDeltaIndicator):
			c.scope.delta = true
		case e.is(oidIssuingDistribution):
			ok = c.scope.read(e.value, c.rawIssuer)
		case e.is(oidIssuerAltName):
		case e.critical:
			c.addDefect(fmt.Sprintf("it has the critical extension %s, which is not understood", e.name()))
		}
		if !ok {
			return fmt.Errorf("the CRL is malformed: its extension %s cannot be read", e.name())
		}
	}
	return nil
}

// readAuthorityKeyID reads an AuthorityKeyIdentifier for its first field, and
// reports whether it could.
func (c *List) readAuthorityKeyID(value cryptobyte.String) bool {
	var aki, id cryptobyte.String
	var present bool
	if !value.ReadASN1(&aki, cbasn1.SEQUENCE) || !value.Empty() ||
		!aki.ReadOptionalASN1(&id, &present, cbasn1.Tag(0).ContextSpecific()) {
		return false
	}
	if present {
		c.authorityKeyID = bytes.Clone(id)
	}
	return true
}

// read reads an IssuingDistributionPoint (RFC 5280, section 5.2.5) of a list
// by the issuer, the DER of its name, and reports whether it could.
func (s *scope) read(value cryptobyte.String, issuer []byte) bool {
	var idp, point, reasons cryptobyte.String
	var hasPoint bool
	if !value.ReadASN1(&idp, cbasn1.SEQUENCE) || !value.Empty() ||
		!idp.ReadOptionalASN1(&point, &hasPoint, cbasn1.Tag(0).Constructed().ContextSpecific()) ||
		!readFlag(&idp, 1, &s.onlyUser) || !readFlag(&idp, 2, &s.onlyCA) ||
		!idp.ReadOptionalASN1(&reasons, &s.onlyReasons, cbasn1.Tag(3).ContextSpecific()) ||
		!readFlag(&idp, 4, &s.indirect) || !readFlag(&idp, 5, &s.onlyAttribute) || !idp.Empty() {
		return false
	}
	if !hasPoint {
		return true
	}
	var ok bool
	s.points, ok = readPointNames(point, issuer)
	return ok
}

// readFlag reads an optional BOOLEAN with a context-specific tag. Of the
// values that BER would allow, only those of DER are read. It reports whether
// that is so.
func readFlag(s *cryptobyte.String, tag uint8, out *bool) bool {
	var value cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&value, &present, cbasn1.Tag(tag).ContextSpecific()) {
		return false
	}
	if !present {
		return true
	}
	var b uint8
	if !value.ReadUint8(&b) || !value.Empty() || b != 0 && b != 0xff {
		return false
	}
	*out = b == 0xff
	return true
}

package certs

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash/maphash"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Extensions of lists and their entries.
var (
	oidIssuerAltName       = asn1.ObjectIdentifier{2, 5, 29, 18}
	oidCRLNumber           = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidReasonCode          = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidHoldInstruction     = asn1.ObjectIdentifier{2, 5, 29, 23}
	oidInvalidityDate      = asn1.ObjectIdentifier{2, 5, 29, 24}
	oidDeltaIndicator      = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidIssuingDistribution = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidCertificateIssuer   = asn1.ObjectIdentifier{2, 5, 29, 29}
	oidCRLDistribution     = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidAuthorityKeyID      = asn1.ObjectIdentifier{2, 5, 29, 35}
)

// reasonCodes are the names of CRLReason; 7 is not used.
var reasonCodes = []string{
	"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded",
	"cessationOfOperation", "certificateHold", "", "removeFromCRL", "privilegeWithdrawn", "aACompromise",
}

// splitList is the outer structure of a list; its fields alias its DER.
type splitList struct {
	tbs        []byte // the signed part
	version    int
	algorithm  []byte // the DER of the AlgorithmIdentifier
	signature  []byte
	issuer     []byte
	thisUpdate time.Time
	nextUpdate time.Time
	entries    cryptobyte.String
	extensions cryptobyte.String
}

// splitCRL reads a CertificateList (RFC 5280, section 5.1) but for what is in
// its entries and extensions.
func splitCRL(der []byte) (*splitList, error) {
	var (
		l                           splitList
		input                       = cryptobyte.String(der)
		outer, tbs, tbsElement      cryptobyte.String
		outerAlgorithm, issuer, bit cryptobyte.String
		unusedBits                  uint8
	)
	if !input.ReadASN1(&outer, cbasn1.SEQUENCE) {
		return nil, errors.New("the CRL is cut off or is no DER")
	}
	if !input.Empty() {
		return nil, fmt.Errorf("%d bytes follow the CRL", len(input))
	}
	if !outer.ReadASN1Element(&tbsElement, cbasn1.SEQUENCE) ||
		!outer.ReadASN1Element(&outerAlgorithm, cbasn1.SEQUENCE) ||
		!outer.ReadASN1(&bit, cbasn1.BIT_STRING) || !outer.Empty() ||
		!bit.ReadUint8(&unusedBits) || unusedBits != 0 {
		return nil, errors.New("the CRL is malformed: it is not a signed structure")
	}
	l.tbs, l.signature = tbsElement, bit
	if !tbsElement.ReadASN1(&tbs, cbasn1.SEQUENCE) {
		return nil, errors.New("the CRL is malformed")
	}
	l.version = 1
	if tbs.PeekASN1Tag(cbasn1.INTEGER) {
		if !tbs.ReadASN1Integer(&l.version) || l.version != 1 {
			return nil, errors.New("the CRL is malformed: its version is neither 1 nor 2")
		}
		l.version = 2
	}
	var algorithm cryptobyte.String
	if !tbs.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) {
		return nil, errors.New("the CRL is malformed: it has no signature algorithm")
	}
	if !bytes.Equal(algorithm, outerAlgorithm) {
		return nil, errors.New("the CRL is malformed: its two signature algorithms differ")
	}
	l.algorithm = algorithm
	if !tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) {
		return nil, errors.New("the CRL is malformed: it has no issuer")
	}
	l.issuer = issuer
	var ok bool
	if l.thisUpdate, ok = readTime(&tbs); !ok {
		return nil, errors.New("the CRL is malformed: its thisUpdate is no time")
	}
	if tbs.PeekASN1Tag(cbasn1.UTCTime) || tbs.PeekASN1Tag(cbasn1.GeneralizedTime) {
		if l.nextUpdate, ok = readTime(&tbs); !ok {
			return nil, errors.New("the CRL is malformed: its nextUpdate is no time")
		}
	}
	if !tbs.ReadOptionalASN1(&l.entries, nil, cbasn1.SEQUENCE) {
		return nil, errors.New("the CRL is malformed: its entries are no sequence")
	}
	var wrapped cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&wrapped, &present, cbasn1.Tag(0).Constructed().ContextSpecific()) ||
		present && (!wrapped.ReadASN1(&l.extensions, cbasn1.SEQUENCE) || !wrapped.Empty()) {
		return nil, errors.New("the CRL is malformed: its extensions are no sequence")
	}
	if !tbs.Empty() {
		return nil, errors.New("the CRL is malformed: something follows its extensions")
	}
	return &l, nil
}

// readTime reads a UTCTime or GeneralizedTime.
func readTime(s *cryptobyte.String) (time.Time, bool) {
	var t time.Time
	if s.PeekASN1Tag(cbasn1.UTCTime) {
		return t, s.ReadASN1UTCTime(&t)
	}
	return t, s.ReadASN1GeneralizedTime(&t)
}

// crlExtension is an extension of a list or an entry. oid is the content of
// the OBJECT IDENTIFIER, value that of the OCTET STRING.
type crlExtension struct {
	oid      cryptobyte.String
	critical bool
	value    cryptobyte.String
}

// readExtension takes the next extension from s.
func readExtension(s *cryptobyte.String) (e crlExtension, ok bool) {
	var extension cryptobyte.String
	ok = s.ReadASN1(&extension, cbasn1.SEQUENCE) &&
		extension.ReadASN1(&e.oid, cbasn1.OBJECT_IDENTIFIER) &&
		(!extension.PeekASN1Tag(cbasn1.BOOLEAN) || extension.ReadASN1Boolean(&e.critical)) &&
		extension.ReadASN1(&e.value, cbasn1.OCTET_STRING) && extension.Empty()
	return e, ok
}

// is compares with an identifier under 2.5.29, whose encoding is three bytes.
func (e crlExtension) is(oid asn1.ObjectIdentifier) bool {
	return len(e.oid) == 3 && e.oid[0] == 0x55 && e.oid[1] == 0x1d && int(e.oid[2]) == oid[3]
}

// name writes the identifier with dots.
func (e crlExtension) name() string {
	var oid asn1.ObjectIdentifier
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(b *cryptobyte.Builder) { b.AddBytes(e.oid) })
	element, err := b.Bytes()
	s := cryptobyte.String(element)
	if err != nil || !s.ReadASN1ObjectIdentifier(&oid) {
		return fmt.Sprintf("of the malformed identifier %x", []byte(e.oid))
	}
	return oid.String()
}

// readExtensions reads the extensions of the list (RFC 5280, section 5.2).
func (c *crl) readExtensions(extensions cryptobyte.String) error {
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
			c.number = new(big.Int)
			ok = e.value.ReadASN1Integer(c.number) && e.value.Empty()
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

// readAuthorityKeyID reads an AuthorityKeyIdentifier for its first field.
func (c *crl) readAuthorityKeyID(value cryptobyte.String) bool {
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
// by the issuer, the DER of its name.
func (s *crlScope) read(value cryptobyte.String, issuer []byte) bool {
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
// values that BER would allow, only those of DER are read.
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

// crlEntry is an entry of a list; its fields alias the list.
type crlEntry struct {
	serial     cryptobyte.String // the content of the INTEGER, shortest form
	date       cryptobyte.String // the element
	extensions cryptobyte.String
}

// readEntry takes the next entry from s (RFC 5280, section 5.1.2.6).
func readEntry(s *cryptobyte.String) (e crlEntry, ok bool) {
	var entry cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadASN1(&entry, cbasn1.SEQUENCE) ||
		!entry.ReadASN1(&e.serial, cbasn1.INTEGER) || e.serial.Empty() ||
		!entry.ReadAnyASN1Element(&e.date, &tag) || tag != cbasn1.UTCTime && tag != cbasn1.GeneralizedTime ||
		!entry.ReadOptionalASN1(&e.extensions, nil, cbasn1.SEQUENCE) || !entry.Empty() {
		return e, false
	}
	e.serial = shortestInteger(e.serial)
	return e, true
}

// shortestInteger drops bytes that do not change the value of an INTEGER.
// Some CAs write them.
func shortestInteger(content []byte) []byte {
	for len(content) > 1 && (content[0] == 0 && content[1] < 0x80 || content[0] == 0xff && content[1] >= 0x80) {
		content = content[1:]
	}
	return content
}

// readEntries fills the set of serials.
func (c *crl) readEntries(entries cryptobyte.String) error {
	count := 0
	for rest := entries; !rest.Empty(); count++ {
		if !rest.SkipASN1(cbasn1.SEQUENCE) {
			return fmt.Errorf("the CRL is malformed: its entry %d cannot be read", count+1)
		}
	}
	c.entries = count
	c.revoked = make([]uint64, 0, count)
	issuer := entryIssuer{own: c.rawIssuer}
	for n := 1; !entries.Empty(); n++ {
		e, ok := readEntry(&entries)
		if ok && !e.extensions.Empty() {
			ok = c.checkEntryExtensions(e.extensions)
			issuer.next(e.extensions)
		}
		if !ok {
			return fmt.Errorf("the CRL is malformed: its entry %d cannot be read", n)
		}
		if !issuer.other {
			c.revoked = append(c.revoked, maphash.Bytes(c.seed, e.serial))
		}
	}
	slices.Sort(c.revoked)
	return nil
}

// entryIssuer follows of whose certificates the entries of a list speak: of
// the list's issuer, until one has the extension certificateIssuer, which
// holds for those after it too (RFC 5280, section 5.3.3).
type entryIssuer struct {
	own   []byte // the DER of the list's issuer
	other bool   // the entry speaks of another issuer

	last []byte // the extension's latest value
}

// next takes the extensions of the next entry. An issuer that cannot be read
// counts as the list's own: better one certificate too many is refused.
func (i *entryIssuer) next(extensions cryptobyte.String) {
	for !extensions.Empty() {
		e, ok := readExtension(&extensions)
		if !ok {
			return
		}
		if e.is(oidCertificateIssuer) && (i.last == nil || !bytes.Equal(e.value, i.last)) {
			i.last, i.other = e.value, isOtherIssuer(e.value, i.own)
		}
	}
}

// isOtherIssuer reports whether GeneralNames hold directory names, and all of
// them are others than own.
func isOtherIssuer(value cryptobyte.String, own []byte) bool {
	ownName, err := ParseName(own)
	var names cryptobyte.String
	if err != nil || !value.ReadASN1(&names, cbasn1.SEQUENCE) || !value.Empty() {
		return false
	}
	other := false
	for !names.Empty() {
		var raw cryptobyte.String
		var tag cbasn1.Tag
		if !names.ReadAnyASN1(&raw, &tag) {
			return false
		}
		if tag != cbasn1.Tag(4).Constructed().ContextSpecific() {
			continue
		}
		name, err := ParseName(raw)
		if err != nil || name.Canonical() == ownName.Canonical() {
			return false
		}
		other = true
	}
	return other
}

// checkEntryExtensions looks for what keeps the list from being used (RFC
// 5280, section 5.3).
func (c *crl) checkEntryExtensions(extensions cryptobyte.String) bool {
	for !extensions.Empty() {
		e, ok := readExtension(&extensions)
		if !ok {
			return false
		}
		switch {
		case e.is(oidReasonCode), e.is(oidInvalidityDate), e.is(oidHoldInstruction):
		case e.is(oidCertificateIssuer):
			c.scope.indirect = true
		case e.critical:
			c.addDefect(fmt.Sprintf("an entry has the critical extension %s, which is not understood", e.name()))
		}
	}
	return true
}

// findEntry walks the entries for a serial of the list's issuer; nil if it is
// not there.
func (c *crl) findEntry(entries cryptobyte.String, serial []byte) *revocation {
	issuer := entryIssuer{own: c.rawIssuer}
	for !entries.Empty() {
		e, ok := readEntry(&entries)
		if !ok {
			return nil
		}
		issuer.next(e.extensions)
		if issuer.other || !bytes.Equal(e.serial, serial) {
			continue
		}
		var found revocation
		if date, ok := readTime(&e.date); ok {
			found.Date = date
		}
		for !e.extensions.Empty() {
			extension, ok := readExtension(&e.extensions)
			if !ok {
				break
			}
			var code int
			if extension.is(oidReasonCode) && extension.value.ReadASN1Enum(&code) && 0 <= code && code < len(reasonCodes) {
				found.Reason = reasonCodes[code]
			}
		}
		return &found
	}
	return nil
}

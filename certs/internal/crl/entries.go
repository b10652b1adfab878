package crl

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// entry is an entry of a list; its fields alias the list.
type entry struct {
	serial     cryptobyte.String // the content of the INTEGER, shortest form
	date       cryptobyte.String // the element
	extensions cryptobyte.String
}

// readEntry takes the next entry from s (RFC 5280, section 5.1.2.6).
func readEntry(s *cryptobyte.String) (e entry, ok bool) {
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
func (c *List) readEntries(entries cryptobyte.String) error {
	count := 0
	for rest := entries; !rest.Empty(); count++ {
		if !rest.SkipASN1(cbasn1.SEQUENCE) {
			return fmt.Errorf("the CRL is malformed: its entry %d cannot be read", count+1)
		}
	}
	c.Entries = count
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
	ownName, err := dn.Parse(own)
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
		name, err := dn.Parse(raw)
		if err != nil || name.Canonical() == ownName.Canonical() {
			return false
		}
		other = true
	}
	return other
}

// checkEntryExtensions looks for what keeps the list from being used (RFC
// 5280, section 5.3). It reports whether the extensions can be read.
func (c *List) checkEntryExtensions(extensions cryptobyte.String) bool {
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

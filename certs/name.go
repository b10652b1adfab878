package certs

import (
	"bytes"
	"crypto/md5"  // #nosec G501 -- the old file names of a CApath, not a signature
	"crypto/sha1" // #nosec G505 -- the new file names of a CApath, not a signature
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Name is a distinguished name (DN), taken apart from its DER encoding. It is
// immutable.
type Name struct {
	raw  []byte
	rdns []rdn
}

// rdn is one relative distinguished name.
type rdn struct {
	attributes []attribute
	canonical  string // the SET in its canonical encoding
}

// attribute is one type and value of a name.
type attribute struct {
	oid   string // dotted
	tag   cryptobyte_asn1.Tag
	bytes []byte // the content as encoded
	der   []byte // the value with its tag and length
	text  string // the value as UTF-8 if tag is a string type, else empty
}

const (
	tagVisibleString   = cryptobyte_asn1.Tag(26)
	tagUniversalString = cryptobyte_asn1.Tag(28)
	tagBMPString       = cryptobyte_asn1.Tag(30)
)

// ParseName reads a DER encoded name (RFC 5280, section 4.1.2.4), such as the
// RawSubject of a certificate.
func ParseName(der []byte) (*Name, error) {
	input := cryptobyte.String(der)
	var sequence cryptobyte.String
	if !input.ReadASN1(&sequence, cryptobyte_asn1.SEQUENCE) || !input.Empty() {
		return nil, errors.New("malformed name: not a SEQUENCE of RDNs")
	}
	name := &Name{raw: der}
	for !sequence.Empty() {
		var set cryptobyte.String
		if !sequence.ReadASN1(&set, cryptobyte_asn1.SET) || set.Empty() {
			return nil, fmt.Errorf("malformed name: RDN %d is not a SET of attributes", len(name.rdns)+1)
		}
		r, err := parseRDN(set)
		if err != nil {
			return nil, fmt.Errorf("malformed name: RDN %d: %w", len(name.rdns)+1, err)
		}
		name.rdns = append(name.rdns, r)
	}
	return name, nil
}

func parseRDN(set cryptobyte.String) (rdn, error) {
	var r rdn
	var encodings [][]byte
	for !set.Empty() {
		var pair, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var tag cryptobyte_asn1.Tag
		if !set.ReadASN1(&pair, cryptobyte_asn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&oid) {
			return rdn{}, errors.New("an attribute without a type")
		}
		der := []byte(pair)
		if !pair.ReadAnyASN1(&value, &tag) || !pair.Empty() {
			return rdn{}, errors.New("an attribute without a value")
		}
		a := attribute{oid: oid.String(), tag: tag, bytes: value, der: der}
		text, isText, err := decodeString(tag, value)
		if err != nil {
			return rdn{}, fmt.Errorf("%s: %w", a.name(), err)
		}
		var b cryptobyte.Builder
		b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			if !isText {
				b.AddBytes(der)
				return
			}
			b.AddASN1(cryptobyte_asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(foldString(text))) })
		})
		encoding, err := b.Bytes()
		if err != nil {
			return rdn{}, fmt.Errorf("%s: %w", a.name(), err)
		}
		a.text = text
		r.attributes = append(r.attributes, a)
		encodings = append(encodings, encoding)
	}
	// DER orders the elements of a SET OF by their encodings (X.690, 11.6).
	slices.SortFunc(encodings, bytes.Compare)
	var b cryptobyte.Builder
	b.AddASN1(cryptobyte_asn1.SET, func(b *cryptobyte.Builder) {
		for _, encoding := range encodings {
			b.AddBytes(encoding)
		}
	})
	canonical, err := b.Bytes()
	if err != nil {
		return rdn{}, err
	}
	r.canonical = string(canonical)
	return r, nil
}

// decodeString gives a string type's value as UTF-8. T61String is read as
// Latin-1, as OpenSSL and Go do. Other types are no text.
func decodeString(tag cryptobyte_asn1.Tag, value []byte) (text string, isText bool, err error) {
	width := 1
	switch tag {
	case cryptobyte_asn1.UTF8String:
		if !utf8.Valid(value) {
			return "", false, errors.New("a UTF8String that is not UTF-8")
		}
		return string(value), true, nil
	case cryptobyte_asn1.PrintableString, cryptobyte_asn1.IA5String, cryptobyte_asn1.T61String, tagVisibleString:
	case tagBMPString:
		width = 2
	case tagUniversalString:
		width = 4
	default:
		return "", false, nil
	}
	if len(value)%width != 0 {
		return "", false, errors.New("a string cut inside a character")
	}
	var b strings.Builder
	for character := range slices.Chunk(value, width) {
		var code uint32
		for _, octet := range character {
			code = code<<8 | uint32(octet)
		}
		if !utf8.ValidRune(rune(code)) {
			return "", false, fmt.Errorf("a string with the invalid character %#x", code)
		}
		b.WriteRune(rune(code))
	}
	return b.String(), true, nil
}

// foldString trims white space, folds runs of it to one space and lowers
// ASCII letters: OpenSSL's form of the comparison of RFC 5280, section 7.1.
func foldString(s string) string {
	folded := []byte(foldSpace(s))
	for i, c := range folded {
		folded[i] = lowerASCII(c)
	}
	return string(folded)
}

// foldSpace trims white space and folds runs of it to one space.
func foldSpace(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for i := range len(s) {
		c := s[i]
		if c == ' ' || c >= '\t' && c <= '\r' {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteByte(c)
	}
	return b.String()
}

func lowerASCII(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// name is the attribute's short name or dotted OID.
func (a attribute) name() string {
	if short, ok := attributeNames[a.oid]; ok {
		return short
	}
	return a.oid
}

// Canonical is the form by which names are compared (RFC 5280, section 7.1,
// as OpenSSL does it): the RDNs with every string as UTF8String, in lower
// case and with white space folded, in DER without the outer SEQUENCE. Two
// names are equal if and only if these strings are.
func (n *Name) Canonical() string {
	var b strings.Builder
	for _, r := range n.rdns {
		b.WriteString(r.canonical)
	}
	return b.String()
}

// Equal reports whether two names are the same by their canonical forms.
func (n *Name) Equal(other *Name) bool {
	return slices.EqualFunc(n.rdns, other.rdns, func(a, b rdn) bool { return a.canonical == b.canonical })
}

// Empty reports whether the name has no RDN.
func (n *Name) Empty() bool { return len(n.rdns) == 0 }

// hasPrefix reports whether the name lies in the subtree of prefix.
func (n *Name) hasPrefix(prefix *Name) bool {
	return len(n.rdns) >= len(prefix.rdns) &&
		(&Name{rdns: n.rdns[:len(prefix.rdns)]}).Equal(prefix)
}

// extends reports whether the name is parent with one RDN more, a common name.
func (n *Name) extends(parent *Name) bool {
	return len(n.rdns) == len(parent.rdns)+1 && n.hasPrefix(parent) &&
		n.rdns[len(n.rdns)-1].attributes[0].oid == oidCommonName
}

// Hash is the name that a certificate of this subject has in a CApath since
// OpenSSL 1.0: eight hexadecimal digits of the SHA-1 of the canonical form.
func (n *Name) Hash() string {
	digest := sha1.Sum([]byte(n.Canonical())) // #nosec G401 -- a file name
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(digest[:]))
}

// HashOld is the name that a certificate of this subject had in a CApath
// before OpenSSL 1.0: eight hexadecimal digits of the MD5 of the encoding.
func (n *Name) HashOld() string {
	digest := md5.Sum(n.raw) // #nosec G401 -- a file name
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(digest[:]))
}

// last gives the last attribute of a type in the encoded order.
func (n *Name) last(oid string) (attribute, bool) {
	for _, r := range slices.Backward(n.rdns) {
		for _, a := range slices.Backward(r.attributes) {
			if a.oid == oid {
				return a, true
			}
		}
	}
	return attribute{}, false
}

// Slash is the name in the form that grid tools use: /TYPE=value in encoded
// order, the attributes of a multi-valued RDN each with a slash too, slashes
// in values as they are. Characters outside printable ASCII are the octets of
// their UTF-8 as \xHH, whatever the string type, so that the form shows what
// the value says. For the types of today it is what OpenSSL's
// X509_NAME_oneline wrote until OpenSSL 3; of a T61String or a BMPString that
// shows the octets as encoded. An empty name is an empty string.
func (n *Name) Slash() string {
	var form slashForm
	for _, r := range n.rdns {
		for _, a := range r.attributes {
			characters, _ := a.characters()
			form = append(form, slashAttribute{a.name(), escapeOctets(characters)})
		}
	}
	return form.String()
}

// ShowDN is a DN as a sentence shows it: an empty one in words.
func ShowDN(dn string) string {
	if dn == "" {
		return "(empty DN)"
	}
	return dn
}

// escapeOctets writes octets outside printable ASCII as \xHH.
func escapeOctets[T string | []byte](octets T) string {
	var b strings.Builder
	for i := range len(octets) {
		writeOctet(&b, octets[i])
	}
	return b.String()
}

// writeOctet writes an octet as the slash form does.
func writeOctet(b *strings.Builder, c byte) {
	if c < ' ' || c > '~' {
		const digits = "0123456789ABCDEF"
		b.WriteString(`\x`)
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&0xf])
		return
	}
	b.WriteByte(c)
}

// RFC4514 is the name as RFC 4514 writes it: the last RDN first, joined by
// commas, the attributes of a multi-valued RDN by plus signs. Types without a
// name have a dotted OID and their value as # and the hexadecimal encoding.
func (n *Name) RFC4514() string {
	var b strings.Builder
	for i, r := range slices.Backward(n.rdns) {
		if i < len(n.rdns)-1 {
			b.WriteByte(',')
		}
		for j, a := range r.attributes {
			if j > 0 {
				b.WriteByte('+')
			}
			b.WriteString(a.name())
			b.WriteByte('=')
			if _, known := attributeNames[a.oid]; !known || !a.isText() {
				b.WriteByte('#')
				b.WriteString(hex.EncodeToString(a.der))
				continue
			}
			b.WriteString(escapeRFC4514(a.text))
		}
	}
	return b.String()
}

func (a attribute) isText() bool {
	_, isText, _ := decodeString(a.tag, a.bytes) // an error is no text
	return isText
}

// escapeRFC4514 escapes a value as RFC 4514, section 2.4, says, and control
// characters too, so that a name never breaks a line of a log.
func escapeRFC4514(value string) string {
	var b strings.Builder
	for i, r := range value {
		switch {
		case r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0:
			for _, octet := range []byte(string(r)) {
				fmt.Fprintf(&b, `\%02X`, octet)
			}
		case strings.ContainsRune(`"+,;<>\`, r),
			i == 0 && (r == '#' || r == ' '),
			i == len(value)-1 && r == ' ':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

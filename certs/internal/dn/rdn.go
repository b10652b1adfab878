package dn

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// rdn is one relative distinguished name.
type rdn struct {
	attributes []attribute
	canonical  string // the SET in its canonical encoding
}

// attribute is one type and value of a name.
type attribute struct {
	oid   string // dotted
	tag   cbasn1.Tag
	bytes []byte // the content as encoded
	der   []byte // the value with its tag and length
	text  string // the value as UTF-8 if tag is a string type, else empty
}

// parseRDN reads the content of a SET of attributes.
func parseRDN(set cryptobyte.String) (rdn, error) {
	var r rdn
	var encodings [][]byte
	for !set.Empty() {
		var pair, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var tag cbasn1.Tag
		if !set.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1ObjectIdentifier(&oid) {
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
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oid)
			if !isText {
				b.AddBytes(der)
				return
			}
			b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(foldString(text))) })
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
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
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

// The string types that cryptobyte has no name for.
const (
	tagVisibleString   = cbasn1.Tag(26)
	tagUniversalString = cbasn1.Tag(28)
	tagBMPString       = cbasn1.Tag(30)
)

// decodeString gives a string type's value as UTF-8. T61String is read as
// Latin-1, as OpenSSL and Go do. Other types are no text.
func decodeString(tag cbasn1.Tag, value []byte) (text string, isText bool, err error) {
	width := 1
	switch tag {
	case cbasn1.UTF8String:
		if !utf8.Valid(value) {
			return "", false, errors.New("a UTF8String that is not UTF-8")
		}
		return string(value), true, nil
	case cbasn1.PrintableString, cbasn1.IA5String, cbasn1.T61String, tagVisibleString:
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

package dn

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

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
			all, _ := a.characters()
			form = append(form, slashAttribute{name: a.name(), value: Escape(all)})
		}
	}
	return form.String()
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

// isText reports whether the value is of a string type, and sound.
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

// MaxQuoted is how much of a name or another piece of a certificate a message
// quotes, in bytes: logs take a line for every peer that is refused.
const MaxQuoted = 512

// Brief is the name in messages: the slash form, shortened to MaxQuoted bytes.
func (n *Name) Brief() string { return Shorten(Show(n.Slash()), MaxQuoted) }

// Show is a DN as a sentence shows it: an empty one in words.
func Show(dn string) string {
	if dn == "" {
		return "(empty DN)"
	}
	return dn
}

// Excerpt shows octets of a certificate in messages: escaped, and shortened to
// MaxQuoted bytes.
func Excerpt[T string | []byte](octets T) string { return Shorten(Escape(octets), MaxQuoted) }

// Shorten cuts a text for messages if it has more bytes than most, and says
// how many there were.
func Shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:end], len(text))
}

// Escape writes octets outside printable ASCII as \xHH.
func Escape[T string | []byte](octets T) string {
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

package dn

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Forms are the two slash forms in which people write a name: in access
// rules and in policy files.
//
// text has the characters, in UTF-8, with white space trimmed and folded as
// the comparison of RFC 5280, section 7.1, has it: names that are equal there
// read alike whatever their string types. It is what Slash shows, and what
// every rule is compared with.
//
// octets has the values as encoded, which is what OpenSSL's X509_NAME_oneline
// prints, and grid tools with it: old policies and grid-mapfiles were written
// from that. It differs for Latin-1 (T61String) and for characters of two or
// four octets (BMPString, UniversalString). There the octets may spell another
// name, so a permission counts for this form only where no text reads like it;
// a prohibition always does.
//
// A name that reads like another one in spite of this is ambiguous, and no
// rule matches it.
type Forms struct {
	text, octets slashForm
	ambiguous    string // why; empty if the name can be read in one way only
	control      bool   // the text has control characters, and reads like the octets of BMPStrings
	unlike       bool   // each value of octets that is not text's is no text
	latin1       bool   // and is Latin-1, which shows its printable characters as text does
}

// Forms gives the forms of a name.
func (n *Name) Forms() Forms {
	f := Forms{unlike: true, latin1: true}
	for _, r := range n.rdns {
		for _, a := range r.attributes {
			all, isText := a.characters()
			text, octets := foldSpace(all), string(a.bytes)
			if reason := a.ambiguous(text, octets, isText); reason != "" && f.ambiguous == "" {
				f.ambiguous = fmt.Sprintf("the value of %s %s", a.name(), reason)
			}
			f.control = f.control || isText && !readsAsText(text)
			if text != foldSpace(octets) {
				f.unlike = f.unlike && !readsAsText(octets)
				f.latin1 = f.latin1 && a.tag == cbasn1.T61String && !readsAsText(octets)
			}
			f.text = append(f.text, slashAttribute{name: a.name(), value: Escape(text)})
			f.octets = append(f.octets, slashAttribute{name: a.name(), value: Escape(octets)})
		}
	}
	return f
}

// Ambiguous says why the name could be read as another one, in a clause; empty
// if it can be read in one way only.
func (f Forms) Ambiguous() string { return f.ambiguous }

// Reading is one form of a name.
type Reading struct {
	Slash   string
	Permits bool // a permission counts for this form; a prohibition always does
}

// Readings lists the forms of a name that differ, the text first. A permission
// counts for the octets where each value of them that reads unlike the text is
// no text; with latin1 only where each is Latin-1, too.
func (f Forms) Readings(latin1 bool) []Reading {
	text, octets := f.text.String(), f.octets.String()
	readings := []Reading{{Slash: text, Permits: true}}
	if octets != text {
		readings = append(readings, Reading{Slash: octets, Permits: f.unlike && (f.latin1 || !latin1)})
	}
	return readings
}

// slashForm is a name in slash form, by its attributes.
type slashForm []slashAttribute

type slashAttribute struct{ name, value string }

// String is the form as people write it.
func (f slashForm) String() string {
	var b strings.Builder
	for _, a := range f {
		b.WriteString("/" + a.name + "=" + a.value)
	}
	return b.String()
}

// normal are the attributes in the form of Normalize.
func (f slashForm) normal() []string {
	attributes := make([]string, 0, len(f))
	for _, a := range f {
		attributes = append(attributes, "/"+attributeKey(a.name)+"="+strings.ToLower(a.value))
	}
	return attributes
}

// characters is the value as text; of a type that is no text, its octets.
func (a attribute) characters() (text string, isText bool) {
	const numericString = cbasn1.Tag(18) // digits and spaces
	if text, isText, err := decodeString(a.tag, a.bytes); isText && err == nil {
		return text, true
	}
	return string(a.bytes), a.tag == numericString
}

// looksEscaped matches what reads like an escape in the value of a name.
var looksEscaped = regexp.MustCompile(`\\[xX/+]|\\$`)

// ambiguous says why a value could be read as another one; empty if it could
// not.
func (a attribute) ambiguous(text, octets string, isText bool) string {
	values := []string{text}
	if !readsAsText(octets) { // or they permit nothing
		values = append(values, octets)
	}
	for _, value := range values {
		if dnStart.MatchString(Escape(value)) {
			return "looks as if another attribute began inside it"
		}
		if looksEscaped.MatchString(value) {
			return `holds a backslash that looks like an escape, such as \xHH`
		}
	}
	if !isText && readsAsText(octets) {
		return "is no text, and its octets look like some"
	}
	return ""
}

// readsAsText reports whether octets are UTF-8 without control characters.
func readsAsText(octets string) bool {
	return utf8.ValidString(octets) && strings.IndexFunc(octets, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

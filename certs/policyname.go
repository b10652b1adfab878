package certs

import "strings"

// policyForms are the two slash forms in which policy files may mean a name.
//
// raw has the octets as encoded, which is what grid tools print and what old
// policies were written from. text has the characters, in UTF-8 with white
// space trimmed and folded as the comparison of RFC 5280, section 7.1, has
// it: names that are equal there read alike whatever their string types. For
// most names the two are the same.
//
// A DENY counts if it matches either form. A PERMIT counts if it matches the
// text, or the raw form where that has the same printable characters: a
// Latin-1 name that the file writes with \xHH. Otherwise the octets of a
// BMPString could spell out another name. An issuer is compared as a whole:
// its raw form counts also if each value that reads otherwise has an octet
// that the file must write as \xHH.
type policyForms struct {
	raw, text   string
	faithful    bool // raw has the printable characters of text
	escaped     bool // or, in each value that has not, an octet that is escaped
	unambiguous bool // no value looks as if another attribute began inside it, or holds what looks like an escaped octet
}

// policyForm is one form of a name; permits says that a PERMIT of it counts.
type policyForm struct {
	dn      string
	permits bool
}

// forms lists the forms of a name that differ; rawPermits says of the raw one
// that a PERMIT of it counts.
func (f policyForms) forms(rawPermits bool) []policyForm {
	forms := []policyForm{{f.text, true}}
	if f.raw != f.text {
		forms = append(forms, policyForm{f.raw, rawPermits})
	}
	return forms
}

// policyForms gives the forms of a name. A value that is no text has its
// octets in both.
func (n *Name) policyForms() policyForms {
	f := policyForms{faithful: true, escaped: true, unambiguous: true}
	var raw, text strings.Builder
	for _, r := range n.rdns {
		for _, a := range r.attributes {
			octets, characters := string(a.bytes), string(a.bytes)
			if a.isText() {
				characters = foldSpace(a.text)
			}
			for _, value := range []string{octets, characters} {
				if dnStart.MatchString(escapeOctets(value)) || strings.Contains(value, `\x`) {
					f.unambiguous = false
				}
			}
			if plain := unescaped(octets); plain != unescaped(characters) {
				f.faithful = false
				f.escaped = f.escaped && plain != octets
			}
			raw.WriteString("/" + a.name() + "=" + escapeOctets(octets))
			text.WriteString("/" + a.name() + "=" + escapeOctets(characters))
		}
	}
	f.raw, f.text = raw.String(), text.String()
	return f
}

// unescaped leaves out the octets that slash form escapes.
func unescaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] >= ' ' && s[i] <= '~' {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// foldDN folds the white space of each value of a name in slash form, as the
// text of policyForms has it.
func foldDN(dn string) string {
	var b strings.Builder
	for {
		at := dnStart.FindStringIndex(dn)
		if at == nil {
			break
		}
		b.WriteString(foldSpace(dn[:at[0]]))
		b.WriteString(dn[at[0]:at[1]])
		dn = dn[at[1]:]
	}
	b.WriteString(foldSpace(dn))
	return b.String()
}

// policyText is the content of a policy file without the byte order mark
// (BOM) that some editors put before UTF-8.
func policyText(content []byte) string {
	return strings.TrimPrefix(string(content), "\ufeff")
}

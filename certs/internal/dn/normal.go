package dn

import (
	"regexp"
	"strings"
)

var (
	// dnStart matches the beginning of an attribute in a slash form. OpenSSL 3
	// joins the attributes of a multi-valued RDN by '+'.
	dnStart = regexp.MustCompile(`[/+]([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)=`)
	// slashEscape matches what OpenSSL 3 escapes in a slash form.
	slashEscape = strings.NewReplacer(`\/`, `/`, `\+`, `+`)
	// escapedSpace matches white space that slash form escapes.
	escapedSpace = regexp.MustCompile(`\\x0[9A-Da-d]`)
)

// Normalize gives the form in which DNs in slash form, of rules and of
// certificates, are compared: in lower case, one spelling for each attribute
// type, and what OpenSSL 3 escapes as older releases wrote it.
func Normalize(slash string) string {
	var b strings.Builder
	rest := Escape(slash)
	for {
		at := dnStart.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		b.WriteString(strings.ToLower(slashEscape.Replace(rest[:at[0]])))
		b.WriteString("/" + attributeKey(rest[at[2]:at[3]]) + "=")
		rest = rest[at[1]:]
	}
	b.WriteString(strings.ToLower(slashEscape.Replace(rest)))
	return b.String()
}

// normalizePattern is Normalize of a whole name or of the beginning of names
// as a person wrote it, with white space folded. In a beginning that ends
// inside a value, a space at the end is one.
func normalizePattern(slash string, beginning bool) string {
	folded := foldSlash(slash)
	if beginning && strings.HasSuffix(slash, " ") {
		folded += " "
	}
	return Normalize(folded)
}

// foldSlash folds the white space of each value of a name in slash form, as
// the text of Forms has it.
func foldSlash(slash string) string {
	var b strings.Builder
	rest := escapedSpace.ReplaceAllString(slash, " ")
	for {
		at := dnStart.FindStringIndex(rest)
		if at == nil {
			break
		}
		b.WriteString(foldSpace(rest[:at[0]]))
		b.WriteString(rest[at[0]:at[1]])
		rest = rest[at[1]:]
	}
	b.WriteString(foldSpace(rest))
	return b.String()
}

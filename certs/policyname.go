package certs

import (
	"regexp"
	"strings"
)

// escapedSpace matches white space that slash form escapes.
var escapedSpace = regexp.MustCompile(`\\x0[9A-Da-d]`)

// foldDN folds the white space of each value of a name in slash form, as the
// text of nameForms has it.
func foldDN(dn string) string {
	var b strings.Builder
	dn = escapedSpace.ReplaceAllString(dn, " ")
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

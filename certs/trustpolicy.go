package certs

import (
	"fmt"
	"regexp"
	"strings"
)

// policyVerdict is what a policy file says about an issuer and a subject.
type policyVerdict int

const (
	policySilent  policyVerdict = iota // the file does not speak of this issuer
	policyPermits                      // the issuer may sign this subject
	policyDenies                       // the issuer may not sign this subject
)

// policyDecision is a verdict with what decided it.
type policyDecision struct {
	Verdict policyVerdict
	Denied  bool   // a DENY matches, which no PERMIT outweighs
	Code    Code   // if it denies
	File    string // the policy file
	Line    int    // the line of the deciding statement, counted from 1; 0 if the file is silent
	Reason  string // one clause in plain words; empty if the file is silent
}

var (
	emailType = regexp.MustCompile(`(?i)/(?:emailaddress|email|e)=`)
	uidType   = regexp.MustCompile(`/(?:(?i:userid)|UID)=`)
)

// uniqueIdentifier writes the type that OpenSSL shows as uid in full:
// expressions ignore case, and UID is another type, see attributeKey.
var uniqueIdentifier = strings.NewReplacer("/uid=", "/uniqueIdentifier=")

// spellings lists a name in slash form with each spelling of its attribute
// types, so that a regular expression may use any of them. Most names have
// one.
func spellings(dn string) []string {
	dn = uniqueIdentifier.Replace(dn)
	names := []string{dn}
	if emailType.MatchString(dn) {
		names = []string{
			emailType.ReplaceAllLiteralString(dn, "/emailAddress="),
			emailType.ReplaceAllLiteralString(dn, "/Email="),
			emailType.ReplaceAllLiteralString(dn, "/E="),
		}
	}
	if !uidType.MatchString(dn) {
		return names
	}
	both := make([]string, 0, 2*len(names))
	for _, name := range names {
		both = append(both,
			uidType.ReplaceAllLiteralString(name, "/UID="),
			uidType.ReplaceAllLiteralString(name, "/USERID="))
	}
	return both
}

// unescapeDN reads a name as a policy file writes it: a backslash makes the
// next character literal, and \xHH is a byte. The result is in slash form,
// where a byte outside 0x20-0x7e reads \xHH. star reports whether the name
// ends with an unescaped '*', which is then not part of the result.
func unescapeDN(raw string) (name string, star bool, err error) {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '\n' || c == '\r':
			return "", false, fmt.Errorf("the name %s goes on beyond its line: is a closing quote missing?", clip(raw))
		case c == '\\' && i+1 == len(raw):
			return "", false, fmt.Errorf("the name %s ends with a backslash", clip(raw))
		case c == '\\' && (raw[i+1] == 'x' || raw[i+1] == 'X'):
			value, ok := hexByte(raw[i+2:])
			if !ok {
				return "", false, fmt.Errorf("in the name %s, \\x is not followed by two hexadecimal digits", clip(raw))
			}
			writeOctet(&b, value)
			i += 3
		case c == '\\':
			i++
			writeOctet(&b, raw[i])
		case c == '*' && i+1 == len(raw):
			star = true
		default:
			writeOctet(&b, c)
		}
	}
	return b.String(), star, nil
}

// hexByte reads the two hexadecimal digits at the start of s.
func hexByte(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	high, ok1 := hexDigit(s[0])
	low, ok2 := hexDigit(s[1])
	return high<<4 | low, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// clip quotes a piece of a policy file for a message, shortened if it is
// long.
func clip(s string) string {
	const longest = 100
	if len(s) > longest {
		return fmt.Sprintf("%q...", s[:longest])
	}
	return fmt.Sprintf("%q", s)
}

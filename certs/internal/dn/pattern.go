package dn

import (
	"errors"
	"fmt"
	"strings"
)

// Pattern is a name as a signing_policy writes it, or with a '*' at its end the
// beginning of names. It is immutable.
type Pattern struct {
	raw    string // as written
	normal string
	star   bool
}

// ParsePattern reads a pattern: a backslash makes the next character literal,
// \xHH is a byte, and an unescaped '*' at the end stands for one character or
// more.
func ParsePattern(raw string) (Pattern, error) {
	slash, star, err := unescape(raw)
	if err != nil {
		return Pattern{}, err
	}
	if raw == "" {
		return Pattern{}, errors.New("a pattern is empty")
	}
	return Pattern{raw: raw, normal: normalizePattern(slash, star), star: star}, nil
}

// Match reports whether the pattern names a DN, given as Normalize has it.
func (p Pattern) Match(normal string) bool {
	if p.star {
		return len(normal) > len(p.normal) && strings.HasPrefix(normal, p.normal)
	}
	return normal == p.normal
}

// String is the pattern as it was written, quoted and shortened for messages.
func (p Pattern) String() string { return Quote(p.raw) }

// Normal is the name in the form of Normalize; with more it is the beginning of
// longer ones.
func (p Pattern) Normal() (normal string, more bool) { return p.normal, p.star }

// ParseIssuer reads the name of a CA as a policy file writes it, with the
// escapes of ParsePattern, into the form of Normalize. A '*' stands for itself.
func ParseIssuer(raw string) (normal string, err error) {
	slash, star, err := unescape(raw)
	if err != nil {
		return "", err
	}
	if star {
		slash += "*" // an issuer is a name, not a pattern
	}
	return Normalize(foldSlash(slash)), nil
}

// unescape reads a name as a policy file writes it. The result is in slash
// form, where a byte outside 0x20-0x7e reads \xHH. star reports whether the
// name ends with an unescaped '*', which is then not part of the result.
func unescape(raw string) (slash string, star bool, err error) {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '\n' || c == '\r':
			return "", false, fmt.Errorf("the name %s goes on beyond its line: is a closing quote missing?", Quote(raw))
		case c == '\\' && i+1 == len(raw):
			return "", false, fmt.Errorf("the name %s ends with a backslash", Quote(raw))
		case c == '\\' && (raw[i+1] == 'x' || raw[i+1] == 'X'):
			value, ok := hexByte(raw[i+2:])
			if !ok {
				return "", false, fmt.Errorf("in the name %s, \\x is not followed by two hexadecimal digits", Quote(raw))
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

// Quote quotes a piece of a policy file for a message, shortened if it is
// long.
func Quote(s string) string {
	const longest = 100
	if len(s) > longest {
		return fmt.Sprintf("%q...", s[:longest])
	}
	return fmt.Sprintf("%q", s)
}

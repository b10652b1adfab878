package certs

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// compileSubject makes the matcher of a subject: the expression must match
// the whole name in slash form, ignoring case. The expression is in the
// language that POSIX extended and Java expressions share, run by Go's
// regexp, whose time is linear in the name. What that cannot express, or what
// those read differently, is an error: lookahead and lookbehind,
// backreferences, atomic groups and possessive repetition, octal escapes,
// \Q...\E, and '&&' or a '[' inside a class.
func compileSubject(raw string) (*regexp.Regexp, error) {
	if raw == "" {
		return nil, errors.New("the regular expression of the subject is empty")
	}
	expression, err := slashExpression(raw)
	if err != nil {
		return nil, fmt.Errorf("the regular expression %s: %w", clip(raw), err)
	}
	// On its own first: with the anchors around it, a stray parenthesis could
	// find a partner.
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("the regular expression %s: %w", clip(raw), err)
	}
	if expressionSize(parsed) > maxExpressionSize {
		return nil, fmt.Errorf("the regular expression %s is too large", clip(raw))
	}
	compiled, err := regexp.Compile(`(?is)\A(?:` + expression + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("the regular expression %s: %w", clip(raw), err)
	}
	return compiled, nil
}

// maxExpressionSize bounds the memory of an expression: a repetition counts as
// often as it may repeat. A long name has some hundred characters.
const maxExpressionSize = 4000

// expressionSize is about the number of steps of the matcher.
func expressionSize(e *syntax.Regexp) int {
	size := 1 + len(e.Rune)
	for _, sub := range e.Sub {
		size += expressionSize(sub)
	}
	if e.Op == syntax.OpRepeat {
		size *= max(e.Min, e.Max, 1)
	}
	return size
}

// groups are the groups that cannot be supported.
var groups = []struct{ prefix, name string }{
	{"(?=", "lookahead"},
	{"(?!", "lookahead"},
	{"(?<=", "lookbehind"},
	{"(?<!", "lookbehind"},
	{"(?>", "an atomic group"},
}

// slashExpression refuses what is not supported and rewrites each byte that
// slash form writes as \xHH, however the expression writes it, into what
// matches that text.
func slashExpression(raw string) (string, error) {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c == '\\':
			n, err := rewriteEscape(&b, raw[i:], inClass)
			if err != nil {
				return "", err
			}
			i += n
			continue
		case c < 0x20 || c > 0x7e:
			if inClass {
				return "", errors.New("a byte outside ASCII in a class [...] is not supported")
			}
			_, n := utf8.DecodeRuneInString(raw[i:])
			writeSlashLiteral(&b, raw[i:i+n])
			i += n
			continue
		case inClass && strings.HasPrefix(raw[i:], "[:"):
			end := strings.Index(raw[i:], ":]")
			if end < 0 {
				return "", errors.New("[: is not closed by :]")
			}
			b.WriteString(raw[i : i+end+2])
			i += end + 2
			continue
		case inClass && c == '[':
			return "", errors.New(`a '[' in a class [...] is not supported: write \[`)
		case inClass && strings.HasPrefix(raw[i:], "&&"):
			return "", errors.New("an intersection && in a class [...] is not supported")
		case inClass && c == ']':
			inClass = false
		case !inClass && c == '[':
			inClass = true
			n := 1
			if strings.HasPrefix(raw[i+n:], "^") {
				n++
			}
			if strings.HasPrefix(raw[i+n:], "]") {
				n++ // a literal one
			}
			b.WriteString(raw[i : i+n])
			i += n
			continue
		case !inClass && c == ' ' && i > 0 && raw[i-1] == ' ' && (i+1 == len(raw) || !strings.ContainsRune("*+?{", rune(raw[i+1]))):
			i++ // names are compared with white space folded
			continue
		case !inClass && c == '(':
			for _, group := range groups {
				if strings.HasPrefix(raw[i:], group.prefix) {
					return "", fmt.Errorf("%s %s is not supported", group.name, group.prefix)
				}
			}
		}
		b.WriteByte(c)
		i++
	}
	return b.String(), nil
}

// rewriteEscape writes the escape at the start of s and gives its length.
func rewriteEscape(b *strings.Builder, s string, inClass bool) (int, error) {
	if len(s) < 2 {
		return 0, errors.New("it ends with a backslash")
	}
	switch c := s[1]; {
	case '0' <= c && c <= '9':
		return 0, fmt.Errorf(`the backreference or octal escape \%c is not supported`, c)
	case c == 'Q' || c == 'E':
		return 0, fmt.Errorf(`quoting with \%c is not supported: escape each character`, c)
	case c == 'x':
		value, ok := hexByte(s[2:])
		if !ok {
			return 0, errors.New(`\x is not followed by two hexadecimal digits`)
		}
		switch {
		case 0x20 <= value && value <= 0x7e:
			b.WriteString(s[:4])
		case inClass:
			return 0, errors.New("a byte outside ASCII in a class [...] is not supported")
		default:
			writeSlashLiteral(b, string([]byte{value}))
		}
		return 4, nil
	case c < 0x20 || c > 0x7e:
		return 0, errors.New("a backslash before a character outside ASCII is not supported")
	}
	b.WriteString(s[:2])
	return 2, nil
}

// writeSlashLiteral writes an expression that matches what slash form makes
// of these bytes.
func writeSlashLiteral(b *strings.Builder, bytes string) {
	b.WriteString("(?:")
	for i := range len(bytes) {
		fmt.Fprintf(b, `\\x%02X`, bytes[i])
	}
	b.WriteByte(')')
}

package dn

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// Expression is the regular expression by which a namespaces file names
// subjects. It is immutable.
type Expression struct {
	raw     string // as written
	subject *regexp.Regexp
}

// ParseExpression makes the matcher of a subject: the expression must match
// the whole name in slash form, ignoring case. The expression is in the
// language that POSIX extended and Java expressions share, run by Go's
// regexp, whose time is linear in the name. What that cannot express, or what
// those read differently, is an error: lookahead and lookbehind,
// backreferences, atomic groups and possessive repetition, octal escapes,
// \Q...\E, and '&&' or a '[' inside a class.
func ParseExpression(raw string) (Expression, error) {
	if raw == "" {
		return Expression{}, errors.New("the regular expression of the subject is empty")
	}
	fail := func(err error) (Expression, error) {
		return Expression{}, fmt.Errorf("the regular expression %s: %w", Quote(raw), err)
	}
	r := rewriter{raw: raw}
	if err := r.rewrite(); err != nil {
		return fail(err)
	}
	expression := r.out.String()
	// On its own first: with the anchors around it, a stray parenthesis could
	// find a partner.
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return fail(err)
	}
	if expressionSize(parsed) > maxExpressionSize {
		return Expression{}, fmt.Errorf("the regular expression %s is too large", Quote(raw))
	}
	subject, err := regexp.Compile(`(?is)\A(?:` + expression + `)\z`)
	if err != nil {
		return fail(err)
	}
	return Expression{raw: raw, subject: subject}, nil
}

// Match reports whether the expression matches one of the Spellings of a name.
func (e Expression) Match(spellings []string) bool {
	return slices.ContainsFunc(spellings, e.subject.MatchString)
}

// String is the expression as it was written, quoted and shortened for
// messages.
func (e Expression) String() string { return Quote(e.raw) }

var (
	emailType = regexp.MustCompile(`(?i)/(?:emailaddress|email|e)=`)
	uidType   = regexp.MustCompile(`/(?:(?i:userid)|UID)=`)
)

// uniqueIdentifier writes the type that OpenSSL shows as uid in full:
// expressions ignore case, and UID is another type, see attributeKey.
var uniqueIdentifier = strings.NewReplacer("/uid=", "/uniqueIdentifier=")

// Spellings lists a name in slash form with each spelling of its attribute
// types, so that an Expression may use any of them. Most names have one.
func Spellings(slash string) []string {
	slash = uniqueIdentifier.Replace(slash)
	names := []string{slash}
	if emailType.MatchString(slash) {
		names = []string{
			emailType.ReplaceAllLiteralString(slash, "/emailAddress="),
			emailType.ReplaceAllLiteralString(slash, "/Email="),
			emailType.ReplaceAllLiteralString(slash, "/E="),
		}
	}
	if !uidType.MatchString(slash) {
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

// rewriter refuses what is not supported of an expression and rewrites each
// byte that slash form writes as \xHH, however the expression writes it, into
// what matches that text.
type rewriter struct {
	raw     string
	at      int
	inClass bool // within [...]
	out     strings.Builder
}

var errByteInClass = errors.New("a byte outside ASCII in a class [...] is not supported")

// rewrite goes through the whole expression.
func (r *rewriter) rewrite() error {
	for r.at < len(r.raw) {
		var err error
		switch c := r.raw[r.at]; {
		case c == '\\':
			err = r.escape()
		case c < 0x20 || c > 0x7e:
			err = r.character()
		case r.inClass:
			err = r.class(c)
		default:
			err = r.outside(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copy takes the next n bytes as they are.
func (r *rewriter) copy(n int) {
	r.out.WriteString(r.raw[r.at : r.at+n])
	r.at += n
}

// character takes a character outside printable ASCII.
func (r *rewriter) character() error {
	if r.inClass {
		return errByteInClass
	}
	_, n := utf8.DecodeRuneInString(r.raw[r.at:])
	r.literal(r.raw[r.at : r.at+n])
	r.at += n
	return nil
}

// class takes a byte of a class.
func (r *rewriter) class(c byte) error {
	rest := r.raw[r.at:]
	switch {
	case strings.HasPrefix(rest, "[:"):
		end := strings.Index(rest, ":]")
		if end < 0 {
			return errors.New("[: is not closed by :]")
		}
		r.copy(end + 2)
		return nil
	case c == '[':
		return errors.New(`a '[' in a class [...] is not supported: write \[`)
	case strings.HasPrefix(rest, "&&"):
		return errors.New("an intersection && in a class [...] is not supported")
	case c == ']':
		r.inClass = false
	}
	r.copy(1)
	return nil
}

// groups are the groups that cannot be supported.
var groups = []struct{ prefix, name string }{
	{prefix: "(?=", name: "lookahead"},
	{prefix: "(?!", name: "lookahead"},
	{prefix: "(?<=", name: "lookbehind"},
	{prefix: "(?<!", name: "lookbehind"},
	{prefix: "(?>", name: "an atomic group"},
}

// outside takes a byte outside classes.
func (r *rewriter) outside(c byte) error {
	rest := r.raw[r.at:]
	switch c {
	case '[':
		r.inClass = true
		n := 1
		if strings.HasPrefix(rest[n:], "^") {
			n++
		}
		if strings.HasPrefix(rest[n:], "]") {
			n++ // a literal one
		}
		r.copy(n)
		return nil
	case ' ':
		repeated := len(rest) > 1 && strings.ContainsRune("*+?{", rune(rest[1]))
		if r.at > 0 && r.raw[r.at-1] == ' ' && !repeated {
			r.at++ // names are compared with white space folded
			return nil
		}
	case '(':
		for _, group := range groups {
			if strings.HasPrefix(rest, group.prefix) {
				return fmt.Errorf("%s %s is not supported", group.name, group.prefix)
			}
		}
	}
	r.copy(1)
	return nil
}

// escape takes a backslash and what follows it.
func (r *rewriter) escape() error {
	rest := r.raw[r.at:]
	if len(rest) < 2 {
		return errors.New("it ends with a backslash")
	}
	switch c := rest[1]; {
	case '0' <= c && c <= '9':
		return fmt.Errorf(`the backreference or octal escape \%c is not supported`, c)
	case c == 'Q' || c == 'E':
		return fmt.Errorf(`quoting with \%c is not supported: escape each character`, c)
	case c == 'x':
		value, ok := hexByte(rest[2:])
		switch {
		case !ok:
			return errors.New(`\x is not followed by two hexadecimal digits`)
		case 0x20 <= value && value <= 0x7e:
			r.copy(4)
		case r.inClass:
			return errByteInClass
		default:
			r.literal(string([]byte{value}))
			r.at += 4
		}
		return nil
	case c < 0x20 || c > 0x7e:
		return errors.New("a backslash before a character outside ASCII is not supported")
	}
	r.copy(2)
	return nil
}

// literal writes an expression that matches what slash form makes of these
// bytes.
func (r *rewriter) literal(bytes string) {
	r.out.WriteString("(?:")
	for i := range len(bytes) {
		fmt.Fprintf(&r.out, `\\x%02X`, bytes[i])
	}
	r.out.WriteByte(')')
}

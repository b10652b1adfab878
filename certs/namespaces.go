package certs

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// namespaces is a .namespaces file: which subjects issuers may sign, in the
// language of the EUGridPMA (Namespaces Format Specification, version 1.0).
//
//	TO Issuer "/O=Grid/CN=CA" \
//	  PERMIT Subject "/O=Grid/.*"
//
// A statement ends with its line unless the line ends with a backslash. A '#'
// outside quotes begins a comment. SELF as the issuer is the CA that the file
// belongs to. It is immutable.
type namespaces struct {
	file       string
	statements []namespaceStatement
}

type namespaceStatement struct {
	line    int    // of its first word
	self    bool   // TO Issuer SELF
	issuer  string // folded; empty if self
	permit  bool   // false: DENY
	raw     string // the regular expression as written
	subject *regexp.Regexp
}

// parseNamespaces reads the content of a .namespaces file; file names it in
// messages. Each malformed statement is a problem of its own, and any problem
// makes the result nil. A malformed file must never count as a missing one:
// what depends on it is refused.
func parseNamespaces(file string, content []byte) (*namespaces, []Problem) {
	if len(content) > maxPolicyBytes {
		return nil, []Problem{{File: file, Message: fmt.Sprintf("is larger than %d bytes, which no namespaces file is", maxPolicyBytes)}}
	}
	policy := &namespaces{file: file}
	var problems []Problem
	lexer := namespaceLexer{content: policyText(content), line: 1}
	for !lexer.end() {
		words, line, err := lexer.statement()
		if err == nil && len(words) > 0 {
			var statement namespaceStatement
			if statement, err = parseStatement(words); err == nil {
				statement.line = line
				policy.statements = append(policy.statements, statement)
				if len(policy.statements) > maxNamespaceStatements {
					err = fmt.Errorf("there are more than %d statements", maxNamespaceStatements)
				}
			}
		}
		if err != nil {
			problems = append(problems, Problem{File: file, Line: line, Message: err.Error()})
		}
		if len(problems) == maxNamespaceProblems || len(policy.statements) > maxNamespaceStatements {
			break
		}
	}
	if len(problems) == 0 && len(policy.statements) == 0 {
		problems = []Problem{{File: file, Message: `the file says nothing: expected TO Issuer "DN" PERMIT Subject "regular expression"`}}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return policy, nil
}

// maxNamespaceStatements bounds the memory of a file. Those in use have about
// ten.
const maxNamespaceStatements = 1000

// maxNamespaceProblems is how many malformed statements are worth a message.
const maxNamespaceProblems = 10

// judge says whether the issuer may sign the subject, both in slash form. own
// says that the file belongs to the issuer, by its name in the CApath, which
// is what SELF speaks of. A DENY that matches wins over every PERMIT; without
// either, an issuer that the file speaks of is denied.
func (n *namespaces) judge(issuer, subject string, own bool) policyDecision {
	decision := policyDecision{Verdict: policySilent, File: n.file}
	folded := normalizeDN(issuer)
	var names []string
	var permitted []string
	for _, s := range n.statements {
		if s.self && !own || !s.self && s.issuer != folded {
			continue
		}
		if names == nil {
			names = spellings(subject)
		}
		if decision.Verdict == policySilent {
			decision.Verdict, decision.Line = policyDenies, s.line
		}
		if s.permit {
			permitted = append(permitted, clip(s.raw))
		}
		if !s.matches(names) {
			continue
		}
		if !s.permit {
			return policyDecision{
				Verdict: policyDenies, Denied: true, File: n.file, Line: s.line,
				Reason: "the namespaces deny " + clip(s.raw),
			}
		}
		if decision.Verdict != policyPermits {
			decision.Verdict, decision.Line = policyPermits, s.line
			decision.Reason = "the namespaces permit " + clip(s.raw)
		}
	}
	if decision.Verdict == policyDenies {
		decision.Reason = "the namespaces permit this CA to sign " + summarise(permitted)
	}
	return decision
}

// summarise says what the statements permit.
func summarise(permitted []string) string {
	const most = 3
	switch {
	case len(permitted) == 0:
		return "nothing"
	case len(permitted) > most:
		return fmt.Sprintf("only %s and %d more", strings.Join(permitted[:most], ", "), len(permitted)-most)
	}
	return "only " + strings.Join(permitted, ", ")
}

func (s namespaceStatement) matches(names []string) bool {
	return slices.ContainsFunc(names, s.subject.MatchString)
}

// namespaceWord is a keyword or a quoted string, with its escapes kept.
type namespaceWord struct {
	text   string
	quoted bool
}

func (w namespaceWord) is(keyword string) bool {
	return !w.quoted && strings.EqualFold(w.text, keyword)
}

func (w namespaceWord) String() string {
	if w.quoted {
		return `"` + w.text + `"`
	}
	return clip(w.text)
}

// namespaceLexer splits a file into statements.
type namespaceLexer struct {
	content string
	at      int
	line    int
}

func (l *namespaceLexer) end() bool { return l.at == len(l.content) }

// newline reports how many bytes a line end at the given place has; 0 if none
// is there.
func (l *namespaceLexer) newline(at int) int {
	switch {
	case strings.HasPrefix(l.content[at:], "\n"):
		return 1
	case strings.HasPrefix(l.content[at:], "\r\n"):
		return 2
	}
	return 0
}

// skipLine passes the rest of a line, but not its end.
func (l *namespaceLexer) skipLine() {
	for !l.end() && l.content[l.at] != '\n' {
		l.at++
	}
}

// skipStatement passes the rest of a statement.
func (l *namespaceLexer) skipStatement() {
	for {
		l.skipLine()
		if l.end() || !strings.HasSuffix(strings.TrimSuffix(l.content[:l.at], "\r"), `\`) {
			return
		}
		l.at++
		l.line++
	}
}

// statement reads the words up to the end of a statement and gives the line
// of the first. The line is that of the error if there is one; the rest of it
// is then skipped.
func (l *namespaceLexer) statement() (words []namespaceWord, line int, err error) {
	line = l.line
	separated := true
	for !l.end() {
		if n := l.newline(l.at); n > 0 {
			l.at += n
			l.line++
			return words, line, nil
		}
		c := l.content[l.at]
		if c == ' ' || c == '\t' {
			l.at++
			separated = true
			continue
		}
		if c == '\\' {
			if n := l.newline(l.at + 1); n > 0 {
				l.at += 1 + n
				l.line++
				separated = true
				continue
			}
		}
		if c == '#' {
			start := l.at
			l.skipLine()
			if err := checkVersion(l.content[start:l.at]); err != nil {
				return nil, l.line, err
			}
			continue
		}
		if len(words) == 0 {
			line = l.line
		}
		var word namespaceWord
		switch {
		case c == '\\' && l.blankLine(l.at+1):
			err = errors.New("white space follows the backslash that is to continue the line: remove it")
		case c == 0:
			err = errors.New("there is a NUL byte: this is not a text file")
		case !separated:
			err = fmt.Errorf("white space is missing after %v", words[len(words)-1])
		case c == '"':
			word, err = l.quoted()
		default:
			word = l.bare()
		}
		if err != nil {
			at := l.line
			l.skipStatement()
			return nil, at, err
		}
		words = append(words, word)
		separated = false
	}
	return words, line, nil
}

// blankLine reports whether nothing but white space follows on the line.
func (l *namespaceLexer) blankLine(at int) bool {
	rest, _, _ := strings.Cut(l.content[at:], "\n")
	return strings.TrimSpace(rest) == ""
}

// bare reads a word without quotes.
func (l *namespaceLexer) bare() namespaceWord {
	start := l.at
	l.at++
	for !l.end() && !strings.ContainsRune(" \t\r\n\"#\\\x00", rune(l.content[l.at])) {
		l.at++
	}
	return namespaceWord{text: l.content[start:l.at]}
}

// quoted reads a string in double quotes. A backslash keeps the next
// character, and stays; one at the end of a line is dropped with the line
// end.
func (l *namespaceLexer) quoted() (namespaceWord, error) {
	word := namespaceWord{quoted: true}
	var b strings.Builder
	for l.at++; !l.end(); {
		c := l.content[l.at]
		switch {
		case l.newline(l.at) > 0:
			return word, errors.New("a double quote is not closed on its line")
		case c == 0:
			return word, errors.New("there is a NUL byte: this is not a text file")
		case c == '"':
			l.at++
			word.text = b.String()
			return word, nil
		case c == '\\' && l.newline(l.at+1) > 0:
			l.at += 1 + l.newline(l.at+1)
			l.line++
			continue
		case c == '\\' && l.at+1 < len(l.content):
			b.WriteByte(c)
			l.at++
			if c = l.content[l.at]; c == 0 {
				continue
			}
		}
		b.WriteByte(c)
		l.at++
	}
	return word, errors.New("a double quote is not closed")
}

// checkVersion refuses a comment that gives the file a version other than
// 1.0.
func checkVersion(comment string) error {
	const key = "NAMESPACES-VERSION"
	text := strings.TrimSpace(strings.TrimPrefix(comment, "#"))
	if len(text) < len(key) || !strings.EqualFold(text[:len(key)], key) {
		return nil
	}
	version := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text[len(key):]), ":"))
	if version != "1.0" {
		return fmt.Errorf("the file is of version %s of the namespaces format: only 1.0 is supported", clip(version))
	}
	return nil
}

// parseStatement reads TO Issuer "DN"|SELF PERMIT|DENY Subject "regex".
func parseStatement(words []namespaceWord) (namespaceStatement, error) {
	var statement namespaceStatement
	fail := func(at int, expected string) (namespaceStatement, error) {
		if at >= len(words) {
			return statement, fmt.Errorf(`the statement ends where %s is expected: a line that goes on ends with a backslash`, expected)
		}
		return statement, fmt.Errorf("expected %s, found %v", expected, words[at])
	}
	word := func(at int) namespaceWord {
		if at < len(words) {
			return words[at]
		}
		return namespaceWord{}
	}
	if !word(0).is("TO") {
		return fail(0, "TO")
	}
	if !word(1).is("Issuer") {
		return fail(1, "Issuer")
	}
	switch issuer := word(2); {
	case issuer.is("SELF"):
		statement.self = true
	case issuer.quoted:
		name, star, err := unescapeDN(issuer.text)
		if err != nil {
			return statement, err
		}
		if star {
			name += "*" // an issuer is a name, not a pattern
		}
		if name == "" {
			return statement, errors.New("the name of the issuer is empty")
		}
		statement.issuer = normalizeDN(foldDN(name))
	default:
		return fail(2, "the issuer's name in double quotes, or SELF")
	}
	switch {
	case word(3).is("PERMIT"):
		statement.permit = true
	case word(3).is("DENY"):
	default:
		return fail(3, "PERMIT or DENY")
	}
	if !word(4).is("Subject") {
		return fail(4, "Subject")
	}
	if !word(5).quoted {
		return fail(5, "a regular expression in double quotes")
	}
	if len(words) > 6 {
		return fail(6, "the end of the line")
	}
	statement.raw = word(5).text
	var err error
	statement.subject, err = compileSubject(statement.raw)
	return statement, err
}

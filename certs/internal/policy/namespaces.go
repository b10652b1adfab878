package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/files"
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
	issuer  string // as dn.Normalize has it; empty if self
	permit  bool   // false: DENY
	subject dn.Expression
}

// parseNamespaces reads the content of a .namespaces file; file names it in
// messages. Each malformed statement is a problem of its own, and any problem
// makes the result nil. A malformed file must never count as a missing one:
// what depends on it is refused.
func parseNamespaces(file string, content []byte) (*namespaces, []files.Problem) {
	if len(content) > MaxBytes {
		message := fmt.Sprintf("is larger than %d bytes, which no namespaces file is", MaxBytes)
		return nil, []files.Problem{{File: file, Message: message}}
	}
	policy := &namespaces{file: file}
	var problems []files.Problem
	lexer := namespaceLexer{content: textOf(content), line: 1}
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
			problems = append(problems, files.Problem{File: file, Line: line, Message: err.Error()})
		}
		if len(problems) == maxNamespaceProblems || len(policy.statements) > maxNamespaceStatements {
			break
		}
	}
	if len(problems) == 0 && len(policy.statements) == 0 {
		const message = `the file says nothing: expected TO Issuer "DN" PERMIT Subject "regular expression"`
		problems = []files.Problem{{File: file, Message: message}}
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
func (n *namespaces) judge(issuer, subject string, own bool) Decision {
	decision := Decision{Verdict: Silent, File: n.file}
	normal := dn.Normalize(issuer)
	var names []string
	var permitted []string
	for _, s := range n.statements {
		if s.self && !own || !s.self && s.issuer != normal {
			continue
		}
		if names == nil {
			names = dn.Spellings(subject)
		}
		if decision.Verdict == Silent {
			decision.Verdict, decision.Line = Denies, s.line
		}
		if s.permit {
			permitted = append(permitted, s.subject.String())
		}
		if !s.subject.Match(names) {
			continue
		}
		if !s.permit {
			return Decision{
				Verdict: Denies, Denied: true, File: n.file, Line: s.line,
				Reason: "the namespaces deny " + s.subject.String(),
			}
		}
		if decision.Verdict != Permits {
			decision.Verdict, decision.Line = Permits, s.line
			decision.Reason = "the namespaces permit " + s.subject.String()
		}
	}
	if decision.Verdict == Denies {
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

// parseStatement reads TO Issuer "DN"|SELF PERMIT|DENY Subject "regex".
func parseStatement(words []namespaceWord) (namespaceStatement, error) {
	var statement namespaceStatement
	fail := func(at int, expected string) (namespaceStatement, error) {
		if at >= len(words) {
			return statement, fmt.Errorf("the statement ends where %s is expected: "+
				"a line that goes on ends with a backslash", expected)
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
		if issuer.text == "" {
			return statement, errors.New("the name of the issuer is empty")
		}
		var err error
		if statement.issuer, err = dn.ParseIssuer(issuer.text); err != nil {
			return statement, err
		}
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
	var err error
	statement.subject, err = dn.ParseExpression(word(5).text)
	return statement, err
}

package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// signingPolicy is a .signing_policy file: which subjects a CA may sign, in
// the extended access control list (EACL) language as Globus reads it.
//
//	access_id_CA   X509    '/O=Grid/CN=CA'
//	pos_rights     globus  CA:sign
//	cond_subjects  globus  '"/O=Grid/*" "/O=Other/CN=Sub CA"'
//
// White space of any kind separates tokens; a '#' where a token could start
// begins a comment; single quotes enclose a token with white space. An entry
// is one or more principals, then rights, each with conditions, all of which
// must hold. An issuer may have several rights and several entries; any one
// that holds permits. A '*' at the end of a pattern stands for one character
// or more; elsewhere '*', and '?' everywhere, stand for themselves. That
// permits the least: canl takes both for wildcards wherever they stand, and
// Globus compares what stands before the last '*'. It is immutable.
type signingPolicy struct {
	file    string
	issuers map[string]*signingIssuer // by dn.Normalize of the issuer
}

// signingIssuer is what a file says of one issuer.
type signingIssuer struct {
	line   int // of the first access_id_CA
	rights []signingRight
}

// signingRight permits a subject that matches a pattern of each condition.
type signingRight []signingCondition

type signingCondition struct {
	line     int
	patterns []dn.Pattern
}

// parseSigningPolicy reads the content of a .signing_policy file; file names
// it in messages. If anything in it is malformed the policy is nil, the
// problem says where. A malformed file must never count as a missing one: what
// depends on it is refused.
func parseSigningPolicy(file string, content []byte) (*signingPolicy, []files.Problem) {
	if len(content) > MaxBytes {
		message := fmt.Sprintf("is larger than %d bytes, which no signing policy is", MaxBytes)
		return nil, []files.Problem{{File: file, Message: message}}
	}
	parser := eaclParser{
		lexer:  eaclLexer{content: textOf(content), line: 1},
		policy: &signingPolicy{file: file, issuers: make(map[string]*signingIssuer)},
	}
	if err := parser.file(); err != nil {
		return nil, []files.Problem{{File: file, Line: parser.token.line, Message: err.Error()}}
	}
	return parser.policy, nil
}

// judge says whether the issuer may sign the subject, both in slash form. It
// is silent if no entry names the issuer.
func (p *signingPolicy) judge(issuer, subject string) Decision {
	entry, ok := p.issuers[dn.Normalize(issuer)]
	if !ok {
		return Decision{Verdict: Silent, File: p.file}
	}
	normal := dn.Normalize(subject)
	for _, right := range entry.rights {
		if pattern, ok := right.holds(normal); ok {
			return Decision{
				Verdict: Permits, File: p.file, Line: right[0].line,
				Reason: fmt.Sprintf("the signing policy permits %v", pattern),
			}
		}
	}
	decision := Decision{
		Verdict: Denies, File: p.file, Line: entry.line,
		Reason: "the signing policy permits this CA to sign nothing",
	}
	if len(entry.rights) > 0 {
		decision.Line = entry.rights[0][0].line
		decision.Reason = "the signing policy permits this CA to sign only " + entry.summary()
	}
	return decision
}

// holds reports whether every condition has a pattern that matches, and the
// one of the first.
func (r signingRight) holds(normal string) (dn.Pattern, bool) {
	var first dn.Pattern
	for i, condition := range r {
		at := slices.IndexFunc(condition.patterns, func(p dn.Pattern) bool { return p.Match(normal) })
		if at < 0 {
			return dn.Pattern{}, false
		}
		if i == 0 {
			first = condition.patterns[at]
		}
	}
	return first, true
}

// summary lists the first few patterns.
func (e *signingIssuer) summary() string {
	const most = 3
	var quoted []string
	total, literal := 0, false
	for _, right := range e.rights {
		for _, condition := range right {
			for _, pattern := range condition.patterns {
				total++
				normal, _ := pattern.Normal()
				literal = literal || strings.Contains(normal, "*")
				if len(quoted) < most {
					quoted = append(quoted, pattern.String())
				}
			}
		}
	}
	text := strings.Join(quoted, ", ")
	if total > most {
		text += fmt.Sprintf(" and %d more", total-most)
	}
	if literal {
		text += "; a '*' that is not at the end of a pattern stands for itself"
	}
	return text
}

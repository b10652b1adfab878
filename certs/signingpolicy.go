package certs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
	issuers map[string]*signingIssuer // by normalizeDN of the issuer
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
	patterns []dnPattern
}

// dnPattern is a name or, with star, what a longer name begins with.
type dnPattern struct {
	raw    string // as written
	folded string
	star   bool
}

func (p dnPattern) matches(folded string) bool {
	if p.star {
		return len(folded) > len(p.folded) && strings.HasPrefix(folded, p.folded)
	}
	return folded == p.folded
}

// parseSigningPolicy reads the content of a .signing_policy file; file names
// it in messages. If anything in it is malformed the policy is nil, the
// problem says where. A malformed file must never count as a missing one: what
// depends on it is refused.
func parseSigningPolicy(file string, content []byte) (*signingPolicy, []Problem) {
	if len(content) > maxPolicyBytes {
		return nil, []Problem{{File: file, Message: fmt.Sprintf("is larger than %d bytes, which no signing policy is", maxPolicyBytes)}}
	}
	parser := eaclParser{
		lexer:  eaclLexer{content: policyText(content), line: 1},
		policy: &signingPolicy{file: file, issuers: make(map[string]*signingIssuer)},
	}
	if err := parser.file(); err != nil {
		return nil, []Problem{{File: file, Line: parser.token.line, Message: err.Error()}}
	}
	return parser.policy, nil
}

// judge says whether the issuer may sign the subject, both in slash form. It
// is silent if no entry names the issuer.
func (p *signingPolicy) judge(issuer, subject string) policyDecision {
	entry, ok := p.issuers[normalizeDN(issuer)]
	if !ok {
		return policyDecision{Verdict: policySilent, File: p.file}
	}
	folded := normalizeDN(subject)
	for _, right := range entry.rights {
		if pattern, ok := right.holds(folded); ok {
			return policyDecision{
				Verdict: policyPermits, File: p.file, Line: right[0].line,
				Reason: fmt.Sprintf("the signing policy permits %s", clip(pattern.raw)),
			}
		}
	}
	decision := policyDecision{
		Verdict: policyDenies, File: p.file, Line: entry.line,
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
func (r signingRight) holds(folded string) (dnPattern, bool) {
	var first dnPattern
	for i, condition := range r {
		at := slices.IndexFunc(condition.patterns, func(p dnPattern) bool { return p.matches(folded) })
		if at < 0 {
			return dnPattern{}, false
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
				literal = literal || strings.Contains(pattern.folded, "*")
				if len(quoted) < most {
					quoted = append(quoted, clip(pattern.raw))
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

// eaclToken is a word or a quoted string, with its escapes kept.
type eaclToken struct {
	text   string
	line   int // where it begins
	quoted bool
	end    bool // there are no more tokens
}

func (t eaclToken) String() string {
	if t.end {
		return "the end of the file"
	}
	return clip(t.text)
}

// is reports whether the token is this word. The end has no text.
func (t eaclToken) is(word string) bool { return !t.quoted && t.text == word }

// hasPrefix reports whether the token is a word that begins so.
func (t eaclToken) hasPrefix(prefix string) bool {
	return !t.quoted && strings.HasPrefix(t.text, prefix)
}

// eaclLexer splits a file into tokens.
type eaclLexer struct {
	content string
	at      int
	line    int
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'
}

// next gives the next token.
func (l *eaclLexer) next() (eaclToken, error) {
	l.skip()
	token := eaclToken{line: l.line}
	if l.at == len(l.content) {
		token.end = true
		return token, nil
	}
	if l.content[l.at] == '\'' {
		return l.quoted()
	}
	start := l.at
	for l.at < len(l.content) && !isSpace(l.content[l.at]) {
		l.at++
	}
	token.text = l.content[start:l.at]
	if strings.IndexByte(token.text, 0) >= 0 {
		return token, errors.New("there is a NUL byte: this is not a text file")
	}
	return token, nil
}

// skip passes white space and comments.
func (l *eaclLexer) skip() {
	for l.at < len(l.content) {
		switch c := l.content[l.at]; {
		case isSpace(c):
			if c == '\n' {
				l.line++
			}
			l.at++
		case c == '#':
			for l.at < len(l.content) && l.content[l.at] != '\n' {
				l.at++
			}
		default:
			return
		}
	}
}

// quoted reads a token in single quotes.
func (l *eaclLexer) quoted() (eaclToken, error) {
	token := eaclToken{line: l.line, quoted: true}
	l.at++
	start := l.at
	for ; l.at < len(l.content); l.at++ {
		switch l.content[l.at] {
		case 0:
			return token, errors.New("there is a NUL byte: this is not a text file")
		case '\n':
			l.line++
		case '\\':
			if l.at+1 < len(l.content) && l.content[l.at+1] != '\n' {
				l.at++
			}
		case '\'':
			token.text = l.content[start:l.at]
			l.at++
			if l.at < len(l.content) && !isSpace(l.content[l.at]) {
				return token, errors.New("white space is missing after a closing single quote")
			}
			return token, nil
		}
	}
	return token, errors.New("a single quote is not closed")
}

// eaclParser reads entries; token is the one that it looks at, or the one
// that was wrong.
type eaclParser struct {
	lexer  eaclLexer
	token  eaclToken
	policy *signingPolicy
}

func (p *eaclParser) advance() (err error) {
	p.token, err = p.lexer.next()
	return err
}

// file reads all entries.
func (p *eaclParser) file() error {
	if err := p.advance(); err != nil {
		return err
	}
	if p.token.end {
		return errors.New("the file says nothing: expected access_id_CA X509 'DN'")
	}
	for !p.token.end {
		if err := p.entry(); err != nil {
			return err
		}
	}
	return nil
}

// entry reads principals and their rights.
func (p *eaclParser) entry() error {
	var issuers []*signingIssuer
	for first := true; first || p.token.hasPrefix("access_id_"); first = false {
		issuer, err := p.principal()
		if err != nil {
			return err
		}
		if issuer != nil && !slices.Contains(issuers, issuer) {
			issuers = append(issuers, issuer)
		}
	}
	if !p.token.is("pos_rights") && !p.token.is("neg_rights") {
		return fmt.Errorf("expected pos_rights after access_id_..., found %v", p.token)
	}
	for p.token.is("pos_rights") || p.token.is("neg_rights") {
		right, err := p.right()
		if err != nil {
			return err
		}
		if right == nil {
			continue
		}
		for _, issuer := range issuers {
			issuer.rights = append(issuer.rights, right)
		}
	}
	if p.token.end || p.token.hasPrefix("access_id_") {
		return nil
	}
	return fmt.Errorf("expected cond_subjects, pos_rights or access_id_CA, found %v", p.token)
}

// principal reads one access_id_... It is nil for principals that are no CA:
// what they may do is of no concern here.
func (p *eaclParser) principal() (*signingIssuer, error) {
	kind := p.token
	switch {
	case kind.is("access_id_ANYBODY"):
		return nil, p.advance()
	case kind.is("access_id_CA"), kind.is("access_id_USER"), kind.is("access_id_GROUP"),
		kind.is("access_id_HOST"), kind.is("access_id_APPLICATION"):
	default:
		return nil, fmt.Errorf("expected access_id_CA, found %v", kind)
	}
	authority, value, err := p.values(kind)
	if err != nil || !kind.is("access_id_CA") {
		return nil, err
	}
	if !authority.is("X509") {
		return nil, p.at(authority, fmt.Errorf("expected X509 after access_id_CA, found %v", authority))
	}
	name, star, err := unescapeDN(value.text)
	if err != nil {
		return nil, p.at(value, err)
	}
	if star {
		name += "*" // an issuer is a name, not a pattern
	}
	if name == "" {
		return nil, p.at(value, errors.New("the name of the CA is empty"))
	}
	key := normalizeDN(foldDN(name))
	issuer := p.policy.issuers[key]
	if issuer == nil {
		issuer = &signingIssuer{line: kind.line}
		p.policy.issuers[key] = issuer
	}
	return issuer, nil
}

// right reads one or more pos_rights and the conditions that bind them all.
// It is nil if none of them is to sign certificates.
func (p *eaclParser) right() (signingRight, error) {
	start := p.token
	signs := false
	for p.token.is("pos_rights") || p.token.is("neg_rights") {
		kind := p.token
		if kind.is("neg_rights") {
			return nil, errors.New("neg_rights is not supported: list what is permitted with pos_rights")
		}
		authority, value, err := p.values(kind)
		if err != nil {
			return nil, err
		}
		signs = signs || authority.is("globus") && value.text == "CA:sign"
	}
	var right signingRight
	for p.token.hasPrefix("cond_") {
		kind := p.token
		authority, value, err := p.values(kind)
		if err != nil {
			return nil, err
		}
		if !signs {
			continue
		}
		if !kind.is("cond_subjects") || !authority.is("globus") {
			return nil, p.at(kind, fmt.Errorf("cannot judge the condition %s %s: only cond_subjects globus is supported", kind.text, authority.text))
		}
		patterns, err := parsePatterns(value.text)
		if err != nil {
			return nil, p.at(value, err)
		}
		right = append(right, signingCondition{line: kind.line, patterns: patterns})
	}
	if signs && len(right) == 0 {
		// Globus takes this for permission to sign anything, but it is what
		// is left of a file that was cut off.
		return nil, p.at(start, errors.New(`CA:sign has no cond_subjects after it: to permit every subject write cond_subjects globus '"*"'`))
	}
	return right, nil
}

// values reads the two tokens that follow kind.
func (p *eaclParser) values(kind eaclToken) (authority, value eaclToken, err error) {
	if err := p.advance(); err != nil {
		return authority, value, err
	}
	if authority = p.token; authority.end {
		return authority, value, fmt.Errorf("%s is not complete: its authority and its value are missing", kind.text)
	}
	if err := p.advance(); err != nil {
		return authority, value, err
	}
	if value = p.token; value.end {
		return authority, value, fmt.Errorf("%s is not complete: its value is missing", kind.text)
	}
	return authority, value, p.advance()
}

// at makes token the place of the error.
func (p *eaclParser) at(token eaclToken, err error) error {
	p.token = token
	return err
}

// parsePatterns splits the value of cond_subjects: patterns in double quotes,
// or a single one without them.
func parsePatterns(value string) ([]dnPattern, error) {
	var patterns []dnPattern
	rest := strings.TrimLeft(value, " \t\r\n")
	if !strings.HasPrefix(rest, `"`) {
		raw := strings.TrimRight(rest, " \t\r\n")
		pattern, err := parsePattern(raw)
		if err != nil {
			return nil, err
		}
		return []dnPattern{pattern}, nil
	}
	for rest != "" {
		if rest[0] != '"' {
			return nil, fmt.Errorf("expected a pattern in double quotes, found %s", clip(rest))
		}
		end := closingQuote(rest)
		if end < 0 {
			return nil, fmt.Errorf("a double quote is not closed: %s", clip(rest))
		}
		pattern, err := parsePattern(rest[1:end])
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, pattern)
		rest = strings.TrimLeft(rest[end+1:], " \t\r\n")
	}
	return patterns, nil
}

// closingQuote finds the unescaped double quote that closes the one at the
// start of s; -1 if there is none.
func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

func parsePattern(raw string) (dnPattern, error) {
	name, star, err := unescapeDN(raw)
	if err != nil {
		return dnPattern{}, err
	}
	if name == "" && !star {
		return dnPattern{}, errors.New("a pattern is empty")
	}
	return dnPattern{raw: raw, folded: normalizePattern(name, star), star: star}, nil
}

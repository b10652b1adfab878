package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

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
		granted, err := p.right()
		if err != nil {
			return err
		}
		if granted == nil {
			continue
		}
		for _, issuer := range issuers {
			issuer.rights = append(issuer.rights, granted)
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
	if value.text == "" {
		return nil, p.at(value, errors.New("the name of the CA is empty"))
	}
	key, err := dn.ParseIssuer(value.text)
	if err != nil {
		return nil, p.at(value, err)
	}
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
			return nil, p.at(kind, fmt.Errorf("cannot judge the condition %s %s: only cond_subjects globus is supported",
				kind.text, authority.text))
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
		return nil, p.at(start, errors.New("CA:sign has no cond_subjects after it: "+
			`to permit every subject write cond_subjects globus '"*"'`))
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
func parsePatterns(value string) ([]dn.Pattern, error) {
	var patterns []dn.Pattern
	rest := strings.TrimLeft(value, " \t\r\n")
	if !strings.HasPrefix(rest, `"`) {
		raw := strings.TrimRight(rest, " \t\r\n")
		pattern, err := dn.ParsePattern(raw)
		if err != nil {
			return nil, err
		}
		return []dn.Pattern{pattern}, nil
	}
	for rest != "" {
		if rest[0] != '"' {
			return nil, fmt.Errorf("expected a pattern in double quotes, found %s", dn.Quote(rest))
		}
		end := closingQuote(rest)
		if end < 0 {
			return nil, fmt.Errorf("a double quote is not closed: %s", dn.Quote(rest))
		}
		pattern, err := dn.ParsePattern(rest[1:end])
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

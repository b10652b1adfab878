package policy

import (
	"errors"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

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
	return dn.Quote(t.text)
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

// isSpace reports whether a byte separates tokens.
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

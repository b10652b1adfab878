package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// namespaceWord is a keyword or a quoted string, with its escapes kept.
type namespaceWord struct {
	text   string
	quoted bool
}

// is reports whether the word is this keyword.
func (w namespaceWord) is(keyword string) bool {
	return !w.quoted && strings.EqualFold(w.text, keyword)
}

func (w namespaceWord) String() string {
	if w.quoted {
		return `"` + w.text + `"`
	}
	return dn.Quote(w.text)
}

// namespaceLexer splits a file into statements.
type namespaceLexer struct {
	content string
	at      int
	line    int
}

// end reports whether the whole file has been read.
func (l *namespaceLexer) end() bool { return l.at == len(l.content) }

// newline says how many bytes a line end at the given place has; 0 if none
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
		return fmt.Errorf("the file is of version %s of the namespaces format: only 1.0 is supported", dn.Quote(version))
	}
	return nil
}

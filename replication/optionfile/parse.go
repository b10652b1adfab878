package optionfile

import (
	"fmt"
	"os"
	"strings"
)

// Option is one line of an option file of MySQL and MariaDB.
type Option struct {
	Line  int    // from 1
	Group string // without its brackets
	Key   string // with hyphens, or a directive
	Value string
	Bare  bool // a key without "=": mysql asks for such a password
}

// The directives of an option file, as the Key of an Option.
const (
	Include    = "!include"
	IncludeDir = "!includedir"
)

// Error is what is wrong with a line of an option file.
type Error struct {
	Line int // from 1
	Text string
}

// Error is the line and what is wrong with it.
func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// Parse reads the text of an option file as the client programs do
// (my_default.c of both families): in order, so that the last of several
// values counts. Directives that are unknown are left out. The error is an
// *Error.
func Parse(text string) ([]Option, error) {
	var options []Option
	group, grouped := "", false
	for i, line := range strings.Split(text, "\n") {
		o := Option{Line: i + 1, Group: group}
		line, _, _ = strings.Cut(line, "\x00") // where C ends a string
		line = trimOptionLeft(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case line[0] == '!':
			found, err := o.directive(trimOptionLeft(line[1:]))
			if err != nil {
				return nil, err
			}
			if found {
				options = append(options, o)
			}
			continue
		case line[0] == '[':
			name, _, closed := strings.Cut(line[1:], "]")
			if !closed {
				return nil, &Error{Line: o.Line, Text: "the group has no closing bracket"}
			}
			group, grouped = trimOptionRight(name), true
			continue
		case !grouped:
			return nil, &Error{Line: o.Line, Text: "an option stands before the first [group]"}
		}
		key, value, assigned := strings.Cut(withoutComment(line), "=")
		o.Key = strings.ReplaceAll(trimOptionRight(key), "_", "-")
		o.Value, o.Bare = unquoteOption(trimOptionLeft(trimOptionRight(value))), !assigned
		options = append(options, o)
	}
	return options, nil
}

// isOptionSpace reports whether the programs take a byte for space: they take that
// of latin1.
func isOptionSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' || c == 0xa0 }

// trimOptionLeft cuts space off a text's beginning.
func trimOptionLeft(s string) string {
	for s != "" && isOptionSpace(s[0]) {
		s = s[1:]
	}
	return s
}

// trimOptionRight cuts space off a text's end.
func trimOptionRight(s string) string {
	for s != "" && isOptionSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// directive reads what follows the exclamation mark.
func (o *Option) directive(text string) (found bool, err error) {
	end := 0
	for end < len(text) && !isOptionSpace(text[end]) {
		end++
	}
	o.Key, o.Value = "!"+text[:end], trimOptionLeft(trimOptionRight(text[end:]))
	if o.Key != Include && o.Key != IncludeDir {
		return false, nil
	}
	if o.Value == "" {
		return false, &Error{Line: o.Line, Text: o.Key + " names nothing"}
	}
	return true, nil
}

// withoutComment cuts a line at a # that is not in quotes.
func withoutComment(line string) string {
	var quote byte
	escaped := false
	for i := range len(line) {
		c := line[i]
		switch {
		case (c == '"' || c == '\'') && !escaped && quote == 0:
			quote = c
		case c == quote && !escaped:
			quote = 0
		case c == '#' && quote == 0:
			return line[:i]
		}
		escaped = quote != 0 && c == '\\' && !escaped
	}
	return line
}

// optionEscapes are the letters after a backslash.
var optionEscapes = map[byte]byte{
	'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 's': ' ', '"': '"', '\'': '\'', '\\': '\\',
}

// unquoteOption takes quotes and escapes off a value. A backslash before
// another letter stands for itself.
func unquoteOption(value string) string {
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) {
			if c, known := optionEscapes[value[i+1]]; known {
				b.WriteByte(c)
				i++
				continue
			}
		}
		b.WriteByte(value[i])
	}
	return b.String()
}

// Quote writes a value so that every program reads just this from an
// option file, whatever is in it: in quotes, unless it is plain. A value cannot
// hold a NUL, and a line of a file no more than 4 kB.
func Quote(value string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:,"
	if value != "" && strings.Trim(value, plain) == "" {
		return value
	}
	escapes := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`)
	return `"` + escapes.Replace(value) + `"`
}

// IncludedDirectories are those that an option file names by !includedir, in
// order. A file that cannot be read names none, nor does one with a mistake: no
// server starts with that.
func IncludedDirectories(file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil // servers read such files only where they exist
	}
	options, _ := Parse(string(text))
	var directories []string
	for _, o := range options {
		if o.Key == IncludeDir {
			directories = append(directories, o.Value)
		}
	}
	return directories
}

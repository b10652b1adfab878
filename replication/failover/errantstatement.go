package failover

import (
	"slices"
	"strings"
	"unicode"
)

// How a statement of a binary log begins that changes no data of tables: it ends or
// marks a transaction, is of tables that only its session sees, or does what every
// server can do for itself.
var emptyStatements = [][]string{
	{"BEGIN"},
	{"START", "TRANSACTION"},
	{"COMMIT"},
	{"ROLLBACK"},
	{"SAVEPOINT"},
	{"RELEASE", "SAVEPOINT"},
	{"XA"},
	{"CREATE", "TEMPORARY"},
	{"DROP", "TEMPORARY"},
	{"CREATE", "OR", "REPLACE", "TEMPORARY"},
	{"FLUSH"},
	{"ANALYZE"},
	{"OPTIMIZE"},
	{"REPAIR"},
	{"CHECK"},
}

// How one begins that is of accounts and of the server, whatever databases it names.
var serverStatements = [][]string{
	{"GRANT"},
	{"REVOKE"},
	{"CREATE", "USER"},
	{"ALTER", "USER"},
	{"DROP", "USER"},
	{"RENAME", "USER"},
	{"CREATE", "ROLE"},
	{"DROP", "ROLE"},
	{"CREATE", "OR", "REPLACE", "USER"},
	{"CREATE", "OR", "REPLACE", "ROLE"},
	{"SET", "PASSWORD"},
	{"SET", "DEFAULT", "ROLE"},
	{"INSTALL"},
	{"UNINSTALL"},
	{"CREATE", "SERVER"},
	{"ALTER", "SERVER"},
	{"DROP", "SERVER"},
}

// accountDatabase is where accounts are kept.
const accountDatabase = "mysql"

// judge judges a statement. It counts as of every database of the pair that it names, and
// of the default database.
func (l *logReader) judge(text string) {
	words := identifiers(text)
	begins := func(with []string) bool {
		return len(words) >= len(with) && slices.EqualFunc(words[:len(with)], with, func(w word, s string) bool {
			return !w.quoted && strings.EqualFold(w.text, s)
		})
	}
	switch {
	case len(words) == 0, slices.ContainsFunc(emptyStatements, begins):
		return
	case slices.ContainsFunc(serverStatements, begins):
		l.table(accountDatabase).Statements++
		return
	}
	if name := databaseOf(words); name != "" {
		l.touch(name)
		l.table(name).Statements++
		return
	}
	for _, w := range words {
		l.touch(w.text)
	}
	l.touch(l.database)
	l.table(tableOf(words, l.database)).Statements++
}

// databaseOf is the database that a statement makes, alters or drops; empty: it is none
// of those.
func databaseOf(words []word) string {
	is := func(i int, names ...string) bool {
		return i < len(words) && !words[i].quoted && slices.ContainsFunc(names, func(name string) bool {
			return strings.EqualFold(words[i].text, name)
		})
	}
	if !is(0, "CREATE", "DROP", "ALTER") {
		return ""
	}
	i := 1
	if is(1, "OR") {
		i = 3 // OR REPLACE
	}
	if !is(i, "DATABASE", "SCHEMA") {
		return ""
	}
	for i++; is(i, "IF", "NOT", "EXISTS"); i++ {
	}
	if i >= len(words) {
		return ""
	}
	return words[i].text
}

// tableOf is the first name with a database before it, or else the default database.
func tableOf(words []word, database string) string {
	for i := range len(words) - 1 {
		if words[i].dot {
			return words[i].text + "." + words[i+1].text
		}
	}
	return database
}

// word is a name or a keyword of a statement.
type word struct {
	text   string
	quoted bool
	dot    bool // the next one belongs to it
}

// identifiers are the words of a statement outside of its strings. What is in double
// quotes is a name to some sessions, and so it is one here. Those in comments count, too.
func identifiers(text string) []word {
	var words []word
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\'':
			_, i = quoted(text, i, true)
		case c == '`', c == '"':
			var name string
			name, i = quoted(text, i, c == '"')
			words = append(words, word{text: name, quoted: true})
		case c == '.' && len(words) > 0 && i > 0 && !unicode.IsSpace(rune(text[i-1])):
			words[len(words)-1].dot = true
			i++
		case isOfName(c):
			end := i
			for end < len(text) && isOfName(text[end]) {
				end++
			}
			words = append(words, word{text: text[i:end]})
			i = end
		default:
			i++
		}
	}
	return words
}

// isOfName reports whether a byte may be of a name without quotes.
func isOfName(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// quoted is the text between the quote at a place and its end, and where that is.
func quoted(text string, at int, backslash bool) (inside string, end int) {
	quote := text[at]
	var b strings.Builder
	for i := at + 1; i < len(text); i++ {
		switch {
		case backslash && text[i] == '\\' && i+1 < len(text):
			i++
		case text[i] == quote && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return b.String(), i + 1
		}
		b.WriteByte(text[i])
	}
	return b.String(), len(text)
}

package server

import "strings"

// QuoteString makes a literal of a string. Sessions of a Server run with an empty
// sql_mode, so that backslashes escape.
func QuoteString(s string) string {
	return "'" + stringEscapes.Replace(s) + "'"
}

// stringEscapes are the escapes of a literal.
var stringEscapes = strings.NewReplacer(
	`\`, `\\`, `'`, `\'`, "\x00", `\0`, "\n", `\n`, "\r", `\r`, "\x1a", `\Z`)

// QuoteList joins literals of strings by commas.
func QuoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = QuoteString(s)
	}
	return strings.Join(quoted, ", ")
}

// QuoteExactly joins literals of names for a comparison that tells upper and lower
// case apart: MariaDB's lists, and those of MySQL before 8.0, do not by themselves.
func QuoteExactly(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "CAST(" + QuoteString(name) + " AS BINARY)"
	}
	return strings.Join(quoted, ", ")
}

// QuoteName makes an identifier of a name.
func QuoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// UnquoteName gives the name of a quoted identifier.
func UnquoteName(quoted string) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(quoted, "`"), "`"), "``", "`")
}

// QuoteTable makes an identifier of a table's database and name.
func QuoteTable(database, table string) string { return QuoteName(database) + "." + QuoteName(table) }

// SplitTable splits "database.table" by the name of one of the databases, the
// longest that fits: a dot may be part of a name.
func SplitTable(name string, databases []string) (database, table string) {
	for _, d := range databases {
		if strings.HasPrefix(name, d+".") && len(d) > len(database) {
			database = d
		}
	}
	if database == "" {
		database, table, _ = strings.Cut(name, ".")
		return database, table
	}
	return database, name[len(database)+1:]
}

// QuoteAccount makes the 'user'@'host' of an account.
func QuoteAccount(user, host string) string { return QuoteString(user) + "@" + QuoteString(host) }

// SplitAccount splits user@host. A host has no @; a role of MariaDB is no user
// and has no host.
func SplitAccount(account string) (user, host string, isUser bool) {
	if at := strings.LastIndexByte(account, '@'); at >= 0 {
		return account[:at], account[at+1:], true
	}
	return account, "", false
}

// QuoteDefiner makes the account of a DEFINER clause, whose quotes do not
// depend on the sql_mode.
func QuoteDefiner(definer string) string {
	user, host, isUser := SplitAccount(definer)
	if !isUser {
		return QuoteName(user)
	}
	return QuoteName(user) + "@" + QuoteName(host)
}

// EscapePattern makes a pattern of LIKE, GRANT and replicate-wild-do-table that
// matches a name and nothing else.
func EscapePattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, `_`, `\_`, `%`, `\%`).Replace(name)
}

// unescapePattern is the name of such a pattern.
func unescapePattern(pattern string) string {
	return strings.NewReplacer(`\\`, `\`, `\_`, `_`, `\%`, `%`).Replace(pattern)
}

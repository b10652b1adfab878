package server

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// QuoteExactly joins literals of names for a comparison that tells upper and lower
// case apart: MariaDB's lists, and those of MySQL before 8.0, do not by themselves.
func QuoteExactly(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "CAST(" + QuoteString(name) + " AS BINARY)"
	}
	return strings.Join(quoted, ", ")
}

// LogNothing begins lines for the slave: what they do must not be in its binary
// log, where a GTID of its own would be one that the master does not have.
const LogNothing = "SET SESSION sql_log_bin=0;"

// QuoteDefiner makes the account of a DEFINER clause, whose quotes do not
// depend on the sql_mode.
func QuoteDefiner(definer string) string {
	user, host, isUser := SplitAccount(definer)
	if !isUser {
		return QuoteName(user)
	}
	return QuoteName(user) + "@" + QuoteName(host)
}

// SplitAccount splits user@host. A host has no @; a role of MariaDB is no user
// and has no host.
func SplitAccount(account string) (user, host string, isUser bool) {
	if at := strings.LastIndexByte(account, '@'); at >= 0 {
		return account[:at], account[at+1:], true
	}
	return account, "", false
}

// IsOf tells whether "database.table" may be of a database.
func IsOf(name, database string) bool { return strings.HasPrefix(name, database+".") }

// SplitTable splits "database.table" by the name of one of the databases, the
// longest that fits: a dot may be part of a name.
func SplitTable(name string, databases []string) (database, table string) {
	for _, d := range databases {
		if IsOf(name, d) && len(d) > len(database) {
			database = d
		}
	}
	if database == "" {
		database, table, _ = strings.Cut(name, ".")
		return database, table
	}
	return database, name[len(database)+1:]
}

// UnquoteName gives the name of a quoted identifier.
func UnquoteName(quoted string) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(quoted, "`"), "`"), "``", "`")
}

// Statement is one SQL statement. Passwords in it are shown as stars.
type Statement struct {
	shown, sql string
	secrets    []string // what sql holds and shown does not
}

// String is the statement as it may be shown.
func (s Statement) String() string { return s.shown }

// Reveal is the statement as it is executed, with its passwords.
func (s Statement) Reveal() string { return s.sql }

// MarshalText is the statement as it may be shown.
func (s Statement) MarshalText() ([]byte, error) { return []byte(s.shown), nil }

// SQL formats a statement as fmt.Sprintf does. A Password becomes a
// quoted string in it.
func SQL(format string, args ...any) Statement {
	shown, sql := make([]any, len(args)), make([]any, len(args))
	var secrets []string
	for i, arg := range args {
		shown[i], sql[i] = arg, arg
		switch arg := arg.(type) {
		case Password:
			shown[i], sql[i] = QuoteString(finding.Stars), QuoteString(arg.Reveal())
			secrets = append(secrets, arg.Reveal())
		case Statement: // a part of this one
			shown[i], sql[i] = arg.shown, arg.sql
			secrets = append(secrets, arg.secrets...)
		}
	}
	return Statement{shown: fmt.Sprintf(format, shown...), sql: fmt.Sprintf(format, sql...), secrets: secrets}
}

// Text is a text that is no statement, such as a file's content, in which
// secrets are shown as stars.
func Text(text string, secrets ...string) Statement {
	s := Statement{shown: text, sql: text}
	for _, secret := range secrets {
		if secret != "" {
			s.shown = strings.ReplaceAll(s.shown, secret, finding.Stars)
			s.secrets = append(s.secrets, secret)
		}
	}
	return s
}

// scrub takes the statement's passwords out of a server's error, which may
// quote the statement.
func (s Statement) scrub(err error) error {
	e, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return err
	}
	scrubbed := *e
	for _, secret := range s.secrets {
		if secret != "" {
			scrubbed.Message = strings.ReplaceAll(scrubbed.Message, secret, finding.Stars)
		}
	}
	return &scrubbed
}

// QuoteString makes a literal of a string. The sessions of this package run
// with an empty sql_mode, so that backslashes escape.
func QuoteString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`, "\n", `\n`, "\r", `\r`, "\x1a", `\Z`).Replace(s) + "'"
}

// QuoteName makes an identifier of a name.
func QuoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// QuoteTable makes an identifier of a table's database and name.
func QuoteTable(database, table string) string { return QuoteName(database) + "." + QuoteName(table) }

// QuoteAccount makes the 'user'@'host' of an account.
func QuoteAccount(user, host string) string { return QuoteString(user) + "@" + QuoteString(host) }

// QuoteList joins literals of strings by commas.
func QuoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = QuoteString(s)
	}
	return strings.Join(quoted, ", ")
}

// EscapePattern makes a pattern of LIKE, GRANT and replicate-wild-do-table that
// matches a name and nothing else.
func EscapePattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, `_`, `\_`, `%`, `\%`).Replace(name)
}

package replication

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
)

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

// statement formats a statement as fmt.Sprintf does. A Password becomes a
// quoted string in it.
func statement(format string, args ...any) Statement {
	shown, sql := make([]any, len(args)), make([]any, len(args))
	var secrets []string
	for i, arg := range args {
		shown[i], sql[i] = arg, arg
		switch arg := arg.(type) {
		case Password:
			shown[i], sql[i] = quoteString(stars), quoteString(arg.Reveal())
			secrets = append(secrets, arg.Reveal())
		case Statement: // a part of this one
			shown[i], sql[i] = arg.shown, arg.sql
			secrets = append(secrets, arg.secrets...)
		}
	}
	return Statement{shown: fmt.Sprintf(format, shown...), sql: fmt.Sprintf(format, sql...), secrets: secrets}
}

// secretText is a text that is no statement, such as a file's content, in which
// secrets are shown as stars.
func secretText(text string, secrets ...string) Statement {
	s := Statement{shown: text, sql: text}
	for _, secret := range secrets {
		if secret != "" {
			s.shown = strings.ReplaceAll(s.shown, secret, stars)
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
			scrubbed.Message = strings.ReplaceAll(scrubbed.Message, secret, stars)
		}
	}
	return &scrubbed
}

// quoteString makes a literal of a string. The sessions of this package run
// with an empty sql_mode, so that backslashes escape.
func quoteString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`, "\n", `\n`, "\r", `\r`, "\x1a", `\Z`).Replace(s) + "'"
}

// quoteName makes an identifier of a name.
func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// quoteTable makes an identifier of a table's database and name.
func quoteTable(database, table string) string { return quoteName(database) + "." + quoteName(table) }

// quoteAccount makes the 'user'@'host' of an account.
func quoteAccount(user, host string) string { return quoteString(user) + "@" + quoteString(host) }

// quoteList joins literals of strings by commas.
func quoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quoteString(s)
	}
	return strings.Join(quoted, ", ")
}

// escapePattern makes a pattern of LIKE, GRANT and replicate-wild-do-table that
// matches a name and nothing else.
func escapePattern(name string) string {
	return strings.NewReplacer(`\`, `\\`, `_`, `\_`, `%`, `\%`).Replace(name)
}

// checkLogs warns of passwords that stopLogging cannot keep out of a log. MySQL
// writes none.
func checkLogs(f *Facts) Findings {
	var found Findings
	if f.Version.Family == MariaDB && f.on("general_log") && !f.hasPrivilege("SUPER") {
		found.warn(f.Role, "general-log", "SET GLOBAL general_log=0 for the time of the setup, or log in with SUPER, which can keep them out",
			"it logs every statement, and so the passwords of the replication, in %s", f.variable("general_log_file"))
	}
	return found
}

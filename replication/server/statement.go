package server

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/gtunnel/gtunnel/replication/finding"
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

// Encoded is a part of a statement in the character set of its session, which is
// shown in UTF-8.
func Encoded(shown, sql string) Statement { return Statement{shown: shown, sql: sql} }

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

// JoinStatements makes one statement of its parts, with commas between them.
func JoinStatements(before string, parts []Statement) Statement {
	s := Statement{shown: before, sql: before}
	for i, part := range parts {
		if i > 0 {
			s.shown, s.sql = s.shown+", ", s.sql+", "
		}
		s.shown, s.sql = s.shown+part.shown, s.sql+part.sql
		s.secrets = append(s.secrets, part.secrets...)
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

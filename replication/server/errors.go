package server

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/go-sql-driver/mysql"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// Explain makes a Problem of an error of the server or of the way to it. One that
// is a Problem already stays as it is.
func (s *Server) Explain(doing string, err error) *finding.Problem {
	if p, ok := errors.AsType[*finding.Problem](err); ok {
		return p
	}
	p := &finding.Problem{On: s.Role, Code: "sql", Text: doing, Err: err}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		p.Cure = s.Version.InWords(finding.CureOf(int(e.Number), s.Role))
		if c, ok := finding.Elsewhere(int(e.Number), e.Message); ok && s.Role == finding.Master && s.Login.Network != "unix" {
			p.Code, p.Cure = c.Code, c.Cure
		}
		return p
	}
	if _, ok := errors.AsType[*NoAnswerError](err); ok {
		p.Code = NoAnswer
		p.Cure = "its error log, the load and the disks of its host say more; SHOW FULL PROCESSLIST there, if it answers that"
		return p
	}
	if isBroken(err) {
		p.Code = "connect"
		p.Cure = "is the server running, and is its address right?"
		if s.Role == finding.Master {
			p.Cure = "is the tunnel up, and MySQL on the master running?" +
				" gtunnel certs check --connect MASTER:3307 tells"
		}
	}
	return p
}

// isBroken reports whether an error is of the way to the server and not its own.
func isBroken(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, context.DeadlineExceeded)
}

// IsDenied reports whether a privilege was missing.
func IsDenied(err error) bool {
	switch ErrorNumber(err) {
	case 1044, 1142, 1143, 1227, 1370:
		return true
	}
	return false
}

// IsAccessDenied reports whether a server refused a login.
func IsAccessDenied(err error) bool {
	switch ErrorNumber(err) {
	case finding.AccessDenied, 1698: // 1698: without a password
		return true
	}
	return false
}

// ErrorNumber gives the number of a server's error; 0 if err is none.
func ErrorNumber(err error) int {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return int(e.Number)
	}
	return 0
}

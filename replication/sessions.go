package replication

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A change of the global binlog_format reaches new sessions only: a program that
// is connected keeps the format that it had.

// Session is a program's connection to a server.
type Session struct {
	ID         uint64 // the later, the higher, until the server restarts
	User, Host string
}

// OldSessions are those of a master that may log in another format than it does
// now.
type OldSessions struct {
	Before  uint64    `json:"before"`  // id of the first one that is not
	Started time.Time `json:"started"` // the server, for which that holds
	Format  string    `json:"binlog_format"`
}

// uptime is how long the server has been running, in whole seconds.
func (s *Server) uptime(ctx context.Context, on execer) (time.Duration, error) {
	status, err := s.query(ctx, on, "SHOW GLOBAL STATUS LIKE 'Uptime'")
	if err != nil || len(status) == 0 {
		return 0, err
	}
	seconds, _ := strconv.ParseInt(status[0]["value"], 10, 64) // a number on every server
	return time.Duration(seconds) * time.Second, nil
}

// readSessions reads the sessions of a master, those of gtunnel and of slaves
// aside.
func (f *Facts) readSessions(ctx context.Context, s *Server, conn *sql.Conn) error {
	if s.Role != Master {
		return nil
	}
	rows, err := s.query(ctx, conn, "SELECT CONNECTION_ID() AS id, UNIX_TIMESTAMP() AS now")
	if err != nil {
		return err
	}
	uptime, err := s.uptime(ctx, conn)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		f.Session, _ = strconv.ParseUint(rows[0]["id"], 10, 64) // numbers on every server
		now, _ := strconv.ParseInt(rows[0]["now"], 10, 64)
		f.Started = time.Unix(now, 0).Add(-uptime).UTC()
	}
	list, err := s.query(ctx, conn, "SHOW PROCESSLIST")
	if err != nil {
		return err
	}
	for _, r := range list {
		if slices.Contains(accountUsers, r["user"]) || r["user"] == "system user" || r["user"] == "event_scheduler" || strings.HasPrefix(r["command"], "Binlog Dump") {
			continue
		}
		id, _ := strconv.ParseUint(r["id"], 10, 64)
		host, _ := splitAddress(r["host"])
		f.Sessions = append(f.Sessions, Session{ID: id, User: r["user"], Host: host})
	}
	return nil
}

// changesFormat gives the sessions that keep a master's format when it gets
// another; nil if none may do harm. Rows and MIXED serve a master of rows alike,
// and no session outlives the restart that begins a binary log.
func (f *Facts) changesFormat(statements bool) *OldSessions {
	format := f.variable("binlog_format")
	if !f.HasBinaryLog() || statements == (format == "STATEMENT") {
		return nil
	}
	return &OldSessions{Before: f.Session, Started: f.Started, Format: format}
}

// checkSessions warns of sessions that log in a format of before.
func checkSessions(f *Facts, old *OldSessions) Findings {
	var found Findings
	if old == nil || f.Started.Sub(old.Started).Abs() > time.Minute { // it has restarted since
		return found
	}
	var programs []string
	for _, s := range f.Sessions {
		if name := s.User + "@" + s.Host; s.ID < old.Before && !slices.Contains(programs, name) {
			programs = append(programs, name)
		}
	}
	if len(programs) > 0 {
		found.warn(Master, "old-sessions", "restart these programs, or let them connect anew, before the copy",
			"programs that are connected since before binlog_format was changed keep %s, by which the slave can get other data: %s", old.Format, listed(programs))
	}
	return found
}

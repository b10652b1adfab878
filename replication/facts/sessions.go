package facts

import (
	"context"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// A change of the global binlog_format or server_id reaches new sessions only: a program
// that is connected keeps what it had.

// Session is a program's connection to a server.
type Session struct {
	ID         uint64 // the later, the higher, until the server restarts
	User, Host string
}

// OldSessions are those of a master that may log in another format than it does
// now: those that began before it was changed.
type OldSessions struct {
	Before  uint64    `json:"before"`  // id of the first one that is not
	Started time.Time `json:"started"` // the server, for which that holds
	Format  string    `json:"binlog_format"`
}

// readSessions reads the sessions of a server, those of this process, of gtunnel's accounts
// and of slaves aside.
func (f *Facts) readSessions(ctx context.Context, s *server.Server, conn server.Execer) error {
	if s.Role != finding.Master {
		return f.readPrograms(ctx, s, conn)
	}
	return f.readTogether(ctx, s, conn, f.readStarted, f.readPrograms)
}

// readPrograms reads those sessions.
func (f *Facts) readPrograms(ctx context.Context, s *server.Server, conn server.Execer) error {
	list, err := s.Processes(ctx, conn)
	if err != nil {
		return err
	}
	for _, p := range list {
		if slices.Contains(AccountUsers, p.User) || p.IsServers() || p.ID >= s.First {
			continue
		}
		host, _ := server.SplitAddress(p.Host)
		f.Sessions = append(f.Sessions, Session{ID: p.ID, User: p.User, Host: host})
	}
	return nil
}

// readStarted reads when a master was started, and which session reads that.
func (f *Facts) readStarted(ctx context.Context, s *server.Server, conn server.Execer) error {
	var rows []server.Record
	var running time.Duration
	err := s.Together(ctx, conn, func(ctx context.Context) (err error) {
		rows, err = s.Query(ctx, conn, "SELECT CONNECTION_ID() AS id, UNIX_TIMESTAMP() AS now")
		return err
	}, func(ctx context.Context) (err error) {
		running, err = s.Uptime(ctx, conn)
		return err
	})
	if err == nil && len(rows) > 0 {
		f.Session = rows[0].Number("id")
		f.Started = time.Unix(int64(rows[0].Number("now")), 0).Add(-running).UTC() //nolint:gosec // seconds since 1970
	}
	return err
}

// ChangesFormat gives the sessions that keep a master's format when it gets
// another; nil if none may do harm. Rows and MIXED serve a master of rows alike,
// and no session outlives the restart that begins a binary log.
func (f *Facts) ChangesFormat(statements bool) *OldSessions {
	format := f.Variable("binlog_format")
	if !f.HasBinaryLog() || statements == (format == "STATEMENT") {
		return nil
	}
	return &OldSessions{Before: f.Session, Started: f.Started, Format: format}
}

package compare

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// session is a connection that is used by one goroutine at a time, or by several that ask
// together, and never goes back to the pool.
type session struct {
	server *server.Server
	conn   *sql.Conn
	id     string      // CONNECTION_ID()
	packet int         // bytes: max_allowed_packet
	lost   atomic.Bool // it may run something of which the answer never comes
}

// openSession opens a session of a server. The caller closes it.
func openSession(ctx context.Context, on *server.Server) (*session, error) {
	conn, err := on.Session(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{server: on, conn: conn}
	rows, err := s.query(ctx, sessionSettings(on.Version)+"SELECT CONNECTION_ID() AS id, @@max_allowed_packet AS packet")
	if err != nil {
		s.close(ctx)
		return nil, err
	}
	s.id, s.packet = rows[0]["id"], int(rows[0].Number("packet")) //nolint:gosec // a GB at most
	return s, nil
}

// sessionSettings keep the server from ending a session or a query of it, and
// a query from waiting for a lock for a day; and the sizes of tables are told as they are.
func sessionSettings(v server.Version) string {
	settings := "SET SESSION net_write_timeout=600, SESSION lock_wait_timeout=60; " +
		"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; "
	switch {
	case v.AtLeast(server.MariaDB, 10, 1, 1):
		settings += "SET SESSION max_statement_time=0; "
	case v.AtLeast(server.MySQL, 5, 7, 8):
		settings += "SET SESSION max_execution_time=0; "
	}
	if v.AtLeast(server.MySQL, 8, 0, 3) {
		settings += "SET SESSION information_schema_stats_expiry=0; "
	}
	return settings
}

// close ends the session and what it runs, even when ctx has ended. A nil
// session has nothing to end.
func (s *session) close(ctx context.Context) {
	if s == nil {
		return
	}
	if s.lost.Load() || ctx.Err() != nil {
		// The server would notice the end only when it next writes: a query
		// without result rows would run on, and the snapshot with it.
		ctx, cancel := server.CleanUp(ctx)
		defer cancel()
		_ = s.server.Exec(ctx, s.server.DB, server.SQL("KILL %s", s.id)) // or it has ended already
	}
	server.Discard(s.conn)
}

func (s *session) exec(ctx context.Context, statements ...server.Statement) error {
	return s.heard(s.server.Exec(ctx, s.conn, statements...))
}

func (s *session) query(ctx context.Context, query string) ([]server.Record, error) {
	rows, err := s.server.Query(ctx, s.conn, query)
	return rows, s.heard(err)
}

// heard notes a session that is lost by an error, and gives that.
func (s *session) heard(err error) error {
	if err != nil && server.ErrorNumber(err) == 0 {
		s.lost.Store(true)
	}
	return err
}

// within is a query that the server gives up after a time: see isLate. Zero is no limit,
// and so it is on a server that is too old to know one.
func (s *session) within(limit time.Duration, query string) string {
	switch v := s.server.Version; {
	case limit <= 0:
	case v.AtLeast(server.MariaDB, 10, 1, 2):
		return fmt.Sprintf("SET STATEMENT max_statement_time=%.3f FOR %s", limit.Seconds(), query)
	case v.AtLeast(server.MySQL, 5, 7, 8):
		if rest, ok := strings.CutPrefix(query, "SELECT "); ok {
			return fmt.Sprintf("SELECT /*+ MAX_EXECUTION_TIME(%d) */ %s", limit.Milliseconds(), rest)
		}
	}
	return query
}

// isLate reports whether a server has given a query up that took longer than its limit.
func isLate(err error) bool {
	const ofMariaDB, ofMySQL = 1969, 3024
	number := server.ErrorNumber(err)
	return number == ofMariaDB || number == ofMySQL
}

// mustHold refuses a server whose strings cannot hold the text of a row, which
// would then be NULL.
func (s *session) mustHold() error {
	const least = 512 << 10
	if s.packet < least {
		return finding.New(s.server.Role, "max-allowed-packet",
			"SET GLOBAL max_allowed_packet=16777216, and in the server's option file",
			"max_allowed_packet is %s, too small for a row", strconv.Itoa(s.packet))
	}
	return nil
}

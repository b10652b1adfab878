package compare

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// session is a connection that is used by one goroutine at a time and never
// goes back to the pool.
type session struct {
	server *server.Server
	conn   *sql.Conn
	id     string // CONNECTION_ID()
}

// openSession opens a session of a server. The caller closes it.
func openSession(ctx context.Context, on *server.Server) (*session, error) {
	conn, err := on.Session(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{server: on, conn: conn}
	if s.id, err = on.Value(ctx, conn, "SELECT CONNECTION_ID()"); err == nil {
		err = on.Exec(ctx, conn, sessionSettings(on.Version)...)
	}
	if err != nil {
		s.close(ctx)
		return nil, err
	}
	return s, nil
}

// sessionSettings keep the server from ending a session or a query of it, and
// a query from waiting for a lock for a day.
func sessionSettings(v server.Version) []server.Statement {
	settings := []server.Statement{
		server.SQL("SET SESSION net_write_timeout=600, SESSION lock_wait_timeout=60"),
		server.SQL("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
	}
	switch {
	case v.AtLeast(server.MariaDB, 10, 1, 1):
		settings = append(settings, server.SQL("SET SESSION max_statement_time=0"))
	case v.AtLeast(server.MySQL, 5, 7, 8):
		settings = append(settings, server.SQL("SET SESSION max_execution_time=0"))
	}
	return settings
}

// close ends the session and what it runs, even when ctx has ended. A nil
// session has nothing to end.
func (s *session) close(ctx context.Context) {
	if s == nil {
		return
	}
	// The server would notice the end only when it next writes: a query
	// without result rows would run on, and the snapshot with it.
	ctx, cancel := server.CleanUp(ctx)
	defer cancel()
	_ = s.server.Exec(ctx, s.server.DB, server.SQL("KILL %s", s.id)) // or it has ended already
	server.Discard(s.conn)
}

func (s *session) exec(ctx context.Context, statements ...server.Statement) error {
	return s.server.Exec(ctx, s.conn, statements...)
}

func (s *session) query(ctx context.Context, query string) ([]server.Record, error) {
	return s.server.Query(ctx, s.conn, query)
}

// mustHold refuses a server whose strings cannot hold the text of a row, which
// would then be NULL.
func (s *session) mustHold(ctx context.Context) error {
	const least = 512 << 10
	packet, err := s.server.Value(ctx, s.conn, "SELECT @@max_allowed_packet")
	if err != nil {
		return err
	}
	if n, _ := strconv.Atoi(packet); n < least {
		return finding.New(s.server.Role, "max-allowed-packet",
			"SET GLOBAL max_allowed_packet=16777216, and in the server's option file",
			"max_allowed_packet is %s, too small for a row", packet)
	}
	return nil
}

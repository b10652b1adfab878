package failover_test

import (
	"context"
	"database/sql/driver"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// spy sees the statements of a process to the server of its host, and can end the process
// at one of them: from then on it does nothing any more, to the server or to its note.
type spy struct {
	term.Store

	connector driver.Connector
	die       func(statement string, executed bool) bool // asked before and after each

	mu   sync.Mutex
	dead bool
	at   string        // the statement of its end
	end  chan struct{} // closed then
}

// newSpy makes a spy on what a process on a host does.
func newSpy(t *testing.T, h *failovertest.Host, die func(statement string, executed bool) bool) *spy {
	t.Helper()
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User = "unix", h.Server.Socket, h.Server.User
	config.Logger = &mysql.NopLogger{}
	config.Params = map[string]string{"sql_mode": "''", "time_zone": "'+00:00'", "autocommit": "1"}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	return &spy{Store: h.Store(), connector: connector, die: die, end: make(chan struct{})}
}

// open is for failover.Host's Own.
func (s *spy) open(ctx context.Context) (*server.Server, error) {
	return server.Over(ctx, finding.Slave, server.Login{User: "spy"}, s)
}

// Update changes the note, of a process that lives.
func (s *spy) Update(ctx context.Context, change func(*term.Note) error) (term.Note, error) {
	if s.isDead() {
		return term.Note{}, driver.ErrBadConn
	}
	return s.Store.Update(ctx, change)
}

// Connect makes a connection that is seen.
func (s *spy) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := s.connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &spied{Conn: conn, spy: s}, nil
}

// Driver is the real one.
func (s *spy) Driver() driver.Driver { return s.connector.Driver() }

func (s *spy) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// lives asks whether the process lives on after a statement, or before it.
func (s *spy) lives(statement string, executed bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dead && s.die(statement, executed) {
		s.dead, s.at = true, statement
		close(s.end)
	}
	return !s.dead
}

// spied is a connection that is seen.
type spied struct {
	driver.Conn

	spy *spy
}

// ExecContext executes a statement, if the process lives.
func (c *spied) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if !c.spy.lives(query, false) {
		return nil, driver.ErrBadConn
	}
	result, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
	if !c.spy.lives(query, true) {
		return nil, driver.ErrBadConn
	}
	return result, err
}

// QueryContext asks a question, if the process lives.
func (c *spied) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if !c.spy.lives(query, false) {
		return nil, driver.ErrBadConn
	}
	rows, err := c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
	if !c.spy.lives(query, true) {
		return nil, driver.ErrBadConn
	}
	return rows, err
}

// PrepareContext prepares a statement.
func (c *spied) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if !c.spy.lives(query, false) {
		return nil, driver.ErrBadConn
	}
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

// ResetSession is the connection's own.
func (c *spied) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

// IsValid is the connection's own.
func (c *spied) IsValid() bool { return c.Conn.(driver.Validator).IsValid() }

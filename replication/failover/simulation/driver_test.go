package simulation

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"
)

// connector makes the connections of a process to a server: its own by the socket, the
// other's through the tunnel.
type connector struct {
	p      *process
	server *engine
	remote bool
	user   string
}

// Driver is nobody's.
func (c *connector) Driver() driver.Driver { return nil }

// Connect is a login.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	refused := &net.OpError{Op: "dial", Net: "unix", Err: syscall.ECONNREFUSED}
	value, err := c.p.do(ctx, &operation{
		text: "login at " + c.server.host.name, server: c.server, remote: c.remote,
		run: func() (any, error) {
			switch {
			case c.server.up:
				return c.server.login(c.user, c.p), nil
			case c.remote && c.server.host.up:
				return nil, mysql.ErrInvalidConn // the far end of the tunnel closes
			default:
				return nil, refused
			}
		},
		broken: func() error { return refused },
	})
	if err != nil {
		return nil, err
	}
	return &conn{connector: c, session: value.(*session)}, nil
}

// conn is a connection.
type conn struct {
	*connector
	session *session
	broken  bool
}

// Prepare is used by nobody: both ways of asking are there.
func (c *conn) Prepare(query string) (driver.Stmt, error) { return nil, c.unknown(query) }

// Begin is a transaction of gtunnel's own, which it has none of.
func (c *conn) Begin() (driver.Tx, error) { return nil, c.unknown("BEGIN") }

func (c *conn) unknown(query string) error {
	c.p.w.violate("the model does not know what was asked of %s: %s", c.server.host.name, query)
	return errors.New("simulation: unknown statement " + query)
}

// Close ends the session.
func (c *conn) Close() error {
	c.broken = true
	c.p.w.mu.Lock()
	defer c.p.w.mu.Unlock()
	c.p.w.closing = append(c.p.w.closing, c)
	return nil
}

// IsValid tells the pool whether it may be used again.
func (c *conn) IsValid() bool { return !c.broken }

// ResetSession is before each use by the pool.
func (c *conn) ResetSession(context.Context) error {
	if c.broken {
		return driver.ErrBadConn
	}
	return nil
}

// ExecContext runs a statement that gives no rows.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if _, err := c.ask(ctx, query, args); err != nil {
		return nil, err
	}
	return driver.ResultNoRows, nil
}

// QueryContext runs a statement that gives rows.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.ask(ctx, query, args)
}

// ask runs a statement.
func (c *conn) ask(ctx context.Context, query string, args []driver.NamedValue) (*table, error) {
	text := withArguments(query, args)
	value, err := c.p.do(ctx, &operation{
		text: text, server: c.server, session: c.session, remote: c.remote, effect: changes(text),
		run: func() (any, error) {
			if c.session.closed || !c.server.up {
				return nil, driver.ErrBadConn
			}
			rows, err := c.server.execute(c.session, text)
			if rows == nil {
				rows = &table{}
			}
			return rows, err
		},
		broken: func() error {
			c.server.end(c.session)
			return mysql.ErrInvalidConn
		},
	})
	if err == nil {
		return value.(*table), nil
	}
	if _, sql := errors.AsType[*mysql.MySQLError](err); !sql {
		c.broken = true
	}
	return nil, err
}

// withArguments puts arguments where the question marks are.
func withArguments(query string, args []driver.NamedValue) string {
	for _, arg := range args {
		text := fmt.Sprint(arg.Value)
		if _, isText := arg.Value.(string); isText {
			text = "'" + strings.ReplaceAll(strings.ReplaceAll(text, `\`, `\\`), "'", "''") + "'"
		}
		if bytes, isBytes := arg.Value.([]byte); isBytes {
			text = "'" + strings.ReplaceAll(strings.ReplaceAll(string(bytes), `\`, `\\`), "'", "''") + "'"
		}
		query = strings.Replace(query, "?", text, 1)
	}
	return query
}

// changes reports whether a statement changes something, or takes a lock.
func changes(query string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	switch strings.ToUpper(first) {
	case "SELECT", "SHOW":
		upper := strings.ToUpper(query)
		return strings.Contains(upper, "GET_LOCK(") || strings.Contains(upper, "RELEASE_LOCK(")
	case "SET":
		return !strings.HasPrefix(strings.ToUpper(query), "SET SESSION") &&
			!strings.HasPrefix(strings.ToUpper(query), "SET STATEMENT")
	}
	return true
}

// table is the rows of an answer; a nil value is NULL.
type table struct {
	columns []string
	rows    [][]any
	next    int
}

// Columns names them.
func (t *table) Columns() []string { return t.columns }

// Close is nothing.
func (t *table) Close() error { return nil }

// Next gives the next row.
func (t *table) Next(to []driver.Value) error {
	if t.next == len(t.rows) {
		return io.EOF
	}
	for i, value := range t.rows[t.next] {
		to[i] = nil
		if value != nil {
			to[i] = []byte(asText(value))
		}
	}
	t.next++
	return nil
}

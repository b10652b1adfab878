package server

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// Discard closes a connection instead of giving it back to the pool: what its
// session holds or has set must not live on.
func Discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // which is what it returns
}

// Run executes statements in one session, which ends with them.
func (s *Server) Run(ctx context.Context, statements []Statement) error {
	conn, err := s.Session(ctx)
	if err != nil {
		return err
	}
	defer Discard(conn)
	return s.Exec(ctx, conn, statements...)
}

// Loopback is where both ends of the tunnel meet MySQL. It is never
// "localhost", which means a socket to MySQL's programs.
const Loopback = "127.0.0.1"

// IsDenied tells whether a privilege was missing.
func IsDenied(err error) bool {
	switch ErrorNumber(err) {
	case 1044, 1142, 1143, 1227, 1370:
		return true
	}
	return false
}

// FreshSizes makes a session tell the sizes of tables as they are: MySQL tells
// them as they were up to a day ago (its manual, information_schema_stats_expiry).
func (s *Server) FreshSizes(ctx context.Context, on Execer) error {
	if !s.Version.AtLeast(MySQL, 8, 0, 3) {
		return nil
	}
	return s.Exec(ctx, on, SQL("SET SESSION information_schema_stats_expiry=0"))
}

// SetSuperReadOnly keeps administrators from writing to a MySQL slave again, even
// when ctx has ended.
func (s *Server) SetSuperReadOnly(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), CloseTimeout)
	defer cancel()
	return s.Change(ctx, SQL("SET GLOBAL super_read_only=ON"))
}

// Login is how a server is reached, and as whom.
type Login struct {
	Network  string // "tcp" or "unix"
	Address  string // host:port, or the socket's path
	User     string
	Password Password
}

// String is the login without its password.
func (l Login) String() string { return l.User + " at " + l.Address }

// Server is an open server. Its methods may be called concurrently; Close ends
// its use.
type Server struct {
	Role    finding.Role
	Login   Login
	Version Version

	Db     *sql.DB
	locked *sql.Conn    // that has the lock of this server; nil: none, see change
	peer   atomic.Int32 // see dialPeer
}

// ConnectTimeout bounds the dial and the login of one connection.
const ConnectTimeout = 15 * time.Second

// Open logs in to a server and reads its version. The error is a *Problem.
func Open(ctx context.Context, role finding.Role, login Login) (*Server, error) {
	s := &Server{Role: role, Login: login}
	db, err := s.openDB()
	if err != nil {
		return nil, &finding.Problem{On: role, Code: "connect", Text: "cannot use " + login.String(), Err: err}
	}
	s.Db = db
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	var version, comment string
	err = db.QueryRowContext(ctx, "SELECT VERSION(), @@version_comment").Scan(&version, &comment)
	if err == nil {
		s.Version, err = ParseVersion(version, comment)
	}
	if err != nil {
		_ = db.Close() // the first error says more
		return nil, s.Explain("cannot log in as "+login.String(), err)
	}
	return s, nil
}

// SessionTimeout is for how many seconds a session may be silent, such as one
// that holds a lock while tables are copied.
const SessionTimeout = 7 * 24 * 60 * 60

// openDB makes the pool of a server's connections. Their sessions are alike on
// every server: no sql_mode, so that quoting is what it seems, and UTC; no
// transaction that nobody began; and no end because of silence.
func (s *Server) openDB() (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr = s.Login.Network, s.Login.Address
	config.User, config.Passwd = s.Login.User, s.Login.Password.Reveal()
	if s.Login.Network == "unix" {
		config.DialFunc = s.dialPeer
	}
	config.Timeout = ConnectTimeout
	config.Logger = &mysql.NopLogger{} // the errors are returned
	config.InterpolateParams = false
	config.Params = map[string]string{"sql_mode": "''", "time_zone": "'+00:00'", "autocommit": "1", "wait_timeout": strconv.Itoa(SessionTimeout)}
	config.MaxAllowedPacket = 0 // what the server says
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetConnMaxIdleTime(time.Minute)
	return db, nil
}

// Close closes the connections.
func (s *Server) Close() error { return s.Db.Close() }

// String is the role with the version, as in "master (MariaDB 10.11.6)".
func (s *Server) String() string { return fmt.Sprintf("%s (%s)", s.Role, s.Version) }

// Session gives a connection of its own, for what belongs together. The caller
// closes it.
func (s *Server) Session(ctx context.Context) (*sql.Conn, error) {
	conn, err := s.Db.Conn(ctx)
	if err != nil {
		return nil, s.Explain("cannot log in as "+s.Login.String(), err)
	}
	return conn, nil
}

// Execer runs statements: a *sql.DB, a *sql.Conn.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// stopLogging keeps what a session runs from now on out of the server's general and
// slow logs: MariaDB writes passwords there as they are. That needs a privilege
// for the general log, and without it the work goes on: see checkLogs.
func (s *Server) stopLogging(ctx context.Context, on Execer) error {
	for _, set := range []string{"SET SESSION long_query_time=31536000", "SET SESSION sql_log_off=1"} {
		if _, err := on.ExecContext(ctx, set); err != nil && !IsDenied(err) {
			return s.Explain(set, err)
		}
	}
	return nil
}

// Exec runs statements in order. The errors show them without their passwords.
// The session of statements that hold one must end with them: see stopLogging.
func (s *Server) Exec(ctx context.Context, on Execer, statements ...Statement) error {
	for _, statement := range statements {
		if len(statement.secrets) > 0 {
			if err := s.stopLogging(ctx, on); err != nil {
				return err
			}
		}
		if _, err := on.ExecContext(ctx, statement.sql); err != nil {
			return s.Explain(statement.shown, statement.scrub(err))
		}
	}
	return nil
}

// Record is a row by its columns' names in lower case. A NULL is not in it.
type Record map[string]string

// Query gives all rows of a query.
func (s *Server) Query(ctx context.Context, on Execer, query string, args ...any) ([]Record, error) {
	records, err := ReadRecords(ctx, on, query, args...)
	if err != nil {
		return nil, s.Explain(query, err)
	}
	return records, nil
}

func ReadRecords(ctx context.Context, on Execer, query string, args ...any) ([]Record, error) {
	rows, err := on.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err says it all
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	var records []Record
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		r := make(Record, len(columns))
		for i, column := range columns {
			if values[i].Valid {
				r[strings.ToLower(column)] = values[i].String
			}
		}
		records = append(records, r)
	}
	return records, rows.Err()
}

// Value gives the only value of a query; empty if there is no row or it is NULL.
func (s *Server) Value(ctx context.Context, on Execer, query string, args ...any) (string, error) {
	records, err := s.Query(ctx, on, query, args...)
	if err != nil || len(records) == 0 {
		return "", err
	}
	for _, v := range records[0] {
		return v, nil
	}
	return "", nil
}

// Explain makes a Problem of an error of the server or of the way to it.
func (s *Server) Explain(doing string, err error) *finding.Problem {
	if p, ok := errors.AsType[*finding.Problem](err); ok {
		return p
	}
	p := &finding.Problem{On: s.Role, Code: "sql", Text: doing, Err: err}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		p.Cure = finding.CureOf(int(e.Number), s.Role)
		return p
	}
	if isBroken(err) {
		p.Code = "connect"
		p.Cure = "is the server running, and is its address right?"
		if s.Role == finding.Master {
			p.Cure = "is the tunnel up, and MySQL on the master running? gtunnel certs check --connect MASTER:3307 tells"
		}
	}
	return p
}

// isBroken tells whether an error is of the way to the server and not its own.
func isBroken(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, context.DeadlineExceeded)
}

// IsAccessDenied tells whether a server refused a login.
func IsAccessDenied(err error) bool {
	switch ErrorNumber(err) {
	case 1045, 1698: // 1698: without a password
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

// Variables gives some global variables by name.
func (s *Server) Variables(ctx context.Context, on Execer, names ...string) (map[string]string, error) {
	rows, err := s.Query(ctx, on, "SHOW GLOBAL VARIABLES WHERE variable_name IN ("+QuoteList(names)+")")
	variables := make(map[string]string, len(rows))
	for _, r := range rows {
		variables[strings.ToLower(r["variable_name"])] = r["value"]
	}
	return variables, err
}

// SplitAddress splits a host:port, with or without the port.
func SplitAddress(address string) (host, port string) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 || strings.HasSuffix(address, "]") {
		return strings.Trim(address, "[]"), "3306"
	}
	return strings.Trim(address[:i], "[]"), address[i+1:]
}

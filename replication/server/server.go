package server

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// Loopback is where both ends of the tunnel meet MySQL. It is never
// "localhost", which means a socket to MySQL's programs.
const Loopback = "127.0.0.1"

// How long a server is waited for.
const (
	// ConnectTimeout bounds the dial and the login of one connection.
	ConnectTimeout = 15 * time.Second

	// SessionTimeout is for how many seconds a session may be silent, such as one
	// that holds a lock while tables are copied.
	SessionTimeout = 7 * 24 * 60 * 60

	// SlavePatience is how long a slave may stand still on its way to a position.
	SlavePatience = 5 * time.Minute

	// cleanUpTimeout bounds what must be done after a context has ended.
	cleanUpTimeout = time.Minute
)

// Login is how a server is reached, and as whom.
type Login struct {
	Network  string // "tcp" or "unix"
	Address  string // host:port, or the socket's path
	User     string
	Password Password
}

// String is the login without its password.
func (l Login) String() string { return l.User + " at " + l.Address }

// SplitAddress splits a host:port, with or without the port, which is 3306 then.
func SplitAddress(address string) (host, port string) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 || strings.HasSuffix(address, "]") {
		return strings.Trim(address, "[]"), "3306"
	}
	return strings.Trim(address[:i], "[]"), address[i+1:]
}

// Server is an open server. Its methods may be called concurrently but for Lock
// and Change; Close ends its use.
type Server struct {
	Role    finding.Role
	Login   Login
	Version Version
	First   uint64 // the id of the first session that was opened by it; all others' are higher

	DB     *sql.DB      // the pool of its connections
	trip   atomic.Int64 // nanoseconds, see RoundTrip
	packet int          // bytes that it takes at once, of several statements; 0: one statement alone
	locked *sql.Conn    // the one that has the server's lock; nil: none, see Change
	peer   atomic.Int32 // the process that listens at its socket, see dialPeer
}

// Open logs in to a server and reads its version. The error is a
// *finding.Problem.
func Open(ctx context.Context, role finding.Role, login Login) (*Server, error) {
	s := &Server{Role: role, Login: login}
	connector, err := s.connector()
	if err != nil {
		return nil, &finding.Problem{On: role, Code: "connect", Text: "cannot use " + login.String(), Err: err}
	}
	return s.open(ctx, connector)
}

// Over is Open where the connections are made by another connector than the driver's of
// MySQL, such as that of a simulation, whose errors are like that one's. The login is
// only shown.
func Over(ctx context.Context, role finding.Role, login Login, connector driver.Connector) (*Server, error) {
	return (&Server{Role: role, Login: login}).open(ctx, connector)
}

// open reads the version by the first connection.
func (s *Server) open(ctx context.Context, connector driver.Connector) (*Server, error) {
	s.DB = sql.OpenDB(connector)
	s.DB.SetConnMaxIdleTime(time.Minute)
	s.DB.SetMaxIdleConns(warmSessions)
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	var version, comment string
	var err error
	if sessions, ok := connector.(*sessions); ok { // which has asked
		var conn *sql.Conn
		if conn, err = s.DB.Conn(ctx); err == nil {
			version, comment, s.First, s.packet = sessions.version, sessions.comment, sessions.first, sessions.packet
			err = conn.Close() // back to the pool
		}
	} else {
		err = s.DB.QueryRowContext(ctx, "SELECT "+greeting).Scan(&version, &comment, &s.First)
	}
	if err == nil {
		s.Version, err = ParseVersion(version, comment)
	}
	if err != nil {
		_ = s.DB.Close() // the first error says more
		return nil, s.Explain("cannot log in as "+s.Login.String(), err)
	}
	return s, nil
}

// RoundTrip is the shortest time in which the server has answered so far: a little more
// than the way to it and back.
func (s *Server) RoundTrip() time.Duration { return time.Duration(s.trip.Load()) }

// took notes the time of an answer.
func (s *Server) took(time time.Duration) {
	for is := s.trip.Load(); is == 0 || int64(time) < is; is = s.trip.Load() {
		if s.trip.CompareAndSwap(is, int64(time)) {
			return
		}
	}
}

// Close closes the connections.
func (s *Server) Close() error { return s.DB.Close() }

// String is the role with the version, as in "master (MariaDB 10.11.6)".
func (s *Server) String() string { return fmt.Sprintf("%s (%s)", s.Role, s.Version) }

// Session gives a connection of its own, for what belongs together. The caller
// closes it, or discards it.
func (s *Server) Session(ctx context.Context) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return nil, s.Explain("cannot log in as "+s.Login.String(), err)
	}
	return conn, nil
}

// warmSessions is how many sessions a pool keeps that nobody uses, for a while.
const warmSessions = 4

// Warm logs in so often, all at once, and leaves the sessions to the pool: over a long way
// a login takes several round trips, for which what comes next need not wait. Who
// cannot log in finds out then.
func (s *Server) Warm(ctx context.Context, sessions int) {
	var logins sync.WaitGroup
	conns := make([]*sql.Conn, min(sessions, warmSessions))
	for i := range conns {
		logins.Go(func() { conns[i], _ = s.Session(ctx) })
	}
	logins.Wait()
	for _, conn := range conns {
		if conn != nil {
			_ = conn.Close() // back to the pool
		}
	}
}

// Discard closes a connection instead of giving it back to the pool: what its
// session holds or has set must not live on.
func Discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // which is what it returns
}

// CleanUp gives a context of a minute for what must be done even when ctx has
// ended, such as to start a slave again.
func CleanUp(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), cleanUpTimeout)
}

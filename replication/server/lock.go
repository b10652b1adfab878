package server

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// lockName keeps two runs from changing the same server at once.
const lockName = "gtunnel.replication"

// lockPatience is how many seconds a server may take to notice that a run which
// was killed has gone.
const lockPatience = 10

// Lock keeps other runs of gtunnel from a server until unlock: see Change. The
// Problem busy says that one works on it.
func (s *Server) Lock(ctx context.Context) (unlock func(), err error) {
	conn, err := s.Session(ctx)
	if err != nil {
		return nil, err
	}
	got, err := s.Value(ctx, conn, "SELECT GET_LOCK(?, ?)", lockName, lockPatience)
	if err == nil && got != "1" {
		err = finding.New(s.Role, "busy",
			"wait for its end, or look for it: SELECT IS_USED_LOCK('"+lockName+"') gives its connection",
			"another gtunnel replication works on it")
	}
	if err != nil {
		Discard(conn) // with the lock, if it has it
		return nil, err
	}
	s.locked = conn
	return func() { s.locked = nil; Discard(conn) }, nil
}

// Change changes how a server replicates, by the connection that has its lock:
// if this run is killed, the next one gets the lock only when the server is done
// with what this one had asked for last. One goroutine at a time calls it.
func (s *Server) Change(ctx context.Context, statements ...Statement) error {
	if s.locked != nil {
		err := s.Exec(ctx, s.locked, statements...)
		if !errors.Is(err, driver.ErrBadConn) && !errors.Is(err, sql.ErrConnDone) {
			return err
		}
		s.locked = nil // it has ended with the context of an earlier statement
	}
	return s.Exec(ctx, s.DB, statements...)
}

// Busy reports whether a run of gtunnel works on a server at this moment.
func (s *Server) Busy(ctx context.Context, on Execer) (bool, error) {
	connection, err := s.Value(ctx, on, "SELECT IS_USED_LOCK(?)", lockName)
	return connection != "", err
}

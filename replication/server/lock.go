package server

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strconv"

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

// Place is one of several places of a server: so many runs may work beside each other,
// none of which changes it before it is the last.
type Place struct {
	server *Server
	places int
	number int // of this one
	conn   *sql.Conn
}

// Place takes a place of a server until Leave or Close. The Problem busy says that all of
// them are taken.
func (s *Server) Place(ctx context.Context, places int) (*Place, error) {
	conn, err := s.Session(ctx)
	if err != nil {
		return nil, err
	}
	for i := range places {
		got, err := s.TakeLock(ctx, conn, placeName(i))
		if err != nil {
			Discard(conn)
			return nil, err
		}
		if got {
			return &Place{server: s, places: places, number: i, conn: conn}, nil
		}
	}
	Discard(conn)
	return nil, finding.New(s.Role, "busy", "wait for the end of one of them", "%s of gtunnel replication work on it",
		finding.Count(places, "run"))
}

func placeName(i int) string { return lockName + ".place" + strconv.Itoa(i) }

// Leave gives the place back, and reports whether no other is taken. Nobody else can leave
// until unlock, and so of several that leave at the same time just one is the last.
func (p *Place) Leave(ctx context.Context) (last bool, unlock func(), err error) {
	if unlock, err = p.server.Lock(ctx); err != nil {
		return false, nil, err
	}
	if p.conn != nil { // whose end the server may notice later than the next question
		_ = p.server.Exec(ctx, p.conn, SQL("DO RELEASE_LOCK(%s)", QuoteString(placeName(p.number))))
	}
	p.Close()
	for i := range p.places {
		holder, err := p.server.LockHolder(ctx, p.server.DB, placeName(i))
		if err != nil {
			unlock()
			return false, nil, err
		}
		if holder != 0 {
			return false, unlock, nil
		}
	}
	return true, unlock, nil
}

// Close gives the place back, if it was not.
func (p *Place) Close() {
	if p.conn != nil {
		Discard(p.conn)
		p.conn = nil
	}
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

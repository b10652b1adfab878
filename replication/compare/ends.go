package compare

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// snapshotEnds are both ends of a comparison with a snapshot of the same
// position.
type snapshotEnds struct {
	master, slave *session
	scout         *session // on the master, in no snapshot: finds the chunks ahead
	lock          *session // holds the lock on the master's tables without transactions; nil if there is none
	at            server.Position
}

// openEnds takes a snapshot of the master, lets the slave come to its position,
// and takes a snapshot there. The tables to lock are quoted names; they are
// locked if LockTables says so.
func (c *Comparison) openEnds(ctx context.Context, slave *pausedSlave, lock []string) (ends *snapshotEnds, err error) {
	ends = &snapshotEnds{}
	defer func() {
		if err != nil {
			ends.close(ctx)
			ends = nil
		}
	}()
	if c.LockTables && len(lock) > 0 {
		if ends.lock, err = openSession(ctx, c.Master); err != nil {
			return ends, err
		}
	}
	if ends.scout, err = openSession(ctx, c.Master); err != nil {
		return ends, err
	}
	if ends.master, err = openSession(ctx, c.Master); err != nil {
		return ends, err
	}
	if ends.at, err = ends.master.snapshot(ctx, ends.lock, lock); err != nil {
		return ends, err
	}
	slave.stopsAt(ends.at)
	err = c.Slave.AdvanceSlave(ctx, ends.at, c.patience(), func(at server.Position) { c.waits(ends.at, at) })
	if err != nil {
		return ends, err
	}
	if ends.slave, err = openSession(ctx, c.Slave); err != nil {
		return ends, err
	}
	if err = ends.slave.exec(ctx, startSnapshot); err != nil {
		return ends, err
	}
	return ends, ends.inBoth(func(s *session) error { return s.mustHold(ctx) })
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

func (c *Comparison) patience() time.Duration {
	if c.Patience > 0 {
		return c.Patience
	}
	return server.SlavePatience
}

func (c *Comparison) report(p Progress) {
	if c.Progress != nil {
		c.Progress(p)
	}
}

// waits reports where the slave is that is waited for.
func (c *Comparison) waits(to, at server.Position) { c.report(Progress{WaitsFor: &to, Slave: at}) }

// unlock lets the slave go on and the master's locked tables be written to.
func (e *snapshotEnds) unlock(ctx context.Context, slave *pausedSlave) error {
	e.lock.close(ctx)
	e.lock = nil
	return slave.resume(ctx)
}

func (e *snapshotEnds) close(ctx context.Context) {
	for _, s := range []*session{e.lock, e.scout, e.master, e.slave} {
		s.close(ctx)
	}
}

// session is a connection that is used by one goroutine at a time and never
// goes back to the pool.
type session struct {
	server *server.Server
	conn   *sql.Conn
	id     string // CONNECTION_ID()
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
	_ = s.server.Exec(ctx, s.server.Db, server.SQL("KILL %s", s.id)) // or it has ended already
	server.Discard(s.conn)
}

func (s *session) exec(ctx context.Context, statements ...server.Statement) error {
	return s.server.Exec(ctx, s.conn, statements...)
}

func (s *session) query(ctx context.Context, query string) ([]server.Record, error) {
	return s.server.Query(ctx, s.conn, query)
}

var (
	startSnapshot = server.SQL("START TRANSACTION WITH CONSISTENT SNAPSHOT")
	unlockTables  = server.SQL("UNLOCK TABLES")

	// A transaction keeps ALTER TABLE waiting, and whatever comes after it,
	// from a table it has read. Going back to a savepoint frees the tables
	// and keeps the snapshot.
	setSavepoint = server.SQL("SAVEPOINT gtunnel")
	freeTables   = server.SQL("ROLLBACK TO SAVEPOINT gtunnel")
)

// snapshot starts a snapshot on a master and gives its exact position. If lock
// is not nil, it gets a read lock on the tables, which are quoted names, at the
// same position.
func (s *session) snapshot(ctx context.Context, lock *session, tables []string) (server.Position, error) {
	if s.server.Version.Family == server.MySQL {
		return s.lockedSnapshot(ctx, lock, tables)
	}
	if err := lock.lockTables(ctx, tables); err != nil {
		return server.Position{}, err
	}
	if err := s.exec(ctx, startSnapshot); err != nil {
		return server.Position{}, err
	}
	return s.server.SnapshotPosition(ctx, s.conn)
}

// lockTables takes a read lock; a nil session none.
func (s *session) lockTables(ctx context.Context, tables []string) error {
	if s == nil {
		return nil
	}
	return s.exec(ctx, server.SQL("LOCK TABLES %s READ", strings.Join(tables, " READ, ")))
}

// A global read lock waits for the queries that run and holds up what comes
// after it. So it is not asked for while a query takes long, and gives up
// within a second.
const (
	readLockAttempts = 30
	readLockPause    = time.Second
)

// lockedSnapshot takes the snapshot of a MySQL master under a global read
// lock, which lasts for two statements.
func (s *session) lockedSnapshot(ctx context.Context, lock *session, tables []string) (server.Position, error) {
	if err := s.exec(ctx, server.SQL("SET SESSION lock_wait_timeout=1")); err != nil {
		return server.Position{}, err
	}
	var last error
	for range readLockAttempts {
		last = s.lockAll(ctx)
		if last == nil {
			p, err := s.snapshotUnderLock(ctx, lock, tables)
			if unlockErr := s.exec(ctx, unlockTables); err == nil && unlockErr != nil {
				err = unlockErr
			}
			if err == nil {
				err = s.exec(ctx, server.SQL("SET SESSION lock_wait_timeout=60"))
			}
			return p, err
		}
		if !finding.HasCode(last, "busy") {
			return server.Position{}, last
		}
		if err := server.Pause(ctx, readLockPause); err != nil {
			return server.Position{}, err
		}
	}
	return server.Position{}, last
}

// lockAll takes the global read lock, or gives a Problem "busy".
func (s *session) lockAll(ctx context.Context) error {
	// Not information_schema.processlist: MySQL fails to convert a statement in
	// it that has a character of four bytes (3854).
	threads, err := s.server.Processes(ctx, s.conn)
	if err != nil {
		return err
	}
	busy := finding.New(finding.Master, "busy",
		"SHOW PROCESSLIST on the master; run this again when the long queries have ended",
		"queries that take long keep the master from taking a read lock, which it needs for some milliseconds")
	for _, t := range threads {
		if t.Command == "Query" && t.Time > time.Second {
			return busy
		}
	}
	err = s.exec(ctx, server.SQL("FLUSH TABLES WITH READ LOCK"))
	if server.ErrorNumber(err) == 1205 {
		return busy
	}
	return err
}

func (s *session) snapshotUnderLock(ctx context.Context, lock *session, tables []string) (server.Position, error) {
	if err := lock.lockTables(ctx, tables); err != nil {
		return server.Position{}, err
	}
	if err := s.exec(ctx, startSnapshot); err != nil {
		return server.Position{}, err
	}
	return s.server.Position(ctx, s.conn)
}

// inBoth runs something on both ends at the same time and waits for both.
func (e *snapshotEnds) inBoth(do func(s *session) error) error {
	slave := make(chan error, 1)
	go func() { slave <- do(e.slave) }()
	return errors.Join(do(e.master), <-slave)
}

package compare

import (
	"cmp"
	"context"
	"errors"
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
	began         time.Time // the master's snapshot
}

// openEnds opens the sessions of both ends, all at once, with no snapshot yet. The caller
// closes them. It has asked the master by its pool before, or does so meanwhile: while the
// slave stands, nothing waits for a login.
func (c *Comparison) openEnds(ctx context.Context) (*snapshotEnds, error) {
	ends := &snapshotEnds{}
	open := func(on *server.Server, s **session) func(context.Context) error {
		return func(ctx context.Context) (err error) {
			*s, err = openSession(ctx, on)
			return err
		}
	}
	asks := []func(context.Context) error{
		open(c.Master, &ends.scout), open(c.Master, &ends.master), open(c.Slave, &ends.slave),
	}
	if c.LockTables {
		asks = append(asks, open(c.Master, &ends.lock))
	}
	err := server.AtOnce(ctx, asks...)
	for _, s := range []*session{ends.master, ends.slave} {
		if err == nil {
			err = s.mustHold()
		}
	}
	if err != nil {
		ends.close(ctx)
		return nil, err
	}
	return ends, nil
}

// meet takes a snapshot of the master, lets the slave come to its position,
// and takes a snapshot there. The tables to lock are quoted names; they are
// locked if LockTables says so. What else is to be asked just after the master's snapshot is
// asked beside the slave's way.
func (e *snapshotEnds) meet(
	ctx context.Context, c *Comparison, slave *pausedSlave, tables []string, beside ...func(context.Context) error,
) (err error) {
	lock := e.lock
	if len(tables) == 0 {
		lock = nil
	}
	e.began = time.Now()
	if e.at, err = e.master.snapshot(ctx, lock, tables); err != nil {
		return err
	}
	slave.stopsAt(e.at)
	return server.AtOnce(ctx, append(beside, func(ctx context.Context) (err error) {
		e.at, err = c.Slave.AdvanceSlave(ctx, c.Master, e.at, c.patience(), func(at server.Position) { c.waits(e.at, at) })
		if err != nil {
			return err
		}
		return e.slave.exec(ctx, startSnapshot)
	})...)
}

// patience is how long the slave may stand still.
func (c *Comparison) patience() time.Duration { return cmp.Or(c.slavePatience, server.SlavePatience) }

// report tells how far the comparison is.
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

// close ends the sessions; nil has none.
func (e *snapshotEnds) close(ctx context.Context) {
	if e == nil {
		return
	}
	for _, s := range []*session{e.lock, e.scout, e.master, e.slave} {
		s.close(ctx)
	}
}

var (
	startSnapshot = server.SQL("START TRANSACTION WITH CONSISTENT SNAPSHOT; " + setSavepoint)
	unlockTables  = server.SQL("UNLOCK TABLES")
)

// A transaction keeps ALTER TABLE waiting, and whatever comes after it,
// from a table it has read. Going back to a savepoint frees the tables
// and keeps the snapshot, and the savepoint.
const (
	setSavepoint = "SAVEPOINT gtunnel"
	freeTables   = "ROLLBACK TO SAVEPOINT gtunnel; "
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
	p, err := s.server.SnapshotPosition(ctx, s.conn, startSnapshot)
	return p, s.heard(err)
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
	var last error
	for range readLockAttempts {
		var at server.Position
		if at, last = s.snapshotUnderLock(ctx, lock, tables); last == nil || !finding.HasCode(last, "busy") {
			return at, last
		}
		if err := server.Pause(ctx, readLockPause); err != nil {
			return server.Position{}, err
		}
	}
	return server.Position{}, last
}

// mustBeQuiet gives the Problem "busy" while a query takes long.
func (s *session) mustBeQuiet(ctx context.Context) error {
	// Not information_schema.processlist: MySQL fails to convert a statement in
	// it that has a character of four bytes (3854).
	threads, err := s.server.Processes(ctx, s.conn)
	if err != nil {
		return s.heard(err)
	}
	for _, t := range threads {
		if t.Statement != "" && t.Time > time.Second && !t.IsServers() {
			return busy()
		}
	}
	return nil
}

func busy() error {
	return finding.New(finding.Master, "busy",
		"SHOW PROCESSLIST on the master; run this again when the long queries have ended",
		"queries that take long keep the master from taking a read lock, which it needs for some milliseconds")
}

// snapshotUnderLock takes the global read lock, the snapshot and its position, in one round
// trip: however far the master is, it holds the lock for no longer than that takes it.
// Tables that another session is to lock at the position take a round trip meanwhile.
func (s *session) snapshotUnderLock(ctx context.Context, lock *session, tables []string) (server.Position, error) {
	if err := s.mustBeQuiet(ctx); err != nil {
		return server.Position{}, err
	}
	const (
		lockAll = "SET SESSION lock_wait_timeout=1; FLUSH TABLES WITH READ LOCK"
		unlock  = "; UNLOCK TABLES; " + setSavepoint + "; SET SESSION lock_wait_timeout=60"
	)
	look := "START TRANSACTION WITH CONSISTENT SNAPSHOT; " + s.server.Version.ShowMasterStatus()
	var rows []server.Record
	var err error
	if lock == nil {
		rows, err = s.query(ctx, lockAll+"; "+look+unlock)
	} else if err = s.exec(ctx, server.SQL(lockAll)); err == nil {
		if err = lock.lockTables(ctx, tables); err == nil {
			rows, err = s.query(ctx, look+unlock)
		}
	}
	switch {
	case server.ErrorNumber(err) == 1205:
		err = busy()
	case err == nil && len(rows) == 0:
		err = server.NoBinaryLog()
	case err == nil:
		return rows[0].Position(), nil
	}
	return server.Position{}, errors.Join(err, s.exec(ctx, unlockTables))
}

// inBoth runs something on both ends at the same time and waits for both.
func (e *snapshotEnds) inBoth(do func(s *session) error) error {
	slave := make(chan error, 1)
	go func() { slave <- do(e.slave) }()
	return errors.Join(do(e.master), <-slave)
}

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
	ends.at, err = c.Slave.AdvanceSlave(ctx, c.Master, ends.at, c.patience(),
		func(at server.Position) { c.waits(ends.at, at) })
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

func (e *snapshotEnds) close(ctx context.Context) {
	for _, s := range []*session{e.lock, e.scout, e.master, e.slave} {
		s.close(ctx)
	}
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
		if t.Statement != "" && t.Time > time.Second && !t.IsServers() {
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

package seed

import (
	"cmp"
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// readLock is a lock on all tables of the master; nil: there is none.
type readLock struct {
	master *server.Server
	conn   *sql.Conn // nil: it is over
}

// release ends the lock. The error is that it had been lost.
func (l *readLock) release(ctx context.Context) error {
	if l == nil || l.conn == nil {
		return nil
	}
	err := l.master.Exec(ctx, l.conn, server.SQL("UNLOCK TABLES"))
	l.discard()
	return err
}

// discard ends the lock with its session.
func (l *readLock) discard() {
	if l != nil && l.conn != nil {
		server.Discard(l.conn)
		l.conn = nil
	}
}

// snapshots waits until all dumps are at the gate, and lets them take their snapshots, under
// a lock if it is wanted: then the coordinates are those of the lock.
func (r *parallelRun) snapshots(ctx context.Context, locked bool) (p server.Position, lock *readLock, err error) {
	if err := r.count(ctx, r.gate.came, snapshotPatience); err != nil {
		return p, nil, err
	}
	own, err := r.ownSnapshot(ctx)
	if err != nil {
		return p, nil, err
	}
	defer own.end()
	if !locked {
		close(r.gate.open)
		if err = own.take(ctx); err == nil {
			err = r.count(ctx, r.gate.taken, snapshotPatience)
		}
		if err == nil {
			p, err = own.position(ctx)
		}
	} else {
		p, lock, err = r.snapshotsLocked(ctx, own)
	}
	if err == nil {
		err = r.stillSame(ctx, own)
	}
	if err != nil {
		lock.discard()
		return p, nil, err
	}
	close(r.gate.goOn)
	return p, lock, nil
}

// snapshotsLocked lets all take their snapshots under a lock.
func (r *parallelRun) snapshotsLocked(
	ctx context.Context, own *ownSnapshot,
) (p server.Position, lock *readLock, err error) {
	watch, err := r.guard.watchLock(ctx, !r.LockTables)
	if err != nil {
		return p, nil, err
	}
	defer watch.stop()
	p, lock, err = r.lock(ctx, watch, own)
	if err == nil {
		err = r.count(ctx, r.gate.taken, snapshotPatience)
	}
	if err == nil && !r.LockTables {
		err = lock.release(ctx)
	}
	if watch.stop() {
		err = r.lockWaited()
	}
	if err != nil {
		lock.discard()
		return p, nil, err
	}
	return p, lock, nil
}

// lock takes the lock, opens the gate, and reads the coordinates. Without an error it is
// the caller's to end.
func (r *parallelRun) lock(
	ctx context.Context, watch *lockWatch, own *ownSnapshot,
) (p server.Position, lock *readLock, err error) {
	conn, err := r.Master.Session(ctx)
	if err != nil {
		return p, nil, err
	}
	lock = &readLock{master: r.Master, conn: conn}
	var id uint64
	text, err := r.Master.Value(ctx, conn, "SELECT CONNECTION_ID()")
	if err == nil {
		id, err = strconv.ParseUint(text, 10, 64)
	}
	if err == nil {
		watch.session.Store(id)
		statements := []server.Statement{server.SQL("FLUSH TABLES WITH READ LOCK")}
		if !r.LockTables {
			patience := server.SQL("SET SESSION lock_wait_timeout=%d", max(1, int(r.lockWait().Seconds())))
			statements = append([]server.Statement{patience}, statements...)
		}
		err = r.Master.Exec(ctx, conn, statements...)
	}
	if err == nil {
		close(r.gate.open)
		taken := make(chan error, 1)
		go func() { taken <- own.take(ctx) }()
		p, err = r.Master.Position(ctx, conn)
		err = cmp.Or(err, <-taken)
	}
	if err != nil {
		lock.discard()
		if server.ErrorNumber(err) == 1205 {
			err = r.lockWaited()
		}
		return p, nil, err
	}
	return p, lock, nil
}

// count waits until all dumps have done something, unless one of them ends before.
func (r *parallelRun) count(ctx context.Context, each <-chan struct{}, patience time.Duration) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	look := time.NewTicker(lockLook)
	defer look.Stop()
	for n := 0; n < len(r.dumps)+len(r.asides); {
		select {
		case <-each:
			n++
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-late.C:
			return finding.New(finding.Master, snapshotsDiffer, "run this again, by --method dump",
				"not all dumps took their snapshots within %v", patience)
		case <-look.C:
			for _, d := range r.dumps {
				if !isEnded(d.process) {
					continue
				}
				if err := d.process.failure(finding.Master); err != nil {
					return err
				}
				return finding.New(finding.Master, snapshotsDiffer, "copy by --method dump",
					"%s ended before all dumps had their snapshots", r.dumper.name())
			}
		}
	}
	return nil
}

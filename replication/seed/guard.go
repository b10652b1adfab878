package seed

import (
	"cmp"
	"context"
	"database/sql"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// guard is a session on the master beside a dump. On MySQL it holds changes of
// tables off, which would break the dump; it sees to it that the dump's short
// lock stays short; and it looks now and then whether the binary log where
// replication will begin is still there.
type guard struct {
	master   *server.Server
	conn     *sql.Conn
	lockWait time.Duration           // of the seed
	cancel   context.CancelCauseFunc // stops the seed

	mu sync.Mutex // guards conn, which looks in turn

	end     context.CancelFunc
	looking sync.WaitGroup
}

const (
	// mostLockWait is how long the short lock that some copies begin with may keep
	// writers waiting: else the copy is put off, and at last given up.
	mostLockWait = 700 * time.Millisecond
	// lockLook is how often that is looked at.
	lockLook = 50 * time.Millisecond
	// retentionLook is how often the binary log is looked at. It also keeps
	// the session alive, and tells that the master is lost.
	retentionLook = 20 * time.Second
	// lookTimeout is how long a look may take.
	lookTimeout = time.Minute
)

// lockWait is how long the seed's short lock may keep writers waiting.
func (s *Seed) lockWait() time.Duration { return cmp.Or(s.lockPatience, mostLockWait) }

// newGuard logs in to the master. The caller closes the guard.
func (s *Seed) newGuard(ctx context.Context, cancel context.CancelCauseFunc) (*guard, error) {
	conn, err := s.Master.Session(ctx)
	if err != nil {
		return nil, err
	}
	return &guard{master: s.Master, conn: conn, lockWait: s.lockWait(), cancel: cancel, end: func() {}}, nil
}

// holdTables holds changes of tables off until the guard is closed, on MySQL. An
// attempt that follows another lets go first: an event that was due meanwhile waits for
// this lock and has one that the dump's own lock waits for.
func (g *guard) holdTables(ctx context.Context) error {
	if !g.master.Version.AtLeast(server.MySQL, 8, 0, 0) {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, statement := range []server.Statement{server.SQL("UNLOCK INSTANCE"), server.SQL("LOCK INSTANCE FOR BACKUP")} {
		// Without the privilege a change of a table breaks the dump, which says so.
		if err := g.master.Exec(ctx, g.conn, statement); err != nil && !server.IsDenied(err) {
			return err
		}
	}
	return nil
}

// close ends the guard's looks and its session with the locks that it holds.
func (g *guard) close() {
	g.end()
	g.looking.Wait()
	server.Discard(g.conn)
}

// begin checks and completes the coordinates, and begins to look after them.
func (g *guard) begin(ctx context.Context, p server.Position) (server.Position, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, err := g.master.VerifyCoordinates(ctx, g.conn, p)
	if err != nil {
		return server.Position{}, err
	}
	ctx, g.end = context.WithCancel(ctx)
	g.looking.Go(func() { g.lookAfter(ctx, p) })
	return p, nil
}

// lookAfter stops the seed if the binary log loses the position.
func (g *guard) lookAfter(ctx context.Context, p server.Position) {
	for server.Pause(ctx, retentionLook) == nil {
		if err := g.look(ctx, p); err != nil && ctx.Err() == nil {
			g.cancel(err)
			return
		}
	}
}

// look refuses a position that the binary log no longer has.
func (g *guard) look(ctx context.Context, p server.Position) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return g.master.VerifyLogged(ctx, g.conn, p)
}

// lockWatch watches the lock with which a dump begins.
type lockWatch struct {
	end     context.CancelFunc
	looking sync.WaitGroup
	killed  bool          // read after looking
	session atomic.Uint64 // that locks, once it is known; 0: one that flushes and was not there before
}

// watchLock watches a dump that is about to start, if it is to take a short
// lock: should that keep writers waiting, its connection is killed. The caller
// calls stop as soon as the lock must have been released.
func (g *guard) watchLock(ctx context.Context, short bool) (*lockWatch, error) {
	w := &lockWatch{end: func() {}}
	if !short {
		return w, nil
	}
	running, err := g.processes(ctx)
	if err != nil {
		return nil, err
	}
	before := map[uint64]bool{}
	for _, t := range running {
		before[t.ID] = true
	}
	var wanted context.Context
	wanted, w.end = context.WithCancel(ctx)
	w.looking.Go(func() { w.killed = g.killLongLock(ctx, wanted, before, &w.session) })
	return w, nil
}

// stop ends the watch, and reports whether it has killed the dump's connection.
func (w *lockWatch) stop() bool {
	w.end()
	w.looking.Wait()
	return w.killed
}

// killLongLock kills the dump's connection if its lock keeps others waiting, and
// reports whether it has: while the lock waits to be given, for it bars all that
// come behind it, or while it is held. The dump's thread is one that was not there before and flushes
// tables. It looks as long as it is wanted; a look is not cut short, for that
// would end the guard's session with its own lock.
func (g *guard) killLongLock(ctx, wanted context.Context, before map[uint64]bool, known *atomic.Uint64) bool {
	var locking uint64 // the dump's thread
	var since time.Time
	for server.Pause(wanted, lockLook) == nil {
		running, err := g.processes(ctx)
		if err != nil {
			return false // the seed meets the same
		}
		waiting := false
		locking = cmp.Or(known.Load(), locking)
		for _, t := range running {
			flushes := strings.HasPrefix(t.Statement, "FLUSH ")
			if flushes && known.Load() == 0 && !before[t.ID] && t.User == g.master.Login.User {
				locking = t.ID
			}
			waiting = waiting || t.ID == locking && flushes || lockStates[t.State]
		}
		switch {
		case locking == 0 || !waiting:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > g.lockWait:
			return g.kill(ctx, locking) == nil
		}
	}
	return false
}

// lockStates are what a thread says that waits for a lock on all tables.
var lockStates = map[string]bool{
	"Waiting for global read lock": true,
	"Waiting for commit lock":      true,
	"Waiting for table flush":      true,
	"Waiting for backup lock":      true, // MariaDB 10.4 and later
}

func (g *guard) kill(ctx context.Context, thread uint64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.master.Exec(ctx, g.conn, server.SQL("KILL %d", thread))
}

// processes gives the connections that the login may see.
func (g *guard) processes(ctx context.Context) ([]server.Process, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.master.Processes(ctx, g.conn)
}

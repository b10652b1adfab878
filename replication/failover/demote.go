package failover

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// demotePatience is how long a demotion waits for those who write, who wait for it as well.
const demotePatience = 5 * time.Second

// demoteTry is how long one try of that lasts: see untilLocked.
const demoteTry = time.Second

// demotion is what a guard holds of one.
type demotion struct {
	// refusable is the nonce of a demotion that this guard has noted itself, from a
	// writable server, and whose lock nobody has ever tried to take: only such a one can
	// be undone without asking the peer.
	refusable string

	nonce   string // of the one that is held
	server  *server.Server
	session *sql.Conn // that has the lock of the demotion, and on MariaDB the read lock; nil: none
}

// release gives the locks back. The server stays read-only.
func (d *demotion) release() {
	if d.session != nil {
		server.Discard(d.session)
	}
	*d = demotion{}
}

// holds asks whether the lock of the demotion is still held: its session may have been
// ended, with the server or by hand.
func (g *Guard) holds(ctx context.Context) {
	d := &g.demotion
	if d.session != nil {
		within, cancel := context.WithTimeout(ctx, ownLimit)
		defer cancel()
		holder, err := d.server.LockHolder(within, d.session, DemotionLock(d.nonce))
		if err != nil || holder == 0 {
			d.release()
		}
	}
	g.observer.holds = d.session != nil
}

// demote answers the peer's request, or takes up again what was answered before this guard
// began. It has two parts, each of them a look: the Demotion is noted; then the server is
// made read-only, held, and the lock of the demotion taken. Whoever sees that lock may take
// the server's position for final.
func (g *Guard) demote(ctx context.Context, s *Sighting) error {
	if !s.Note.IsDemoted() {
		nonce, scheduler := s.Peer.Record.Request.Nonce, ""
		if s.OwnServer.Variables[eventScheduler] == "ON" {
			scheduler = "ON"
		}
		err := g.observer.updateIf(ctx, s, term.Demote, func(n *term.Note) error {
			return n.Demote(nonce, scheduler, time.Now())
		})
		if err == nil && s.Own.Writable {
			g.demotion.refusable = nonce
		}
		return err
	}
	nonce := s.Note.Demotion.Nonce
	err := g.hold(ctx, s, nonce)
	if err != nil && g.demotion.refusable == nonce && isRefusal(err) {
		return g.refuse(ctx, s, nonce, err)
	}
	return err
}

// isRefusal reports whether a server has said that it cannot, or does not say anything;
// of one that was lost the next look finds out.
func isRefusal(err error) bool {
	return server.ErrorNumber(err) != 0 || errors.Is(err, context.DeadlineExceeded) ||
		finding.HasCode(err, server.NoAnswer) || finding.HasCode(err, cannotDemote)
}

// cannotDemote is the code of a server that cannot be demoted at the moment.
const cannotDemote = "cannot-demote"

// refuse undoes a demotion whose lock was never taken, so that nobody has acted on it.
func (g *Guard) refuse(ctx context.Context, s *Sighting, nonce string, why error) error {
	g.demotion.release()
	g.observer.holds = false
	reason := why.Error()
	if server.ErrorNumber(why) == errLockWait {
		reason = g.busyWith(ctx, s.OwnServer)
	}
	err := g.observer.update(ctx, s, func(n *term.Note) error { return n.Refuse(nonce, reason) })
	if err != nil {
		return err
	}
	g.tell(Event{Name: "demotion refused", Trouble: true, Fields: map[string]any{"reason": reason}})
	if g.Mode == term.Cluster { // whose manager makes it writable again, and no guard
		return nil
	}
	// It was writable by its term until a moment ago.
	if err := g.observer.change(ctx, s.OwnServer, s.OwnServer.Server.Version.SetWritable()); err != nil {
		return err
	}
	return g.observer.restoreScheduler(ctx, s)
}

// busyWith says who keeps the server from becoming read-only, as far as that shows.
func (g *Guard) busyWith(ctx context.Context, own *State) string {
	text := fmt.Sprintf("a statement, or LOCK TABLES, keeps it from becoming read-only for more than %s",
		finding.FormatDuration(demotePatience))
	within, cancel := context.WithTimeout(ctx, ownLimit)
	defer cancel()
	processes, err := own.Server.Processes(within, own.On)
	if err != nil {
		return text
	}
	processes = slices.DeleteFunc(processes, func(p server.Process) bool {
		return p.IsServers() || p.Command == "Sleep" || p.Time < demotePatience
	})
	if len(processes) == 0 {
		return text
	}
	longest := slices.MaxFunc(processes, func(a, b server.Process) int { return cmp.Compare(a.Time, b.Time) })
	return text + "; the longest is that of " + longest.String()
}

// hold makes the server read-only and holds it, as a session of its own.
func (g *Guard) hold(ctx context.Context, s *Sighting, nonce string) error {
	if !s.Own.Published {
		if err := g.observer.publish(ctx, s); err != nil {
			return err
		}
	}
	own := s.OwnServer
	ctx, cancel := context.WithTimeout(ctx, 2*demotePatience)
	defer cancel()
	if held := g.demotion.session; held != nil { // and somebody has lifted read_only
		return own.Server.Exec(ctx, held, own.Server.Version.SetReadOnly())
	}
	session, err := own.Server.Session(ctx)
	if err != nil {
		return err
	}
	if err := g.stopWrites(ctx, s, session); err != nil {
		server.Discard(session)
		return err
	}
	g.demotion.refusable = "" // from here on somebody may see the lock
	taken, err := own.Server.TakeLock(ctx, session, DemotionLock(nonce))
	if err == nil && !taken {
		err = finding.New("", cannotDemote, "", "another session holds the lock of this demotion, that of an ended guard")
	}
	if err != nil {
		server.Discard(session)
		return err
	}
	g.demotion.nonce, g.demotion.server, g.demotion.session = nonce, own.Server, session
	g.observer.holds = true
	return nil
}

// stopWrites ends all that writes, and waits until the position stands.
func (g *Guard) stopWrites(ctx context.Context, s *Sighting, session *sql.Conn) error {
	own := s.OwnServer
	if own.Variables[eventScheduler] == "ON" {
		if err := own.Server.Exec(ctx, session, server.SetEventScheduler("OFF")); err != nil {
			return err
		}
	}
	if err := lockWrites(ctx, own.Server, session); err != nil {
		return err
	}
	if err := noXA(ctx, own.Server, session); err != nil {
		return err
	}
	return settle(ctx, own.Server, session)
}

// lockWrites makes a server read-only, by a session that keeps everybody from writing for as
// long as it lives.
func lockWrites(ctx context.Context, own *server.Server, session *sql.Conn) error {
	if err := own.Exec(ctx, session, server.LockWaitTimeout(demoteTry)); err != nil {
		return err
	}
	err := untilLocked(ctx, own, session, own.Version.SetReadOnly())
	if err == nil && !own.Version.StopsAllWrites() {
		err = untilLocked(ctx, own, session, own.Version.HoldWrites())
	}
	return err
}

// settle ends what accounts with all rights have begun on a server that is read-only, and waits
// until its position stands.
func settle(ctx context.Context, own *server.Server, session *sql.Conn) error {
	if !own.Version.StopsAllWrites() { // nothing is refused for any more
		if err := endTransactions(ctx, own, session); err != nil {
			return err
		}
	}
	before := server.Position{}
	for range demotePatience / atOnce {
		now, err := own.Position(ctx, session)
		if err != nil || now.At(before) {
			return err
		}
		if !before.IsZero() {
			if err := server.Pause(ctx, atOnce); err != nil {
				return err
			}
		}
		before = now
	}
	return finding.New("", cannotDemote, "SHOW FULL PROCESSLIST there",
		"its binary log still grows although it is read-only: at %s", before)
}

// untilLocked tries a statement that waits for all others for demotePatience, and lets them go
// on in between: one that has begun may wait for a row of a transaction that itself waits
// behind this statement, which no server takes for a deadlock.
func untilLocked(ctx context.Context, s *server.Server, session *sql.Conn, statement server.Statement) error {
	err := s.Exec(ctx, session, statement)
	for try := demoteTry; server.ErrorNumber(err) == errLockWait && try < demotePatience; try += demoteTry {
		err = s.Exec(ctx, session, statement)
	}
	return err
}

// noXA refuses prepared transactions: their commit is let through whatever is read-only.
func noXA(ctx context.Context, s *server.Server, on server.Execer) error {
	rows, err := s.Query(ctx, on, "XA RECOVER")
	if server.IsDenied(err) {
		return nil
	}
	if err != nil || len(rows) == 0 {
		return err
	}
	return finding.New("", cannotDemote, "XA RECOVER there lists them: XA COMMIT or XA ROLLBACK each",
		"%d prepared XA transactions wait for their commit, which no read-only server refuses", len(rows))
}

// takeBack ends a demotion whose request was withdrawn; the next look opens the server.
func (g *Guard) takeBack(ctx context.Context, s *Sighting) error {
	nonce := s.Note.Demotion.Nonce
	g.demotion.release()
	g.observer.holds = false
	return g.observer.updateIf(ctx, s, term.TakeBack, func(n *term.Note) error { return n.TakeBack(nonce) })
}

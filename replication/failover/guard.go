package failover

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// GuardLock is the name of the lock that a guard holds on the server of its host, from
// either host to be seen by IS_USED_LOCK: there is one guard at a time, and the next one
// begins when the server is done with what the last one has asked for.
const GuardLock = "gtunnel.guard"

// Guard is the process beside a server of a pair: see the package's comment. One
// goroutine uses it.
type Guard struct {
	Host

	// Looked is told of each look; nil: nobody. It must not wait.
	Looked func(Round)

	observer *Observer
	demotion demotion
	seen     sightings
	login    login
	finished term.Term // whose promotion this guard has ended the work of
	told     told
	copying  string // the nonce of a copy of the peer's for which there is an account: see letCopy
	synced   bool   // what the slave has received is on its disk, and each event will be: see keepRelayLog
	judged   string // what the peer has published of it, and this server has gone beyond: see welcome
}

// Round is one look of a guard.
type Round struct {
	Sighting *Sighting // nil: the note could not be read
	Decision term.Decision
	Err      error // why not all of it could be done
}

// Times of the loop.
const (
	atOnce   = 100 * time.Millisecond // between looks while something is under way
	noteLook = 100 * time.Millisecond // between looks at the note alone
)

// Run looks until ctx ends, and leaves the server as it is.
func (g *Guard) Run(ctx context.Context) error {
	defer g.Close()
	for ctx.Err() == nil {
		if err := g.wait(ctx, g.Look(ctx)); err != nil {
			return nil
		}
	}
	return nil
}

// Close ends the sessions, after the last look; what was seen of the master is noted.
func (g *Guard) Close() {
	g.observe()
	g.demotion.release()
	g.observer.Close()
}

// wait waits for the next look: for a time, or until the note is changed.
func (g *Guard) wait(ctx context.Context, next time.Duration) error {
	before, err := g.Store.Load(ctx)
	for until := time.Now().Add(next); ; {
		left := time.Until(until)
		if left <= 0 {
			return ctx.Err()
		}
		if err := server.Pause(ctx, min(left, noteLook)); err != nil {
			return err
		}
		if left <= noteLook || err != nil {
			continue
		}
		if now, err := g.Store.Load(ctx); err == nil && !now.Changed.Equal(before.Changed) {
			return nil
		}
	}
}

// Look is one round: it reads both servers, asks term.Decide, and does what that says. It
// gives the time until the next one.
func (g *Guard) Look(ctx context.Context) time.Duration {
	g.observe()
	g.holds(ctx)
	round := Round{}
	changed := false
	round.Sighting, round.Err = g.observer.Look(ctx)
	if ctx.Err() != nil {
		return 0
	}
	if round.Err == nil && len(round.Sighting.Note.Databases) > 0 {
		g.Databases = round.Sighting.Note.Databases // a setup may have run meanwhile
	}
	if round.Err == nil && round.Sighting.OwnServer == nil {
		round.Err = errors.Join(round.Sighting.OwnErr, g.endWaits(ctx, round.Sighting))
	}
	if round.Err == nil {
		round.Decision = g.judge(round.Sighting.View)
		changed, round.Err = g.act(ctx, round)
	}
	if g.Looked != nil {
		g.Looked(round)
	}
	g.told.round(g.tell, round, changed)
	switch s := round.Sighting; {
	case changed && round.Err == nil:
		return 0
	case s == nil, round.Err != nil:
		return term.Look
	case s.Note.Request != nil, s.Note.IsDemoted(), s.Note.Follows(),
		s.Peer != nil && s.Peer.Record != nil && s.Peer.Record.Request != nil:
		return atOnce
	}
	return term.Look
}

// observe makes the Observer.
func (g *Guard) observe() {
	if g.observer == nil {
		g.observer = g.Observe()
		g.observer.guards = true
	}
}

// begin begins a session with the own server: it finds out if that was restarted.
func (o *Observer) begin(ctx context.Context, s *server.Server, session *sql.Conn) error {
	if o.guards {
		got, err := s.TakeLock(ctx, session, GuardLock)
		switch {
		case err != nil:
			return err
		case !got:
			return finding.New("", "busy", "end that one; it may be at its end already, then this one begins by itself",
				"another guard runs at the server of this host")
		}
		if err := s.Exec(ctx, session, server.LockWaitTimeout(closePatience)); err != nil {
			return err
		}
	}
	started, err := s.Started(ctx, session)
	if err != nil {
		return err
	}
	if apart := started.Sub(o.started); apart > time.Second || apart < -time.Second {
		o.started, o.ran = started, false
	}
	return nil
}

// act does what was decided, and reports whether the note was changed by it.
func (g *Guard) act(ctx context.Context, r Round) (changed bool, err error) {
	s := r.Sighting
	if !s.Note.IsDemoted() {
		g.demotion.release()
	}
	for _, act := range r.Decision.Acts {
		before := s.Note
		e := g.do(ctx, act, s)
		if errors.Is(e, term.ErrChanged) { // by a command, or it is too old: the next look sees more
			return true, err
		}
		changed = changed || !reflect.DeepEqual(before, s.Note)
		err = errors.Join(err, e)
		if e != nil && act != term.Close {
			return changed, err
		}
		if e == nil {
			g.tellAct(act, s, r.Decision.Reason)
		}
	}
	if err == nil {
		err = g.watch(ctx, s)
	}
	return changed, err
}

// do does one act.
func (g *Guard) do(ctx context.Context, act term.Act, s *Sighting) error {
	switch act {
	case term.NewNote, term.Adopt, term.Withdraw, term.Heard:
		return g.observer.update(ctx, s, func(n *term.Note) error { return s.Apply(act, n) })
	case term.Publish:
		return g.observer.publish(ctx, s)
	case term.Close:
		return g.shut(ctx, s)
	case term.Open:
		return g.observer.lift(ctx, s)
	case term.Demote:
		return g.demote(ctx, s)
	case term.TakeBack:
		return g.takeBack(ctx, s)
	case term.Follow:
		return g.follow(ctx, s)
	case term.StartSlave:
		return g.startSlave(ctx, s)
	}
	return errors.New("the guard knows no act " + string(act))
}

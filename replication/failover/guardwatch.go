package failover

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Times of what a guard watches beside the term.
const (
	noteSeen    = 10 * time.Second // between notes of what was seen of a master that answers
	lookObjects = time.Minute      // between looks at its events and sequences, at the most
	tryLogin    = 10 * time.Minute // between logins as the account of the replication
	retryLogin  = time.Minute      // after one that failed
)

// sightings are what was seen of the master and is not all noted yet: a write of the note
// at each look would be one per second. It is noted at once when the master falls silent.
type sightings struct {
	seen  *term.Seen
	noted time.Time

	// When events and sequences were read last, and how long after that they are read again:
	// each time later, since a new master's events are enabled when it is writable.
	objects time.Time
	wait    time.Duration
}

// login is what came of the last login as the account of the replication.
type login struct {
	tried time.Time
}

// watch does what is to be done beside the acts.
func (g *Guard) watch(ctx context.Context, s *Sighting) error {
	if s.Note.IsDemoted() { // nothing can be written
		return nil
	}
	relayLog := g.keepRelayLog(ctx, s) // whatever else fails
	if err := g.keepScheduler(ctx, s); err != nil {
		return errors.Join(relayLog, err)
	}
	if err := errors.Join(g.watchMaster(ctx, s), g.finishOpening(ctx, s)); err != nil {
		return errors.Join(relayLog, err)
	}
	return errors.Join(relayLog, g.welcome(ctx, s), g.tryLogin(ctx, s), g.observer.keepSemiSync(ctx, s))
}

// keepScheduler keeps MariaDB's events from writing to a server that is read-only and nobody's
// slave, such as an old master after its start: those of some accounts would. A slave has the
// pair's disabled each.
func (g *Guard) keepScheduler(ctx context.Context, s *Sighting) error {
	n, own := &s.Note, s.OwnServer
	switch {
	case n.IsMaster() && own.Writable() && s.Working: // the command does it, or demotes this server
		return nil
	case n.IsMaster() && own.Writable(),
		own.Slave != nil && own.Slave.Active() && n.HasJoined():
		return g.observer.restoreScheduler(ctx, s)
	case own.Writable() || own.Slave != nil || own.Unclear || s.Working || own.Server.Version.StopsAllWrites():
		return nil
	}
	return g.stopScheduler(ctx, s)
}

// finishOpening does what comes after a server was made writable, if the process that made
// it so was ended before that: once for each term.
func (g *Guard) finishOpening(ctx context.Context, s *Sighting) error {
	n, own := &s.Note, s.OwnServer
	if n.Promotion == nil || s.Working || !n.IsMaster() || !own.Writable() || n.IsDemoted() || g.finished.Same(n.Term) {
		return nil
	}
	err := g.afterOpen(ctx, own.Server, n)
	if err == nil {
		g.finished = n.Term
	}
	return err
}

// watchMaster notes what is seen of the master, on its slave.
func (g *Guard) watchMaster(ctx context.Context, s *Sighting) error {
	w := &g.seen
	answers := s.Peer != nil && s.Peer.Record != nil && s.Peer.Record.Term.Same(s.Note.Term)
	switch {
	case s.Note.Term.IsZero() || s.Note.IsMaster():
		w.seen = nil
		return nil
	case !answers && (w.seen == nil || s.Note.Seen != nil && s.Note.Seen.At.Equal(w.seen.At)):
		return nil
	case !answers:
		return g.noteSeen(ctx, s)
	}
	if w.seen == nil {
		w.seen, w.wait = &term.Seen{}, 0
		if s.Note.Seen != nil {
			*w.seen = *s.Note.Seen
		}
	}
	log := s.PeerState.Log
	w.seen.At = s.At.UTC().Truncate(time.Millisecond)
	w.seen.File, w.seen.Offset, w.seen.GTID = log.File, log.Offset, log.GTID
	if status := s.OwnServer.Slave; status != nil && status.IORunning == "Yes" && !status.Read.Before(log) {
		w.seen.Whole = w.seen.At
	}
	if s.Note.SemiSync.Wanted() {
		now, err := s.PeerState.Server.SemiSync(ctx, s.PeerState.On)
		if err != nil {
			return nil //nolint:nilerr // the peer has gone meanwhile: the next look tells
		}
		w.seen.SemiSync = SeenSemiSync(w.seen.SemiSync, now, w.seen.At)
	}
	if changed := g.readObjects(ctx, s); changed || time.Since(w.noted) >= noteSeen {
		return g.noteSeen(ctx, s)
	}
	return nil
}

// readObjects reads, now and then, which events the master has enabled and where its
// sequences stand. What cannot be read is as it was seen before.
func (g *Guard) readObjects(ctx context.Context, s *Sighting) (changed bool) {
	w, p := &g.seen, s.PeerState
	if time.Since(w.objects) < w.wait {
		return false
	}
	w.objects, w.wait = time.Now(), min(2*w.wait+term.Look, lookObjects)
	ctx, cancel := context.WithTimeout(ctx, term.PeerLimit)
	defer cancel()
	events, err := facts.EnabledEvents(ctx, p.Server, p.On, g.Databases)
	if err != nil {
		return false
	}
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = e.Database + "." + e.Name
	}
	sequences, err := facts.Sequences(ctx, p.Server, p.On, g.Databases)
	if err != nil {
		return false
	}
	changed = w.seen.EventsAt.IsZero() || !slices.Equal(names, w.seen.Events) || !maps.Equal(sequences, w.seen.Sequences)
	w.seen.Events, w.seen.EventsAt, w.seen.Sequences = names, w.seen.At, sequences
	return changed
}

// noteSeen notes what was seen.
func (g *Guard) noteSeen(ctx context.Context, s *Sighting) error {
	seen := *g.seen.seen
	g.seen.noted = time.Now()
	return g.observer.update(ctx, s, func(n *term.Note) error {
		if n.Term.Same(s.Note.Term) && !n.IsMaster() {
			n.Seen = &seen
		}
		return nil
	})
}

// tryLogin logs in to the peer as the account of the replication, so that it is known to
// work before it is needed.
func (g *Guard) tryLogin(ctx context.Context, s *Sighting) error {
	row := s.OwnServer.Row
	if g.Follower == nil || s.PeerState == nil || row == nil || !s.Own.Published {
		return nil
	}
	wait := tryLogin
	switch {
	case row.LoginErr != "":
		wait = retryLogin
	case row.LoggedIn.IsZero(): // a command has read the row before the login, and written it after that
		wait = 0
	}
	if !g.login.tried.IsZero() && time.Since(g.login.tried) < wait {
		return nil
	}
	g.login.tried = time.Now()
	within, cancel := context.WithTimeout(ctx, term.PeerLimit)
	defer cancel()
	follower, err := g.Follower(within)
	r := *row
	if err == nil {
		_ = follower.Close() // it has shown what it was to show
		r.LoggedIn, r.LoginErr = g.login.tried.UTC().Truncate(time.Millisecond), ""
	} else {
		r.LoginErr = err.Error()
	}
	s.OwnServer.Row = &r
	if err := g.observer.publish(ctx, s); err != nil {
		g.login.tried = time.Time{} // nobody knows of it
		return err
	}
	return nil
}

package failover

import (
	"context"
	"time"

	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Semi-synchronous replication of a pair. No option file switches a side on: a source that
// is on makes the applier of a slave wait, and the first commit of a master whose slave has
// gone; and MariaDB cuts what its slave has out of the log of a crashed master that is told
// to be a slave (MDEV-33465). So the guard does it, at run time: the slave's side before
// it starts the slave, the master's once such a slave is there.

// keepSemiSync gives the own server the side that its role asks for, if semi-synchronous
// replication is wanted, or was. It changes the note where the slave's host has been told
// otherwise than the master's.
func (o *Observer) keepSemiSync(ctx context.Context, s *Sighting) error {
	if err := o.agreeOnSemiSync(ctx, s); err != nil {
		return err
	}
	wanted := s.Note.SemiSync
	if !wanted.Wanted() && o.semiSyncOff {
		return nil
	}
	own := s.OwnServer
	ctx, cancel := context.WithTimeout(ctx, ownLimit)
	defer cancel()
	now, err := own.Server.SemiSync(ctx, own.On)
	if err != nil {
		return err
	}
	switch {
	case !wanted.Wanted():
		err = o.change(ctx, own, now.Off(own.Server.Version)...)
	case s.Note.IsMaster():
		err = o.beSource(ctx, s, now, wanted)
	default:
		err = o.beReplica(ctx, s, now)
	}
	o.semiSyncOff = err == nil && !wanted.Wanted()
	return err
}

// agreeOnSemiSync takes what the slave's host was told, where setup-slave runs. A host that
// was told nothing, such as one that has lost its note, takes what the other knows.
func (o *Observer) agreeOnSemiSync(ctx context.Context, s *Sighting) error {
	if s.Peer == nil || s.Peer.Record == nil || !s.Peer.Record.Term.Same(s.Note.Term) {
		return nil
	}
	told, own := s.Peer.Record.SemiSync, s.Note.SemiSync
	if told == nil || told.Same(own) || own != nil && !s.Note.IsMaster() {
		return nil
	}
	return o.update(ctx, s, func(n *term.Note) error {
		if n.IsMaster() || n.SemiSync == nil {
			n.SemiSync = told
		}
		return nil
	})
}

// beSource makes a master wait for its slave, once it has one that acknowledges. A master
// without one is left as it is: one that waits goes on waiting, unless the slave's host
// stands aside, or is stated to be off.
func (o *Observer) beSource(ctx context.Context, s *Sighting, now server.SemiSync, wanted *term.SemiSync) error {
	own, v := s.OwnServer, s.OwnServer.Server.Version
	if !own.Writable() || s.Note.IsDemoted() {
		return nil
	}
	if !now.Known {
		return o.change(ctx, own, v.InstallSemiSync()...)
	}
	if waitsForNobody(s, now) {
		if !now.Source {
			return nil
		}
		return o.change(ctx, own, v.StopSemiSyncSource())
	}
	timeout := wanted.Timeout
	if timeout == 0 {
		timeout = server.EndlessTimeout
	}
	right := now.Source && now.Timeout == timeout && now.WaitPoint == server.AfterSync && now.WaitsOn
	if right || now.Slaves == 0 {
		return nil
	}
	return o.change(ctx, own, v.StartSemiSyncSource(timeout))
}

// waitsForNobody reports whether a master has its slave's word that it will not be promoted, or
// the administrator's that it is off, and that has gone: nothing is lost then by a commit that
// it does not have. One that was lost without a word seems to be there for a while.
func waitsForNobody(s *Sighting, now server.SemiSync) bool {
	n := &s.Note
	return n.IsMaster() && (n.Alone == term.StoodAside || n.Alone == term.Stated) && (now.Slaves == 0 || s.Peer == nil)
}

// endWaits lets a master that waits for nobody go on, if it does not answer: on MariaDB a
// commit that waits keeps all others out of the binary log, and who asks where that ends.
func (g *Guard) endWaits(ctx context.Context, s *Sighting) error {
	if !s.Note.SemiSync.Wanted() || !waitsForNobody(s, server.SemiSync{}) || s.Note.IsDemoted() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, ownLimit)
	defer cancel()
	own, err := g.Own(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }() // nothing is left to fail
	now, err := own.SemiSync(ctx, own.DB)
	if err != nil || !now.Source || !waitsForNobody(s, now) {
		return err
	}
	return own.Exec(ctx, own.DB, own.Version.StopSemiSyncSource())
}

// beReplica makes a slave acknowledge. An I/O thread that runs begins to do so at its next
// start: it is started anew if the SQL thread runs, so that nothing received is deleted.
func (o *Observer) beReplica(ctx context.Context, s *Sighting, now server.SemiSync) error {
	own, v := s.OwnServer, s.OwnServer.Server.Version
	if !now.Known {
		statements := v.InstallSemiSync()
		if own.Variables[superReadOnly] == "ON" {
			statements = append(append(v.LetAdministratorsWrite(), statements...), v.SetReadOnly())
		}
		return o.change(ctx, own, statements...)
	}
	if now.Source {
		if err := o.change(ctx, own, v.StopSemiSyncSource()); err != nil {
			return err
		}
	}
	if !now.Replica {
		if err := o.change(ctx, own, v.StartSemiSyncReplica()); err != nil {
			return err
		}
	}
	runs := own.Slave != nil && own.Slave.Running() && !s.Working && s.Note.Request == nil
	if !runs || now.Acknowledges || s.PeerState == nil {
		return nil
	}
	source, err := s.PeerState.Server.SemiSync(ctx, s.PeerState.On)
	if err != nil || !source.Known { // its guard makes it known first
		return err
	}
	return o.change(ctx, own, v.StopSlave(server.IOThread), v.StartSlave(server.IOThread))
}

// SemiSync tells, by a look, how the pair replicates: the master is asked anew. It is nil
// if semi-synchronous replication is neither wanted nor there.
func (s *Sighting) SemiSync(ctx context.Context) *rules.SemiSync {
	master := s.PeerState
	if s.Note.IsMaster() {
		master = s.OwnServer
	}
	if master == nil {
		return rules.SeeSemiSync(&s.Note, nil, s.At)
	}
	ctx, cancel := context.WithTimeout(ctx, term.PeerLimit)
	defer cancel()
	now, err := master.Server.SemiSync(ctx, master.On)
	if err != nil {
		return rules.SeeSemiSync(&s.Note, nil, s.At)
	}
	return rules.SeeSemiSync(&s.Note, &now, s.At)
}

// semiSyncGap is for how long a master need not have been seen until nobody knows whether it
// has waited all the time: it may have been restarted. What was seen is noted every noteSeen.
const semiSyncGap = 2 * noteSeen

// SeenSemiSync is what a slave's guard notes of its master's semi-synchronous replication:
// before is what it noted last. It is in force since the first look of those without a gap.
func SeenSemiSync(before *term.SemiSyncSeen, now server.SemiSync, at time.Time) *term.SemiSyncSeen {
	if !now.Known || !now.Source && before == nil {
		return nil
	}
	seen := &term.SemiSyncSeen{
		InForce: now.WaitsNow(), At: at,
		Fallbacks: now.Fallbacks, Endless: now.Endless(), WaitPoint: now.WaitPoint,
	}
	if seen.InForce {
		seen.Since = at
		if before != nil && before.InForce && before.Fallbacks == now.Fallbacks && at.Sub(before.At) < semiSyncGap {
			seen.Since = before.Since
		}
	}
	return seen
}

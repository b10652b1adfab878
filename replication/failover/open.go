package failover

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Open makes the server of this host writable, if term.Decide says so of what is read at
// this moment; where the new term must stand published for a while, it waits for that.
// Otherwise the error is a *finding.Problem with the Code of the decision. It is what a
// command does once the term is this host's; the guard does the same.
func (o *Observer) Open(ctx context.Context) error {
	for {
		s, err := o.Look(ctx)
		switch {
		case err != nil:
			return err
		case s.OwnServer == nil:
			return s.OwnErr
		case s.Note.IsMaster() && !s.Note.IsDemoted() && s.Own.Writable:
			return o.restoreScheduler(ctx, s)
		}
		d := o.host.judge(s.View)
		acted, err := o.prepare(ctx, s, d)
		switch {
		case errors.Is(err, term.ErrChanged), err == nil && acted && !slices.Contains(d.Acts, term.Open):
		case err != nil:
			return err
		case slices.Contains(d.Acts, term.Open):
			if err := o.lift(ctx, s); !errors.Is(err, term.ErrChanged) {
				return errors.Join(err, o.restoreScheduler(ctx, s))
			}
		case d.Code == term.Announcing:
			if err := server.Pause(ctx, atOnce); err != nil {
				return err
			}
		default:
			return finding.New("", string(d.Code), d.Cure, "%s", d.Reason)
		}
	}
}

// prepare does those acts of a decision that are of the note and its row alone.
func (o *Observer) prepare(ctx context.Context, s *Sighting, d term.Decision) (acted bool, err error) {
	for _, act := range d.Acts {
		switch act {
		case term.Adopt, term.Withdraw, term.Heard:
			err = o.update(ctx, s, func(n *term.Note) error { return s.Apply(act, n) })
		case term.Publish:
			err = o.publish(ctx, s)
		default:
			continue
		}
		if acted = true; err != nil {
			return acted, err
		}
	}
	return acted, nil
}

// lift makes the server writable, as was decided by a sighting: it is the only code that
// does so. What is left of a slave is forgotten before, and sessions are ended whose writes
// the other would pass over; all that was received is applied before a term is raised.
// ErrChanged is that the sighting is too old.
func (o *Observer) lift(ctx context.Context, s *Sighting) error {
	own := s.OwnServer
	if s.Peer != nil && time.Since(s.At) > term.PeerLimit {
		return term.ErrChanged
	}
	if own.Slave != nil {
		if own.Slave.Active() || s.Note.Term.By == term.BySetup && own.Slave.Unapplied() {
			return finding.New(finding.Slave, string(term.StillSlave), "gtunnel replication status says more",
				"this host is the master, by the term %d, and its server still follows another", s.Note.Term.Number)
		}
		if err := o.change(ctx, own, own.Server.Version.ResetSlaveAll()); err != nil {
			return err
		}
	}
	if err := o.host.beforeOpen(ctx, own.Server, &s.Note); err != nil {
		return err
	}
	if err := o.endOldSessions(ctx, own); err != nil {
		return err
	}
	// What was decided must still be so: the guard may have demoted the server meanwhile.
	now, err := o.host.Store.Load(ctx)
	if err != nil {
		return err
	}
	if !now.Term.Same(s.Note.Term) || now.IsDemoted() {
		return term.ErrChanged
	}
	if err := o.change(ctx, own, own.Server.Version.SetWritable()); err != nil {
		return err
	}
	own.Variables[readOnly] = "OFF"
	return o.host.afterOpen(ctx, own.Server, &s.Note)
}

// restoreScheduler gives event_scheduler the value that it had before this server was made
// read-only.
func (o *Observer) restoreScheduler(ctx context.Context, s *Sighting) error {
	if s.Note.EventScheduler == "" {
		return nil
	}
	if s.OwnServer.Variables[eventScheduler] != "DISABLED" { // by the option file: nothing can be done
		if err := o.change(ctx, s.OwnServer, server.SetEventScheduler(s.Note.EventScheduler)); err != nil {
			return err
		}
	}
	return o.update(ctx, s, func(n *term.Note) error { n.SchedulerSet(); return nil })
}

// change changes the own server. Nobody waits for it without end.
func (o *Observer) change(ctx context.Context, own *State, statements ...server.Statement) error {
	ctx, cancel := context.WithTimeout(ctx, ownLimit)
	defer cancel()
	return own.Server.Exec(ctx, own.On, statements...)
}

// update changes the note, and gives the sighting what it is then.
func (o *Observer) update(ctx context.Context, s *Sighting, change func(*term.Note) error) error {
	after, err := o.host.Store.Update(ctx, change)
	if err == nil {
		s.Note = after
	}
	return err
}

// updateIf changes the note if an act is still decided by what it is then.
func (o *Observer) updateIf(ctx context.Context, s *Sighting, act term.Act, change func(*term.Note) error) error {
	return o.update(ctx, s, func(n *term.Note) error {
		v := s.View
		if v.Note = *n; !slices.Contains(o.host.judge(v).Acts, act) {
			return term.ErrChanged
		}
		return change(n)
	})
}

// publish writes the row of the own server.
func (o *Observer) publish(ctx context.Context, s *Sighting) error {
	own := s.OwnServer
	ctx, cancel := context.WithTimeout(ctx, ownLimit)
	defer cancel()
	r := o.record(s)
	super := own.Variables[superReadOnly] == "ON"
	err := term.PublishRecord(ctx, own.Server, r, super)
	if number := server.ErrorNumber(err); number == 1049 || number == 1146 { // no such database, no such table
		// The setup has made it; a copy of another server has taken it away.
		if err = own.runLocally(ctx, term.MakeTable(facts.MonitorUser, server.Loopback)); err == nil {
			err = term.PublishRecord(ctx, own.Server, r, super)
		}
	}
	if err == nil {
		own.Row = &r
		o.knowsFor(s) // which counts from here
	}
	return err
}

// runLocally runs statements which log nothing, on a server that stays read-only.
func (s *State) runLocally(ctx context.Context, statements []server.Statement) error {
	if s.Variables[superReadOnly] != "ON" {
		return s.Server.Run(ctx, statements)
	}
	err := s.Server.Run(ctx, append(s.Server.Version.LetAdministratorsWrite(), statements...))
	within, cancel := server.CleanUp(ctx)
	defer cancel()
	if again := s.Server.Run(within, []server.Statement{s.Server.Version.SetReadOnly()}); err == nil {
		err = again
	}
	return err
}

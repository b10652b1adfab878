package replication

import (
	"context"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// SemiSyncWish is what setup-slave was told of semi-synchronous replication.
type SemiSyncWish struct {
	Given bool // it was told something
	Want  *term.SemiSync
}

// noteSemiSync notes it, and publishes the note: the guards of both hosts do the rest.
type noteSemiSync struct{ want *term.SemiSync }

// semiSyncStep notes how the pair is to replicate. It names no statement: each guard
// switches the side of its own server on, and no option file does.
func (w *PairWant) semiSyncStep(p *Plan, v server.Version) {
	wish := w.SemiSync
	wanted := wish.Want.Wanted()
	if !wish.Given || wish.Want.Same(w.Note.SemiSync) || !wanted && w.Note.SemiSync == nil {
		return
	}
	if wanted && !v.HasSemiSync() {
		p.Problem(finding.Slave, "semi-sync-version", "leave --semi-sync out",
			"%s has no semi-synchronous replication that gtunnel can use: MariaDB 10.3.3 and MySQL 5.7.3 are the first", v)
		return
	}
	step := &Step{
		Name: "semi-sync", On: finding.Slave, What: "note that the replication is not to be semi-synchronous",
		Action: noteSemiSync{want: wish.Want}, UndoByHand: "gtunnel replication setup-slave --semi-sync=off",
	}
	if wanted {
		step.What = "note that a commit on the master is to wait until the slave has it, " + wish.Want.String()
		step.Why = "the guards of both hosts switch it on while the servers run: the slave's side before the slave is" +
			" started, the master's once such a slave is there; no option file does, because a crashed master would wait" +
			" for ever, or lose what its slave has"
	} else {
		step.UndoByHand = "gtunnel replication setup-slave --semi-sync"
	}
	p.add(step)
}

// NoteSemiSync notes how the pair is to replicate, on a slave that is set up, and changes
// nothing else: neither the hand-over file nor the master is needed for it.
func (s *Setup) NoteSemiSync(ctx context.Context) (changed bool, err error) {
	note, err := s.Pair.Store.Load(ctx)
	if err != nil {
		return false, err
	}
	plan := &Plan{}
	(&PairWant{Note: note, SemiSync: s.Pair.SemiSync}).semiSyncStep(plan, s.Slave.Version)
	agreed, err := s.Consent(plan)
	if err != nil || !agreed {
		return false, err
	}
	applier := &Applier{Slave: s.Slave, Pair: s.Pair, Dialogue: s.Dialogue}
	return len(plan.Steps) > 0, applier.Apply(ctx, plan)
}

func (a *Applier) noteSemiSync(ctx context.Context, step *Step, n noteSemiSync) error {
	note, err := a.Pair.Store.Update(ctx, func(note *term.Note) error {
		note.SemiSync = n.want
		return nil
	})
	if err != nil {
		return err
	}
	on := a.on(step)
	f, err := facts.ReadVariables(ctx, on, on.DB, "super_read_only")
	if err != nil {
		return err
	}
	row, err := term.ReadRecord(ctx, on, on.DB)
	if err != nil {
		return err
	}
	record := note.Record()
	if row != nil && row.HostID == record.HostID {
		record.LoggedIn, record.LoginErr = row.LoggedIn, row.LoginErr
	}
	return term.PublishRecord(ctx, on, record, f.On("super_read_only"))
}

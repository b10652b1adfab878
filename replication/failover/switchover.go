package failover

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Switchover makes this host, which has the slave, the master of the pair, while the other
// one is alive: see the package's comment. It is for one Run at a time.
type Switchover struct {
	Host
	replication.Dialogue

	// Nonce is that of the new term: random, and new for each Switchover.
	Nonce string

	eyes     *Observer
	own      *server.Server
	note     term.Note
	before   *SwitchoverFacts
	writable time.Time      // when the other was last asked, and was still writable; zero: it was not
	end      SwitchoverSide // the other, once it was demoted
	then     SwitchoverSide // this host, a moment later
	raised   bool
	stopped  bool
	outcome  Switched
}

// Switched is what has come of a switchover.
type Switched struct {
	Changed bool      // something was done
	Term    term.Term // now

	// Pause is for how long nobody could write, at the most: from the last look at which
	// the old master was still writable until the new one was. Zero: that is not known, as
	// when another run has begun.
	Pause time.Duration

	// Follows is that the old master is the slave.
	Follows bool
}

// Run makes the plan, and carries it out if it is agreed to. What fails before the term is
// raised is taken back; afterwards, the same again ends it.
func (s *Switchover) Run(ctx context.Context) (*Switched, error) {
	if err := s.mustBeOrdered(); err != nil {
		return nil, err
	}
	done, err := s.Store.Work(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if s.own, err = s.Own(ctx); err != nil {
		return nil, err
	}
	defer func() { _ = s.own.Close() }() // nothing is left to fail
	s.eyes = s.Observe()
	s.eyes.first = s.own.First
	defer s.eyes.Close()
	if s.before, err = s.readSwitchover(ctx); err != nil {
		return nil, err
	}
	s.note, s.raised = s.before.Note, s.before.raised()
	s.outcome.Term = s.note.Term
	plan := PlanSwitchover(s.before)
	agreed, err := s.Consent(plan)
	if err != nil || !agreed {
		return &s.outcome, err
	}
	s.outcome.Changed = true
	if err := s.Carry(ctx, plan, s.do); err != nil {
		return &s.outcome, s.failed(ctx, plan, err)
	}
	return &s.outcome, nil
}

// do does one step.
func (s *Switchover) do(ctx context.Context, step *replication.Step) error {
	switch action := step.Action.(type) {
	case nil:
		if step.Name == stopSlave {
			s.stopped = true
		}
		return s.change(ctx, step.SQL)
	case keepUp:
		return s.keepUp(ctx)
	case noteRequest:
		return s.request(ctx, action)
	case awaitDemotion:
		return s.awaitDemotion(ctx, action)
	case applyAll:
		return s.applyAll(ctx)
	case raiseTerm:
		return s.raise(ctx, action)
	case publishTerm:
		return s.publish(ctx)
	case openServer:
		return s.openServer(ctx)
	case awaitSlave:
		return s.awaitSlave(ctx)
	default:
		panic(fmt.Sprintf("failover: no step of a switchover does %T", action))
	}
}

// statementLimit bounds each statement that changes the server: nobody can write
// meanwhile.
const statementLimit = 10 * time.Second

// run runs statements on this host's server.
func (s *Switchover) run(ctx context.Context, statements []server.Statement) error {
	ctx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	return s.own.Run(ctx, statements)
}

// change runs statements that need no session of their own: a new one takes its time, in
// which nobody can write.
func (s *Switchover) change(ctx context.Context, statements []server.Statement) error {
	ctx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	return s.own.Exec(ctx, s.own.DB, statements...)
}

// request notes the request and publishes it.
func (s *Switchover) request(ctx context.Context, r noteRequest) (err error) {
	s.note, err = s.Store.Update(ctx, func(n *term.Note) error { return n.Begin(r.nonce, term.BySwitchover, time.Now()) })
	if err != nil {
		return err
	}
	if s.note.Request == nil || s.note.Request.Nonce != r.nonce {
		return finding.New(finding.Own, "busy", "run this again", "another request has come meanwhile")
	}
	return s.publish(ctx)
}

// raise makes the request the term, after a last look at the other.
func (s *Switchover) raise(ctx context.Context, r raiseTerm) error {
	seen, err := s.look(ctx)
	if err == nil {
		err = s.mustBeDemoted(seen, r.nonce)
	}
	if err == nil {
		err = s.passFiltered(ctx, seen)
	}
	if err != nil {
		return err
	}
	raised := term.Raised{
		Nonce: r.nonce, At: time.Now(), Start: s.start(seen), Alone: term.Demoted, Promotion: s.promotion(ctx, seen),
	}
	note, err := s.Store.Update(ctx, func(n *term.Note) error { return n.Raise(raised) })
	if err != nil {
		// The write may have been done, and its answer lost.
		if now, lost := s.Store.Load(ctx); lost == nil && now.IsMaster() {
			s.raised = true
		}
		return err
	}
	s.note, s.raised, s.outcome.Term = note, true, note.Term
	s.tell(Event{Name: "promoted", Fields: map[string]any{
		"term": note.Term.Number, "by": string(note.Term.By), "applied": s.end.Log.String(),
	}})
	return nil
}

// passFiltered lets this server's binary log come to where the other's ends, which has also
// what is not replicated, such as accounts: in gtid_strict_mode the old master could not log
// what comes next otherwise. The last GTIDs are those of the other itself, so that nothing
// of it is in the way should the term not be raised.
func (s *Switchover) passFiltered(ctx context.Context, seen *Sighting) error {
	if !s.before.Other.Strict || s.own.Version.Family != server.MariaDB {
		return nil
	}
	lacking, err := lacksJudged(ctx, s.own, s.end.Log.GTID)
	for _, g := range server.ParseGTIDs(lacking) {
		if err == nil {
			err = s.run(ctx, server.LogGTID(g))
		}
	}
	if err != nil || lacking == "" {
		return err
	}
	now, err := s.look(ctx)
	if err == nil {
		seen.OwnServer = now.OwnServer
	}
	return err
}

// start is where the history of the new master parts from that of the old one.
func (s *Switchover) start(seen *Sighting) term.Start {
	own := seen.OwnServer
	start := term.Start{
		OldFile: s.end.Log.File, OldOffset: s.end.Log.Offset, OldGTID: own.Log.GTID,
		File: own.Log.File, Offset: own.Log.Offset, GTID: own.Log.GTID,
	}
	if own.Server.Version.Family == server.MariaDB {
		start.OldGTID = own.Applied
	}
	return start
}

// promotion is what is left to do once this host is the master: see beforeOpen and
// afterOpen. The sequences are read now that nobody uses them.
func (s *Switchover) promotion(ctx context.Context, seen *Sighting) *term.Promotion {
	p := &term.Promotion{Events: s.before.Other.Events, Old: oldConnection(s.before.Own.Slave)}
	if n := seen.Note.Seen; n != nil && len(n.Sequences) > 0 {
		p.Sequences = n.Sequences
		within, cancel := context.WithTimeout(ctx, term.PeerLimit)
		defer cancel()
		if now, err := facts.Sequences(within, seen.PeerState.Server, seen.PeerState.On, s.Databases); err == nil {
			p.Sequences = now // else they are set beyond what was seen by a margin
		}
	}
	return p
}

// publish writes the row of the note, which the guard may do as well.
func (s *Switchover) publish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	return term.PublishRecord(ctx, s.own, s.before.record(&s.note), s.before.Own.Super)
}

// failed takes back what was done, unless the term is raised.
func (s *Switchover) failed(ctx context.Context, p *replication.Plan, err error) error {
	if s.raised {
		return errors.Join(err, finding.New(finding.Own, "unfinished", "gtunnel replication switchover",
			"%s is the master by the term %d; what is left to do was not done, and the same command again does it",
			s.Name, s.note.Term.Number))
	}
	ctx, cancel := server.CleanUp(ctx)
	defer cancel()
	return errors.Join(err, s.takeBack(ctx, p))
}

// takeBack undoes what was done, by the SQL of the plan. The withdrawal comes first: only
// if it could be made is the term known not to be raised.
func (s *Switchover) takeBack(ctx context.Context, p *replication.Plan) error {
	if s.note.Request == nil {
		return nil // nothing was done
	}
	nonce := s.note.Request.Nonce
	note, err := s.Store.Update(ctx, func(n *term.Note) error { return n.Withdraw(nonce) })
	if err != nil {
		return err
	}
	s.note = note
	s.tell(Event{Name: "request withdrawn", Trouble: true, Fields: map[string]any{
		"term": note.Term.Number, "master": note.Term.Master,
	}})
	var errs []error
	for _, step := range slices.Backward(p.Steps) {
		if _, asked := step.Action.(noteRequest); asked {
			errs = append(errs, s.publish(ctx))
		} else if step.Name == stopSlave && s.stopped {
			errs = append(errs, s.change(ctx, step.Undo))
		}
	}
	return errors.Join(append(errs, s.awaitTakenBack(ctx, nonce))...)
}

package failover

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// do does a step of a promotion.
func (p *Promote) do(ctx context.Context, step *replication.Step) error {
	switch action := step.Action.(type) {
	case nil:
		return p.own.Change(ctx, step.SQL...)
	case enableEvents:
		return p.own.Run(ctx, step.SQL)
	case runHook:
		return p.hook(ctx, action.hook)
	case begin:
		return p.begin(ctx)
	case stopReceiving:
		return p.stopReceiving(ctx, step.SQL)
	case keepRelayLog:
		return p.keepRelayLog(ctx, action.index)
	case awaitApplied:
		return p.awaitApplied(ctx)
	case stopApplying:
		return p.stopApplying(ctx, step.SQL)
	case askAgain:
		return p.askAgain(ctx)
	case raise:
		return p.raise(ctx)
	case makeWritable:
		return p.makeWritable(ctx)
	case verify:
		return p.verify(ctx)
	default:
		panic(fmt.Sprintf("failover: no step of a promotion does %T", action))
	}
}

// begin notes the request. Whoever has stated that the peer is fenced, has ended the
// promise not to be promoted as well.
func (p *Promote) begin(ctx context.Context) error {
	note, err := p.Store.Update(ctx, func(n *term.Note) error {
		n.StandBy()
		return n.Begin(p.Nonce, term.ByPromotion, time.Now())
	})
	if err != nil {
		return err
	}
	p.request = note.Request.Nonce
	return nil
}

// stopReceiving stops the I/O thread, unless the SQL thread has stopped meanwhile: its
// next start would then delete what was received.
func (p *Promote) stopReceiving(ctx context.Context, statements []server.Statement) error {
	status, err := p.own.SlaveStatus(ctx, p.own.DB)
	if err != nil {
		return err
	}
	if status != nil && status.SQLRunning != "Yes" {
		return cannotApply(status)
	}
	return p.own.Change(ctx, statements...)
}

// keepRelayLog copies the relay log.
func (p *Promote) keepRelayLog(ctx context.Context, index string) error {
	directory, err := p.KeepRelayLog(ctx, p.own, index)
	if err != nil {
		return &finding.Problem{
			On: finding.Own, Code: "relay-log-copy", Text: "the relay log could not be copied", Err: err,
			Cure: "make room where --state-dir is; then run this command again: nothing is lost yet",
		}
	}
	p.tell("relay log copied", map[string]any{"to": directory})
	return nil
}

// awaitApplied waits until all that was received is applied. What that is, is read now:
// the I/O thread is stopped. Only of a relay log that is applied by hand it was known
// before, and the server does not tell any more.
func (p *Promote) awaitApplied(ctx context.Context) error {
	began := time.Now()
	defer func() { p.times.Apply += time.Since(began) }()
	want := p.facts.slave.received
	if p.facts.slave.tail == nil {
		state, err := readSlave(ctx, p.own)
		if err != nil {
			return err
		}
		if state.status == nil {
			return noConnection()
		}
		want = state.received
	}
	if err := waitApplied(ctx, p.own, want, p.Waiting); err != nil {
		return err
	}
	p.applied = true
	return nil
}

// stopApplying stops the slave, of which all that was received whole is applied. Threads that
// have a part of a transaction are ended first: the rest of it does not come any more.
func (p *Promote) stopApplying(ctx context.Context, statements []server.Statement) error {
	if err := p.endParts(ctx); err != nil {
		return err
	}
	stopping, stopped := context.WithCancel(ctx)
	var ending sync.WaitGroup
	ending.Go(func() { // a busy host's thread comes to its part only then
		for server.Pause(stopping, partsLook) == nil {
			_ = p.endParts(stopping) // the stop takes a minute then
		}
	})
	err := p.own.Change(ctx, statements...)
	stopped()
	ending.Wait()
	return err
}

// partsLook is how often it is looked for such threads while the slave stops.
const partsLook = time.Second

// endParts ends the threads that have a part of a transaction. Without the right to it the
// stop takes a minute.
func (p *Promote) endParts(ctx context.Context) error {
	parts, err := p.own.Parts(ctx, p.own.DB)
	if err == nil {
		err = kill(ctx, p.own, p.own.DB, parts)
	}
	const notOwner = 1095
	if server.IsDenied(err) || server.ErrorNumber(err) == notOwner {
		return nil
	}
	return err
}

// askAgain looks for signs of life once more.
func (p *Promote) askAgain(ctx context.Context) error {
	began := time.Now()
	defer func() { p.times.Silence += time.Since(began) }()
	note, err := p.Store.Load(ctx)
	if err != nil {
		return err
	}
	p.life.asked = false // it may be coming back: with all patience
	_, err = p.life.awaitSilence(ctx, &note, p.Waiting)
	return err
}

// raise makes the request the term. Where the histories of the two part is read just
// before: nothing is applied any more.
func (p *Promote) raise(ctx context.Context) error {
	start, err := p.start(ctx)
	if err != nil {
		return err
	}
	note, err := p.Store.Update(ctx, func(n *term.Note) error {
		return n.Raise(term.Raised{
			Nonce: p.request, At: time.Now(), Start: start, Alone: term.Fenced, Promotion: p.facts.promotion,
		})
	})
	if err != nil {
		return err
	}
	p.request, p.facts.note = "", note
	applied := server.Position{File: start.OldFile, Offset: start.OldOffset}
	p.tell("promoted", map[string]any{"term": note.Term.Number, "applied": applied.String()})
	return nil
}

// start is where the own server stands.
func (p *Promote) start(ctx context.Context) (term.Start, error) {
	state, err := readSlave(ctx, p.own)
	if err != nil {
		return term.Start{}, err
	}
	if problem := state.mustBeApplied(); problem != nil && !p.applied {
		return term.Start{}, problem
	}
	log, err := p.own.Position(ctx, p.own.DB)
	if err != nil {
		return term.Start{}, err
	}
	if p.own.Version.Family == server.MariaDB {
		if log.GTID, err = p.own.Value(ctx, p.own.DB, "SELECT @@GLOBAL.gtid_binlog_pos"); err != nil {
			return term.Start{}, err
		}
	}
	start := term.Start{OldGTID: state.applied, File: log.File, Offset: log.Offset, GTID: log.GTID}
	if s := state.status; s != nil {
		at := s.Executed
		if tail := p.facts.slave.tail; tail != nil && at.IsZero() {
			at = tail.Read
		}
		start.OldFile, start.OldOffset = at.File, at.Offset
	}
	return start, nil
}

// makeWritable publishes the term, waits until the guard of the peer had time to read it,
// and makes the server writable.
func (p *Promote) makeWritable(ctx context.Context) error {
	began := time.Now()
	defer func() { p.times.Announce += time.Since(began) }()
	if p.Ordered {
		return p.obey(ctx)
	}
	if p.Waiting != nil {
		p.Waiting(fmt.Sprintf("the new term is published for %s before clients can write", term.Announce))
	}
	if err := p.observer.announce(ctx); err != nil {
		return err
	}
	return p.observer.Open(ctx)
}

// verify looks as a client would, by a new login.
func (p *Promote) verify(ctx context.Context) error {
	own, err := p.Own(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }() // nothing is left to fail
	variables, err := own.Variables(ctx, own.DB, readOnly, superReadOnly)
	if err != nil {
		return err
	}
	for name, value := range variables {
		if value != "OFF" && value != "0" {
			return finding.New(finding.Own, "not-writable", "gtunnel replication status says why; then run this command again",
				"the term is this host's, and its server is not writable: %s is %s", name, value)
		}
	}
	status, err := own.SlaveStatus(ctx, own.DB)
	if err == nil && status != nil {
		err = finding.New(finding.Own, string(term.StillSlave), "run this command again",
			"this server still has a connection to a master")
	}
	return err
}

// hook runs a hook. That post-promote has failed is told, and no error.
func (p *Promote) hook(ctx context.Context, hook Hook) error {
	began := time.Now()
	number := p.facts.note.NextNumber()
	if p.facts.raised() {
		number = p.facts.note.Term.Number
	}
	run := p.Hooks.run(ctx, hook, p.hookEnvironment(hook, number))
	p.times.Hooks += time.Since(began)
	if run == nil {
		return nil
	}
	noted := run.note(number)
	if p.Tell != nil {
		p.Tell(hookEvent(&noted))
	}
	if p.Ran != nil {
		p.Ran(run)
	}
	if run.Err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, err := p.Store.Update(ctx, func(n *term.Note) error { n.RanHook(noted); return nil }); err != nil {
		return err
	}
	if run.Err == nil || hook == PostPromoteHook {
		return nil
	}
	cure := "mend what it says, and run this command again"
	if hook == FenceHook {
		cure = "make sure yourself that " + p.Peer + " is off; then: " + p.facts.command(p.PromoteWant, p.Peer)
	}
	return &finding.Problem{
		On: finding.Own, Code: HookCode, Cure: cure, Err: run.Err,
		Text: fmt.Sprintf("the hook %s (%s) does not let this host become the master%s", hook, run.Path, said(run.Output)),
	}
}

// said is what a hook has printed, for a sentence.
func said(output string) string {
	if output == "" {
		return ""
	}
	return ", and says: " + strings.Join(strings.Fields(output), " ")
}

// hookEnvironment is what a hook is told: see Hooks.
func (p *Promote) hookEnvironment(hook Hook, number uint64) []string {
	f := p.facts
	since := ""
	if !f.loss.Whole.IsZero() {
		since = f.loss.Whole.UTC().Format(time.RFC3339)
	}
	env := []string{
		"GTUNNEL_HOST=" + p.Name, "GTUNNEL_PEER=" + p.Peer, "GTUNNEL_TERM=" + strconv.FormatUint(number, 10),
		"GTUNNEL_SOCKET=" + p.own.Login.Address, "GTUNNEL_DATABASES=" + strings.Join(p.Databases, ","),
		"GTUNNEL_UNKNOWN_SINCE=" + since,
	}
	start := f.note.Term.Start
	if hook != FenceHook {
		applied := f.slave.received.Applied
		if f.raised() {
			applied = server.Position{File: start.OldFile, Offset: start.OldOffset, GTID: start.OldGTID}
		}
		env = append(env, "GTUNNEL_APPLIED="+applied.String(), "GTUNNEL_GTID="+cmp.Or(applied.GTID, f.slave.applied))
	}
	return env
}

// tell tells of an event, with its fields.
func (p *Promote) tell(name string, fields map[string]any) {
	if p.Tell != nil {
		p.Tell(Event{Name: name, Fields: fields})
	}
}

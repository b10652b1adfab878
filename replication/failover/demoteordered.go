package failover

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Demote makes the server of this host read-only because a cluster manager says so, and
// leaves the term as it is: the guard of such a host does not open it again, the next
// promotion by the manager does, and a switchover to the other host finds that nobody
// writes. Run is called once.
type Demote struct {
	Host
	replication.Dialogue

	own *server.Server
}

// demoteFacts are all that the plan of a Demote depends on.
type demoteFacts struct {
	version   server.Version
	follows   bool // it is a slave, whose events are disabled each
	closed    bool // nobody writes who is not let through whatever is read-only
	scheduler bool // event_scheduler is on
	open      int  // connections that have begun to write, and may end that on a server that is read-only
}

// The actions of its steps.
type (
	stopEvents struct{}
	stopWrites struct{}
	seeClosed  struct{}
)

// Run does so, and reports whether there was anything to do. Done again, it ends what a run
// that was cut off has begun.
func (d *Demote) Run(ctx context.Context) (changed bool, err error) {
	if err := d.mustBeOrdered(); err != nil {
		return false, err
	}
	if d.own, err = d.Own(ctx); err != nil {
		return false, err
	}
	defer func() { _ = d.own.Close() }() // nothing is left to fail
	facts, err := d.read(ctx)
	if err != nil {
		return false, err
	}
	plan := facts.plan()
	if len(plan.Steps) > 0 {
		done, err := d.Store.Work(ctx)
		if err != nil {
			return false, err
		}
		defer done()
	}
	agreed, err := d.Consent(plan)
	if err != nil || !agreed {
		return false, err
	}
	return true, d.Carry(ctx, plan, d.do)
}

// read reads them.
func (d *Demote) read(ctx context.Context) (*demoteFacts, error) {
	variables, err := d.own.Variables(ctx, d.own.DB, readOnly, superReadOnly, eventScheduler)
	if err != nil {
		return nil, err
	}
	slave, err := d.own.SlaveStatus(ctx, d.own.DB)
	if err != nil {
		return nil, err
	}
	f := &demoteFacts{version: d.own.Version, follows: slave != nil, scheduler: variables[eventScheduler] == "ON"}
	if f.closed = isClosed(d.own.Version, variables); f.closed && !d.own.Version.StopsAllWrites() {
		open, err := d.own.OpenTransactions(ctx, d.own.DB)
		if err != nil {
			return nil, err
		}
		f.open = len(open)
	}
	return f, nil
}

// isClosed reports whether a server is as read-only as it can be.
func isClosed(v server.Version, variables map[string]string) bool {
	return variables[readOnly] == "ON" && (!v.StopsAllWrites() || variables[superReadOnly] == "ON")
}

// plan is what is left to do. It is pure.
func (f *demoteFacts) plan() *replication.Plan {
	p := &replication.Plan{}
	v := f.version
	if f.scheduler && !f.follows {
		add(p, &replication.Step{
			Name: "stop-events", On: finding.Own, What: "stop the event scheduler", Action: stopEvents{},
			Why: "its events write as well, some of them on a server that is read-only; it is noted that it was on",
			SQL: []server.Statement{server.SetEventScheduler("OFF")},
			UndoByHand: "not needed: it is on again when the cluster manager promotes this host, or when it follows the" +
				" other",
		})
	}
	if !f.closed || f.open > 0 && !f.follows {
		statements := []server.Statement{server.LockWaitTimeout(demoteTry), v.SetReadOnly()}
		if !v.StopsAllWrites() && !f.follows {
			statements = append(statements, v.HoldWrites())
		}
		add(p, &replication.Step{
			Name: "read-only", On: finding.Own, What: "make the server read-only", SQL: statements,
			Why: "sessions with open transactions of accounts with all rights are ended, and the position of its binary" +
				" log is read until two readings are equal", Action: stopWrites{},
			UndoByHand: "gtunnel replication promote --cluster, which the cluster manager runs when it promotes this host",
		})
	}
	if len(p.Steps) > 0 {
		add(p, &replication.Step{
			Name: "verify", On: finding.Own, What: "see that nobody can write here", Action: seeClosed{},
		})
	}
	return p
}

// do does one step.
func (d *Demote) do(ctx context.Context, step *replication.Step) error {
	switch action := step.Action.(type) {
	case stopEvents:
		_, err := d.Store.Update(ctx, func(n *term.Note) error { n.SchedulerWas("ON"); return nil })
		if err != nil {
			return err
		}
		return d.own.Exec(ctx, d.own.DB, step.SQL...)
	case stopWrites:
		return d.stopWrites(ctx)
	case seeClosed:
		return d.verify(ctx)
	default:
		panic(fmt.Sprintf("failover: no step of a demotion does %T", action))
	}
}

// stopWrites makes the server read-only, whatever clients do: those that are in the way of it
// for too long are ended.
func (d *Demote) stopWrites(ctx context.Context) error {
	session, err := d.own.Session(ctx)
	if err != nil {
		return err
	}
	defer server.Discard(session) // with the read lock: the server stays read-only
	slave, err := d.own.SlaveStatus(ctx, session)
	if err != nil {
		return err
	}
	lock := lockWrites
	if slave != nil { // its threads write
		lock = func(ctx context.Context, own *server.Server, session *sql.Conn) error {
			return own.Exec(ctx, session, own.Version.SetReadOnly())
		}
	}
	err = lock(ctx, d.own, session)
	for try := 1; server.ErrorNumber(err) == errLockWait && try < closeTries; try++ {
		if err = endClients(ctx, d.own, session); err == nil {
			err = lock(ctx, d.own, session)
		}
	}
	if err != nil || slave != nil {
		return err
	}
	return settle(ctx, d.own, session)
}

// verify looks as a client would, by a new login.
func (d *Demote) verify(ctx context.Context) error {
	own, err := d.Own(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }() // it was only asked
	variables, err := own.Variables(ctx, own.DB, readOnly, superReadOnly, eventScheduler)
	if err != nil {
		return err
	}
	slave, err := own.SlaveStatus(ctx, own.DB)
	if err != nil {
		return err
	}
	if !isClosed(own.Version, variables) || slave == nil && variables[eventScheduler] == "ON" {
		return finding.New(finding.Own, cannotDemote, "run this command again",
			"it was made read-only, and is not: read_only is %s, event_scheduler %s", variables[readOnly],
			variables[eventScheduler])
	}
	return nil
}

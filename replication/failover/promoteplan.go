package failover

import (
	"cmp"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// The actions of a promotion's steps.
type (
	runHook       struct{ hook Hook }
	begin         struct{}
	stopReceiving struct{}
	keepRelayLog  struct{ index string }
	awaitApplied  struct{}
	stopApplying  struct{}
	askAgain      struct{}
	raise         struct{}
	makeWritable  struct{}
	enableEvents  struct{}
	verify        struct{}
)

// planPromotion plans a promotion. It is pure.
func planPromotion(f *promoteFacts, want PromoteWant) *replication.Plan {
	p := &replication.Plan{}
	if f.raised() && f.ordered {
		if problem := f.fencesOther(want); problem != nil {
			p.Problems = append(p.Problems, problem)
			return p
		}
	}
	if f.raised() {
		return planRest(p, f)
	}
	p.Problems = append(p.Problems, f.refusals(want)...)
	p.Warnings = append(p.Warnings, f.warnings(want)...)
	if len(p.Problems) > 0 {
		return p
	}
	if f.runsFence(want) {
		addHook(p, FenceHook, f.hooks.Fence, "make sure that "+f.peer+" cannot serve",
			"unreachable is not dead: that this program ends with 0 is the statement that "+f.peer+" is fenced")
	}
	p.Steps = append(p.Steps, &replication.Step{
		Name: "begin", On: finding.Own, What: "note that a promotion has begun", Action: begin{},
		Why:        "if it is cut off, the guard lets the slave go on as soon as the master answers",
		UndoByHand: "the guard withdraws it within seconds when this command has gone",
	})
	if !f.note.IsMaster() {
		f.planReceived(p)
	}
	if f.hooks.PrePromote != "" {
		addHook(p, PrePromoteHook, f.hooks.PrePromote, "ask whether this host may become the master",
			"it refuses the promotion by any other end than 0")
	}
	p.Steps = append(p.Steps,
		&replication.Step{
			Name: "ask-again", On: finding.Own, What: "see that " + f.peer + " is still silent on every way", Action: askAgain{},
			Why: "it may have come back meanwhile; then nothing is promoted",
		},
		&replication.Step{
			Name: "raise", On: finding.Own, What: fmt.Sprintf("make this host the master, by the term %d", f.note.NextNumber()),
			Why:    "from here on nothing can be taken back: " + f.peer + " becomes read-only when it reads this term",
			Action: raise{}, UndoByHand: "nothing takes it back; " + f.peer + " comes back by gtunnel replication rejoin " +
				"there, and becomes the master again by gtunnel replication switchover",
		})
	return planRest(p, f)
}

// planReceived has the slave apply what it has received.
func (f *promoteFacts) planReceived(p *replication.Plan) {
	v, s := f.version, f.slave.status
	add := func(step *replication.Step) { p.Steps = append(p.Steps, step) }
	const goesOn = "the guard starts the slave when the master answers; do not start it by hand before"
	tail := f.slave.tail
	switch {
	case tail != nil && tail.Transactions > 0:
		if f.keeps {
			add(&replication.Step{
				Name: "keep-relay-log", On: finding.Own, What: "copy the relay log",
				Action: keepRelayLog{f.variables["relay_log_index"]},
				Why:    "the last transactions of " + f.peer + " are nowhere else, and a start of the slave deletes it",
			})
		}
		add(&replication.Step{
			Name: "apply-relay-log", On: finding.Own, What: "apply the relay log from " + tail.Start.String() + " on",
			SQL: v.ApplyFrom(tail.Start), UndoByHand: goesOn,
			Why: "both threads are stopped: a start by GTID would delete what was received instead of applying it",
		})
	case tail != nil: // nothing is left in it
		if s.AppliesAlone(v) {
			add(followByGTID(v))
		}
		return
	case s.SQLRunning != "Yes" || s.Until != "":
		var first []server.Statement
		if s.SQLRunning == "Yes" {
			first = append(first, v.StopSlave(server.SQLThread))
		}
		add(&replication.Step{
			Name: "start-applying", On: finding.Own, What: "start the SQL thread",
			SQL: append(first, v.StartSlave(server.SQLThread)),
			Why: "what was received is applied first", UndoByHand: goesOn,
		})
		fallthrough
	default:
		if s.IORunning != "No" {
			add(&replication.Step{
				Name: "stop-receiving", On: finding.Own, What: "stop the I/O thread, and that one alone", Action: stopReceiving{},
				SQL: []server.Statement{v.StopSlave(server.IOThread)}, UndoByHand: goesOn,
				Why: "what was received does not change any more, and is not deleted",
			})
		}
	}
	add(&replication.Step{
		Name: "apply", On: finding.Own, What: "wait until all that was received is applied", Action: awaitApplied{},
		Why: "nothing that reached this host may be lost",
	})
	if tail != nil || s.AppliesAlone(v) {
		add(followByGTID(v))
		return
	}
	add(&replication.Step{
		Name: "stop-applying", On: finding.Own, What: "stop the slave",
		SQL: []server.Statement{v.StopSlave(server.BothThreads)}, Action: stopApplying{},
		Why: "all is applied; from here on the guard can end the promotion by itself", UndoByHand: goesOn,
	})
}

// followByGTID ends what the applying of a relay log by hand has begun.
func followByGTID(v server.Version) *replication.Step {
	return &replication.Step{
		Name: "follow-by-gtid", On: finding.Own, What: "let the connection go by GTID again", SQL: v.FollowByGTID(),
		Why: "for the case that the promotion is refused further on",
	}
}

// planRest is what is done once the term is raised.
func planRest(p *replication.Plan, f *promoteFacts) *replication.Plan {
	v, l := f.version, f.left
	if f.raised() && !f.isPromotion() && f.ordered {
		return planOrder(p, f)
	}
	if f.raised() && !f.isPromotion() {
		cure := "to change roles while both hosts live: gtunnel replication switchover on " + f.peer
		if !f.writable { // the guard waits for a peer that may be off for good
			cure += "; this server is read-only: if " + f.peer + " is off and stays off: gtunnel replication guard --i-am-master"
		}
		p.Problem(finding.Own, "is-master", cure,
			"this host is the master already, by the term %d of the %s", f.note.Term.Number, f.note.Term.By)
		return p
	}
	add := func(name, what, why string, sql []server.Statement) {
		if len(sql) > 0 {
			p.Steps = append(p.Steps, &replication.Step{Name: name, On: finding.Own, What: what, Why: why, SQL: sql})
		}
	}
	add("forget", "forget the connection to "+f.peer, "its settings are kept in the note of the pair, and shown by status",
		l.forget(v))
	add("keep-logs", "keep the binary log",
		"until "+f.peer+" has rejoined, which needs it; the guard gives the present value back then", l.logs(v))
	add("raise-sequences", "set the sequences beyond what "+f.peer+" may have given",
		"a slave does not see where they stand", l.sequences(v))
	if !f.writable || !f.raised() {
		before, why := endingWords(f.old)
		p.Steps = append(p.Steps, &replication.Step{
			Name: "open", On: finding.Own, Action: makeWritable{},
			What: "publish the term, " + cmp.Or(before, "and ") + "make this server writable",
			Why: fmt.Sprintf("%s after it was published, so that the guard of %s can read it first; its own guard keeps this "+
				"server writable from then on", term.Announce.Round(time.Second), f.peer) + why,
		})
	}
	if len(l.enable) > 0 {
		p.Steps = append(p.Steps, &replication.Step{
			Name: "enable-events", On: finding.Own, What: "enable the events that were enabled on " + f.peer,
			SQL: l.events(v), Action: enableEvents{},
			Why: "a slave has them disabled, whatever they were on the master: the guard has noted those",
		})
	}
	f.warnLeft(p)
	if len(p.Steps) == 0 && f.hookIsDone(PostPromoteHook) {
		return p
	}
	p.Steps = append(p.Steps, &replication.Step{
		Name: "verify", On: finding.Own, What: "see that a client can write here", Action: verify{},
	})
	if f.hooks.PostPromote != "" && !f.hookIsDone(PostPromoteHook) {
		addHook(p, PostPromoteHook, f.hooks.PostPromote, "tell others that this host is the master",
			"its failure is reported, and changes nothing")
	}
	return p
}

// planOrder is what is done for a cluster manager on a host that has the term by the setup or a
// switchover. What these have left to do comes with the opening: see Observer.lift.
func planOrder(p *replication.Plan, f *promoteFacts) *replication.Plan {
	if f.writable {
		return p
	}
	before, why := endingWords(f.old)
	p.Steps = append(p.Steps, &replication.Step{
		Name: "open", On: finding.Own, Action: makeWritable{}, What: before + "make this server writable",
		Why: "its guard leaves that to the cluster manager, who asks for it by this command" + why,
	}, &replication.Step{
		Name: "verify", On: finding.Own, What: "see that a client can write here", Action: verify{},
	})
	return p
}

// isPromotion reports whether the present term was raised by a promotion of this host.
func (f *promoteFacts) isPromotion() bool { return f.note.Term.By == term.ByPromotion }

// hookIsDone reports whether a hook has run for the present term, or is none.
func (f *promoteFacts) hookIsDone(hook Hook) bool {
	return f.hooks.path(hook) == "" || f.raised() && f.note.HasRun(string(hook), f.note.Term.Number)
}

// addHook adds the run of a hook.
func addHook(p *replication.Plan, hook Hook, path, what, why string) {
	p.Steps = append(p.Steps, &replication.Step{
		Name: string(hook), On: finding.Own, What: what + ": " + path, Why: why, Action: runHook{hook},
	})
}

// warnLeft warns of what the promotion leaves to the administrator.
func (f *promoteFacts) warnLeft(p *replication.Plan) {
	if len(f.left.full) > 0 {
		p.Warn(finding.Own, "sequence-full",
			"ALTER SEQUENCE ... RESTART WITH a number that was never given, or a larger MAXVALUE",
			"there is no room to set %s beyond what the old master may have given", finding.Items(f.left.full))
	}
	if len(f.left.unknown) > 0 {
		p.Warn(finding.Own, "events-unknown", "for each that shall run: ALTER EVENT `DATABASE`.`NAME` ENABLE",
			"these events stay disabled, since nobody knows whether they were enabled on the old master: %s",
			finding.Items(f.left.unknown))
	}
	if len(f.left.enable) > 0 && !f.left.scheduler {
		p.Warn(finding.Own, "event-scheduler", "SET GLOBAL event_scheduler=ON; and in its option files",
			"event_scheduler is off on this server: no event runs")
	}
}

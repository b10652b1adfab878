package failover

import (
	"fmt"
	"slices"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// rejoinPlan is a plan in the making.
type rejoinPlan struct {
	*plan
	*rejoinFacts
	want RejoinWant
}

// planRejoin plans what makes this host the slave of its peer. It is a function of its
// arguments alone, which it leaves as they are.
func planRejoin(f *rejoinFacts, want RejoinWant) *plan {
	p := &rejoinPlan{plan: &plan{}, rejoinFacts: f, want: want}
	if f.joined() && !want.NewCopy {
		return p.plan
	}
	copies := p.copies()
	p.judge(copies)
	if len(p.Problems) > 0 {
		return p.plan
	}
	p.takeTerm()
	p.save()
	p.judgeStep()
	if copies != "" {
		p.newCopy(copies)
	} else {
		p.follow()
	}
	p.add(&replication.Step{
		Name: "note-joined", On: finding.Own, What: "note that this host has joined its master again",
		Why: f.Peer + " keeps its binary log for it until then", Action: noteJoined{copied: copies != ""},
	})
	return p.plan
}

func (p *rejoinPlan) add(s *replication.Step) { p.Steps = append(p.Steps, s) }

// copies is why a new copy is made; empty: the history does.
func (p *rejoinPlan) copies() string {
	switch h := &p.History; {
	case p.want.NewCopy:
		return "it is wanted"
	case p.Note.Copying != "": // whatever the histories are by now
		return "a new copy was begun, and has not ended"
	case len(p.Present) < len(p.Databases):
		return "this server does not have the databases of the pair: it is new, or was emptied"
	case h.Copy != "":
		return h.Copy
	case p.Errant.OfPair():
		return "what only this server has changes " + p.ofPair()
	case p.Unreadable != "":
		return "what only this server has cannot be read: " + p.Unreadable
	case p.ours() && p.Slave.SQLErrno != 0:
		return fmt.Sprintf("its replication has stopped with error %d: %s", p.Slave.SQLErrno, p.Slave.SQLError)
	}
	return ""
}

// ofPair says which of the pair's databases have something of what only this server has.
func (p *rejoinPlan) ofPair() string {
	if len(p.Errant.Touched) == 0 {
		return "the pair's databases, as far as that can be told: its binary log has events of an unknown kind (" +
			finding.List(p.Errant.Unclear) + ")"
	}
	return finding.List(p.Errant.Touched)
}

// judge says what speaks against it, and what only this server has.
func (p *rejoinPlan) judge(copies string) {
	if p.Errant != nil {
		p.Warn(finding.Own, "errant", p.cureOfErrant(), "only this server has %s", p.Errant)
	}
	if p.Unreadable != "" && !p.want.Unsaved {
		unsaved := p.want
		unsaved.Unsaved = true
		p.problem("errant-unreadable", "save what is wanted of it by hand, such as by a dump of the databases, "+
			"and then: "+unsaved.command(), "what only this server has (%s) cannot be read and saved: %s",
			p.History.Alone, p.Unreadable)
	}
	if p.Master.Variables["log_bin"] != "ON" || p.Own.Variables["server_id"] == p.Master.Variables["server_id"] {
		p.problem("not-ready", "gtunnel replication check", "both servers have the server_id %s, or the master writes no "+
			"binary log",
			p.Own.Variables["server_id"])
	}
	if !p.ready() {
		p.problem("master-read-only", "on "+p.Peer+": systemctl status gtunnel-guard says what it waits for",
			"%s is the master, and does not take writes yet", p.Peer)
	}
	if copies == "" {
		return
	}
	if len(p.Prepared) > 0 && len(p.Present) > 0 {
		p.problem("prepared-transactions", "here, by an administrator: SET SESSION sql_log_bin=0; XA RECOVER shows them; "+
			"XA ROLLBACK '...' for each; then the same command again: the copy has what the master has",
			"only a new copy makes this server a slave again, and it has prepared XA transactions, which keep their tables "+
				"from being replaced: %s", finding.List(p.Prepared))
	}
	var lost []string
	for _, name := range p.Present {
		if !slices.Contains(p.want.Replace, name) {
			lost = append(lost, name)
		}
	}
	if len(lost) > 0 {
		replaces := p.want
		replaces.Replace = p.Present
		p.problem(DataLost, "back them up if anything in them is wanted; then: "+replaces.command(),
			"only a new copy makes this server a slave again, because %s; what it has in %s is lost by that",
			copies, finding.List(p.Present))
	}
}

// DataLost is the code of the Problem that a rejoin would lose the data of databases, which
// the administrator has not agreed to.
const DataLost = "data-lost"

// ready reports whether the master takes writes: before, its guard may still wait for
// something, and a slave that follows it is not what is wrong. After a split-brain it waits for
// just this: that the other term is given up.
func (p *rejoinPlan) ready() bool {
	return !p.Master.readOnly() || p.Note.Term.Conflicts(p.Record.Term)
}

func (p *rejoinPlan) problem(code, cure, format string, args ...any) {
	p.Problems = append(p.Problems, finding.New(finding.Own, code, cure, format, args...))
}

// cureOfErrant says where it goes.
func (p *rejoinPlan) cureOfErrant() string {
	switch {
	case p.SavedAs == "":
		return ""
	case p.Saved:
		return "it is saved in " + p.SavedAs
	}
	return "it is saved first, in " + p.SavedAs
}

// takeTerm adds the steps that make this host know that it is not the master.
func (p *rejoinPlan) takeTerm() {
	if !p.Own.readOnly() || p.Own.Version.Family == server.MySQL && p.Own.Variables["super_read_only"] == "OFF" {
		p.add(&replication.Step{
			Name: "read-only", On: finding.Own, What: "make this server read-only", Why: p.Peer + " is the master",
			SQL: []server.Statement{p.Own.Version.SetReadOnly()}, UndoByHand: "none: only the master may be written to",
			Action: closeServer{},
		})
	}
	if p.Note.Term.Same(p.Record.Term) {
		return
	}
	what := fmt.Sprintf("take the term %d, by which %s is the master", p.Record.Term.Number, p.Peer)
	if p.Note.Term.Conflicts(p.Record.Term) {
		what = fmt.Sprintf("give up the term %d of this host for that of %s, which is the master by it",
			p.Note.Term.Number, p.Peer)
	}
	p.add(&replication.Step{
		Name: "take-term", On: finding.Own, What: what, UndoByHand: "gtunnel replication switchover here, once this host " +
			"is the slave",
		Action: takeTerm{p.Record.Term},
	})
}

// save adds the step that saves what only this server has.
func (p *rejoinPlan) save() {
	if p.Errant == nil || p.Saved {
		return
	}
	p.add(&replication.Step{
		Name: "save-errant", On: finding.Own,
		What: fmt.Sprintf("save what only this server has, %s, in %s", finding.Count(p.Errant.Transactions,
			"transaction"), p.SavedAs),
		Why:        "whoever needs it can look it through there, and apply it on the master",
		UndoByHand: "remove the file", Action: saveErrant{},
	})
}

// judgeStep adds the step after which the master could follow this server later, though
// that has GTIDs of its own: by GTID, what it does not have it would ask for, or, MariaDB's,
// take for what comes later.
func (p *rejoinPlan) judgeStep() {
	judged := p.judged()
	if judged == "" {
		return
	}
	p.add(&replication.Step{
		Name: "judge", On: finding.Own, What: "have " + p.Peer +
			" go on beyond the GTIDs that only this server has, " + judged,
		Why:        "their changes are not wanted; but without that, " + p.Peer + " could not follow this host later",
		UndoByHand: "not needed: it changes no data", Action: judgeErrant{gtids: judged, copies: p.copies() != ""},
	})
}

// follow adds the steps that make the server a slave by its history.
func (p *rejoinPlan) follow() {
	v, h := p.Own.Version, &p.History
	if p.ours() && (p.Slave.Running() || !h.ByGTID) {
		p.disableEvents()
		if !p.Slave.Running() {
			p.stop()
			p.filterAndStart()
		}
		p.finish()
		return
	}
	p.stop()
	p.disableEvents()
	if p.strict() {
		p.add(&replication.Step{
			Name: "strict-off", On: finding.Own, What: "turn gtid_strict_mode off until this server has caught up",
			Why:  "its binary log has higher GTIDs than those that it gets first",
			SQL:  []server.Statement{server.SQL("SET GLOBAL gtid_strict_mode=0")},
			Undo: replication.Undo{server.SQL("SET GLOBAL gtid_strict_mode=1")}, Action: setStrict{off: true},
		})
	}
	p.add(&replication.Step{
		Name: "change-master", On: finding.Own, What: fmt.Sprintf("make %s the master, at %s:%d", p.Peer,
			server.Loopback, p.Port),
		Why: p.whyThere(), SQL: p.changeMaster(), Undo: replication.Undo{v.ResetSlaveAll()}, Action: notGrown{},
	})
	p.filterAndStart()
	p.finish()
}

// strict reports whether MariaDB would refuse to log what the master has written since:
// its own binary log has higher GTIDs than the ones from which on it follows. What comes
// after those that the master goes on beyond is in order again.
func (p *rejoinPlan) strict() bool {
	if p.Note.StrictOff { // by a run that was cut off
		return true
	}
	if p.Own.Variables["gtid_strict_mode"] != "ON" || p.Own.Version.Family != server.MariaDB || !p.History.ByGTID {
		return false
	}
	return !covers(server.ParseGTIDList(p.History.SlavePos), p.Own.list("gtid_binlog_state"))
}

// judged are the GTIDs that the master's history is to go beyond; empty: none.
func (p *rejoinPlan) judged() string {
	switch {
	case !p.History.ByGTID:
		return ""
	case p.Own.Version.Family == server.MySQL:
		return p.History.Alone
	}
	beyond, master := server.GTIDList{}, p.Master.list("gtid_binlog_state")
	for _, g := range p.Own.list("gtid_binlog_state") {
		if g.Number > master[g.Domain].Number {
			beyond[g.Domain] = g
		}
	}
	return beyond.String()
}

// whyThere says why the server may go on where it does.
func (p *rejoinPlan) whyThere() string {
	if p.Errant == nil {
		return "all that this server has, the master has"
	}
	return "what only this server has is of none of " + finding.List(p.Databases) + "; all else the master has"
}

// changeMaster points the server to its master.
func (p *rejoinPlan) changeMaster() []server.Statement {
	v, h := p.Own.Version, &p.History
	change := v.ChangeMaster(server.Connection{
		Host: server.Loopback, Port: p.Port, User: facts.ReplicationUser, Password: p.Password, ByGTID: h.ByGTID,
		Start: h.Start,
	})
	if !h.ByGTID || v.Family == server.MySQL || h.SlavePos == p.Own.Variables["gtid_slave_pos"] {
		return []server.Statement{change}
	}
	return []server.Statement{v.SetStart(h.SlavePos), change}
}

// disableEvents adds the step that disables the events of the pair's databases.
func (p *rejoinPlan) disableEvents() {
	v := p.Own.Version
	disable, enable := seed.DisableEvents(v, p.Events), seed.EnableEvents(v, p.Events)
	if len(disable) == 0 {
		return
	}
	if v.Family == server.MySQL {
		while := func(statements []server.Statement) []server.Statement {
			return slices.Concat([]server.Statement{server.SQL("SET GLOBAL super_read_only=0")}, statements,
				[]server.Statement{server.SQL("SET GLOBAL super_read_only=1")})
		}
		disable, enable = while(disable), while(enable)
	}
	p.add(&replication.Step{
		Name: "events-disable", On: finding.Own, What: "disable the events of " + finding.List(p.Databases),
		Why: "they run on the master, and what they do is replicated", SQL: disable, Undo: enable, Action: whileReadOnly{},
	})
}

// stop adds the step that stops what is there of a replication.
func (p *rejoinPlan) stop() {
	if p.Slave == nil {
		return
	}
	p.add(&replication.Step{
		Name: "stop-slave", On: finding.Own, What: "stop what is left of a replication",
		SQL: []server.Statement{p.Own.Version.StopSlave(server.BothThreads)},
	})
}

// filterAndStart adds the steps that start the server as a slave.
func (p *rejoinPlan) filterAndStart() {
	v := p.Own.Version
	p.add(&replication.Step{
		Name: "filter", On: finding.Own, What: "replicate only " + finding.List(p.Databases),
		SQL: []server.Statement{v.SetFilter(p.Databases)}, Undo: replication.Undo{v.SetFilter(nil)},
	})
	p.add(&replication.Step{
		Name: "start-slave", On: finding.Own, What: "start the replication",
		SQL: []server.Statement{v.StartSlave(server.BothThreads)}, Undo: replication.Undo{v.StopSlave(server.BothThreads)},
	})
}

// finish adds what comes when it runs.
func (p *rejoinPlan) finish() {
	p.add(&replication.Step{
		Name: "catch-up", On: finding.Own, What: "wait until this server has caught up with " + p.Peer,
		Action: catchUpWithMaster{},
	})
	if p.strict() {
		p.strictOn()
	}
	if !p.want.SkipCompare {
		p.add(&replication.Step{
			Name: "compare", On: finding.Own, What: "compare the data of both at one position", Action: compareBoth{},
		})
	}
}

// strictOn adds the step that ends what strict has begun.
func (p *rejoinPlan) strictOn() {
	p.add(&replication.Step{
		Name: "strict-on", On: finding.Own, What: "turn gtid_strict_mode on again",
		SQL: []server.Statement{server.SQL("SET GLOBAL gtid_strict_mode=1")}, Action: setStrict{},
	})
}

// newCopy adds the step that copies the databases from the master.
func (p *rejoinPlan) newCopy(why string) {
	p.add(&replication.Step{
		Name: "copy", On: finding.Own, What: "copy " + finding.List(p.Databases) + " anew from " + p.Peer +
			", by a plan of its own, and replicate them", Why: "only a new copy makes this server a slave again, because " +
			"" + why,
		Loses: p.Present, UndoByHand: "none: the data is gone", Action: copyAnew{},
	})
	if p.Note.StrictOff {
		p.strictOn()
	}
}

// The actions of a rejoin.
type (
	closeServer struct{}
	takeTerm    struct{ term term.Term }
	saveErrant  struct{}
	judgeErrant struct {
		gtids  string
		copies bool // a new copy follows
	}
	whileReadOnly     struct{}
	setStrict         struct{ off bool }
	notGrown          struct{} // see Rejoin.mustNotHaveGrown
	catchUpWithMaster struct{}
	compareBoth       struct{}
	copyAnew          struct{}
	noteJoined        struct{ copied bool }
)

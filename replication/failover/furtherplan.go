package failover

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// furtherPlan is a plan in the making.
type furtherPlan struct {
	*plan
	*furtherFacts
	want FurtherWant
}

// The actions of a further slave's steps, besides those of a rejoin.
type (
	notGrownFurther struct{}
	pointMonitor    struct{}
	noteMaster      struct{ done bool } // done: it has caught up, and was compared if that is wanted
)

// planFurther plans what makes a further slave follow the master that was chosen. It is a
// function of its arguments alone, which it leaves as they are.
func planFurther(f *furtherFacts, want FurtherWant) *plan {
	p := &furtherPlan{plan: &plan{}, furtherFacts: f, want: want}
	if f.Refused != nil {
		p.Problems = append(p.Problems, f.Refused)
		return p.plan
	}
	p.warn()
	settled := f.follows() && f.runs() && !want.NewCopy
	if settled && f.isNoted() {
		return p.plan
	}
	copies := ""
	if !settled {
		copies = p.copies()
		p.judge(copies)
		if len(p.Problems) > 0 {
			return p.plan
		}
		p.save()
	}
	switch {
	case copies != "":
		p.newCopy(copies)
		p.monitor()
		return p.plan
	case !settled:
		p.point()
	}
	p.finish()
	return p.plan
}

// isNoted reports whether nothing is left to be noted.
func (f *furtherFacts) isNoted() bool {
	t := f.Choice.Term
	return f.State.Term == t.Number && f.State.TermNonce == t.Nonce && (f.MonitorThere || !f.MonitorIsTold) &&
		f.State.Stage == journal.StageDone
}

func (p *furtherPlan) add(s *replication.Step) { p.Steps = append(p.Steps, s) }

func (p *furtherPlan) problem(code, cure, format string, args ...any) {
	p.Problems = append(p.Problems, finding.New(finding.Slave, code, cure, format, args...))
}

// warn says what should be known, whatever is done.
func (p *furtherPlan) warn() {
	for i := range p.Choice.Others {
		switch v := &p.Choice.Others[i]; {
		case v.Silence != nil:
			p.Warn(finding.Master, "peer-silent", "if "+v.End.Host+" was made the master since, bring the tunnel to it up, and "+
				"run this again", "%s: whether it was made the master since cannot be told", v.said())
		case v.Record == nil:
		case v.Writable:
			p.Warn(finding.Master, "peer-writable", "on "+v.name()+": systemctl enable --now gtunnel-guard, which makes it "+
				"read-only", "%s can be written to, and is not the master by the term %d", v.name(), p.Choice.Term.Number)
		}
	}
	if p.SemiSync {
		p.Warn(finding.Slave, "semi-sync-outside", "here: "+rules.StopAcknowledging(p.Own.Version),
			"this slave acknowledges what it receives, and so the master may answer a commit that its pair's other host does "+
				"not have")
	}
}

// copies is why a new copy is made; empty: the history does.
func (p *furtherPlan) copies() string {
	switch {
	case p.want.NewCopy:
		return "it is wanted"
	case len(p.Present) < len(p.Databases):
		return "this server does not have all of the databases that it replicates"
	case p.History.Copy != "":
		return p.History.Copy
	case p.Errant.OfPair():
		touched := finding.List(p.Errant.Touched)
		if len(p.Errant.Touched) == 0 {
			touched = "the databases, as far as can be told"
		}
		return "what only this slave has changes " + touched
	case p.Unreadable != "":
		return "what only this slave has cannot be read: " + p.Unreadable
	case p.Status.SQLErrno != 0:
		return fmt.Sprintf("its replication has stopped with error %d: %s", p.Status.SQLErrno, p.Status.SQLError)
	}
	return ""
}

// judge says what speaks against it, and what only this slave has.
func (p *furtherPlan) judge(copies string) {
	if p.Errant != nil {
		cure := "it is saved first, in " + p.SavedAs
		if p.Saved {
			cure = "it is saved in " + p.SavedAs
		}
		p.Warn(finding.Slave, "errant", cure, "only this slave has %s: it was ahead of the host that was made the master",
			p.Errant)
	}
	if p.Unreadable != "" && !p.want.Unsaved {
		unsaved := p.want
		unsaved.Unsaved = true
		p.problem("errant-unreadable", "save what is wanted of it by hand, such as by a dump of the databases, "+
			"and then: "+unsaved.command(), "what only this slave has, and the master lacks (%s), cannot be read and saved: %s",
			p.History.Alone, p.Unreadable)
	}
	if p.Own.Variables["server_id"] == p.Choice.serverID(p.furtherFacts) {
		p.problem("not-ready", "set another server_id here", "this slave and the master both have the server_id %s",
			p.Own.Variables["server_id"])
	}
	if copies == "" {
		return
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
		p.problem(DataLost, "back them up if anything in them is wanted; then: "+p.handOverFirst()+replaces.command(),
			"only a new copy makes this server a slave of %s, because %s; what it has in %s is lost by that",
			p.Choice.Master, copies, finding.List(p.Present))
		return
	}
	if p.HandedOver != nil {
		p.problem("no-hand-over", p.handOverFirst()+p.want.command(), "only a new copy makes this server a slave of %s, "+
			"because %s, and the hand-over file of %s is needed for it: %v", p.Choice.Master, copies, p.Choice.Master,
			p.HandedOver)
	}
}

// handOverFirst is what is done on the master before a copy.
func (p *furtherPlan) handOverFirst() string {
	if p.HandedOver == nil {
		return ""
	}
	return "on " + p.Choice.Master + ": gtunnel replication setup-master --seed-again --databases " +
		finding.ShellWord(strings.Join(p.Databases, ",")) + ", and its hand-over file here; then "
}

// serverID is that of the master.
func (c *choice) serverID(f *furtherFacts) string { return f.Parting.master.id() }

// save adds the step that saves what only this slave has.
func (p *furtherPlan) save() {
	if p.Errant == nil || p.Saved {
		return
	}
	p.add(&replication.Step{
		Name: "save-errant", On: finding.Slave,
		What: fmt.Sprintf("save what only this slave has, %s, in %s", finding.Count(p.Errant.Transactions,
			"transaction"), p.SavedAs),
		Why:        "whoever needs it can look it through there, and apply it on the master",
		UndoByHand: "remove the file", Action: saveErrant{},
	})
}

// point adds the steps that point the slave to its master.
func (p *furtherPlan) point() {
	v, h := p.Own.Version, &p.History
	if p.Status.Active() {
		p.add(&replication.Step{
			Name: "stop-slave", On: finding.Slave,
			What: "stop the replication from 127.0.0.1:" + fmt.Sprint(p.Status.MasterPort),
			SQL:  []server.Statement{v.StopSlave(server.BothThreads)},
			Undo: replication.Undo{v.StartSlave(server.BothThreads)},
		})
	}
	if !p.follows() {
		change := v.ChangeMaster(server.Connection{
			Host: server.Loopback, Port: p.Choice.End.Port, ByGTID: h.ByGTID, Start: h.Start,
		})
		sql := []server.Statement{change}
		if v.Family == server.MariaDB && h.ByGTID && !sameList(h.SlavePos, p.Own.Variables["gtid_slave_pos"]) {
			sql = []server.Statement{v.SetStart(h.SlavePos), change}
		}
		p.add(&replication.Step{
			Name: "change-master", On: finding.Slave,
			What: fmt.Sprintf("make %s the master, at %s:%d", p.Choice.Master, server.Loopback, p.Choice.End.Port),
			Why:  p.whyThere(), SQL: sql, Action: notGrownFurther{},
			UndoByHand: "gtunnel replication follow, which follows whoever is the master",
		})
	}
	p.add(&replication.Step{
		Name: "filter", On: finding.Slave, What: "replicate only " + finding.List(p.Databases),
		SQL: []server.Statement{v.SetFilter(p.Databases)}, Undo: replication.Undo{v.SetFilter(nil)},
	})
	p.add(&replication.Step{
		Name: "start-slave", On: finding.Slave, What: "start the replication",
		SQL: []server.Statement{v.StartSlave(server.BothThreads)}, Undo: replication.Undo{v.StopSlave(server.BothThreads)},
	})
}

// sameList reports whether two of MariaDB's lists say the same.
func sameList(a, b string) bool {
	return server.ParseGTIDList(a).String() == server.ParseGTIDList(b).String()
}

// whyThere says why the slave may go on where it does.
func (p *furtherPlan) whyThere() string {
	if p.History.Alone != "" {
		return "what only this slave has is of none of " + finding.List(p.Databases) + "; all else the master has"
	}
	return fmt.Sprintf("it is the master by the term %d, and has all that this slave has received", p.Choice.Term.Number)
}

// finish adds what comes when it runs.
func (p *furtherPlan) finish() {
	p.monitor()
	note := func(name, what string, done bool) {
		p.add(&replication.Step{
			Name: name, On: finding.Slave, What: what, Action: noteMaster{done}, UndoByHand: "not needed: it is only a note",
		})
	}
	note("note-master", fmt.Sprintf("note that %s is the master, by the term %d", p.Choice.Master, p.Choice.Term.Number),
		false)
	p.add(&replication.Step{
		Name: "catch-up", On: finding.Slave, What: "wait until this slave has caught up with " + p.Choice.Master,
		Action: catchUpWithMaster{},
	})
	if !p.want.SkipCompare {
		p.add(&replication.Step{
			Name: "compare", On: finding.Slave, What: "compare the data of both at one position", Action: compareBoth{},
		})
	}
	note("note-done", "note that the slave is set up", true)
}

// monitor adds the step that has status ask the right master.
func (p *furtherPlan) monitor() {
	if p.MonitorThere || !p.MonitorIsTold {
		return
	}
	p.add(&replication.Step{
		Name: "monitor-file", On: finding.Slave, What: "have status and compare ask " + p.Choice.Master,
		Action: pointMonitor{}, UndoByHand: "gtunnel replication follow, which names whoever is the master",
	})
}

// newCopy adds the step that copies the databases from the master.
func (p *furtherPlan) newCopy(why string) {
	v := p.Own.Version
	p.add(&replication.Step{
		Name: "forget", On: finding.Slave, What: "end the replication from 127.0.0.1:" + fmt.Sprint(p.Status.MasterPort),
		SQL:        []server.Statement{v.StopSlave(server.BothThreads), v.ResetSlaveAll()},
		UndoByHand: "none: the copy makes a new one",
	})
	p.add(&replication.Step{
		Name: "copy", On: finding.Slave, What: "copy " + finding.List(p.Databases) + " anew from " + p.Choice.Master +
			", by a plan of its own, and replicate them",
		Why:   "only a new copy makes this server a slave of it, because " + why,
		Loses: p.Present, UndoByHand: "none: the data is gone", Action: copyAnew{},
	})
}

package failover

import (
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// How long a switchover waits, before it takes everything back.
const (
	// DemotionPatience is for the other host's guard, which waits for its locks itself.
	DemotionPatience = 15 * time.Second

	// ApplyPatience is for the slave, while nobody can write.
	ApplyPatience = 20 * time.Second

	// FollowPatience is for the old master to become the slave. Nothing is taken back then.
	FollowPatience = 20 * time.Second
)

// stopSlave is the step that stops the slave, which is started again if what comes after it
// fails.
const stopSlave = "stop-slave"

// What the steps of a switchover do besides their SQL.
type (
	// noteRequest notes the request, and publishes it by the step's SQL.
	noteRequest struct{ nonce string }

	// awaitDemotion waits for the lock of the demotion.
	awaitDemotion struct{ nonce string }

	// applyAll waits until the slave has all that the demoted master had.
	applyAll struct{}

	// raiseTerm makes the request the term, if the other is still demoted.
	raiseTerm struct{ nonce string }

	// publishTerm publishes it.
	publishTerm struct{}

	// openServer makes the server writable, as a guard does.
	openServer struct{}

	// awaitSlave waits until the old master follows.
	awaitSlave struct{}
)

// PlanSwitchover plans what makes the host the master, or ends what a run that was cut
// off has begun. It is a pure function, which leaves its argument as it is.
func PlanSwitchover(f *SwitchoverFacts) *replication.Plan {
	p := &replication.Plan{Findings: judgeSwitchover(f)}
	if len(p.Problems) > 0 {
		return p
	}
	if !f.raised() {
		planDemotion(p, f)
	}
	planMaster(p, f)
	if len(p.Steps) == 0 {
		p.Warn(finding.Own, "is-master", "to make "+f.Peer+" the master: run gtunnel replication switchover there",
			"%s is the master already, since %s by %s", f.Name, shownTime(f.Note.Term.Since), f.Note.Term.By)
	}
	return p
}

// planDemotion adds the steps that can be taken back, and the one that ends that.
func planDemotion(p *replication.Plan, f *SwitchoverFacts) {
	v := f.Own.Version
	request, withdrawal := f.Note, f.Note
	_ = request.Begin(f.Nonce, term.BySwitchover, f.Now) // what it refuses is a problem of judgeSwitchover
	nonce := request.Request.Nonce                       // of the run before, if there was one
	withdrawal.Request, withdrawal.Withdrawn = nil, nonce
	planKeepUp(p, f)
	add(p,
		&replication.Step{
			Name: "request", On: finding.Own,
			What: fmt.Sprintf("ask %s for its term: %d becomes %d", f.Peer, f.Note.Term.Number, request.Request.Number),
			Why: "its guard reads this, and makes its server read-only; no administrator's account of this host reaches" +
				" that server",
			SQL:    f.row(&request),
			Undo:   f.row(&withdrawal),
			Action: noteRequest{nonce: nonce},
		},
		&replication.Step{
			Name: "demotion", On: finding.Peer,
			What: "wait until " + f.Peer + " is read-only: nobody can write from here on",
			Why:  "its guard holds the lock " + DemotionLock(nonce) + " as long as nothing is written there",
			UndoByHand: "its guard makes it writable again once it has read that the request is withdrawn, and not before: " +
				"without the network it stays read-only, and says so",
			Action: awaitDemotion{nonce: nonce},
		})
	if f.startsSlave() {
		add(p, &replication.Step{
			Name: "start-slave", On: finding.Own, What: "start the slave, which the start of its server has left stopped",
			Why: "the other has all that was received, so that nothing is lost by it",
			SQL: []server.Statement{v.StartSlave(server.BothThreads)}, UndoByHand: "not needed: it is to follow",
		})
	}
	add(p,
		&replication.Step{
			Name: "apply", On: finding.Own, What: "wait until the slave has applied all of it",
			Action: applyAll{},
		},
		&replication.Step{
			Name: stopSlave, On: finding.Own, What: "stop the slave",
			SQL: []server.Statement{v.StopSlave(server.BothThreads)}, Undo: replication.Undo{v.StartSlave(server.BothThreads)},
		},
		&replication.Step{
			Name: "raise", On: finding.Own,
			What: fmt.Sprintf("raise the term: %s is the master from here on", f.Name),
			Why:  "in one write of a file, after a last look that " + f.Peer + " is still read-only and has nothing more",
			UndoByHand: "nothing takes this back; the same command again ends what is left, and a switchover on " + f.Peer +
				" makes that the master again",
			Action: raiseTerm{nonce: nonce},
		})
}

// planMaster adds the steps after the term is this host's: those that are not done.
func planMaster(p *replication.Plan, f *SwitchoverFacts) {
	v := f.Own.Version
	left := !f.raised() || f.Own.Slave != nil || !f.Own.Writable
	if !left && f.Note.Alone == term.NotAlone && f.Note.Promotion == nil {
		return
	}
	if left {
		add(p, &replication.Step{
			Name: "publish", On: finding.Own, What: "publish the term, which " + f.Peer + " follows",
			SQL: f.row(f.raisedNote()), Action: publishTerm{},
		})
	}
	if f.raised() && f.Own.Slave != nil && f.Own.Slave.Active() {
		add(p, &replication.Step{
			Name: stopSlave, On: finding.Own, What: "stop the slave",
			SQL: []server.Statement{v.StopSlave(server.BothThreads)},
		})
	}
	if !f.raised() || f.Own.Slave != nil {
		add(p, &replication.Step{
			Name: "forget-master", On: finding.Own, What: "be nobody's slave",
			SQL: []server.Statement{v.ResetSlaveAll()},
			UndoByHand: "not needed: " + f.Peer + " follows this host now; its connection is in the note of this host, " +
				"/var/lib/gtunnel/pair.json",
		})
	}
	if left {
		before, why := endingWords(f.Own.Old)
		add(p, &replication.Step{
			Name: "open", On: finding.Own, What: before + "make the server writable",
			Why: "as the guard does after each start of the server: the option files say read_only in every role" + why,
			SQL: append(endings(f.Own.Old), v.SetWritable()), Undo: replication.Undo{v.SetReadOnly()},
			Action: openServer{},
		})
	}
	add(p, &replication.Step{
		Name: "follow", On: finding.Peer, What: "wait until " + f.Peer + " follows",
		Why: "its guard makes it the slave as soon as it has read the new term", Action: awaitSlave{},
	})
}

// raisedNote is the note once the term is raised; where that begins is known only then.
func (f *SwitchoverFacts) raisedNote() *term.Note {
	n := f.Note
	_ = n.Begin(f.Nonce, term.BySwitchover, f.Now) // what these refuse is a problem of judgeSwitchover
	if n.Request != nil {
		_ = n.Raise(term.Raised{
			Nonce: n.Request.Nonce, At: f.Now, Alone: term.Demoted, Start: term.Start{File: "FILE", GTID: "GTIDS"},
		})
	}
	return &n
}

// record is what a note publishes, and row are the statements for it.
func (f *SwitchoverFacts) record(n *term.Note) term.Record {
	r := n.Record()
	r.LoggedIn, r.LoginErr = f.Own.Row.LoggedIn, f.Own.Row.LoginErr
	return r
}

func (f *SwitchoverFacts) row(n *term.Note) []server.Statement {
	return term.PublishStatements(f.record(n), f.Own.Super)
}

// add appends steps.
func add(p *replication.Plan, steps ...*replication.Step) { p.Steps = append(p.Steps, steps...) }

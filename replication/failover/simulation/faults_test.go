package simulation

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// fault is one that the simulation must find, in a scenario.
type fault struct {
	flaw
	scenario string
	family   server.Family // empty: MariaDB
}

// faults are the twelve that a simulation which is worth something finds, and what was found
// to be missing later.
func faults() []fault {
	return []fault{
		{scenario: "switchover", flaw: flaw{name: "writable before the term", do: writableBeforeTheTerm}},
		{scenario: "switchover", flaw: flaw{name: "position read before read-only", do: lateReadOnly()}},
		{scenario: "all was received", flaw: flaw{name: "START SLAVE with both stopped", do: startWithBothStopped}},
		{scenario: "all was received", flaw: flaw{name: "RESET before applied", do: resetBeforeApplied}},
		{scenario: "switchover", flaw: flaw{name: "undo while the other may have been promoted", decide: undoUnasked}},
		{scenario: "a false statement", flaw: flaw{name: "silence taken as consent in strict", decide: consentBySilence}},
		{scenario: "nobody does anything", flaw: flaw{name: "--i-am-master that raises", begin: raisingStatement}},
		{scenario: "split-brain", flaw: flaw{name: "equal terms accepted", decide: equalTerms}},
		{scenario: "nobody does anything", flaw: flaw{name: "a restart that loses read-only", begin: func(w *world) {
			for _, h := range w.hosts {
				delete(h.engine.options, "read_only")
			}
		}}},
		{
			scenario: "the master lost its tail",
			flaw:     flaw{name: "a master behind its slave made writable", decide: behindIsFine},
		},
		{scenario: "switchover", flaw: flaw{name: "a statement repeated that raises twice", do: raiseTwice}},
		{
			scenario: "the master is lost", family: server.MySQL,
			flaw: flaw{name: "errant transactions saved too late", plan: saveAfterCopy},
		},
		{scenario: "a cluster decides", flaw: flaw{name: "a guard that needs no order", decide: orderedByNobody}},
		{scenario: "a cluster decides", flaw: flaw{name: "an order that outlives its process", decide: orderThatStays()}},
		{scenario: "a cluster decides", flaw: flaw{name: "read-only, and its events run", do: keepsEvents}},
		{scenario: "the server_id was changed", flaw: flaw{name: "sessions with the other's server_id left", do: killsNone}},
		{
			scenario: "the server_id was changed", family: server.MySQL,
			flaw: flaw{name: "sessions with the other's server_id left", do: killsNone},
		},
	}
}

// isOf reports whether an operation is of a process by its name, and begins with a text.
func (o *operation) isOf(process, text string) bool {
	return strings.HasPrefix(o.by.name, process) && strings.HasPrefix(o.text, text)
}

func writableBeforeTheTerm(_ *world, o *operation) (any, error, bool) {
	if !o.isOf("switchover", "STOP SLAVE") {
		return nil, nil, false
	}
	value, err := o.run()
	if _, e := o.server.execute(o.session, "SET GLOBAL read_only=0"); e != nil {
		return nil, e, true
	}
	return value, err, true
}

// lateReadOnly has the server read-only only when its position was read, at the lock.
func lateReadOnly() func(w *world, o *operation) (any, error, bool) {
	return func(_ *world, o *operation) (any, error, bool) {
		switch {
		case o.isOf("guard A", "SET GLOBAL read_only=1"), o.isOf("guard A", "FLUSH TABLES WITH READ LOCK"):
			return &table{}, nil, true
		case o.isOf("guard A", "START SLAVE"):
			_, _ = o.server.execute(o.session, "SET GLOBAL read_only=1")
		}
		return nil, nil, false
	}
}

// killsNone has no session ended.
func killsNone(_ *world, o *operation) (any, error, bool) {
	return &table{}, nil, o.isOf("", "KILL ")
}

func startWithBothStopped(_ *world, o *operation) (any, error, bool) {
	if !o.isOf("promote", "STOP SLAVE IO_THREAD") {
		return nil, nil, false
	}
	o.server.halt(true, true)
	o.server.start(false, true)
	return &table{}, nil, true
}

// resetBeforeApplied forgets what was received. Without the step that waits until it is applied
// nothing is lost: the raise of the term asks for that again.
func resetBeforeApplied(_ *world, o *operation) (any, error, bool) {
	if !o.isOf("promote", "STOP SLAVE IO_THREAD") {
		return nil, nil, false
	}
	value, err := o.run()
	o.server.relay, o.server.received, o.server.master.read = nil, o.server.slavePos, o.server.master.done
	return value, err, true
}

func undoUnasked(v term.View) term.Decision {
	if v.Note.IsDemoted() && v.Peer == nil {
		return term.Decision{Acts: []term.Act{term.TakeBack}}
	}
	return term.Decide(v)
}

func consentBySilence(v term.View) term.Decision {
	v.Mode, v.Running = term.Lenient, time.Hour
	return term.Decide(v)
}

func equalTerms(v term.View) term.Decision {
	if v.Peer != nil && v.Peer.Record != nil && v.Peer.Record.Term.Conflicts(v.Note.Term) {
		record := *v.Peer.Record
		record.Term = v.Note.Term
		v.Peer = &term.Peer{Record: &record, Writable: v.Peer.Writable}
	}
	return term.Decide(v)
}

func behindIsFine(v term.View) term.Decision {
	v.Own.LogHasAll = true
	return term.Decide(v)
}

func orderedByNobody(v term.View) term.Decision {
	v.Ordered = true
	return term.Decide(v)
}

// orderThatStays is an order that is noted, and so found by the guard once its process is killed.
func orderThatStays() func(v term.View) term.Decision {
	var given sync.Map // to whom
	return func(v term.View) term.Decision {
		if v.Ordered {
			given.Store(v.Note.Name, true)
		} else if _, noted := given.Load(v.Note.Name); noted && v.Own.Row != nil && !v.Working {
			v.Ordered = true
		}
		return term.Decide(v)
	}
}

// keepsEvents has events go on where a cluster manager demotes.
func keepsEvents(_ *world, o *operation) (any, error, bool) {
	return &table{}, nil, o.isOf("demote", "SET GLOBAL event_scheduler=OFF")
}

// raisingStatement is an administrator who states to be the master where the link is silent,
// by a command that raises the term.
func raisingStatement(w *world) {
	w.in(4*time.Second, "--i-am-master on B", func() {
		n, _ := w.hosts[1].note.note()
		before := n
		n.Term.Number, n.Term.Nonce, n.Term.Master = n.Term.Number+1, "STATEDSTATEDSTATEDSTATED22", n.Name
		n.Alone = term.Stated
		w.hosts[1].note = encode(n)
		w.checker.noted(w, w.hosts[1], before, n)
	})
}

func raiseTwice(w *world, o *operation) (any, error, bool) {
	if !o.note || !o.effect {
		return nil, nil, false
	}
	before, _ := o.by.host.note.note()
	value, err := o.run()
	if after, _ := o.by.host.note.note(); after.IsMaster() && !before.IsMaster() {
		again := after
		again.Term.Number++
		again.Term.Nonce = "AGAINAGAINAGAINAGAINAGAIN2"
		o.by.host.note = encode(again)
		w.checker.noted(w, o.by.host, after, again)
	}
	return value, err, true
}

func saveAfterCopy(_ string, steps []*replication.Step) []*replication.Step {
	save, copied := -1, -1
	for i, s := range steps {
		switch s.Name {
		case "save-errant":
			save = i
		case "copy":
			copied = i
		}
	}
	if save >= 0 && copied > save {
		moved := steps[save]
		copy(steps[save:], steps[save+1:copied+1])
		steps[copied] = moved
	}
	return steps
}

// TestFaults plants each of them, and must find it.
func TestFaults(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("left out by -short and the race detector: takes a minute")
	}
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			if f.family == "" {
				f.family = server.MariaDB
			}
			if said, found := find(t, f.scenario, f.family, &f.flaw, 1, 4000); found {
				t.Log(said)
			} else {
				t.Errorf("not found: %s", said)
			}
		})
	}
}

// scenarioOf is one by its name.
func scenarioOf(name string) *scenario {
	for _, s := range scenarios() {
		if s.name == name {
			return s
		}
	}
	panic("no scenario " + name)
}

// find explores a scenario with a flaw, with more and more deviations and at most so many runs,
// and tells whether anything was found.
func find(t *testing.T, name string, family server.Family, f *flaw, depth, most int) (string, bool) {
	t.Helper()
	said := ""
	for d := range 2 * (depth + 1) { // by crashes first
		x := &explorer{
			scenario: scenarioOf(name), family: family, flaw: f, first: true, depth: d / 2, crashes: d%2 == 0, most: most,
		}
		if all := x.explore(t, 2); len(all) > 0 {
			if lines := strings.Split(all[0].story, "\n"); testing.Verbose() {
				t.Log(strings.Join(lines[max(0, len(lines)-25):], "\n"))
			}
			return fmt.Sprintf("found by %d deviations, in run %d: %s", len(all[0].path), x.runs, shorten(all[0].what[0])), true
		}
		said = x.result()
	}
	return said, false
}

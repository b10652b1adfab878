package simulation

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// scenarios are all.
func scenarios() []*scenario { return append(shortScenarios(), longScenarios()...) }

func shortScenarios() []*scenario {
	return []*scenario{
		{
			name: "nobody does anything", writes: 3, lags: true, power: true, cuts: true,
			script: []stage{write()},
		},
		{
			name: "switchover", writes: 4, lags: true, power: true, cuts: true,
			script: []stage{write(), switchover(1), write()},
		},
		{
			name: "switchover and back", writes: 4,
			script: []stage{write(), switchover(1), write(), switchover(0), write()},
		},
		{
			name: "the master is lost", writes: 5, lags: true, power: true, cuts: true,
			script: []stage{
				write(), lose(0), promote(1), write(), bootA(), rejoin(0), write(),
			},
		},
		{
			name: "a false statement", writes: 5,
			script: []stage{
				write(),
				{name: "the link falls silent", do: func(w *world) { w.link = link{since: time.Now()} }},
				promote(1), write(),
				{name: "the link is there again", do: func(w *world) { w.link = link{toA: true, toB: true} }},
				rejoin(0), write(),
			},
		},
		{
			name: "the master lost its tail", writes: 5, power: true, alone: true,
			prepare: func(w *world) { w.hosts[0].engine.options["sync_binlog"] = "0" },
			script: []stage{
				write(), {name: "A loses its power", do: func(w *world) {
					w.write(w.hosts[0])
					w.hosts[1].engine.replicate()
					w.powerCut(w.hosts[0])
				}}, switchover(1), write(), rejoin(0), write(),
			},
		},
		{
			name: "split-brain", writes: 5, cuts: true, prepare: splitBrain,
			script: []stage{{name: "nothing", do: func(*world) {}}, rejoinGivingUp(0, true), write()},
		},
		{
			name: "a cluster decides", writes: 4, cluster: true,
			script: []stage{serve(0), demote(0), serve(1), write(), served()},
		},
	}
}

// splitBrain makes two terms of one number, as old files of a backup can.
func splitBrain(w *world) {
	for _, h := range w.hosts {
		n, _ := h.note.note()
		n.Term.Number, n.Term.Nonce, n.Term.Master = 2, "SPLITSPLITSPLITSPLITSPLIT"+h.letter, h.name
		h.note, _ = json.Marshal(&n)
		h.engine.master = nil
	}
}

// TestScenarios explores every scenario on both families: with one crash at every place, but for
// the long ones, which are only run; with GTUNNEL_SIMULATE=N, all by all deviations, up to N+1.
func TestScenarios(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("left out by -short: takes a minute")
	}
	more := depth(0)
	for _, s := range scenarios() {
		for _, family := range []server.Family{server.MariaDB, server.MySQL} {
			t.Run(s.name+"/"+string(family), func(t *testing.T) {
				x := &explorer{scenario: s, family: family, crashes: more == 0, depth: 1 + more}
				if more == 0 && (raced || s.long) { // make test runs the others without the detector
					x.depth = 0
				}
				if seconds := limit(); seconds > 0 {
					x.until = time.Now().Add(time.Duration(seconds) * time.Second)
				}
				report(t, x.explore(t, runtime.GOMAXPROCS(0)))
				t.Log(x.result())
				explored.add(x)
			})
		}
	}
}

// totals are what was explored of all scenarios.
type totals struct{ states, transitions, runs, scenarios, cutShort int }

var explored totals

func (s *totals) add(x *explorer) {
	s.states, s.transitions, s.runs = s.states+len(x.visited), s.transitions+x.transitions, s.runs+x.runs
	if s.scenarios++; x.cutShort {
		s.cutShort++
	}
}

// String tells them; empty: nothing was explored.
func (s *totals) String() string {
	if s.scenarios == 0 {
		return ""
	}
	text := fmt.Sprintf("simulation: %d states, %d transitions, %d runs, in %d scenarios and families", s.states,
		s.transitions, s.runs, s.scenarios)
	if s.cutShort > 0 {
		text += fmt.Sprintf("; %d of them not whole", s.cutShort)
	}
	return text + "\n"
}

// lose is a stage in which a master loses its power, with a row that its slave has not received.
func lose(on int) stage {
	return stage{name: "the master is lost", do: func(w *world) {
		h := w.hosts[on]
		slave := &w.other(h).engine.io
		held := slave.held
		slave.held = true
		w.write(h)
		h.off = true
		w.powerCut(h)
		slave.held = held
	}}
}

package failover_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

var updateSwitchover = flag.Bool("update-switchover", false, "write the plans of switchovers anew")

// switchoverVersions are those whose plans are kept.
var switchoverVersions = []server.Version{
	{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 19},
	{Family: server.MySQL, Major: 5, Minor: 7, Patch: 42},
	{Family: server.MySQL, Major: 9, Minor: 7},
}

// switchoverFacts are those of a pair that is ready, on the slave.
func switchoverFacts(v server.Version) *failover.SwitchoverFacts {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	first := term.Term{
		Number: 1, Nonce: "first", Master: "server1.domain.one", Since: now.Add(-time.Hour), By: term.BySetup,
	}
	gtid := "0-1-17"
	if v.Family == server.MySQL {
		gtid = "11111111-0000-0000-0000-000000000001:1-17"
	}
	at := server.Position{File: "mysql-bin.000007", Offset: 4711, GTID: gtid}
	note := term.Note{HostID: "b", Name: "server2.domain.two", Peer: "server1.domain.one", Term: first}
	other := note
	other.HostID, other.Name, other.Peer = "a", note.Peer, note.Name
	record := other.Record()
	record.LoggedIn = now.Add(-time.Minute)
	own := failover.SwitchoverSide{
		Version: v, GTIDs: true, Log: at, Applied: "0-1-17", Guard: 7,
		Slave: &server.SlaveStatus{IORunning: "Yes", SQLRunning: "Yes", Read: at, Executed: at, ByGTID: true},
	}
	return &failover.SwitchoverFacts{
		Name: note.Name, Peer: note.Peer, Note: note, Nonce: "second", Now: now, Received: true,
		Own: failover.SwitchoverOwn{
			SwitchoverSide: own, LogsUpdates: true, Super: v.Family == server.MySQL,
			Row: note.Record(),
		},
		Other: &failover.SwitchoverOther{
			SwitchoverSide: failover.SwitchoverSide{Version: v, Writable: true, GTIDs: true, Log: at, Guard: 8},
			Record:         &record,
		},
	}
}

// raisedFacts are those after the term was raised, and nothing more was done.
func raisedFacts(v server.Version) *failover.SwitchoverFacts {
	f := switchoverFacts(v)
	_ = f.Note.Begin("second", term.BySwitchover, f.Now)
	_ = f.Note.Raise(term.Raised{Nonce: "second", At: f.Now, Alone: term.Demoted})
	f.Own.Slave.IORunning, f.Own.Slave.SQLRunning, f.Other = "No", "No", nil
	return f
}

// stoppedFacts are those of a slave that was started anew once the other was demoted for it.
func stoppedFacts(v server.Version) *failover.SwitchoverFacts {
	f := switchoverFacts(v)
	_ = f.Note.Begin("second", term.BySwitchover, f.Now)
	f.Own.Slave.IORunning, f.Own.Slave.SQLRunning = "No", "No"
	f.Other.Writable, f.Received, f.Own.MayStart = false, false, true
	return f
}

// TestSwitchoverPlans keeps the plans.
func TestSwitchoverPlans(t *testing.T) {
	for _, v := range switchoverVersions {
		old := raisedFacts(v)
		old.Own.Old = []server.Process{
			{ID: 12, User: "voms", Host: "localhost"}, {ID: 15, User: "iam", Host: "10.0.0.5:40000"},
		}
		for name, f := range map[string]*failover.SwitchoverFacts{
			"": switchoverFacts(v), "-rest": raisedFacts(v), "-start": stoppedFacts(v), "-old": old,
		} {
			file := fmt.Sprintf("switchover%s-%s-%s.txt", name, strings.ToLower(string(v.Family)), v.Series())
			path := filepath.Join("testdata", file)
			got := showPlan(failover.PlanSwitchover(f))
			if *updateSwitchover {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs; -update-switchover writes it anew. It is now:\n%s", path, got)
			}
		}
	}
}

// showPlan is a plan as a golden file has it.
func showPlan(p *replication.Plan) string {
	var b strings.Builder
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning %s: %v\n  cure: %s\n", w.Code, w, w.Cure)
	}
	for _, w := range p.Problems {
		fmt.Fprintf(&b, "problem %s: %v\n  cure: %s\n", w.Code, w, w.Cure)
	}
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s on %s: %s\n", s.Name, s.On, s.What)
		if s.Why != "" {
			fmt.Fprintf(&b, "  why: %s\n", s.Why)
		}
		for _, q := range s.SQL {
			fmt.Fprintf(&b, "  SQL: %s\n", q)
		}
		for _, undo := range []string{s.Undo.String(), s.UndoByHand} {
			if undo != "" {
				fmt.Fprintf(&b, "  undo: %s\n", undo)
			}
		}
	}
	return b.String()
}

// TestSwitchoverPlanIsPure makes each plan twice.
func TestSwitchoverPlanIsPure(t *testing.T) {
	for _, v := range switchoverVersions {
		used := switchoverFacts(v)
		first, second := failover.PlanSwitchover(used), failover.PlanSwitchover(used)
		if showPlan(first) != showPlan(second) || !reflect.DeepEqual(used.Note, switchoverFacts(v).Note) {
			t.Errorf("%s: planning has changed what it was given:\n%s\n%s", v, showPlan(first), showPlan(second))
		}
	}
}

// sf is short for what the cases change.
type sf = failover.SwitchoverFacts

// closed is that the old master is read-only already.
func closed(f *sf) { f.Other.Writable, f.Own.Slave.IORunning = false, "No" }

// switchoverCases are what may stand in the way, each with the codes of the problems.
var switchoverCases = map[string]struct {
	change func(f *sf)
	want   []string
}{
	"all is well": {func(*sf) {}, nil},
	"no term": {
		func(f *sf) { f.Note.Term = term.Term{} },
		[]string{"term-unknown"},
	},
	"it stands aside": {
		func(f *sf) { f.Note.StandsAside = f.Now },
		[]string{"stands-aside"},
	},
	"the other is silent": {func(f *sf) { f.Other = nil }, []string{"peer-silent"}},
	"no record":           {func(f *sf) { f.Other.Record = nil }, []string{"no-guard"}},
	"its guard is down":   {func(f *sf) { f.Other.Guard = 0 }, []string{"no-guard"}},
	"split-brain": {
		func(f *sf) { f.Other.Record.Term.Nonce = "x" },
		[]string{"split-brain"},
	},
	"terms differ": {
		func(f *sf) { f.Other.Record.Term.Number = 2 },
		[]string{"terms-differ"},
	},
	"the other asks as well": {
		func(f *sf) { f.Other.Record.Request = &term.Request{} },
		[]string{"busy"},
	},
	"no slave": {func(f *sf) { f.Own.Slave = nil }, []string{"no-slave"}},
	"an error of the slave": {
		func(f *sf) { f.Own.Slave.SQLErrno = 1062 },
		[]string{"slave-stopped"},
	},
	"no I/O thread": {
		func(f *sf) { f.Own.Slave.IORunning = "No" },
		[]string{"slave-stopped"},
	},
	"no SQL thread": {
		func(f *sf) { f.Own.Slave.SQLRunning = "No" },
		[]string{"slave-stopped"},
	},
	"a delay":          {func(f *sf) { f.Own.Slave.Delay = 5 }, []string{"delayed"}},
	"behind":           {func(f *sf) { f.Received = false }, []string{"lagging"}},
	"temporary tables": {func(f *sf) { f.Own.Temporary = 1 }, []string{"temporary-tables"}},
	"a prepared one": {
		func(f *sf) { f.Own.Prepared = 1 },
		[]string{"prepared-transactions"},
	},
	"no log of a slave": {func(f *sf) { f.Own.LogsUpdates = false }, []string{"not-ready"}},
	"a long transaction": {
		func(f *sf) { f.Other.Transactions = long(5) },
		[]string{"long-transaction"},
	},
	"a prepared one there": {
		func(f *sf) { f.Other.Transactions = long(0) },
		[]string{"prepared-transactions"},
	},
	"a long statement": {
		func(f *sf) { f.Other.Statements = []server.Process{{ID: 5}} },
		[]string{"long-statement"},
	},
	"its own login fails": {
		func(f *sf) { f.LoginErr = os.ErrPermission },
		[]string{"replication-login"},
	},
	"the other's login fails": {
		func(f *sf) { f.Other.Record.LoginErr = "1045" },
		[]string{"replication-login"},
	},
	"the other's is old": {
		func(f *sf) { f.Other.Record.LoggedIn = f.Now.Add(-time.Hour) },
		[]string{"login-untried"},
	},
	"a closed master": {closed, nil},
	"a closed master, and a slave that has applied all and stands": {func(f *sf) {
		closed(f)
		f.Own.Slave.SQLRunning = "No"
	}, nil},
	"a closed master, and a relay log that is not applied": {func(f *sf) {
		closed(f)
		f.Own.Slave.SQLRunning = "No"
		f.Own.Slave.Read.Offset++
	}, []string{"slave-stopped"}},
	"a closed master that has more": {func(f *sf) {
		closed(f)
		f.Received = false
	}, []string{"slave-stopped"}},
	"a run was cut off after it had stopped the slave": {func(f *sf) {
		closed(f)
		_ = f.Note.Begin("before", term.BySwitchover, f.Now)
		f.Own.Slave.SQLRunning = "No"
	}, nil},
}

// TestSwitchoverChecks holds what stands in the way, and what does not.
func TestSwitchoverChecks(t *testing.T) {
	for name, c := range switchoverCases {
		for _, v := range switchoverVersions {
			f := switchoverFacts(v)
			c.change(f)
			p := failover.PlanSwitchover(f)
			var got []string
			for _, problem := range p.Problems {
				got = append(got, problem.Code)
				if problem.Cure == "" {
					t.Errorf("%s, %s: %s has no cure", v, name, problem.Code)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: %v, want the codes %v", v, name, p.Problems, c.want)
			}
			if (len(p.Steps) == 0) != (len(c.want) > 0) {
				t.Errorf("%s, %s: %d steps beside %v", v, name, len(p.Steps), got)
			}
		}
	}
}

// long is a transaction that is open for too long, of a session.
func long(session uint64) []server.OpenTransaction {
	return []server.OpenTransaction{{Session: session, Age: time.Minute}}
}

// TestSwitchoverOnTheMaster says where to run it.
func TestSwitchoverOnTheMaster(t *testing.T) {
	f := raisedFacts(switchoverVersions[0])
	f.Note.Alone, f.Own.Slave, f.Own.Writable = term.NotAlone, nil, true
	p := failover.PlanSwitchover(f)
	if len(p.Steps) > 0 || len(p.Problems) > 0 || len(p.Warnings) != 1 || p.Warnings[0].On != finding.Own ||
		!strings.Contains(p.Warnings[0].Cure, "run gtunnel replication switchover there") {
		t.Errorf("the plan is %s", showPlan(p))
	}
}

// TestSwitchoverScheduler warns of events that would run nowhere.
func TestSwitchoverScheduler(t *testing.T) {
	for _, on := range []bool{false, true} {
		f := switchoverFacts(switchoverVersions[0])
		f.Other.Events, f.Own.Scheduler = []string{"voms.tick"}, on
		p := failover.PlanSwitchover(f)
		warned := slices.ContainsFunc(p.Warnings, func(w *finding.Problem) bool {
			return w.Code == "event-scheduler" && strings.Contains(w.Text, "voms.tick")
		})
		if warned == on {
			t.Errorf("event_scheduler is on: %v; warnings: %v", on, p.Warnings)
		}
	}
}

package watch

import (
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// notesInStatus are what runs that were cut off have left, and what the status says of it.
var notesInStatus = map[string]struct {
	change func(*Status)
	state  Health
	code   string // the first problem's
	words  string // in it and its cure
}{
	"comparison": {
		func(s *Status) {
			s.Connection.SQLRunning, s.compared = "No", &journal.ComparisonNote{}
		}, HealthCutOffWork, "compare-cut-off",
		"has left the SQL thread stopped|gtunnel replication compare, which starts it again; or STOP REPLICA SQL_THREAD " +
			"FOR CHANNEL ''; START REPLICA",
	},
	"comparison, not there yet": {func(s *Status) {
		s.Connection.Until, s.compared = "bin.000007:4", &journal.ComparisonNote{}
	}, HealthCutOffWork, "compare-cut-off", "to stop at bin.000007:4"},
	"comparison, long ago": {func(s *Status) { s.compared = &journal.ComparisonNote{} }, HealthOK, "", ""},
	"comparison at work": {func(s *Status) {
		s.Connection.SQLRunning, s.busy = "No", true
	}, HealthApplierStuck, "busy", "works on the slave"},
	"repair": {
		func(s *Status) {
			s.Connection.SQLRunning, s.Connection.IgnoreTable = "No", []string{"d.a_t"}
			s.repaired, s.variables.Variables["super_read_only"] = &journal.RepairNote{
				Tables: []string{"d.a_t", "d.u"}, SuperReadOnly: true,
			}, "OFF"
		}, HealthCutOffWork, "repair-cut-off",
		"d.a_t, d.u may be half a copy; the slave leaves their changes out; the replication stands; super_read_only is " +
			"still off|compare --repair-table d.a_t --repair-table d.u",
	},
	"repair, restarted": {func(s *Status) {
		s.repaired = &journal.RepairNote{Tables: []string{"d.t"}, SuperReadOnly: true}
	}, HealthCutOffWork, "repair-cut-off", "d.t may be half a copy|--repair-table d.t"},
	"repair, restarted, broken": {func(s *Status) {
		s.Connection.SQLRunning, s.Connection.SQLErrno, s.repaired = "No", 1032, &journal.RepairNote{Tables: []string{"d.t"}}
	}, HealthSQLError, "missing-row", ""},
	"no filter": {
		func(s *Status) { s.Connection.WildDoTable = nil }, HealthOK, "no-filter", "every database|setup-slave",
	},
	"no filter yet": {func(s *Status) { s.Connection.WildDoTable, s.busy = nil, true }, HealthOK, "", ""},
	"no filter, by hand": {func(s *Status) {
		s.Connection.WildDoTable, s.Connection.MasterHost = nil, "10.0.0.7"
	}, HealthOK, "", ""},
	"repair at work": {
		func(s *Status) { s.busy, s.Connection.IgnoreTable = true, []string{"d.t"} }, HealthOK, "", "",
	},
}

// TestNotesInStatus says what runs that were cut off have left.
func TestNotesInStatus(t *testing.T) {
	for name, c := range notesInStatus {
		t.Run(name, func(t *testing.T) {
			s := &Status{
				Connection: &server.SlaveStatus{
					MasterHost: server.Loopback, IORunning: "Yes", SQLRunning: "Yes", WildDoTable: []string{"d.%"},
				}, version: server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0},
				variables: &facts.Facts{Variables: map[string]string{"super_read_only": "ON"}},
			}
			c.change(s)
			s.judge()
			if s.State != c.state || s.Healthy != (c.code == "") {
				t.Errorf("it is %s, %v", s, s.Healthy)
			}
			if c.code == "" {
				return
			}
			if len(s.Problems) == 0 || s.Problems[0].Code != c.code {
				t.Fatalf("the problems are %v", s.Problems)
			}
			text := s.Problems[0].Text + "\n" + s.Problems[0].Cure
			for word := range strings.SplitSeq(c.words, "|") {
				if !strings.Contains(text, word) {
					t.Errorf("no %q in %s", word, text)
				}
			}
			if s.repaired != nil && s.Problems[len(s.Problems)-1].Code != "repair-cut-off" {
				t.Errorf("nothing of the repair: %v", s.Problems)
			}
		})
	}
}

// TestUnequalInStatus: what the last comparison has found unequal is a warning, at every status.
func TestUnequalInStatus(t *testing.T) {
	for differing, want := range map[int]bool{0: false, 2: true} {
		s := &Status{
			Connection: &server.SlaveStatus{
				MasterHost: server.Loopback, IORunning: "Yes", SQLRunning: "Yes", WildDoTable: []string{"d.%"},
			}, version: server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0},
			variables: &facts.Facts{Variables: map[string]string{"super_read_only": "ON"}},
			Compared:  &journal.ComparedNote{Tables: 9, Differing: differing},
		}
		s.judge()
		told := slices.ContainsFunc(s.Warnings, func(p *finding.Problem) bool { return p.Code == "compared-unequal" })
		if told != want || !s.Healthy {
			t.Errorf("of %d the warnings are %v, the problems %v", differing, s.Warnings, s.Problems)
		}
	}
}

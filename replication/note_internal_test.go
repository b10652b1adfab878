package replication

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNoteHolds: where the server says otherwise, a note is of no account.
func TestNoteHolds(t *testing.T) {
	at := Position{File: "bin.000007", Offset: 200}
	before, after := Position{File: "bin.000007", Offset: 100}, Position{File: "bin.000008", Offset: 4}
	for name, c := range map[string]struct {
		note  *compareNote
		slave *SlaveStatus
		want  bool
	}{
		"no note":              {nil, &SlaveStatus{SQLRunning: "No"}, false},
		"no slave":             {&compareNote{At: at}, nil, false},
		"stopped there":        {&compareNote{At: at}, &SlaveStatus{SQLRunning: "No", Executed: at, Until: at.String()}, true},
		"stopped on its way":   {&compareNote{At: at}, &SlaveStatus{SQLRunning: "No", Executed: before}, true},
		"stopped, no place":    {&compareNote{}, &SlaveStatus{SQLRunning: "No", Executed: before}, true},
		"will stop":            {&compareNote{At: at}, &SlaveStatus{SQLRunning: "Yes", Executed: at, Until: at.String()}, true},
		"runs":                 {&compareNote{At: at}, &SlaveStatus{SQLRunning: "Yes", Executed: at}, false},
		"stopped later":        {&compareNote{At: at}, &SlaveStatus{SQLRunning: "No", Executed: after}, false},
		"an error stopped it":  {&compareNote{At: at}, &SlaveStatus{SQLRunning: "No", Executed: at, SQLErrno: 1062}, false},
		"will stop, but later": {&compareNote{At: at}, &SlaveStatus{SQLRunning: "Yes", Executed: after, Until: "bin.000009:4"}, false},
	} {
		if got := c.note.holds(c.slave); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestNoteFile writes, reads and removes notes, also twice and nowhere.
func TestNoteFile(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "state")
	compare, repair := noteFiles(directory, 2)
	other, _ := noteFiles(directory, 3)
	note := repairNote{Began: time.Now().UTC().Truncate(time.Second), Tables: []string{"d.t"}, SuperReadOnly: true}
	if err := repair.write(note); err != nil {
		t.Fatal(err)
	}
	if err := compare.write(compareNote{At: Position{File: "bin.000007", Offset: 200}}); err != nil {
		t.Fatal(err)
	}
	got, err := readNote[repairNote](repair)
	if err != nil || got == nil || !got.Began.Equal(note.Began) || got.Tables[0] != "d.t" || !got.SuperReadOnly {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := readNote[compareNote](compare); err != nil || got == nil || got.At.Offset != 200 {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := readNote[compareNote](other); err != nil || got != nil {
		t.Errorf("another slave's: %+v, %v", got, err)
	}
	nowhere, _ := noteFiles("", 2)
	for _, f := range []noteFile{compare, compare, repair, nowhere} {
		if err := f.remove(); err != nil {
			t.Error(err)
		}
	}
	if got, err := readNote[repairNote](repair); err != nil || got != nil {
		t.Errorf("after its end: %+v, %v", got, err)
	}
	if err := nowhere.write(note); err != nil {
		t.Error(err)
	}
	if err := writeFile(string(repair), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readNote[repairNote](repair); !HasCode(err, "state") {
		t.Errorf("a broken one: %v", err)
	}
}

// TestNotesInStatus says what runs that were cut off have left.
func TestNotesInStatus(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Status)
		state  Health
		code   string // the first problem's
		words  string // in it and its cure
	}{
		"comparison": {func(s *Status) {
			s.Connection.SQLRunning, s.compared = "No", &compareNote{}
		}, HealthStopped, "compare-cut-off", "has left the SQL thread stopped|gtunnel replication compare, which starts it again; or STOP REPLICA SQL_THREAD FOR CHANNEL ''; START REPLICA"},
		"comparison, not there yet": {func(s *Status) {
			s.Connection.Until, s.compared = "bin.000007:4", &compareNote{}
		}, HealthRunning, "compare-cut-off", "to stop at bin.000007:4"},
		"comparison, long ago": {func(s *Status) { s.compared = &compareNote{} }, HealthRunning, "", ""},
		"comparison at work": {func(s *Status) {
			s.Connection.SQLRunning, s.busy = "No", true
		}, HealthStopped, "busy", "works on the slave"},
		"repair": {func(s *Status) {
			s.Connection.SQLRunning, s.Connection.IgnoreTable = "No", []string{"d.a_t"}
			s.repaired, s.variables.Variables["super_read_only"] = &repairNote{Tables: []string{"d.a_t", "d.u"}, SuperReadOnly: true}, "OFF"
		}, HealthStopped, "repair-cut-off", "d.a_t, d.u may be half a copy; the slave leaves their changes out; the replication stands; super_read_only is still off|compare --repair-table d.a_t --repair-table d.u"},
		"repair, restarted": {func(s *Status) {
			s.repaired = &repairNote{Tables: []string{"d.t"}, SuperReadOnly: true}
		}, HealthRunning, "repair-cut-off", "d.t may be half a copy|--repair-table d.t"},
		"repair, restarted, broken": {func(s *Status) {
			s.Connection.SQLRunning, s.Connection.SQLErrno, s.repaired = "No", 1032, &repairNote{Tables: []string{"d.t"}}
		}, HealthBroken, "missing-row", ""},
		"no filter":     {func(s *Status) { s.Connection.WildDoTable = nil }, HealthRunning, "no-filter", "every database|setup-slave"},
		"no filter yet": {func(s *Status) { s.Connection.WildDoTable, s.busy = nil, true }, HealthRunning, "", ""},
		"no filter, by hand": {func(s *Status) {
			s.Connection.WildDoTable, s.Connection.MasterHost = nil, "10.0.0.7"
		}, HealthRunning, "", ""},
		"repair at work": {func(s *Status) { s.busy, s.Connection.IgnoreTable = true, []string{"d.t"} }, HealthRunning, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Status{
				Connection: &SlaveStatus{MasterHost: loopback, IORunning: "Yes", SQLRunning: "Yes", WildDoTable: []string{"d.%"}}, version: Version{Family: MySQL, Major: 9, Minor: 7, Patch: 0},
				variables: &Facts{Variables: map[string]string{"super_read_only": "ON"}},
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

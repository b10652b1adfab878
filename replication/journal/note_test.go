package journal_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestNoteHolds: where the server says otherwise, a note is of no account.
func TestNoteHolds(t *testing.T) {
	at := server.Position{File: "bin.000007", Offset: 200}
	before, after := server.Position{File: "bin.000007", Offset: 100}, server.Position{File: "bin.000008", Offset: 4}
	for name, c := range map[string]struct {
		note  *journal.ComparisonNote
		slave *server.SlaveStatus
		want  bool
	}{
		"no note":  {nil, &server.SlaveStatus{SQLRunning: "No"}, false},
		"no slave": {&journal.ComparisonNote{At: at}, nil, false},
		"stopped there": {
			&journal.ComparisonNote{At: at}, &server.SlaveStatus{SQLRunning: "No", Executed: at, Until: at.String()}, true,
		},
		"stopped on its way": {
			&journal.ComparisonNote{At: at}, &server.SlaveStatus{SQLRunning: "No", Executed: before}, true,
		},
		"stopped, no place": {&journal.ComparisonNote{}, &server.SlaveStatus{SQLRunning: "No", Executed: before}, true},
		"will stop": {
			&journal.ComparisonNote{At: at}, &server.SlaveStatus{SQLRunning: "Yes", Executed: at, Until: at.String()}, true,
		},
		"runs": {&journal.ComparisonNote{At: at}, &server.SlaveStatus{SQLRunning: "Yes", Executed: at}, false},
		"stopped later": {
			&journal.ComparisonNote{At: at}, &server.SlaveStatus{SQLRunning: "No", Executed: after}, false,
		},
		"an error stopped it": {
			&journal.ComparisonNote{At: at}, &server.SlaveStatus{SQLRunning: "No", Executed: at, SQLErrno: 1062}, false,
		},
		"will stop, but later": {
			&journal.ComparisonNote{At: at}, &server.SlaveStatus{SQLRunning: "Yes", Executed: after, Until: "bin.000009:4"},
			false,
		},
	} {
		if got := c.note.Holds(c.slave); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestNoteFile writes, reads and removes notes, also twice and nowhere.
func TestNoteFile(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "state")
	compared, repair := journal.NoteFiles(directory, 2)
	other, _ := journal.NoteFiles(directory, 3)
	note := journal.RepairNote{Began: time.Now().UTC().Truncate(time.Second), Tables: []string{"d.t"}, SuperReadOnly: true}
	if err := repair.Write(note); err != nil {
		t.Fatal(err)
	}
	if err := compared.Write(journal.ComparisonNote{At: server.Position{File: "bin.000007", Offset: 200}}); err != nil {
		t.Fatal(err)
	}
	got, err := journal.ReadNote[journal.RepairNote](repair)
	if err != nil || got == nil || !got.Began.Equal(note.Began) || got.Tables[0] != "d.t" || !got.SuperReadOnly {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := journal.ReadNote[journal.ComparisonNote](compared); err != nil || got == nil || got.At.Offset != 200 {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := journal.ReadNote[journal.ComparisonNote](other); err != nil || got != nil {
		t.Errorf("another slave's: %+v, %v", got, err)
	}
	nowhere, _ := journal.NoteFiles("", 2)
	for _, f := range []journal.NoteFile{compared, compared, repair, nowhere} {
		if err := f.Remove(); err != nil {
			t.Error(err)
		}
	}
	if got, err := journal.ReadNote[journal.RepairNote](repair); err != nil || got != nil {
		t.Errorf("after its end: %+v, %v", got, err)
	}
	if err := nowhere.Write(note); err != nil {
		t.Error(err)
	}
	if err := optionfile.WriteFile(string(repair), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.ReadNote[journal.RepairNote](repair); !finding.HasCode(err, "state") {
		t.Errorf("a broken one: %v", err)
	}
}

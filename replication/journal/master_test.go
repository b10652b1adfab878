package journal_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestMasterNote: a note is moved on, of the same master and of another; that a master was
// restarted stays known until both ends are seen to be equal.
func TestMasterNote(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(offset uint64, id uint32, started time.Time) *journal.MasterNote {
		return &journal.MasterNote{
			ID: id, Started: started, At: server.Position{File: "b.000001", Offset: offset, GTID: "0-1-5"},
		}
	}
	file := journal.MasterFile(t.TempDir(), 2)
	read := func() *journal.MasterNote {
		t.Helper()
		note, err := journal.ReadNote[journal.MasterNote](file)
		if err != nil || note == nil {
			t.Fatalf("read %v, %v", note, err)
		}
		return note
	}
	file.Refresh(nil, at(4, 1, start))
	file.Refresh(read(), at(5, 1, start.Add(time.Second))) // told in whole seconds
	if n := read(); n.At.Offset != 5 || n.Restarted || n.At.GTID != "0-1-5" {
		t.Errorf("the note is %+v", n)
	}
	file.Refresh(read(), at(6, 1, start.Add(time.Minute)))
	file.Refresh(read(), at(7, 1, start.Add(time.Minute)))
	if n := read(); n.At.Offset != 7 || !n.Restarted {
		t.Errorf("after a restart the note is %+v", n)
	}
	file.Refresh(read(), at(8, 3, start))
	if n := read(); n.ID != 3 || n.Restarted {
		t.Errorf("of another master the note is %+v", n)
	}
	file.Refresh(read(), nil) // it may not be seen
	journal.MasterFile(filepath.Join(t.TempDir(), "none"), 2).Refresh(nil, at(4, 1, start))
	journal.MasterFile("", 2).Refresh(nil, at(4, 1, start))
	if n := read(); n.At.Offset != 8 {
		t.Errorf("the note is %+v", n)
	}
}

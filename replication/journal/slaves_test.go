package journal_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
)

// TestSlavesNote: a slave that is gone stays known, until it is forgotten; that of the pair
// is told from others also when its host does not answer.
func TestSlavesNote(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	master := &facts.Facts{Variables: map[string]string{"server_uuid": "a", "server_id": "1"}}
	master.Registered = []facts.Registered{{ServerID: 9, UUID: "c"}, {ServerID: 5, UUID: "b", Host: "server2"}}
	var note *journal.SlavesNote
	note = note.See(master, 5, at)
	if len(note.Slaves) != 2 || note.Slaves[0].ServerID != 5 || note.OfPair() == nil || note.OfPair().ServerID != 5 ||
		len(note.Gone()) != 0 {
		t.Fatalf("%+v", note)
	}
	file := journal.SlavesFile(t.TempDir(), 1)
	note.Keep(file)
	note, err := journal.ReadNote[journal.SlavesNote](file)
	if err != nil || note == nil {
		t.Fatal(err)
	}
	master.Registered = nil
	note = note.See(master, 0, at.Add(time.Hour))
	gone := note.Gone()
	if len(gone) != 1 || gone[0].ServerID != 9 || !gone[0].Last.Equal(at) || note.OfPair() == nil ||
		note.OfPair().Connected {
		t.Errorf("gone: %+v of %+v", gone, note)
	}
	master.Registered = []facts.Registered{{ServerID: 70, UUID: "c"}} // set up anew, with another id
	if note = note.See(master, 0, at.Add(2*time.Hour)); len(note.Gone()) != 0 || len(note.Slaves) != 2 {
		t.Errorf("%+v", note)
	}
	if !note.Forget(70) || note.Forget(70) || len(note.Slaves) != 1 {
		t.Errorf("%+v", note)
	}
	other := &facts.Facts{Variables: map[string]string{"server_uuid": "z"}}
	if note = note.See(other, 0, at); len(note.Slaves) != 0 {
		t.Errorf("of another server: %+v", note)
	}
	note.Keep(journal.SlavesFile(filepath.Join(t.TempDir(), "none"), 1)) // no folder: nothing is noted
}

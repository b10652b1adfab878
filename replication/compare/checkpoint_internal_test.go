package compare

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestCheckpointOf: a checkpoint is gone on from only by the comparison of which it is, and
// what it is otherwise is said in a line.
func TestCheckpointOf(t *testing.T) {
	now := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	own := checkpoint{Slave: "slave", Master: "master", Databases: []string{"voms"}, Changed: now.Add(-time.Hour)}
	for _, test := range []struct {
		name   string
		change func(*checkpoint)
		resume bool
		said   string
	}{
		{"of this one", func(*checkpoint) {}, true, "goes on with the comparison of 2026-07-01 02:00:00 UTC, "},
		{"without --resume", func(*checkpoint) {}, false, "begins anew: the comparison of 2026-07-01 02:00:00 UTC "},
		{"of another slave", func(k *checkpoint) { k.Slave = "other" }, true, "is of a comparison of other servers"},
		{"of another master", func(k *checkpoint) { k.Master = "other" }, true, "is of a comparison of other servers"},
		{"databases", func(k *checkpoint) { k.Databases = nil }, true, "of other databases or tables"},
		{"tables", func(k *checkpoint) { k.Tables = []string{"voms.t"} }, true, "of other databases or tables"},
		{"locks", func(k *checkpoint) { k.LockTables = true }, true, "with other flags"},
		{"all", func(k *checkpoint) { k.All = true }, true, "with other flags"},
		{"old", func(k *checkpoint) { k.Changed = now.AddDate(0, 0, -8) }, true, "that is older than 168h"},
		{"another one, without --resume", func(k *checkpoint) { k.All = true }, false, ""},
	} {
		left := own
		left.Done = []doneTable{{TableResult: TableResult{Table: "voms.t", Rows: 7}, Again: true}}
		left.At, left.Until = server.Position{File: "bin.1", Offset: 4}, server.Position{File: "bin.2", Offset: 4}
		left.Begun = map[string]*begun{"voms.u": {After: keyValue{"9"}}}
		test.change(&left)
		file := journal.CheckpointFile(t.TempDir(), 2)
		if err := file.Write(left); err != nil {
			t.Fatal(err)
		}
		said := ""
		c := &Comparison{Resume: test.resume, Say: func(text string) { said += text }}
		w := c.newWalk(nil)
		w.checkpoint = &checkpointFile{file: file, content: own}
		w.lookForLeft(now)
		if test.said == "" && said != "" || !strings.Contains(said, test.said) {
			t.Errorf("%s: it says %q", test.name, said)
		}
		goesOn := strings.HasPrefix(test.said, "goes on")
		if w.done["voms.t"] != goesOn || (w.begun["voms.u"] != nil) != goesOn {
			t.Errorf("%s: done are %v, begun %v", test.name, w.done, w.begun)
		}
		if goesOn && (!w.result.Tables[0].again || w.result.Tables[0].Rows != 7 || w.result.Until != left.Until) {
			t.Errorf("%s: the result is %+v", test.name, w.result)
		}
	}
	broken := journal.CheckpointFile(t.TempDir(), 2)
	if err := os.WriteFile(string(broken), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := ""
	w := (&Comparison{Resume: true, Say: func(text string) { said += text }}).newWalk(nil)
	w.checkpoint = &checkpointFile{file: broken}
	if w.lookForLeft(now); !strings.HasPrefix(said, "begins anew: ") || !strings.Contains(said, string(broken)) {
		t.Errorf("of a broken one it says %q", said)
	}
}

// TestLoads reads what a comparison gives way to, and how far a slave is behind.
func TestLoads(t *testing.T) {
	if l, err := ParseLoad("Threads_running = 50"); err != nil || l.String() != "Threads_running=50" {
		t.Errorf("got %v, %v", l, err)
	}
	for _, text := range []string{"", "Threads_running", "=5", "Threads_running=", "Threads_running=-1", "a=b"} {
		if l, err := ParseLoad(text); err == nil {
			t.Errorf("%q is %v", text, l)
		}
	}
	behind := int64(100)
	for want, status := range map[time.Duration]*server.SlaveStatus{
		0: {}, 100 * time.Second: {SecondsBehind: &behind}, 40 * time.Second: {SecondsBehind: &behind, Delay: 60},
	} {
		if got := lagOf(status); got != want {
			t.Errorf("%s behind, want %s", got, want)
		}
	}
}

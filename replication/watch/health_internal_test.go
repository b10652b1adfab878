package watch

import (
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestClocks warns of clocks that differ.
func TestClocks(t *testing.T) {
	for ahead, want := range map[time.Duration]bool{
		time.Second: false, -time.Second: false, time.Minute: true, -time.Minute: true,
	} {
		s := &Status{
			Connection: &server.SlaveStatus{MasterHost: server.Loopback, IORunning: "Yes", SQLRunning: "Yes"},
			Master:     MasterSide{Reachable: true},
			sameMaster: true, hasClock: true, clock: ahead, variables: &facts.Facts{},
		}
		s.judge()
		found := false
		for _, w := range s.Warnings {
			found = found || w.Code == "clocks" && strings.Contains(w.Text, "1m0s")
		}
		if found != want {
			t.Errorf("%s: warned: %v", ahead, found)
		}
	}
}

// TestAfter counts the bytes of a binary log.
func TestAfter(t *testing.T) {
	m := &MasterSide{
		Position: server.Position{File: "bin.000010", Offset: 50},
		// the last two grew since
		logs: []server.BinaryLog{
			{File: "bin.000008", Bytes: 1000},
			{File: "bin.000009", Bytes: 200},
			{File: "bin.000010", Bytes: 70},
			{File: "bin.000011", Bytes: 4},
		},
	}
	for p, want := range map[server.Position]int{
		{File: "bin.000008", Offset: 900}: 350, {File: "bin.000009", Offset: 4}: 246, {File: "bin.000010", Offset: 4}: 46,
		{File: "bin.000010", Offset: 50}: 0, {File: "bin.000010", Offset: 60}: 0, // the slave is asked later than the master
		{File: "bin.000011", Offset: 4}: 0, {File: "bin.000007", Offset: 4}: -1, {}: -1,
	} {
		got := -1
		if bytes := m.after(p); bytes != nil {
			got = int(*bytes)
		}
		if got != want {
			t.Errorf("%d bytes after %s, not %d", got, p, want)
		}
	}
}

// TestWasPromoted: a slave that follows nobody is a master once it may be written to.
func TestWasPromoted(t *testing.T) {
	for _, c := range []struct {
		stage    journal.Stage
		readOnly string
		want     bool
	}{
		{journal.StageDone, "OFF", true},
		{journal.StageRunning, "OFF", true},
		{journal.StageDone, "ON", false},
		{journal.StageSeeding, "OFF", false},
		{journal.StageSeeded, "OFF", false},
		{journal.StageNone, "OFF", false},
	} {
		f := &facts.Facts{Variables: map[string]string{"read_only": c.readOnly}}
		if got := wasPromoted(c.stage, f); got != c.want {
			t.Errorf("%q, read_only=%s: %v", c.stage, c.readOnly, got)
		}
	}
}

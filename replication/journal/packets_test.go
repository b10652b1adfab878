package journal_test

import (
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
)

// TestPacketNoteHolds: what a server has that has started since is its own.
func TestPacketNoteHolds(t *testing.T) {
	note := &journal.PacketNote{Began: time.Now().Add(-time.Hour), MaxAllowedPacket: 16 << 20}
	for _, c := range []struct {
		note   *journal.PacketNote
		value  string
		uptime time.Duration
		want   bool
	}{
		{note, "1073741824", 2 * time.Hour, true},
		{note, "1073741824", 30 * time.Minute, false},
		{note, "16777216", 2 * time.Hour, false},
		{nil, "1073741824", 2 * time.Hour, false},
	} {
		if got := c.note.Holds(&facts.Facts{Variables: map[string]string{"max_allowed_packet": c.value}}, c.uptime); got !=
			c.want {
			t.Errorf("%s after %s: %t", c.value, c.uptime, got)
		}
	}
}

package failover

import (
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// TestNothingLost: what an endless semi-synchronous replication lets one say is taken back where
// the master may have gone on alone, and a gap in what was seen begins anew.
func TestNothingLost(t *testing.T) {
	at := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	seen := &term.SemiSyncSeen{InForce: true, At: at, Since: at, Endless: true, WaitPoint: server.AfterSync}
	var l Loss
	if l.semiSync(seen, at); !l.Nothing || !(LoseAtMost{}).Covers(&l) {
		t.Errorf("in force without end: %+v", l)
	}
	if l.mayBeAlone(); l.Nothing || (LoseAtMost{}).Covers(&l) || !strings.Contains(l.SemiSync, "gone on alone") {
		t.Errorf("the master may be alone: %+v", l)
	}
	now := server.SemiSync{Known: true, Source: true, InForce: true, Slaves: 1}
	for after, since := range map[time.Duration]time.Time{
		semiSyncGap - time.Second: at, semiSyncGap: at.Add(semiSyncGap),
	} {
		if got := SeenSemiSync(seen, now, at.Add(after)); got.InForce && !got.Since.Equal(since) {
			t.Errorf("seen again after %v: since %v, want %v", after, got.Since, since)
		}
	}
	if got := SeenSemiSync(seen, now, at); !got.InForce {
		t.Errorf("%+v is not in force", now)
	}
}

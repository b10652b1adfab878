package failover_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestRelayLogOnDisk lets a slave of MySQL's wait for its disk at each event only while its
// master is silent; what was received before is flushed then.
func TestRelayLogOnDisk(t *testing.T) {
	t.Parallel()
	p := failovertest.New(t, servertest.MySQL97)
	p.B.StartGuard()
	const wait = "SELECT @@GLOBAL.sync_relay_log"
	p.B.Wait(wait, "0")
	w := p.Write()
	w.WaitFor(p.A)
	w.Stop()
	p.Sync(p.A)
	file := relayFile(t, p.B)
	p.B.Link.Silence(failovertest.Both)
	p.B.Wait(wait, "1")
	for end := time.Now().Add(failovertest.Patience); relayFile(t, p.B) == file; {
		if time.Now().After(end) {
			t.Fatalf("the relay log %s was not flushed", file)
		}
		if err := server.Pause(t.Context(), 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	p.B.Link.Restore()
	p.B.Wait(wait, "0")
}

// relayFile is the file of the relay log that a server writes.
func relayFile(t *testing.T, h *failovertest.Host) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.Server.DataDir(), "relay-bin.0*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no relay log", err)
	}
	return slices.Max(files)
}

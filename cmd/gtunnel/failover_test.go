package main_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
)

// TestTwoHosts holds the ground of the tests of a failover: two hosts that reach each
// other by gtunnel alone, clients that write, and what is read of a relay log.
func TestTwoHosts(t *testing.T) {
	t.Parallel()
	for _, kind := range failovertest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newTwoHosts(t, kind)
			p.prepareLoad()
			w := p.Write()
			w.WaitFor(p.A)
			w.Stop()
			p.Sync(p.A)
			p.Equal()
			if received := p.B.ReceivedRows(); len(p.B.Missing(received)) > 0 {
				t.Errorf("of %v, all of which was applied, is missing %v", received, p.B.Missing(received))
			}
			p.B.Exec("STOP " + kindWord(kind) + " SQL_THREAD")
			stop := p.a.load()
			w = p.Write()
			for range 3 {
				w.WaitFor(p.A)
			}
			p.waitReceived()
			p.a.powerCut()
			stop()
			w.Stop()
			received := p.B.ReceivedRows()
			missing := p.B.Missing(received)
			if len(missing) < 2 {
				t.Errorf("of the rows %v in the relay log are not applied: %v", received, missing)
			}
			p.a.boot()
			for _, id := range missing {
				if len(p.A.Missing([]int64{id})) > 0 {
					t.Errorf("the row %d in the relay log is not on the master", id)
				}
			}
		})
	}
}

func kindWord(kind interface{ IsMySQL() bool }) string {
	if kind.IsMySQL() {
		return "REPLICA"
	}
	return "SLAVE"
}

// waitReceived waits until rows stand in the relay log that are not applied.
func (p *twoHosts) waitReceived() {
	p.t.Helper()
	waitUntil(p.t, "rows in the relay log", func() bool { return len(p.B.Missing(p.B.ReceivedRows())) >= 2 })
}

package failover_test

import (
	"crypto/rand"
	"flag"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
)

var switchovers = flag.Int("switchovers", 4, "how many in a row")

// switchTo switches over to a host, and gives what has come of it.
func switchTo(t *testing.T, h *failovertest.Host) (*failover.Switched, error) {
	t.Helper()
	return newSwitchover(h).Run(t.Context())
}

func newSwitchover(h *failovertest.Host) *failover.Switchover {
	return &failover.Switchover{Host: h.Failover(), Nonce: rand.Text()}
}

// TestSwitchover switches over and back, again and again, while a client writes.
func TestSwitchover(t *testing.T) {
	t.Parallel()
	for _, kind := range failovertest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := failovertest.New(t, kind)
			p.A.StartGuard()
			p.B.StartGuard()
			waitReady(p)
			w := p.Write()
			w.WaitFor(p.A)
			var pauses []time.Duration
			turns := *switchovers
			for i := range turns {
				to := []*failovertest.Host{p.B, p.A}[i%2]
				outcome, err := switchTo(t, to)
				if err != nil {
					t.Fatalf("to %s: %v; %v", to.Name, err, w)
				}
				if !outcome.Follows {
					t.Errorf("%s does not follow %s", to.Peer.Name, to.Name)
				}
				w.WaitFor(to)
				pauses = append(pauses, outcome.Pause.Round(time.Millisecond))
			}
			w.Stop()
			for _, h := range []*failovertest.Host{p.A, p.B} {
				if lacking := w.Lacking(h); len(lacking) > 0 && h == p.A {
					t.Errorf("%s lacks %v", h.Name, lacking)
				}
			}
			if got := w.Turns(); got != turns {
				t.Errorf("the right to write went over %d times in %d switchovers: %v", got, turns, w)
			}
			p.Sync(p.A)
			p.Equal()
			t.Logf("%s: pauses as told %v, longest seen by a client %s", kind, pauses, w.Pause())
		})
	}
}

// waitReady waits until both guards have published that each can follow the other.
func waitReady(p *failovertest.Pair) {
	for _, h := range []*failovertest.Host{p.A, p.B} {
		h.Wait("SELECT record LIKE '%logged_in%' FROM gtunnel.pair", "1")
	}
}

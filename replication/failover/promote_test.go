package failover_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/term"
)

// promote gives a promotion of a host whose peer is stated to be fenced, whatever is lost.
func promote(t *testing.T, h *failovertest.Host) *failover.Promote {
	t.Helper()
	p := &failover.Promote{
		Host: h.Failover(), Nonce: rand.Text(),
		PromoteWant: failover.PromoteWant{Fenced: h.Peer.Name, LoseAtMost: failover.LoseAtMost{Any: true}},
		Report:      func(r *failover.PromoteReport) { t.Log(strings.Join(r.Lines(), "\n")) },
	}
	p.Begin = func(s *replication.Step) error { t.Logf("%s: %s %v", s.Name, s.What, s.SQL); return nil }
	return p
}

// refused runs a promotion, and fails unless it is refused by a code.
func refused(t *testing.T, p *failover.Promote, code string) {
	t.Helper()
	_, err := p.Run(t.Context())
	if !finding.HasCode(err, code) {
		t.Fatalf("the promotion ended with %v, want a refusal %s", err, code)
	}
	t.Log(err)
}

// TestPromote promotes a slave whose master has lost its power, while clients write, and
// runs the command a second time.
func TestPromote(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		p.B.StartGuard()
		w := p.Write()
		w.WaitFor(p.A)
		refused(t, promote(t, p.B), failover.PeerAlive)
		for p.B.Note().Seen == nil {
			time.Sleep(20 * time.Millisecond)
		}
		p.A.PowerCut()
		received := rowsOf(t, p.B)
		result, err := promote(t, p.B).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", result.Times)
		w.WaitFor(p.B)
		w.Stop()
		if w.Turns() != 1 {
			t.Errorf("%d turns, want 1: %v", w.Turns(), w)
		}
		lacks(t, p.B, received)
		if n := p.B.Note(); n.Term.Number != 2 || !n.IsMaster() || n.Term.By != term.ByPromotion {
			t.Errorf("the note is %+v", n)
		}
		again, err := promote(t, p.B).Run(t.Context())
		if err != nil || again.Changed {
			t.Errorf("the second run: %+v, %v", again, err)
		}
		p.B.StopGuard()
		p.B.KillServer()
		p.B.StartServer()
		p.B.StartGuard()
		p.B.WaitWritable()
	})
}

// rowsOf are the pair's rows that a host has, once it has applied all.
func rowsOf(t *testing.T, h *failovertest.Host) string {
	t.Helper()
	return h.Value("SELECT COUNT(*) FROM " + failovertest.Table)
}

// lacks fails if a host has fewer rows than it had.
func lacks(t *testing.T, h *failovertest.Host, before string) {
	t.Helper()
	if h.Value("SELECT COUNT(*) >= "+before+" FROM "+failovertest.Table) != "1" {
		t.Errorf("%s has lost rows: it had %s", h.Name, before)
	}
}

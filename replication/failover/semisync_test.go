package failover_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// TestSemiSync has the guards switch semi-synchronous replication on, lets it fall back and
// return, changes sides, and kills a master that waits without end.
func TestSemiSync(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.B.Update(func(n *term.Note) error {
			n.SemiSync = &term.SemiSync{Timeout: time.Second}
			return nil
		})
		p.A.StartGuard()
		p.B.StartGuard()
		waitReady(p)
		waitInForce(t, p.A)
		if n := p.A.Note(); n.SemiSync == nil || n.SemiSync.Timeout != time.Second {
			t.Errorf("the master was not told: %+v", n.SemiSync)
		}
		fallBack(t, p)

		if _, err := switchTo(t, p.B); err != nil {
			t.Fatal(err)
		}
		waitInForce(t, p.B)
		if s := semiSyncOf(t, p.A); s.Source || !s.Replica {
			t.Errorf("the old master is %+v", s)
		}

		p.A.Update(func(n *term.Note) error {
			n.SemiSync = &term.SemiSync{}
			return nil
		})
		waitSemiSync(t, p.B, "a wait without end", func(s server.SemiSync) bool { return s.Endless() && s.InForce })
		losesNothing(t, p)
	})
}

// fallBack lets the slave's acknowledgements not come, and then come again.
func fallBack(t *testing.T, p *failovertest.Pair) {
	t.Helper()
	w := p.Write()
	defer w.Stop()
	w.WaitFor(p.A)
	p.B.Link.Silence(failovertest.Both)
	waitSemiSync(t, p.A, "a fall-back", func(s server.SemiSync) bool { return s.Fallbacks > 0 && !s.InForce })
	w.WaitFor(p.A)
	p.B.Link.Restore()
	waitInForce(t, p.A)
	began := time.Now()
	for {
		if seen := p.B.Note().Seen; seen != nil && seen.SemiSync != nil {
			if s := seen.SemiSync; s.InForce && s.Fallbacks > 0 {
				return
			}
		}
		if time.Since(began) > failovertest.Patience {
			t.Fatalf("the slave has noted %+v", p.B.Note().Seen)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// losesNothing kills B, the master, while clients write: A has all that was acknowledged.
func losesNothing(t *testing.T, p *failovertest.Pair) {
	t.Helper()
	w := p.Write()
	w.WaitFor(p.B)
	p.A.Link.Silence(failovertest.Back) // what is committed from now on does not arrive
	time.Sleep(100 * time.Millisecond)
	p.B.KillServer()
	w.Stop()
	p.A.Link.Cut()
	acked := w.Acked()
	last := acked[len(acked)-1]
	p.A.Wait(fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE id = %d", failovertest.Table, last.ID), "1")
	if lacking := w.Lacking(p.A); len(lacking) > 0 {
		t.Errorf("acknowledged, and lost: %v of %v", lacking, w)
	}
}

// semiSyncOf is how a host's server replicates, by a login of its own.
func semiSyncOf(t *testing.T, h *failovertest.Host) server.SemiSync {
	t.Helper()
	return readSemiSync(t, h.Own())
}

func readSemiSync(t *testing.T, own *server.Server) server.SemiSync {
	t.Helper()
	s, err := own.SemiSync(t.Context(), own.DB)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// waitInForce waits until a master waits for its slave.
func waitInForce(t *testing.T, h *failovertest.Host) {
	t.Helper()
	waitSemiSync(t, h, "semi-synchronous replication in force", func(s server.SemiSync) bool {
		return s.Source && s.InForce && s.Slaves > 0 && s.WaitPoint == server.AfterSync
	})
}

func waitSemiSync(t *testing.T, h *failovertest.Host, what string, is func(server.SemiSync) bool) {
	t.Helper()
	own := h.Own()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		s := readSemiSync(t, own)
		if is(s) {
			return
		}
		if time.Since(began) > failovertest.Patience {
			t.Fatalf("no %s on %s: %+v", what, h.Name, s)
		}
	}
}

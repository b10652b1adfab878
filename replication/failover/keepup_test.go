package failover_test

import (
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestSwitchoverKeepsUp lets a slave fall behind between the checks of a switchover and its
// request: the request waits for it, and clients can write meanwhile.
func TestSwitchoverKeepsUp(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		p.B.StartGuard()
		waitReady(p)
		w := p.Write()
		w.WaitFor(p.A)
		own := p.B.Own()
		lock, err := own.Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := newSwitchover(p.B)
		released := make(chan struct{})
		s.Begin = func(step *replication.Step) error {
			switch step.Name {
			case "keep-up":
				if err := own.Exec(t.Context(), lock, server.SQL("LOCK TABLES "+failovertest.Table+" READ")); err != nil {
					return err
				}
				w.WaitFor(p.A)
				time.AfterFunc(time.Second, func() {
					close(released)
					server.Discard(lock)
				})
			case "request":
				select {
				case <-released:
				default:
					t.Error("the request is made while the slave is behind")
				}
				w.WaitFor(p.A)
			}
			return nil
		}
		if outcome, err := s.Run(t.Context()); err != nil || !outcome.Follows {
			t.Fatalf("%+v, %v", outcome, err)
		}
		w.WaitFor(p.B)
	})
}

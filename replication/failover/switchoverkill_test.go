package failover_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
)

// switchoverSteps are the steps of a switchover. Before the first of raised, everything can
// be taken back.
var (
	withdrawn = []string{"keep-up", "request", "demotion", "apply", "stop-slave", "raise"}
	raised    = []string{"publish", "forget-master", "open", "follow"}
)

// errHere is what ends a switchover before a step.
var errHere = errors.New("ended by the test")

// TestSwitchoverTakenBack fails before each step up to that which raises the term: the
// master is writable again, the slave runs, and the next switchover works.
func TestSwitchoverTakenBack(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		p.B.StartGuard()
		waitReady(p)
		w := p.Write()
		for _, name := range withdrawn {
			s := newSwitchover(p.B)
			s.Begin = func(step *replication.Step) error {
				if step.Name == name {
					return errHere
				}
				return nil
			}
			if _, err := s.Run(t.Context()); !errors.Is(err, errHere) || len(strings.Split(err.Error(), "\n")) > 1 {
				t.Fatalf("before %s: %v", name, err)
			}
			w.WaitFor(p.A)
			if n := p.B.Note(); n.Request != nil || n.Term.Number != 1 {
				t.Fatalf("before %s: the note is %+v", name, n)
			}
			mustReplicate(w, p.A)
		}
		outcome, err := switchTo(t, p.B)
		if err != nil || !outcome.Follows {
			t.Fatalf("the switchover afterwards: %+v, %v", outcome, err)
		}
		w.WaitFor(p.B)
		w.Stop()
		if turns := w.Turns(); turns != 1 {
			t.Errorf("%d turns: %v", turns, w)
		}
		if lacking := w.Lacking(p.B); len(lacking) > 0 {
			t.Errorf("%s lacks %v", p.B.Name, lacking)
		}
	})
}

// switchoverUntil is a Program that switches over, says so before a step, and stays there.
func switchoverUntil(ctx context.Context, h failover.Host, out io.Writer, args []string) error {
	s := &failover.Switchover{Host: h, Nonce: rand.Text()}
	s.Begin = func(step *replication.Step) error {
		if step.Name != args[0] {
			return nil
		}
		_, _ = fmt.Fprintln(out, "before", step.Name)
		<-ctx.Done()
		return ctx.Err()
	}
	_, err := s.Run(ctx)
	return err
}

// TestSwitchoverKilled kills the command before each step: the same command again ends it.
func TestSwitchoverKilled(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		p.B.StartGuard()
		waitReady(p)
		w := p.Write()
		turns := 0
		to := p.B
		for _, name := range append(withdrawn[1:], raised...) {
			killed := to.Start("switchover", name)
			for !strings.Contains(killed.Output(), "before "+name) {
				select {
				case <-killed.Ended():
					t.Fatalf("before %s: it has ended: %v", name, killed.Wait())
				case <-time.After(10 * time.Millisecond):
				}
			}
			killed.Kill()
			outcome := again(t, to)
			w.WaitFor(to)
			turns++
			if n := to.Note(); n.Term.Number != uint64(1+turns) || !n.IsMaster() {
				t.Fatalf("killed before %s: %+v, the note is %+v", name, outcome, n)
			}
			mustReplicate(w, to)
			to = to.Peer
		}
		w.Stop()
		if got := w.Turns(); got != turns {
			t.Errorf("%d turns of %d switchovers: %v", got, turns, w)
		}
		p.Sync(to.Peer)
		for _, h := range []*failovertest.Host{p.A, p.B} {
			if lacking := w.Lacking(h); len(lacking) > 0 {
				t.Errorf("%s lacks %v", h.Name, lacking)
			}
		}
	})
}

// mustReplicate waits until the other has what a client has written on a host.
func mustReplicate(w *failovertest.Writer, from *failovertest.Host) {
	w.WaitFor(from)
	acked := w.Acked()
	from.Peer.Wait(fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE id = %d", failovertest.Table, acked[len(acked)-1].ID), "1")
}

// again gives the same command until it does not refuse any more.
func again(t *testing.T, to *failovertest.Host) *failover.Switched {
	t.Helper()
	for began := time.Now(); ; {
		outcome, err := switchTo(t, to)
		if err == nil && outcome.Term.Master == to.Name && (!outcome.Changed || outcome.Follows) {
			return outcome
		}
		if time.Since(began) > failovertest.Patience {
			t.Fatalf("the same command again: %+v, %v", outcome, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

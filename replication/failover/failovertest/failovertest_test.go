package failovertest_test

import (
	"os"
	"testing"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

func TestMain(m *testing.M) { os.Exit(failovertest.Main(m, nil)) }

// TestPair holds what New promises.
func TestPair(t *testing.T) {
	t.Parallel()
	for _, kind := range failovertest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := failovertest.New(t, kind)
			w := p.Write()
			w.WaitFor(p.A)
			p.A.Exec("SET GLOBAL read_only=1")
			p.Sync(p.A)
			p.B.Exec("SET GLOBAL read_only=0")
			w.WaitFor(p.B)
			w.Stop()
			if turns := w.Turns(); turns != 1 {
				t.Errorf("%d turns, want 1, of: %v", turns, w)
			}
			if lacking := w.Lacking(p.B); len(lacking) > 0 {
				t.Errorf("%s lacks %v", p.B.Name, lacking)
			}
			if n := p.A.Note(); n.Term.Number != 1 || n.Term.Master != p.A.Name || !n.Term.Same(p.B.Note().Term) {
				t.Errorf("the note of the master is %+v", n)
			}
			checkHost(t, p)
			checkPowerCut(t, p, kind)
		})
	}
}

// checkHost tries what a guard has.
func checkHost(t *testing.T, p *failovertest.Pair) {
	t.Helper()
	h := p.B.Failover()
	s, err := h.PeerServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	answers := func(want bool) {
		t.Helper()
		life, err := h.Alive(t.Context())
		if err != nil || life.Answers != want {
			t.Errorf("alive: %+v, %v; want %v", life, err, want)
		}
	}
	answers(true)
	p.B.Link.Silence(failovertest.Back)
	answers(false)
	p.B.Link.Restore()
	answers(true)
	p.B.Link.Cut()
	answers(false)
	if s, err := h.PeerServer(t.Context()); err == nil {
		_ = s.Close()
		t.Error("a login through a link that is cut")
	}
	p.B.Link.Restore()
}

// checkPowerCut cuts the power of both.
func checkPowerCut(t *testing.T, p *failovertest.Pair, kind servertest.Kind) {
	t.Helper()
	guard := p.B.Start("guard")
	p.A.PowerCut()
	p.B.PowerCut()
	if err := guard.Wait(); err == nil {
		t.Error("a guard has survived a power cut")
	}
	p.B.Boot()
	p.A.Boot()
	for _, h := range []*failovertest.Host{p.A, p.B} {
		h.WaitReadOnly()
	}
	running := "SELECT service_state FROM performance_schema.replication_connection_status"
	if !kind.IsMySQL() {
		running = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Slave_running'"
	}
	if got := p.B.Value(running); got != "OFF" {
		t.Errorf("the slave runs after its start: %s", got)
	}
}

package main_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// fault is something that happens while a command works on a host, which may be the new or
// the old master, or become it.
type fault struct {
	name string
	do   func(on *pairHost, command *exec.Cmd)
	mend func(on *pairHost)
}

// commandFaults are those that a command meets.
var commandFaults = []fault{
	{name: "the command is killed", do: func(_ *pairHost, c *exec.Cmd) { _ = c.Process.Kill() }},
	{
		name: "the server here is killed", do: func(on *pairHost, _ *exec.Cmd) { on.Server.Kill() },
		mend: func(on *pairHost) { on.StartServer() },
	},
	{
		name: "the other's server is killed", do: func(on *pairHost, _ *exec.Cmd) { on.peer.Server.Kill() },
		mend: func(on *pairHost) { on.peer.StartServer() },
	},
	{
		name: "the tunnel here is killed", do: func(on *pairHost, _ *exec.Cmd) { kill(on.tunnel) },
		mend: func(on *pairHost) { on.startTunnel() },
	},
	{
		name: "the other's tunnel is killed", do: func(on *pairHost, _ *exec.Cmd) { kill(on.peer.tunnel) },
		mend: func(on *pairHost) { on.peer.startTunnel() },
	},
	{
		name: "the guard here is killed", do: func(on *pairHost, _ *exec.Cmd) { kill(on.guard) },
		mend: func(on *pairHost) { on.startGuard() },
	},
	{
		name: "the other's guard is killed", do: func(on *pairHost, _ *exec.Cmd) { kill(on.peer.guard) },
		mend: func(on *pairHost) { on.peer.startGuard() },
	},
	{
		name: "the link is silent", do: func(on *pairHost, _ *exec.Cmd) { on.silence() },
		mend: (*pairHost).restore,
	},
	{
		name: "what is sent from here is lost", do: func(on *pairHost, _ *exec.Cmd) { on.mute() },
		mend: (*pairHost).restore,
	},
	{
		name: "what is sent to here is lost", do: func(on *pairHost, _ *exec.Cmd) { on.peer.mute() },
		mend: (*pairHost).restore,
	},
	{
		name: "the link is unplugged", do: func(on *pairHost, _ *exec.Cmd) { on.unplug() },
		mend: (*pairHost).restore,
	},
	{
		name: "the other's power is cut", do: func(on *pairHost, _ *exec.Cmd) { on.peer.powerCut() },
		mend: func(on *pairHost) { on.peer.boot() },
	},
	{
		name: "the power here is cut", do: func(on *pairHost, c *exec.Cmd) {
			on.powerCut()
			_ = c.Process.Kill()
		},
		mend: func(on *pairHost) { on.boot() },
	},
	{
		name: "the power of both is cut", do: func(on *pairHost, c *exec.Cmd) {
			on.powerCut()
			_ = c.Process.Kill()
			on.peer.powerCut()
		},
		mend: func(on *pairHost) {
			on.boot()
			on.peer.boot()
		},
	},
}

// meets runs a command on a host, lets a fault happen after a time, mends it when the command
// has ended, and gives what was printed.
func (h *pairHost) meets(f fault, after time.Duration, command string, more ...string) string {
	h.t.Helper()
	cmd := h.command(h.args(command, more...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended: // it was quicker
		ended <- err
	case <-time.After(after):
	}
	f.do(h, cmd)
	select {
	case <-ended:
	case <-time.After(4 * databasePatience): // a cut connection ends after 120 s, and others may come
		h.t.Errorf("%s does not end when %s:\n%s", command, f.name, out.String())
		_ = cmd.Process.Kill()
		<-ended
	}
	h.pairOf.tellTruth(f.name)
	if f.mend != nil {
		f.mend(h)
	}
	return out.String()
}

// status asks the host for its state, which must be an answer whatever has happened.
func (h *pairHost) status(when string) string {
	h.t.Helper()
	out, err := h.command(h.statusArgs()...).CombinedOutput()
	text := string(out)
	if strings.Contains(text, "panic") || len(text) == 0 {
		h.t.Errorf("when %s, the status of %s is (%v):\n%s", when, h.Name, err, text)
	}
	return text
}

// again runs a command on a host until it has ended what was begun: it may have to wait
// for guards, which need some looks after what was mended.
func (h *pairHost) again(command string, more ...string) {
	h.t.Helper()
	var out string
	deadline := time.Now().Add(databasePatience)
	for code := -1; code != 0; {
		if out, code = h.try(command, more...); code != 0 && time.Now().After(deadline) {
			h.t.Fatalf("%s on %s does not end what was begun; exit code %d:\n%s", command, h.Name, code, out)
		}
	}
}

// settled waits until the host is the master, its clients can write, and the other follows
// it with all that it has; then both must be equal.
func (p *twoHosts) settled(master *pairHost, w *failovertest.Writer) {
	p.t.Helper()
	w.WaitFor(master.Host)
	w.Stop()
	p.Sync(master.Host)
	p.Equal()
	for _, h := range []*pairHost{p.a, p.b} {
		if n := h.Note(); n.Term.Master != master.Name || n.Request != nil {
			p.t.Errorf("in the note of %s is the term %+v, and the request %+v", h.Name, n.Term, n.Request)
		}
	}
	if master.peer.Value("SELECT @@GLOBAL.read_only") != "1" {
		p.t.Errorf("clients can write on %s", master.peer.Name)
	}
}

// moments are when faults happen in a command that takes a while: one in turn in CI, and
// all of them by `make faults`.
func moments(turn int, while time.Duration) []time.Duration {
	const n = 6
	var all []time.Duration
	for i := range n {
		all = append(all, while*time.Duration(2*i+1)/(2*n))
	}
	if times(n) == n {
		return all
	}
	return all[turn*5%n:][:1]
}

// faults are those that a pair meets: all by `make faults`, every fourth in CI.
func faults(all []fault, first int) []fault {
	if inEarnest() {
		return all
	}
	return oneOf(4, all, first)
}

// faultKinds are the families that meet them: both by `make faults`.
func faultKinds() []servertest.Kind {
	if inEarnest() {
		return failovertest.Kinds
	}
	return usualKinds()
}

// TestSwitchoverFaults lets each fault happen in a switchover, and the same command end it.
func TestSwitchoverFaults(t *testing.T) {
	eachPairOf(t, faultKinds(), func(t *testing.T, p *twoHosts) {
		master, slave := p.a, p.b
		begun := time.Now()
		slave.must("switchover", "--yes")
		while := time.Since(begun)
		master, slave = slave, master
		for i, f := range faults(commandFaults, 0) {
			for _, after := range moments(i, while) {
				number := master.Note().Term.Number
				w := p.Write()
				w.WaitFor(master.Host)
				out := slave.meets(f, after, "switchover", "--yes")
				slave.again("switchover", "--yes")
				p.settled(slave, w)
				p.holds(w, number, fmt.Sprintf("%s after %v of a switchover", f.name, after), out)
				master, slave = slave, master
				if t.Failed() {
					return
				}
			}
		}
	})
}

// holds fails the test if the right to write has changed more often than the term.
func (p *twoHosts) holds(w *failovertest.Writer, before uint64, when, out string) {
	p.t.Helper()
	raised := int(p.a.Note().Term.Number - before)
	if turns := w.Turns(); turns > raised {
		p.t.Errorf("two masters when %s: %d turns of %d terms: %v\n%s", when, turns, raised, w, out)
	}
	if p.t.Failed() {
		p.t.Logf("when %s:\n%s", when, out)
	}
}

// TestPromoteFaults lets faults happen in a promotion, and the same command end it.
func TestPromoteFaults(t *testing.T) {
	eachPairOf(t, faultKinds(), func(t *testing.T, p *twoHosts) {
		master, slave := p.a, p.b
		while := 15 * time.Second
		left := slices.DeleteFunc(slices.Clone(commandFaults), func(f fault) bool { // the other is lost already
			return strings.Contains(f.name, "other's") || strings.Contains(f.name, "link") ||
				strings.Contains(f.name, "sent") || strings.Contains(f.name, "both")
		})
		for i, f := range faults(left, 1) {
			for _, after := range moments(i, while) {
				number := master.Note().Term.Number
				w := p.Write()
				w.WaitFor(master.Host)
				lost := p.loseMaster(master)
				args := []string{"--fenced", master.Name, "--lose-at-most", "any", "--yes"}
				begun := time.Now()
				out := slave.meets(f, after, "promote", args...)
				slave.silence() // a boot has restored the link
				slave.again("promote", args...)
				while = max(10*time.Second, min(while, time.Since(begun)))
				w.WaitFor(slave.Host)
				if missing := slave.Missing(lost.received); len(missing) > 0 {
					t.Errorf("when %s after %v, %s lacks %v, which it had received", f.name, after, slave.Name, missing)
				}
				master.boot()
				master.again("rejoin", "--yes", "--replace-databases", failovertest.Database)
				p.settled(slave, w)
				p.holds(w, number, fmt.Sprintf("%s after %v of a promotion", f.name, after), out)
				master, slave = slave, master
				if t.Failed() {
					return
				}
			}
		}
	})
}

// TestRejoinFaults lets faults happen in a rejoin, and the same command end it.
func TestRejoinFaults(t *testing.T) {
	eachPairOf(t, faultKinds(), func(t *testing.T, p *twoHosts) {
		master, slave := p.a, p.b
		args := []string{"--yes", "--replace-databases", failovertest.Database}
		while := 5 * time.Second
		for i, f := range faults(commandFaults, 2) {
			for _, after := range moments(i, while) {
				w := p.Write()
				w.WaitFor(master.Host)
				p.loseMaster(master)
				slave.must("promote", "--fenced", master.Name, "--lose-at-most", "any", "--yes")
				number := slave.Note().Term.Number
				master.boot()
				begun := time.Now()
				w.Stop()
				w = p.Write()
				out := master.meets(f, after, "rejoin", args...)
				master.again("rejoin", args...)
				while = min(while, time.Since(begun))
				p.settled(slave, w)
				p.holds(w, number, fmt.Sprintf("%s after %v of a rejoin", f.name, after), out)
				master, slave = slave, master
				if t.Failed() {
					return
				}
			}
		}
	})
}

package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// ofCluster lets a cluster manager decide on both hosts: their guards see that by themselves.
func (p *twoHosts) ofCluster() {
	p.t.Helper()
	for _, h := range []*pairHost{p.a, p.b} {
		text, err := os.ReadFile(h.config)
		if err != nil {
			p.t.Fatal(err)
		}
		from := len(h.guard.logged())
		changed := strings.Replace(string(text), "[pair]\n", "[pair]\nguard = \"cluster\"\n", 1)
		if err := os.WriteFile(h.config, []byte(changed), 0o644); err != nil {
			p.t.Fatal(err)
		}
		h.guard.waitLine("guard starts in the new mode", from, func(l logLine) bool {
			return l.field("message") == "guard starts" && l.field("mode") == "cluster"
		})
	}
}

// awaitsCluster waits until the guard of a host says that the cluster manager is to decide, and
// holds that for some looks more nobody can write there.
func (h *pairHost) awaitsCluster() {
	h.t.Helper()
	s := h.waitTells("guard-read-only", "guard-read-only")
	pairs.WaitFor(h.t, databasePatience, "the guard of "+h.Name+" to wait for the cluster manager", func() (string, bool) {
		s, _ = h.tells()
		return s.text, strings.Contains(s.text, `"waits": "awaits-cluster"`) &&
			strings.Contains(s.Summary, "waits for the cluster manager")
	})
	time.Sleep(3 * time.Second) // a guard that opened it would do so at its next look
	if h.Value("SELECT @@GLOBAL.read_only") != "1" {
		h.t.Errorf("%s can be written to, and nobody has asked for it", h.Name)
	}
}

// serves holds that a host can be written to.
func (h *pairHost) serves(when string) {
	h.t.Helper()
	if h.Value("SELECT @@GLOBAL.read_only") != "0" {
		h.t.Errorf("%s cannot be written to %s", h.Name, when)
	}
}

// TestCluster lets a cluster manager decide: what nobody has ordered is refused or not done,
// and what it orders is done, and undone with the command that was ordered.
func TestCluster(t *testing.T) {
	usualPair(t, func(t *testing.T, p *twoHosts) {
		p.a.refuses(`guard = "cluster"`, "promote", "--cluster", "--yes")
		p.ofCluster()
		for _, of := range []func(*twoHosts){
			(*twoHosts).unordered, (*twoHosts).runningMaster, (*twoHosts).bootOfBoth, (*twoHosts).databaseRestart,
			(*twoHosts).killedPromotion, (*twoHosts).orderedSwitchover, (*twoHosts).demotedAndPromoted,
			(*twoHosts).fencedMaster, (*twoHosts).fencedSlave,
		} {
			of(p)
			if t.Failed() {
				return
			}
		}
		p.Sync(p.B)
		p.Equal()
	})
}

// unordered: what is typed by hand is refused before anything is asked, and changes nothing.
func (p *twoHosts) unordered() {
	for _, command := range [][]string{
		{"promote", "--fenced", p.A.Name, "--lose-at-most", "any", "--yes"},
		{"switchover", "--yes"},
		{"demote", "--yes"},
		{"guard", "--i-am-master", "--fenced", p.A.Name},
		{"guard", "--lenient"},
		{"guard", "--stand-aside"},
	} {
		out := p.b.refuses("a cluster manager decides", command[0], command[1:]...)
		if strings.Contains(out, "hint: ") != strings.Contains(out, "\n") {
			p.t.Errorf("%v says no hint:\n%s", command, out)
		}
	}
	if out := p.b.refuses("cluster manager", "promote", "--yes"); !strings.Contains(out, "pcs resource move") {
		p.t.Errorf("promote does not say whose command it is:\n%s", out)
	}
	p.b.must("guard", "--stand-by")
	p.a.isTerm(1, p.a)
	p.a.serves("although nobody has asked for anything")
}

// runningMaster: a guard that begins anew leaves a writable master alone, and there is nothing
// for a promotion to do.
func (p *twoHosts) runningMaster() {
	w := p.Write()
	w.WaitFor(p.A)
	kill(p.a.guard)
	p.a.startGuard()
	w.WaitFor(p.A)
	p.a.must("promote", "--cluster", "--yes")
	w.WaitFor(p.A)
	w.Stop()
	p.b.must("demote", "--cluster", "--yes")
}

// bootOfBoth: neither server is opened by the start of both hosts, and the master's is by an order.
func (p *twoHosts) bootOfBoth() {
	p.a.powerCut()
	p.b.powerCut()
	p.a.boot()
	p.b.boot()
	p.a.restore()
	p.a.awaitsCluster()
	p.b.WaitReadOnly()
	out, code := p.a.try("promote", "--yes")
	if code != 1 || !strings.Contains(out, "a cluster manager decides") {
		p.t.Errorf("exit code %d of a promotion that nobody has ordered:\n%s", code, out)
	}
	p.a.tellsShell(map[string]string{
		"state": "guard-read-only", "healthy": "false", "term.master": p.A.Name, "writable": "false", "guard": "true",
		"waits": "awaits-cluster",
	})
	p.a.timed("promote --cluster of the master", "promote", "--cluster", "--yes")
	p.a.serves("after its promotion")
	p.a.isTerm(1, p.a)
	p.a.waitTells("ok")
	p.a.tellsShell(map[string]string{
		"state": "ok", "healthy": "true", "term.master": p.A.Name, "writable": "true", "guard": "true", "waits": "",
	})
	p.b.tellsShell(map[string]string{
		"state": "ok", "healthy": "true", "term.master": p.A.Name, "writable": "false", "guard": "true", "role": "slave",
	})
}

// forShell are the lines of sed by which a script has what it needs of status --json, of which
// the topic says that they do.
var forShell = map[string]string{
	"state":       `s/^  "state": "\(.*\)",$/\1/p`,
	"healthy":     `s/^  "healthy": \(.*\),$/\1/p`,
	"role":        `s/^  "role": "\(.*\)",$/\1/p`,
	"term.master": `/^    "term": {/,/^    }/s/^      "master": "\(.*\)",$/\1/p`,
	"writable":    `s/^    "writable": \(.*\),$/\1/p`,
	"guard":       `s/^      "runs": \(.*\),$/\1/p`,
	"waits":       `s/^      "waits": "\(.*\)",$/\1/p`,
}

// tellsShell holds what a script reads of the status of a host, by sed.
func (h *pairHost) tellsShell(want map[string]string) {
	h.t.Helper()
	begun := time.Now()
	said, _ := h.command(h.statusArgs("--json")...).Output() // its exit code is that of the state
	failoverTimes.add(h.Server.Kind, "status --json", time.Since(begun))
	for what, is := range want {
		sed := exec.CommandContext(h.t.Context(), "sed", "-n", forShell[what])
		sed.Stdin = bytes.NewReader(said)
		got, err := sed.Output()
		if strings.TrimSuffix(string(got), "\n") != is || err != nil {
			h.t.Errorf("%s of %s is %q (%v), want %q:\n%s", what, h.Name, got, err, is, said)
		}
	}
}

// databaseRestart: a server that is killed comes up read-only, and stays so.
func (p *twoHosts) databaseRestart() {
	p.A.KillServer()
	p.a.tellsShell(map[string]string{
		"state": "server-down", "healthy": "false", "term.master": p.A.Name, "writable": "false", "guard": "null",
	})
	if out, code := p.a.try("demote", "--cluster", "--yes", "--timeout", "2s"); code != 1 {
		p.t.Errorf("exit code %d of demote without a server:\n%s", code, out)
	}
	p.a.waitTells("server-down", "connect")
	demotion := p.a.command(p.a.args("demote", "--cluster", "--yes", "--timeout", "60s")...)
	if err := demotion.Start(); err != nil {
		p.t.Fatal(err)
	}
	time.Sleep(time.Second) // it finds no server at first
	p.A.StartServer()
	if err := demotion.Wait(); err != nil {
		p.t.Errorf("demote does not wait for a server that is started again: %v", err)
	}
	p.a.awaitsCluster()
	p.a.must("promote", "--cluster", "--yes")
	p.a.serves("after its promotion")
}

// killedPromotion: an order ends with the process that was told it.
func (p *twoHosts) killedPromotion() {
	p.A.KillServer()
	p.A.StartServer()
	p.a.silence() // the other is not heard: the promotion waits
	cmd := p.a.command(p.a.args("promote", "--cluster", "--yes")...)
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	working := func() bool { return p.A.Store().Working(p.t.Context()) }
	waitUntil(p.t, "promote to work", working)
	time.Sleep(2 * time.Second) // in the middle of its wait
	if !working() {
		p.t.Error("promote does not wait for the other host")
	}
	if err := cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	waitUntil(p.t, "the end of promote", func() bool { return !working() })
	p.a.restore()
	p.a.awaitsCluster()
	p.a.must("promote", "--cluster", "--yes")
	p.a.serves("after its promotion")
}

// orderedSwitchover: the old master is demoted before, and nothing is lost.
func (p *twoHosts) orderedSwitchover() {
	w := p.Write()
	w.WaitFor(p.A)
	p.a.timed("demote --cluster", "demote", "--cluster", "--yes")
	p.a.awaitsCluster()
	p.a.must("demote", "--cluster", "--yes") // once more
	p.b.timed("switchover --cluster", "switchover", "--cluster", "--yes")
	p.settled(p.b, w)
	if lacking := w.Lacking(p.B); len(lacking) > 0 {
		p.t.Errorf("%s lacks %v", p.B.Name, lacking)
	}
}

// demotedAndPromoted: the cluster manager promotes the same host again.
func (p *twoHosts) demotedAndPromoted() {
	w := p.Write()
	w.WaitFor(p.B)
	p.b.must("demote", "--cluster", "--yes")
	p.b.awaitsCluster()
	p.b.must("promote", "--cluster", "--yes")
	p.settled(p.b, w)
}

// fencedMaster: the master's host is gone, and the other serves. It comes back read-only.
func (p *twoHosts) fencedMaster() {
	w := p.Write()
	w.WaitFor(p.B)
	p.b.powerCut()
	p.a.refuses("fenced", "promote", "--cluster", "--lose-at-most", "any", "--yes")
	p.a.timed("promote --cluster --fenced", "promote", "--cluster", "--fenced", p.B.Name, "--lose-at-most", "any", "--yes")
	w.WaitFor(p.A)
	p.b.boot()
	p.b.waitTells("guard-read-only", "guard-read-only")
	p.rejoin(p.b, "rejoin under a cluster", "--replace-databases", failovertest.Database)
	w.Stop()
	p.a.isTerm(3, p.a)
	p.b.isTerm(3, p.a)
}

// fencedSlave: the master was restarted while the other host is gone, which the order says.
func (p *twoHosts) fencedSlave() {
	p.b.powerCut()
	p.a.powerCut()
	p.a.boot()
	p.a.silence()
	p.a.awaitsCluster()
	p.a.timed("promote --cluster --fenced of the master", "promote", "--cluster", "--fenced", p.B.Name, "--yes")
	p.a.serves("after its promotion")
	p.b.boot()
	w := p.Write()
	w.WaitFor(p.A)
	p.a.must("demote", "--cluster", "--yes")
	p.b.again("switchover", "--cluster", "--yes")
	p.settled(p.b, w)
}

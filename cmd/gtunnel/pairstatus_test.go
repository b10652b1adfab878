package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/term"
)

// statusInPair is the command on a host that knows of its pair.
func (h *coupleHost) statusInPair(more ...string) []string {
	return append(append(h.status(), "--config", h.config()), more...)
}

// waitState waits until status on a host has a state, and says words, and gives what it
// prints then.
func (h *coupleHost) waitState(state string, words ...string) (out string) {
	h.c.t.Helper()
	pairs.WaitFor(h.c.t, databasePatience, h.name+" being "+state+", "+strings.Join(words, ", "), func() (string, bool) {
		out, _ = h.c.run(h.server, h.statusInPair()...)
		head, _, _ := strings.Cut(out, "\n")
		lacks := func(word string) bool { return !strings.Contains(out, word) }
		return out, (strings.HasPrefix(head, state+": ") || strings.Contains(head, "("+state+": ")) &&
			!slices.ContainsFunc(words, lacks)
	})
	return out
}

// startGuard starts the guard of a host, and end ends it.
func (h *coupleHost) startGuard() (end func()) {
	h.c.t.Helper()
	guard := start(h.c.t, h.name+" guard", nil, append([]string{"replication", "guard"}, h.files()...)...)
	return func() {
		guard.signal(syscall.SIGTERM)
		guard.waitExit()
	}
}

// TestPairStatus brings the states of a pair about on both hosts, and runs each cure.
func TestPairStatus(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		c := newCouple(t, kind, vomsContent...)
		c.upToRestart(c.master, c.setupMaster("--databases", "voms")...)
		c.upToRestart(c.slave, c.setupSlave()...)
		a, b := c.hosts[0], c.hosts[1]
		b.waitState("ok", "no guard runs on this host", "systemctl enable --now gtunnel-guard")
		endA, endB := a.startGuard(), b.startGuard()
		a.waitState("ok", "this host is the master, by the term 1, and its slave is connected", "runs, strict")
		b.waitState("ok", "server2.domain.two (this host: the slave) and server1.domain.one",
			"here 1 (server1.domain.one, by setup")
		c.knowsBoth(b)
		c.watches(a)
		b.monitors()

		endB()
		c.sql(c.slave, "SET GLOBAL read_only=0")
		b.waitState("split-brain", "can both be written to", "systemctl enable --now gtunnel-guard")
		a.waitState("split-brain", "on server2.domain.two: systemctl enable --now gtunnel-guard")
		endB = b.startGuard() // which is the cure
		b.waitState("ok")
		a.waitState("ok")

		// The master's host is lost, with its database; then it comes back without the tunnel.
		endA()
		a.tunnels.signal(syscall.SIGKILL)
		a.tunnels.waitExit()
		c.isOutage(b)
		b.tunnels.signal(syscall.SIGKILL)
		b.tunnels.waitExit()
		c.restart(c.master)
		endA = a.startGuard()
		a.waitState("guard-read-only", "does not say that it was not promoted meanwhile", "guard --i-am-master")
		for _, h := range c.hosts { // which is the cure
			h.tunnels = start(t, h.name, nil, "run", "--config", h.config())
		}
		a.waitState("ok")
		b.waitState("ok")

		endA()
		endB()
		c.splits()
	})
}

// knowsBoth looks at what programs read of a pair.
func (c *couple) knowsBoth(h *coupleHost) {
	c.t.Helper()
	out, _ := c.run(h.server, h.statusInPair("--json")...)
	var seen struct {
		Schema int
		State  string
		Pair   struct {
			Term, Peer_Term term.Term
			Guard           struct{ Runs bool }
			Peer_Guard      *bool
		}
	}
	if err := json.Unmarshal([]byte(out), &seen); err != nil || seen.Schema != 1 || seen.State != "ok" ||
		seen.Pair.Term.Number != 1 || !seen.Pair.Term.Same(seen.Pair.Peer_Term) || !seen.Pair.Guard.Runs ||
		seen.Pair.Peer_Guard == nil || !*seen.Pair.Peer_Guard {
		c.t.Errorf("%v: %s", err, out)
	}
}

// watches has status look again and again: a line tells each change, and the exit code at
// ctrl-C the last.
func (c *couple) watches(h *coupleHost) {
	c.t.Helper()
	watching := c.command(h.server, h.statusInPair("--watch")...)
	printed, err := watching.StdoutPipe()
	if err == nil {
		err = watching.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	lines := bufio.NewScanner(printed)
	for lines.Scan() && !strings.Contains(lines.Text(), "Z ok: ") {
	}
	if err := watching.Process.Signal(syscall.SIGINT); err != nil {
		c.t.Fatal(err)
	}
	if err := watching.Wait(); err != nil || lines.Err() != nil {
		c.t.Errorf("%v, %v, after %q", err, lines.Err(), lines.Text())
	}
}

// isOutage looks at a slave whose master has gone: it is told what not to do, and by no
// cure to start the slave.
func (c *couple) isOutage(h *coupleHost) {
	c.t.Helper()
	out := h.waitState("tunnel-down",
		"does not answer. Until it does, do not restart this host or its database, do not start "+
			"the slave by hand", "gtunnel replication promote")
	for _, start := range []string{"START SLAVE", "START REPLICA"} {
		if strings.Contains(out, start) {
			c.t.Errorf("a cure starts the slave while the master is silent:\n%s", out)
		}
	}
	c.onSlave("STOP SLAVE")
	out = h.waitState("io-stopped", "Do not start the slave before")
	for _, start := range []string{"START SLAVE", "START REPLICA"} {
		if strings.Contains(out, start) {
			c.t.Errorf("a cure starts the slave while the master is silent:\n%s", out)
		}
	}
	c.onSlave("START SLAVE")
}

// splits gives the hosts two terms of one number.
func (c *couple) splits() {
	c.t.Helper()
	var ends []func()
	for i, h := range c.hosts {
		file := term.NewFile(filepath.Join(h.folder, "state"), h.name, c.hosts[1-i].name)
		_, err := file.Update(context.Background(), func(n *term.Note) error {
			n.Term.Number, n.Term.Nonce, n.Term.Master = 2, "of "+h.name, h.name
			return nil
		})
		if err != nil {
			c.t.Fatal(err)
		}
		ends = append(ends, h.startGuard())
	}
	for _, h := range c.hosts {
		h.waitState("split-brain", "both hosts have a term 2, and not the same", "rejoin --give-up")
	}
	for _, end := range ends {
		end()
	}
}

package main_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/term"
)

// refuses runs a command that must fail with words.
func (h *pairHost) refuses(words, command string, more ...string) string {
	h.t.Helper()
	out, code := h.try(command, more...)
	if code == 0 || !strings.Contains(out, words) {
		h.t.Errorf("exit code %d of %s %v on %s, want %q:\n%s", code, command, more, h.Name, words, out)
	}
	return out
}

// isTerm wants the term of a host to be the first still, whatever was said.
func (h *pairHost) isTerm(number uint64, master *pairHost) {
	h.t.Helper()
	if n := h.Note(); n.Term.Number != number || n.Term.Master != master.Name || n.Request != nil {
		h.t.Errorf("in the note of %s is the term %+v, and the request %+v", h.Name, n.Term, n.Request)
	}
}

// TestMasterAlone has a master start without its slave: by the promise of that before its
// maintenance, and after a power cut of both by the administrator's word.
func TestMasterAlone(t *testing.T) {
	usualPair(t, func(t *testing.T, p *twoHosts) {
		w := p.Write()
		w.WaitFor(p.A)

		// The maintenance of the slave's host, during which the master's restarts.
		p.a.refuses("is the master", "guard", "--stand-aside")
		if out := p.b.must("guard", "--stand-aside"); !strings.Contains(out, p.A.Name+" has noted it") {
			t.Errorf("guard --stand-aside says:\n%s", out)
		}
		p.b.refuses("stands aside", "switchover", "--dry-run")
		p.b.powerCut()
		p.a.powerCut()
		p.a.boot()
		p.a.silence() // the other is off
		w.WaitFor(p.A)
		p.b.boot()
		p.b.silence()
		out := p.b.refuses("this host stands aside since", "promote", "--lose-at-most", "any", "--yes")
		if !strings.Contains(out, "guard --stand-by") || !strings.Contains(out, "--fenced "+p.A.Name) {
			t.Errorf("promote does not say how it can be:\n%s", out)
		}
		if out := p.b.must("guard", "--stand-by"); !strings.Contains(out, "has not noted it yet") { // the link is cut
			t.Errorf("guard --stand-by says:\n%s", out)
		}
		p.a.restore()
		if out := p.b.must("guard", "--stand-by"); !strings.Contains(out, p.A.Name+" has noted it") {
			t.Errorf("guard --stand-by says:\n%s", out)
		}
		p.settled(p.a, w)
		p.isAlone(term.NotAlone)

		p.startAlone()
		p.startFalsely()
	})
}

// isAlone waits until the master's note says why it may start alone.
func (p *twoHosts) isAlone(why term.Alone) {
	p.t.Helper()
	waitUntil(p.t, "the master alone for the reason '"+string(why)+"'", func() bool { return p.A.Note().Alone == why })
}

// startAlone cuts the power of both; the slave does not come back, and the administrator
// says so. Then it comes back nevertheless.
func (p *twoHosts) startAlone() {
	t := p.t
	t.Helper()
	w := p.Write()
	p.a.powerCut()
	p.b.powerCut()
	p.a.boot()
	p.a.silence()
	waitUntil(t, "what the master waits for", func() bool {
		return strings.Contains(p.a.pairStatus(), "guard --i-am-master")
	})
	if p.A.Value("SELECT @@GLOBAL.read_only") != "1" {
		t.Error("the master is writable, and nobody has said that the other was not promoted")
	}
	p.a.refuses("guard --i-am-master", "promote", "--fenced", p.B.Name, "--lose-at-most", "any", "--yes")
	p.a.refuses("write --fenced "+p.B.Name, "guard", "--i-am-master")
	p.a.refuses("is not the other host", "guard", "--i-am-master", "--fenced", p.A.Name)
	for range 2 { // the second time it is said again
		p.a.must("guard", "--i-am-master", "--fenced", p.B.Name)
		p.isAlone(term.Stated)
		p.a.isTerm(1, p.a)
	}
	w.WaitFor(p.A)

	// The slave comes back, and knows that its master may start by itself.
	p.b.boot()
	p.a.refuses(p.B.Name+" answers", "guard", "--i-am-master", "--fenced", p.B.Name)
	p.b.refuses("and not this host", "guard", "--i-am-master", "--fenced", p.A.Name)
	p.settled(p.a, w)
	p.isAlone(term.NotAlone)
	p.a.isTerm(1, p.a)
	p.b.isTerm(1, p.a)
}

// startFalsely says of a slave that has been promoted that it is off: that ends when they meet.
func (p *twoHosts) startFalsely() {
	p.t.Helper()
	p.a.powerCut()
	p.b.powerCut()
	p.b.boot()
	p.b.silence()
	p.b.refuses("and not this host", "guard", "--i-am-master", "--fenced", p.A.Name)
	p.b.must("promote", "--fenced", p.A.Name, "--lose-at-most", "any", "--yes")
	p.a.boot()
	p.a.silence()
	p.a.must("guard", "--i-am-master", "--fenced", p.B.Name)
	p.A.WaitWritable()
	p.a.restore()
	p.A.WaitReadOnly()
	p.a.again("rejoin", "--yes", "--replace-databases", failovertest.Database)
	p.b.isTerm(2, p.b)
	p.a.isTerm(2, p.b)
}

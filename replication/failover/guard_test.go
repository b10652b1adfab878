package failover_test

import (
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// TestGuardBoots cuts the power of both hosts, and boots them in either order: one master
// comes of it, the one that it was, and no hand is needed.
func TestGuardBoots(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		for _, first := range []*failovertest.Host{p.A, p.B} {
			p.A.StartGuard()
			p.B.StartGuard()
			w := p.Write()
			w.WaitFor(p.A)
			p.B.PowerCut()
			p.A.PowerCut()
			w.Stop()
			first.Boot()
			first.StartGuard()
			waitLooks(t, first)
			first.WaitReadOnly() // it hears nobody
			first.Peer.Boot()
			first.Peer.StartGuard()
			p.A.WaitWritable()
			p.A.Exec("REPLACE INTO " + failovertest.Table + " VALUES (0, 'the test', NOW())")
			p.Sync(p.A)
			p.B.WaitReadOnly()
			if lacking := w.Lacking(p.A); len(lacking) > 0 {
				t.Errorf("%s has lost %v", p.A.Name, lacking)
			}
			p.Equal()
			p.A.StopGuard()
			p.B.StopGuard()
		}
	})
}

// TestGuardCut cuts the link in each way: the master stays writable, and the slave goes on
// when it is whole.
func TestGuardCut(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		p.B.StartGuard()
		w := p.Write()
		w.WaitFor(p.A)
		for name, link := range map[string]func(){
			"cut":            func() { p.A.Link.Cut(); p.B.Link.Cut() },
			"silent":         func() { p.A.Link.Silence(failovertest.Both); p.B.Link.Silence(failovertest.Both) },
			"one way to A":   func() { p.B.Link.Cut() },
			"one way to B":   func() { p.A.Link.Cut() },
			"silent answers": func() { p.A.Link.Silence(failovertest.Back); p.B.Link.Silence(failovertest.Back) },
		} {
			link()
			waitLooks(t, p.A)
			if p.A.Value("SELECT @@GLOBAL.read_only") != "0" {
				t.Errorf("%s: the master has become read-only", name)
			}
			p.A.Link.Restore()
			p.B.Link.Restore()
			waitLooks(t, p.A)
		}
		w.Stop()
		if turns := w.Turns(); turns != 0 {
			t.Errorf("two servers were written to: %v", w)
		}
		p.Sync(p.A)
		p.Equal()
	})
}

// TestGuardHigherTerm promotes the slave while the link is silent, by a statement that is
// false: the master lives. When it hears the higher term, it is closed, whatever clients do.
func TestGuardHigherTerm(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		p.B.StartGuard()
		w := p.Write()
		w.WaitFor(p.A)
		p.A.Link.Silence(failovertest.Both)
		p.B.Link.Silence(failovertest.Both)
		busy := p.A.Server.DB
		locked, err := busy.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer server.Discard(locked)
		open, err := busy.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer server.Discard(open)
		raise(t, p.B, term.ByPromotion, term.Fenced)
		p.B.WaitWritable()
		for _, statement := range []string{"BEGIN", "INSERT INTO " + failovertest.Table + " VALUES (-1, 'open', NOW())"} {
			if _, err := open.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		if !p.Kind.IsMySQL() {
			if _, err := locked.ExecContext(t.Context(), "LOCK TABLES mysql.time_zone WRITE"); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		p.A.Link.Restore()
		p.B.Link.Restore()
		p.A.WaitReadOnly()
		t.Logf("the old master is read-only %s after the link's return", time.Since(begun))
		if _, err := open.ExecContext(t.Context(), "COMMIT"); err == nil {
			t.Error("a transaction was committed on the old master after it was closed")
		}
		w.WaitFor(p.B)
		w.Stop()
		if n := p.A.Note(); n.Term.Master != p.B.Name || n.Term.Number != 2 {
			t.Errorf("the old master has noted %+v", n.Term)
		}
	})
}

// TestGuardClosesSlave makes the slave writable by hand: the guard takes that back.
func TestGuardClosesSlave(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		p.B.StartGuard()
		waitLooks(t, p.B)
		p.B.Exec("SET GLOBAL read_only=0")
		p.B.WaitReadOnly()
		if p.Kind.IsMySQL() {
			p.B.Wait("SELECT @@GLOBAL.super_read_only", "1")
			unlock, err := p.B.Own().Lock(t.Context()) // as a repair does, which lets administrators write
			if err != nil {
				t.Fatal(err)
			}
			p.B.Exec("SET GLOBAL super_read_only=0")
			waitLooks(t, p.B)
			if p.B.Value("SELECT @@GLOBAL.super_read_only") != "0" {
				t.Error("the guard has closed the server to a run of gtunnel")
			}
			unlock()
			p.B.Wait("SELECT @@GLOBAL.super_read_only", "1")
		}
		p.A.Exec("REPLACE INTO " + failovertest.Table + " VALUES (0, 'the test', NOW())")
		p.Sync(p.A)
		p.Equal()
	})
}

// waitLooks waits until the guard of a host has begun and ended a look.
func waitLooks(t *testing.T, h *failovertest.Host) {
	t.Helper()
	looks := h.Looks()
	for end := time.Now().Add(failovertest.Patience); h.Looks() < looks+2; {
		if time.Now().After(end) {
			t.Fatalf("the guard of %s does not look", h.Name)
		}
		if err := server.Pause(t.Context(), 20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// raise makes a host the master, as promote and switchover do it once its slave has
// applied all.
func raise(t *testing.T, h *failovertest.Host, by term.Cause, alone term.Alone) {
	t.Helper()
	nonce := string(by) + " of " + h.Name
	own := h.Own()
	status, err := own.SlaveStatus(t.Context(), own.DB)
	if err != nil || status == nil {
		t.Fatal("no slave", err)
	}
	at, err := own.Position(t.Context(), own.DB)
	if err != nil {
		t.Fatal(err)
	}
	start := term.Start{
		OldFile: status.Executed.File, OldOffset: status.Executed.Offset, OldGTID: at.GTID, File: at.File, Offset: at.Offset,
		GTID: at.GTID,
	}
	if own.Version.Family == server.MariaDB {
		start.OldGTID, start.GTID = h.Value("SELECT @@GLOBAL.gtid_slave_pos"), h.Value("SELECT @@GLOBAL.gtid_binlog_pos")
	}
	if err := own.Exec(t.Context(), own.DB, own.Version.StopSlave(server.BothThreads)); err != nil {
		t.Fatal(err)
	}
	h.Update(func(n *term.Note) error {
		if n.Request == nil {
			if err := n.Begin(nonce, by, time.Now()); err != nil {
				return err
			}
		}
		return n.Raise(term.Raised{Nonce: n.Request.Nonce, At: time.Now(), Start: start, Alone: alone})
	})
}

package failover_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// TestGuardDemotes asks for a switchover, withdraws it, and goes through with the next: the
// old master answers, takes it back, answers again, and follows.
func TestGuardDemotes(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		work(t, p.B)
		p.A.Exec("SET GLOBAL event_scheduler=ON", "CREATE EVENT "+failovertest.Database+
			".tick ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DO SET @a = 1")
		p.Sync(p.A)
		if !p.Kind.IsMySQL() { // MySQL makes the channel anew, with the filter of the option file
			p.A.Exec("SET GLOBAL replicate_wild_do_table=''")
		}
		p.A.StartGuard()
		p.B.StartGuard()
		w := p.Write()
		w.WaitFor(p.A)
		privileged := openTransaction(t, p.A, -1)
		nonce := request(t, p.B)
		waitLock(t, p.A, nonce)
		mustBeHeld(t, p, privileged)

		p.B.Update(func(n *term.Note) error { return n.Withdraw(nonce) })
		p.A.WaitWritable()
		p.A.Wait("SELECT @@GLOBAL.event_scheduler", "ON")
		w.WaitFor(p.A)

		nonce = request(t, p.B)
		waitLock(t, p.A, nonce)
		p.Sync(p.A)
		raise(t, p.B, term.BySwitchover, term.Demoted)
		p.B.WaitWritable()
		waitFollows(t, p.A)
		if !p.Kind.IsMySQL() {
			p.A.Wait("SELECT @@GLOBAL.replicate_wild_do_table", failovertest.Database+".%")
		}
		w.WaitFor(p.B)
		w.Stop()
		p.Sync(p.B)
		p.Equal()
		if turns := w.Turns(); turns != 1 {
			t.Errorf("%d turns, want 1, of: %v", turns, w)
		}
		if p.A.Value("SELECT status FROM information_schema.events WHERE event_name = 'tick'") == "ENABLED" {
			t.Error("an event runs on the slave")
		}
		p.A.Wait("SELECT @@GLOBAL.event_scheduler", "ON")
		t.Logf("longest write pause %s", w.Pause())
	})
}

// mustBeHeld holds what a demoted master promises: nobody writes.
func mustBeHeld(t *testing.T, p *failovertest.Pair, privileged *sql.Conn) {
	t.Helper()
	if p.A.Value("SELECT @@GLOBAL.read_only") != "1" || p.A.Value("SELECT @@GLOBAL.event_scheduler") != "OFF" {
		t.Error("the demoted master is writable, or its events run")
	}
	const position = "SELECT variable_value FROM information_schema.global_status" +
		" WHERE variable_name = 'binlog_snapshot_position'"
	at := ""
	if !p.Kind.IsMySQL() {
		at = p.A.Value(position)
	}
	if _, err := privileged.ExecContext(t.Context(), "COMMIT"); err == nil {
		t.Error("a transaction of an administrator was committed on the demoted master")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := p.A.Server.DB.ExecContext(ctx, "INSERT INTO "+failovertest.Table+" VALUES (-2, 'root', NOW())")
	if err == nil {
		t.Error("an administrator has written to the demoted master")
	}
	if at != "" && p.A.Value(position) != at {
		t.Error("the position of the demoted master has moved")
	}
}

// TestGuardRefusesDemotion asks a master that is busy: it stays writable, and says why.
func TestGuardRefusesDemotion(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		work(t, p.B)
		p.A.Exec("INSERT INTO " + failovertest.Table + " VALUES (-1, 'long', NOW())")
		p.A.StartGuard()
		p.B.StartGuard()
		for name, busy := range map[string]func(t *testing.T, h *failovertest.Host, on *sql.Conn) (end func()){
			"a long statement": longStatement, "a prepared XA transaction": preparedXA,
		} {
			conn, err := p.A.Server.DB.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			end := busy(t, p.A, conn)
			nonce := request(t, p.B)
			refused := waitNote(t, p.A, func(n term.Note) bool {
				return n.Demotion != nil && n.Demotion.Nonce == nonce && n.Demotion.Refused != ""
			})
			t.Logf("%s: %s", name, refused.Demotion.Refused)
			p.A.WaitWritable()
			waitRecord(t, p.B, func(r *term.Record) bool { return r.Demotion != nil && r.Demotion.Refused != "" })
			p.B.Update(func(n *term.Note) error { return n.Withdraw(nonce) })
			waitNote(t, p.A, func(n term.Note) bool { return n.Demotion == nil })
			end()
			server.Discard(conn)
		}
		p.A.WaitWritable()
	})
}

// longStatement runs a statement that writes until end.
func longStatement(t *testing.T, h *failovertest.Host, on *sql.Conn) (end func()) {
	t.Helper()
	within, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		_, _ = on.ExecContext(within, "UPDATE "+failovertest.Table+" SET host = 'long' WHERE id = -1 AND SLEEP(600) = 0")
	})
	h.Wait("SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'", "1")
	return func() { cancel(); running.Wait() }
}

// preparedXA prepares a transaction, which end rolls back.
func preparedXA(t *testing.T, _ *failovertest.Host, on *sql.Conn) (end func()) {
	t.Helper()
	for _, statement := range []string{
		"XA START 'x'", "INSERT INTO " + failovertest.Table + " VALUES (-3, 'xa', NOW())", "XA END 'x'", "XA PREPARE 'x'",
	} {
		if _, err := on.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if _, err := on.ExecContext(t.Context(), "XA ROLLBACK 'x'"); err != nil {
			t.Error(err)
		}
	}
}

// waitRecord waits until a host reads of its peer what it should.
func waitRecord(t *testing.T, h *failovertest.Host, is func(*term.Record) bool) {
	t.Helper()
	host := h.Failover()
	peer, err := host.PeerServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }()
	for end := time.Now().Add(failovertest.Patience); ; {
		r, err := term.ReadRecord(t.Context(), peer, peer.DB)
		if err == nil && r != nil && is(r) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the record is %+v, %v", r, err)
		}
		if err := server.Pause(t.Context(), 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGuardKilledDemoting kills the guard before or after each statement of a demotion: which
// of them, differs between the families, so that each is tried with half of the steps.
// The next one brings it to its end, and takes it back when it reads that it is withdrawn.
func TestGuardKilledDemoting(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		work(t, p.B)
		p.A.Exec("SET GLOBAL event_scheduler=ON")
		p.B.StartGuard()
		steps := 0
		for reached := true; reached && steps < 100; steps++ {
			executed := (steps%2 == 0) == p.Kind.IsMySQL()
			nonce := request(t, p.B)
			var killed string
			killed, reached = dyingGuard(t, p.A, nonce, steps, executed)
			p.A.StartGuard()
			waitLock(t, p.A, nonce)
			if got := p.A.Value("SELECT @@GLOBAL.read_only"); got != "1" {
				t.Errorf("killed at %q (executed: %v): the lock is held and the server is writable", killed, executed)
			}
			p.B.Update(func(n *term.Note) error { return n.Withdraw(nonce) })
			waitNote(t, p.A, func(n term.Note) bool { return n.Demotion == nil && n.EventScheduler == "" })
			p.A.WaitWritable()
			if got := p.A.Value("SELECT @@GLOBAL.event_scheduler"); got != "ON" {
				t.Errorf("killed at %q (executed: %v): event_scheduler is %s afterwards", killed, executed, got)
			}
			p.A.StopGuard()
		}
		t.Logf("%d statements", steps-1)
	})
}

// dyingGuard runs a guard that answers a request and dies at a statement after it has
// noted the demotion, and gives that statement; reached is false if it lived on to take the
// lock.
func dyingGuard(
	t *testing.T, h *failovertest.Host, nonce string, step int, executed bool,
) (killed string, reached bool) {
	t.Helper()
	left := step
	eyes := newSpy(t, h, func(statement string, done bool) bool {
		if done != executed || h.Note().Demotion == nil {
			return false
		}
		left--
		return left < 0
	})
	host := h.Failover()
	host.Own, host.Store = eyes.open, eyes
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	var ended sync.WaitGroup
	ended.Go(func() {
		if err := (&failover.Guard{Host: host}).Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	for !eyes.isDead() && !locked(h, nonce) {
		if err := server.Pause(ctx, 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	reached = eyes.isDead()
	kill()
	ended.Wait()
	return eyes.at, reached
}

// work is that a command works on a host until the test ends.
func work(t *testing.T, h *failovertest.Host) {
	t.Helper()
	done, err := h.Store().Work(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
}

// request begins a switchover to a host.
func request(t *testing.T, h *failovertest.Host) (nonce string) {
	t.Helper()
	nonce = "switchover " + time.Now().Format("15:04:05.000000")
	h.Update(func(n *term.Note) error { return n.Begin(nonce, term.BySwitchover, time.Now()) })
	return nonce
}

func locked(h *failovertest.Host, nonce string) bool {
	return h.Value("SELECT COALESCE(IS_USED_LOCK("+server.QuoteString(failover.DemotionLock(nonce))+"), 0) > 0") == "1"
}

// waitLock waits until a demoted master's guard holds the lock.
func waitLock(t *testing.T, h *failovertest.Host, nonce string) {
	t.Helper()
	h.Wait("SELECT COALESCE(IS_USED_LOCK("+server.QuoteString(failover.DemotionLock(nonce))+"), 0) > 0", "1")
}

// waitNote waits until the note of a host is as it should be.
func waitNote(t *testing.T, h *failovertest.Host, is func(term.Note) bool) term.Note {
	t.Helper()
	for end := time.Now().Add(failovertest.Patience); ; {
		n := h.Note()
		if is(n) {
			return n
		}
		if time.Now().After(end) {
			t.Fatalf("the note of %s is %+v, its demotion %+v", h.Name, n, n.Demotion)
		}
		if err := server.Pause(t.Context(), 20*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// waitFollows waits until a host's server is a slave that runs, and its guard has noted it.
func waitFollows(t *testing.T, h *failovertest.Host) {
	t.Helper()
	own := h.Own()
	for end := time.Now().Add(failovertest.Patience); ; {
		status, err := own.SlaveStatus(t.Context(), own.DB)
		if err == nil && status != nil && status.Running() && h.Note().Demotion == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not follow: %+v, %v", h.Name, status, err)
		}
		if err := server.Pause(t.Context(), 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// openTransaction begins a transaction as the administrator, and writes a row in it.
func openTransaction(t *testing.T, h *failovertest.Host, id int) *sql.Conn {
	t.Helper()
	conn, err := h.Server.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Discard(conn) })
	if _, err = conn.ExecContext(t.Context(), "BEGIN"); err == nil {
		_, err = conn.ExecContext(t.Context(), "INSERT INTO "+failovertest.Table+" VALUES (?, 'open', NOW())", id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

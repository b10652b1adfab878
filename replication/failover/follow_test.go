package failover_test

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// TestGuardKilledFollowing kills the guard of the old master before or after each statement
// by which it follows the new one: the next guard ends it, and nothing is applied twice.
func TestGuardKilledFollowing(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.Exec("SET GLOBAL event_scheduler=ON", "CREATE EVENT "+failovertest.Database+
			".tick ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DO SET @a = 1")
		p.Sync(p.A)
		work(t, p.A)
		work(t, p.B)
		master, slave, reached := p.A, p.B, true
		steps := 0
		for ; reached && steps < 100; steps++ {
			executed := (steps%2 == 0) == p.Kind.IsMySQL()
			slave.StartGuard()
			nonce := request(t, slave)
			var killed string
			killed, reached = dieFollowing(t, p, master, nonce, steps, executed)
			slave.Exec("REPLACE INTO " + failovertest.Table + " VALUES (-1, 'new', NOW())")
			master.StartGuard()
			waitFollows(t, master)
			p.Sync(slave)
			p.Equal()
			if got := master.Value("SELECT COUNT(*) FROM information_schema.events WHERE status = 'ENABLED'"); got != "0" {
				t.Errorf("killed at %q (executed: %v): %s events run on the slave", killed, executed, got)
			}
			master.StopGuard()
			slave.StopGuard()
			slave.Exec("ALTER EVENT " + failovertest.Database + ".tick ENABLE")
			p.Sync(slave)
			master, slave = slave, master
		}
		t.Logf("%d statements", steps-1)
	})
}

// dieFollowing runs a guard on the master that answers the request of the other host, which
// becomes the master, and dies at a statement after it has taken that term; reached is
// false if it lived on to follow.
func dieFollowing(
	t *testing.T, p *failovertest.Pair, h *failovertest.Host, nonce string, step int, executed bool,
) (killed string, reached bool) {
	t.Helper()
	left := step
	eyes := newSpy(t, h, func(_ string, done bool) bool {
		if n := h.Note(); done != executed || n.Term.Nonce != nonce || n.Demotion == nil {
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
	waitLock(t, h, nonce)
	p.Sync(h)
	raise(t, h.Peer, term.BySwitchover, term.Demoted)
	h.Peer.WaitWritable()
	for !eyes.isDead() {
		if n := h.Note(); n.Term.Nonce == nonce && n.Demotion == nil {
			break
		}
		if err := server.Pause(ctx, 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	reached = eyes.isDead()
	kill()
	ended.Wait()
	return eyes.at, reached
}

// TestGuardBehindItsPeer restores a backup of the master, which then lacks what its slave
// has: it stays read-only, and says so; so does a master that has lost its note, until it
// has read the term.
func TestGuardBehindItsPeer(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.Sync(p.A)
		stop(t, p.A)
		copyTo(t, p.A.Server.DataDir(), p.A.Server.DataDir()+".old")
		p.A.StartServer()
		p.A.Exec("SET GLOBAL read_only=0",
			"INSERT INTO "+failovertest.Table+" VALUES (-1, 'later', NOW())", "FLUSH BINARY LOGS",
			"INSERT INTO "+failovertest.Table+" VALUES (-2, 'later', NOW())")
		own := p.B.Own()
		if err := own.Exec(t.Context(), own.DB, own.Version.StartSlave(server.BothThreads)); err != nil {
			t.Fatal(err)
		}
		p.Sync(p.A)
		stop(t, p.A)
		copyTo(t, p.A.Server.DataDir()+".old", p.A.Server.DataDir())
		p.A.StartServer()
		p.A.StartGuard()
		p.B.StartGuard()
		waitLooks(t, p.A)
		p.A.WaitReadOnly()
		host := p.A.Failover()
		eyes := host.Observe()
		defer eyes.Close()
		s, err := eyes.Look(t.Context())
		if err != nil || s.OwnServer == nil {
			t.Fatal(err, s)
		}
		if d := term.Decide(s.View); d.Code != term.BehindItsPeer {
			t.Errorf("decided: %+v", d)
		}
	})
}

func stop(t *testing.T, h *failovertest.Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), failovertest.Patience)
	defer cancel()
	if err := h.Server.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

// copyTo replaces a folder by a copy of another one.
func copyTo(t *testing.T, from, to string) {
	t.Helper()
	for _, command := range [][]string{{"rm", "-rf", to}, {"cp", "-a", from, to}} {
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", command, err, out)
		}
	}
}

// TestGuardStoodAside lets the slave's host promise not to be promoted: the master starts
// alone. So it does by the administrator's word.
func TestGuardStoodAside(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		p.B.StartGuard()
		waitLooks(t, p.A)
		p.B.Update(func(n *term.Note) error { return n.StandAside(time.Now()) })
		waitNote(t, p.A, func(n term.Note) bool { return n.Alone == term.StoodAside })
		p.B.PowerCut()
		p.A.PowerCut()
		p.A.Boot()
		p.A.StartGuard()
		p.A.WaitWritable()

		p.B.Boot()
		p.B.StartGuard()
		p.B.Update(func(n *term.Note) error { n.StandBy(); return nil })
		waitNote(t, p.A, func(n term.Note) bool { return n.Alone == term.NotAlone })
		p.B.PowerCut()
		p.A.PowerCut()
		p.A.Boot()
		p.A.StartGuard()
		waitLooks(t, p.A)
		p.A.WaitReadOnly()
		p.A.Update((*term.Note).StateAlone)
		p.A.WaitWritable()
	})
}

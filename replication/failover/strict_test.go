package failover_test

import (
	"fmt"
	"testing"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/term"
)

// TestSwitchoverStrict switches over and back in gtid_strict_mode, after the master has
// written what its slave has not: to databases that are not of the pair, such as accounts.
func TestSwitchoverStrict(t *testing.T) {
	t.Parallel()
	p := failovertest.New(t, servertest.MariaDB)
	for _, h := range []*failovertest.Host{p.A, p.B} {
		h.Exec("SET GLOBAL gtid_strict_mode=1")
		h.StartGuard()
	}
	waitReady(p)
	for i, to := range []*failovertest.Host{p.B, p.A, p.B} {
		from := to.Peer
		for n := range 3 {
			from.Exec(fmt.Sprintf("CREATE USER passing%d%d@localhost", i, n))
		}
		outcome, err := switchTo(t, to)
		if err != nil || !outcome.Follows {
			t.Fatalf("to %s: %+v, %v", to.Name, outcome, err)
		}
		to.WaitWritable()
		to.Exec(fmt.Sprintf("INSERT INTO "+failovertest.Table+" VALUES (%d, 'strict', NOW(6))", i))
		p.Sync(to)
		p.Equal()
	}
}

// TestCopyLeft ends a copy while no guard of the master runs, which has made the account for
// it: the next guard drops it.
func TestCopyLeft(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		const accounts = "SELECT COUNT(*) FROM mysql.user WHERE user = 'gtunnel_seed'"
		p.B.Update(func(n *term.Note) error { return n.Copy("of-a-copy") })
		p.A.StartGuard()
		p.B.StartGuard()
		p.A.Wait(accounts, "1")
		p.A.StopGuard()
		p.B.Update(func(n *term.Note) error { return n.Join(n.Term) })
		p.B.Wait("SELECT record LIKE '%of-a-copy%' FROM gtunnel.pair", "0")
		p.A.StartGuard()
		p.A.Wait(accounts, "0")
		waitNote(t, p.A, func(n term.Note) bool { return n.LetsCopy == "" }) // which it does next
	})
}

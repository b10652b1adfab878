package failover_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
)

// TestSwitchoverAfterStart ends a switchover whose new master was started anew after the old
// one had been demoted: its slave is stopped, its guard starts none as long as the request
// stands, and what the old one had is not here.
func TestSwitchoverAfterStart(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.A.StartGuard()
		p.B.StartGuard()
		waitReady(p)
		w := p.Write()
		w.WaitFor(p.A)
		w.Stop()
		p.Sync(p.A)
		p.B.Exec("STOP " + map[bool]string{true: "REPLICA", false: "SLAVE"}[p.Kind.IsMySQL()])
		p.A.Exec("INSERT INTO " + failovertest.Table + " VALUES (-7, 'last', NOW(6))")
		nonce := request(t, p.B)
		waitLock(t, p.A, nonce)
		p.B.KillServer()
		p.B.StartServer()
		outcome, err := switchTo(t, p.B)
		if err != nil || !outcome.Follows {
			t.Fatalf("the switchover: %+v, %v", outcome, err)
		}
		if p.B.Value("SELECT COUNT(*) FROM "+failovertest.Table+" WHERE id = -7") != "1" {
			t.Error("the last row of the old master is lost")
		}
	})
}

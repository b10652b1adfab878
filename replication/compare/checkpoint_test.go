package compare_test

import (
	"fmt"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestCheckpoint: MariaDB writes the checkpoint of a new binary log some time after it has
// begun it. A slave of an idle master is beyond a snapshot by it, and stands right; beyond
// a transaction it does not.
func TestCheckpoint(t *testing.T) {
	pairs.OnCouples(t, []pairs.Pair{pairs.MariaDB}, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "idle")
		p.OnMaster(t, "CREATE TABLE idle.t (id INT PRIMARY KEY)")
		p.Sync(t)
		p.OnMaster(t, "FLUSH BINARY LOGS")
		begun, err := p.Master.SnapshotPosition(t.Context(), p.MasterDB)
		if err != nil {
			t.Fatal(err)
		}
		pairs.WaitUntil(t, "checkpoint on the slave", func() (string, bool) {
			s := p.Status(t)
			return fmt.Sprintf("%+v, begun at %s", *s, begun), begun.Before(s.Executed)
		})
		advance := func() (server.Position, error) {
			p.OnSlave(t, "STOP SLAVE SQL_THREAD")
			defer p.OnSlave(t, "STOP SLAVE SQL_THREAD", "START SLAVE SQL_THREAD")
			return p.Slave.AdvanceSlave(t.Context(), p.Master, begun, server.SlavePatience, func(server.Position) {})
		}
		if at, err := advance(); err != nil || !begun.Before(at) || at.GTID != begun.GTID {
			t.Errorf("from %s on it stands at %s with %q: %v", begun, at, at.GTID, err)
		}
		compareOn(t, p, compare.Comparison{Databases: []string{"idle"}})
		p.OnMaster(t, "INSERT INTO idle.t VALUES (1)")
		p.Sync(t)
		if at, err := advance(); err == nil {
			t.Errorf("beyond a transaction, from %s on, it stands right at %s", begun, at)
		}
	})
}

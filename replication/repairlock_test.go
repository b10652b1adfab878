package replication_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestRepairWithoutTransactions repairs a table without transactions and without a key,
// while it is written to: under a lock, or not at all.
func TestRepairWithoutTransactions(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		pairs.MarkTools(t)
		p.Fresh(t, "busy")
		p.OnMaster(t, "CREATE TABLE busy.my (n INT, v INT, pad CHAR(200)) ENGINE=MyISAM")
		stop := p.Write(t, "INSERT INTO busy.my VALUES (?, ?, '')", "DO SLEEP(0.003 + 0 * (? + ?))")
		defer stop()
		pairs.WaitUntil(t, "row on the slave", func() (string, bool) {
			var there int
			err := p.SlaveDB.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM busy.my").Scan(&there)
			return "", err == nil && there > 100
		})
		if err := repair(t.Context(), p, "busy.my"); !finding.HasCode(err, "not-transactional") {
			t.Errorf("without --lock-tables it says %v", err)
		}
		r := replication.Repair{Master: p.Master, Slave: p.Slave, Tables: []string{"busy.my"}, LockTables: true}
		if err := r.Run(t.Context()); err != nil {
			t.Error(err)
		}
		stop()
		p.Sync(t)
		var twice int
		query := "SELECT COUNT(*) FROM (SELECT n FROM busy.my GROUP BY n HAVING COUNT(*) > 1) AS twice"
		if err := p.SlaveDB.QueryRowContext(t.Context(), query).Scan(&twice); err != nil || twice > 0 {
			t.Errorf("the slave has %d rows twice: %v", twice, err)
		}
		if result := compareOn(t, p, compare.Comparison{Databases: []string{"busy"}}); !result.Equal() {
			t.Errorf("got %+v", result)
		}
	})
}

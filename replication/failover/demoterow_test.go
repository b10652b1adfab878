package failover_test

import (
	"context"
	"database/sql"
	"sync"
	"testing"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
)

// TestGuardDemotesPastRowLocks demotes a master where one transaction waits, behind the
// demotion, to go on, and a statement waits for a row of that transaction: the demotion
// waits for the statement. No server ends that by itself.
func TestGuardDemotesPastRowLocks(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		work(t, p.B)
		p.A.Exec("INSERT INTO " + failovertest.Table + " VALUES (-2, 'second', NOW())")
		first := openTransaction(t, p.A, -1)
		execute(t, first, "COMMIT")
		execute(t, first, "BEGIN")
		execute(t, first, "UPDATE "+failovertest.Table+" SET host = 'first' WHERE id = -1")
		second, err := p.A.Server.DB.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = second.Close() })
		ended, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		t.Cleanup(running.Wait)
		t.Cleanup(cancel)
		running.Go(func() {
			_, _ = second.ExecContext(ended, "UPDATE "+failovertest.Table+" SET host = 'second' WHERE id = -1")
		})
		p.A.Wait("SELECT COUNT(*) > 0 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'", "1")
		p.A.StartGuard()
		p.B.StartGuard()
		nonce := request(t, p.B)
		const waits = "SELECT COUNT(*) > 0 FROM information_schema.processlist WHERE state LIKE 'Waiting for %lock%'" +
			" AND info LIKE 'SET GLOBAL%read_only%'"
		p.A.Wait(waits, "1")
		execute(t, first, "UPDATE "+failovertest.Table+" SET host = 'first' WHERE id = -2")
		execute(t, first, "COMMIT")
		waitLock(t, p.A, nonce)
		if refused := p.A.Note().Demotion.Refused; refused != "" {
			t.Errorf("the demotion was refused: %s", refused)
		}
	})
}

func execute(t *testing.T, on *sql.Conn, statement string) {
	t.Helper()
	if _, err := on.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

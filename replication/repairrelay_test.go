package replication_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestRepairKeepsRelayLog: a repair throws nothing away that the slave has received and
// its master has purged since, whichever of its threads run.
func TestRepairKeepsRelayLog(t *testing.T) {
	pairs.OnCouples(t, []pairs.Pair{pairs.MariaDB, pairs.MySQL}, func(t *testing.T, p *pairs.Couple) {
		pairs.MarkTools(t)
		p.Fresh(t, "relayed")
		p.OnMaster(t, "CREATE TABLE relayed.t (id INT PRIMARY KEY)", "CREATE TABLE relayed.other (id INT PRIMARY KEY)")
		p.Sync(t)

		// It has stopped at an error of the table.
		p.OnSlave(t, "SET sql_log_bin=0", "INSERT INTO relayed.t VALUES (1)")
		p.OnMaster(t, "INSERT INTO relayed.t VALUES (1)", "INSERT INTO relayed.other VALUES (1)")
		purgeReceived(t, p)
		if err := repair(t.Context(), p, "relayed.t"); err != nil {
			t.Fatal(err)
		}
		mustBeRelayed(t, p)

		// Its I/O thread is stopped, too, and the SQL thread has to apply.
		release := p.HoldSlave(t, "relayed.other")
		p.OnMaster(t, "INSERT INTO relayed.other VALUES (2)")
		purgeReceived(t, p)
		p.OnSlave(t, p.Slave.Version.StopSlave("IO_THREAD").String())
		ended := make(chan error, 1)
		go func() { ended <- repair(t.Context(), p, "relayed.t") }()
		release()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		mustBeRelayed(t, p)

		// Both are stopped.
		p.OnSlave(t, p.Slave.Version.StopSlave("SQL_THREAD").String())
		p.OnMaster(t, "INSERT INTO relayed.other VALUES (3)")
		purgeReceived(t, p)
		p.OnSlave(t, p.Slave.Version.StopSlave("IO_THREAD").String())
		err := repair(t.Context(), p, "relayed.t")
		if p.Status(t).StartDeletes(p.Slave.Version) {
			if !finding.HasCode(err, rules.RelayLog) {
				t.Errorf("not refused, but %v", err)
			}
			apply, goOn, _ := strings.Cut(p.Status(t).ApplyReceived(p.Slave.Version),
				"; and when SHOW SLAVE STATUS says that it has read all relay log: ")
			p.OnSlave(t, strings.Split(apply, "; ")...)
			pairs.WaitUntil(t, "row", func() (string, bool) {
				n, err := p.Slave.Value(t.Context(), p.SlaveDB, "SELECT COUNT(*) FROM relayed.other")
				return fmt.Sprint(n, err), n == "3"
			})
			p.OnSlave(t, append(strings.Split(goOn, "; "), "START SLAVE")...)
		} else if err != nil {
			t.Error(err)
		}
		mustBeRelayed(t, p)
	})
}

// purgeReceived has the master purge what the slave has received.
func purgeReceived(t *testing.T, p *pairs.Couple) {
	t.Helper()
	p.OnMaster(t, "FLUSH BINARY LOGS")
	at, err := p.Master.Position(t.Context(), p.MasterDB)
	if err != nil {
		t.Fatal(err)
	}
	pairs.WaitUntil(t, "reading of "+at.File, func() (string, bool) {
		s := p.Status(t)
		return fmt.Sprintf("%+v", *s), s.Read.File == at.File
	})
	pairs.WaitUntil(t, "purge", func() (string, bool) { // not of what is still being sent
		p.OnMaster(t, "PURGE BINARY LOGS TO '"+at.File+"'")
		logs, err := p.Master.BinaryLogs(t.Context(), p.MasterDB)
		return fmt.Sprint(logs, err), err == nil && logs[0].File == at.File
	})
}

// mustBeRelayed fails if the slave has lost anything.
func mustBeRelayed(t *testing.T, p *pairs.Couple) {
	t.Helper()
	p.MustRun(t)
	p.Sync(t)
	var err error
	if p.MasterFacts, err = facts.Read(t.Context(), p.Master); err != nil {
		t.Fatal(err)
	}
	if result := compareOn(t, p, compare.Comparison{Databases: []string{"relayed"}}); !result.Equal() {
		t.Fatalf("differs: %q, %+v", found(result, "relayed.other"), result)
	}
}

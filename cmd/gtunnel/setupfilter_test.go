package main_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestLostFilter: a slave whose filter is gone, and whose events run, is not
// well, and becomes so by another setup-slave, without another copy.
func TestLostFilter(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind,
			append(twoDatabases, "CREATE EVENT voms.e ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01 00:00:00' DO SET @a = 1")...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		p.must(p.slave, p.setupSlaveArgs()...)

		lose := []string{"SET GLOBAL replicate_wild_do_table=''"}
		if kind.IsMySQL() {
			lose = []string{
				"CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=() FOR CHANNEL ''", "SET GLOBAL super_read_only=0",
			}
		}
		p.onSlave("STOP SLAVE")
		p.sql(p.slave, append(lose, "ALTER EVENT voms.e ENABLE")...)
		if kind.IsMySQL() {
			p.sql(p.slave, "SET GLOBAL super_read_only=1")
		}
		p.onSlave("START SLAVE")
		p.waitStatus("ok: ")
		out, code := p.status()
		if code == 0 || !strings.Contains(out, "there is no replicate_wild_do_table") ||
			!strings.Contains(out, "events are enabled") || !strings.Contains(out, "voms.e") {
			t.Errorf("exit code %d, and status says:\n%s", code, out)
		}
		// A change comes that the slave has no table for.
		p.sql(p.master, "INSERT INTO iam.t VALUES (1)")
		p.waitStatus("sql-error: ")
		out = p.must(p.slave, p.setupSlaveArgs()...)
		if !strings.Contains(out, "1 of 1 table equal at ") {
			t.Errorf("setup-slave says:\n%s", out)
		}
		p.replicates()
		if status := p.value(p.slave, "SELECT status FROM information_schema.events"); !strings.Contains(status, "SIDE") {
			t.Errorf("the event is %s", status)
		}
		if kind.IsMySQL() && p.value(p.slave, "SELECT @@super_read_only") != "1" {
			t.Error("root may write on the slave")
		}
		if out, code := p.status(); code != 0 || strings.Contains(out, "events are enabled") {
			t.Errorf("exit code %d, and status says:\n%s", code, out)
		}
		p.noChange(p.slave, p.setupSlaveArgs()...)
	})
}

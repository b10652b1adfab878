package main_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestGTIDOrder: what the binary logs of a new slave and a new master have, or do
// not have, of GTIDs.
func TestGTIDOrder(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MariaDB, servertest.MariaDB, twoDatabases...)
	p.sql(p.master, "RESET MASTER") // as if the binary log was just switched on
	p.sql(p.slave, "SET GLOBAL gtid_strict_mode=1", "CREATE DATABASE own", "CREATE TABLE own.t (id INT)")
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	p.unchanged(p.slave, 1, "gtid_strict_mode lets none come after them", p.setupSlaveArgs()...)
	p.sql(p.slave, "RESET MASTER") // nobody needs it
	p.must(p.slave, p.setupSlaveArgs()...)
	if out, code := p.run(p.slave, append(p.statusArgs(), "--json")...); code != 0 ||
		!strings.Contains(out, `"using_gtid": "Slave_Pos"`) {
		t.Errorf("exit code %d, and status says:\n%s", code, out)
	}
	p.replicates()
	p.noChange(p.slave, p.setupSlaveArgs()...)
}

// TestDrift: options of the replication that somebody has changed are seen and
// stated again, but a delay, which may be wanted. What stops a slave for good has a cure.
func TestDrift(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		p.must(p.slave, p.setupSlaveArgs()...)

		changed, warned := "MASTER_CONNECT_RETRY=3600, MASTER_USE_GTID=no",
			[]string{"stay 1s behind", "waits 1h before it tries again"}
		if kind.IsMySQL() {
			changed, warned = "SOURCE_RETRY_COUNT=10, SOURCE_SSL=1, GET_SOURCE_PUBLIC_KEY=0",
				[]string{"stay 1s behind", "gives up for good", "TLS inside the tunnel"}
		}
		p.onSlave("STOP SLAVE", "CHANGE MASTER TO MASTER_DELAY=1, "+changed, "START SLAVE")
		out, _ := p.status()
		for _, words := range warned {
			if !strings.Contains(out, words) {
				t.Errorf("status does not say %q:\n%s", words, out)
			}
		}
		if out := p.must(
			p.slave, p.setupSlaveArgs()...,
		); !strings.Contains(out, "state the options of the replication again") {
			t.Errorf("setup-slave does not see what was changed:\n%s", out)
		}
		p.replicates()
		p.noChange(p.slave, p.setupSlaveArgs()...)
		if out, code := p.status(); code != 0 || !strings.Contains(out, "stay 1s behind") {
			t.Errorf("status ends with %d:\n%s", code, out)
		}

		p.copiesAlteredAgain()

		p.meetsOtherDatabase()

		p.sql(p.master, "DROP DATABASE voms")
		p.waitValue(p.slave, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'voms'", "0")
		p.unchanged(p.slave, 1, "there is no database voms any more", p.setupSlaveArgs()...)
	})
}

// copiesAlteredAgain finds the slave as if a table was altered while it was copied, and
// copies it again.
func (p *pair) copiesAlteredAgain() {
	p.t.Helper()
	p.onSlave("STOP SLAVE")
	p.editState("stage", "running")
	p.sql(p.slave, "SET GLOBAL read_only=0", "ALTER TABLE voms.t ADD x INT")
	p.sql(p.master, "ALTER TABLE voms.t ADD x INT")
	for range 2 { // it meets the error, and then finds it
		out := p.refused(p.slave, 1, "Duplicate column name 'x'", p.setupSlaveArgs()...)
		if strings.Contains(out, "Coordinator") || strings.Contains(out, "goes on from here") ||
			!strings.Contains(out, "--reseed --replace-databases voms") {
			p.t.Errorf("it says:\n%s", out)
		}
	}
	p.must(p.master, p.setupMasterArgs("--seed-again")...)
	p.must(p.slave, p.setupSlaveArgs("--reseed", "--replace-databases", "voms")...)
	p.sql(p.master, "ALTER TABLE voms.t DROP COLUMN x")
	p.replicates()
}

// meetsOtherDatabase has a statement come from a database that is not replicated.
func (p *pair) meetsOtherDatabase() {
	p.t.Helper()
	p.sql(p.master, "CREATE PROCEDURE iam.p() SELECT 1")
	p.waitStatus("1049")
	out := p.refused(p.slave, 1, "Unknown database 'iam'", p.setupSlaveArgs()...)
	if !strings.Contains(out, "CREATE DATABASE") {
		p.t.Errorf("it says:\n%s", out)
	}
	p.sql(p.slave, "SET GLOBAL read_only=0")
	conn, err := p.slave.DB.Conn(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range []string{"SET SESSION sql_log_bin=0", "CREATE DATABASE iam"} {
		if _, err := conn.ExecContext(p.t.Context(), statement); err != nil {
			p.t.Fatalf("%s: %v", statement, err)
		}
	}
	p.onSlave("START SLAVE")
	p.replicates()
	p.must(p.slave, p.setupSlaveArgs()...)
}

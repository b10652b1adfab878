package main_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestSetupFromMariaDBToMySQL migrates: what MySQL 9 cannot follow is refused
// with what to do, and what it can works.
func TestSetupFromMariaDBToMySQL(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MariaDB, servertest.MySQL97, twoDatabases...)
	p.sql(p.slave, "SET GLOBAL enforce_gtid_consistency=ON")
	for _, mode := range []string{"OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"} {
		if p.value(p.slave, "SELECT @@gtid_mode") != "ON" {
			p.sql(p.slave, "SET GLOBAL gtid_mode="+mode)
		}
	}
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	p.unchanged(p.slave, 1, "cannot read rows that MariaDB logs", p.setupSlaveArgs()...)
	p.must(p.master, p.setupMasterArgs("--databases", "voms", "--log-statements")...)
	p.unchanged(p.slave, 1, "gtid_mode is ON", p.setupSlaveArgs()...)
	p.sql(p.slave, "SET GLOBAL gtid_mode=ON_PERMISSIVE", "SET GLOBAL gtid_mode=OFF_PERMISSIVE")
	p.must(p.slave, p.setupSlaveArgs()...)

	conn, err := p.master.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range []string{
		"SET SESSION binlog_format=STATEMENT", "INSERT INTO voms.t VALUES (3, 'three')",
		"ALTER TABLE voms.t ADD n INT DEFAULT 5",
	} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	p.waitSlave("SELECT GROUP_CONCAT(words ORDER BY id) FROM voms.t")
	p.waitSlave("SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'voms'")
	p.must(p.slave, p.compareArgs()...)
}

// TestSetupFromMySQLToMariaDB: MariaDB has no way to prove itself to MySQL 9.
func TestSetupFromMySQLToMariaDB(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MySQL97, servertest.MariaDB118, twoDatabases...)
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	p.unchanged(p.slave, 1, "no authentication plugin that a MariaDB slave could use", p.setupSlaveArgs()...)
}

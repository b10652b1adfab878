package main_test

import (
	"os"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestCompareRoutines finds a routine that differs by the monitor account, also
// by one that an earlier version has made with fewer privileges.
func TestCompareRoutines(t *testing.T) {
	t.Parallel()
	revoke := map[servertest.Kind]string{
		servertest.MariaDB105: "SELECT ON mysql.proc", servertest.MariaDB: "SELECT ON mysql.proc",
		servertest.MariaDB118: "SHOW CREATE ROUTINE ON `voms`.*", servertest.MySQL97: "SHOW_ROUTINE ON *.*",
	}
	for _, kind := range servertest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kind, kind, "CREATE DATABASE voms", "CREATE TABLE voms.t (id INT PRIMARY KEY)",
				"CREATE PROCEDURE voms.p() SELECT 1", "CREATE PROCEDURE voms.q(OUT a INT) SQL SECURITY INVOKER SELECT 1",
				"CREATE FUNCTION voms.f(a INT) RETURNS VARCHAR(20) DETERMINISTIC RETURN a", "CREATE TABLE voms.c (id INT PRIMARY "+
					"KEY, CONSTRAINT f FOREIGN KEY (id) REFERENCES voms.t (id), CONSTRAINT c CHECK (id > 0))")
			p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
			p.must(p.slave, p.setupSlaveArgs()...)
			if out := p.must(p.slave, p.compareArgs()...); strings.Contains(out, "not compared") {
				t.Errorf("compare says:\n%s", out)
			}
			change := []string{
				"SET SESSION sql_log_bin=0", "DROP PROCEDURE voms.p", "CREATE PROCEDURE voms.p() SELECT 2", "DROP PROCEDURE voms.q",
			}
			if kind.IsMySQL() {
				change = append([]string{"SET GLOBAL super_read_only=OFF"}, append(change, "SET GLOBAL super_read_only=ON")...)
			}
			p.sql(p.slave, strings.Join(change, "; "))
			p.routinesDiffer()

			p.sql(p.master, "REVOKE "+revoke[kind]+" FROM gtunnel_monitor@'127.0.0.1'")
			if out := p.must(p.slave, p.compareArgs()...); !strings.Contains(out, "setup-master --keep-passwords") {
				t.Errorf("compare says:\n%s", out)
			}
			if out := p.must(p.master, p.setupMasterArgs()...); !strings.Contains(out, "complete the account "+
				"'gtunnel_monitor'") {
				t.Errorf("setup-master says:\n%s", out)
			}
			p.routinesDiffer()

			// The hand-over file was removed, as it should be.
			p.sql(p.master, "REVOKE "+revoke[kind]+" FROM gtunnel_monitor@'127.0.0.1'")
			if err := os.Remove(p.handOver()); err != nil {
				t.Fatal(err)
			}
			p.refused(p.master, 1, "--keep-passwords", p.setupMasterArgs("--databases", "voms")...)
			if out := p.must(p.master, p.setupMasterArgs("--databases", "voms", "--keep-passwords")...); !strings.Contains(out,
				"complete the account 'gtunnel_monitor'") ||
				strings.Contains(out, "IDENTIFIED") || strings.Contains(out, "scp") {
				t.Errorf("setup-master says:\n%s", out)
			}
			if _, err := os.Stat(p.handOver()); err == nil {
				t.Error("there is a hand-over file without passwords")
			}
			p.routinesDiffer()
			if out := p.must(p.master, p.setupMasterArgs("--databases", "voms", "--keep-passwords")...); !strings.Contains(out,
				"no change") {
				t.Errorf("the second run says:\n%s", out)
			}
		})
	}
}

// routinesDiffer fails if a comparison does not find the routines that differ.
func (p *pair) routinesDiffer() {
	p.t.Helper()
	out := p.refused(p.slave, 1, "routine voms.p is not the same on both ends", p.compareArgs()...)
	if !strings.Contains(out, "routine voms.q is missing on the slave") {
		p.t.Errorf("compare says:\n%s", out)
	}
}

package main_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestSequenceOfDefault: MariaDB 10.5 shows a table whose default is of a sequence only to
// those who may take a value of it. It is not taken for another one, and said not to be
// compared, with the privilege that lets it be.
func TestSequenceOfDefault(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MariaDB105, servertest.MariaDB105, "CREATE DATABASE voms", "CREATE SEQUENCE voms.s",
		"CREATE TABLE voms.t (id BIGINT NOT NULL DEFAULT NEXTVAL(voms.s) PRIMARY KEY)", "INSERT INTO voms.t VALUES (7)")
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	const grant = "GRANT INSERT ON `voms`.`s`"
	said := "table voms.t: the login on the master may not open it; " + grant
	if out := p.must(p.slave, p.setupSlaveArgs()...); !strings.Contains(strings.Join(strings.Fields(out), " "), said) {
		t.Errorf("it does not say that the table was not compared:\n%s", out)
	}
	p.sql(p.master, grant+" TO gtunnel_monitor@'127.0.0.1'")
	if out := p.must(p.slave, p.compareArgs()...); strings.Contains(out, "not compared") ||
		!strings.Contains(out, "1 of 1 table equal") {
		t.Errorf("with the privilege it says:\n%s", out)
	}
}

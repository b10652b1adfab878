package main_test

import (
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestSetupByClone clones a master with an enabled event over a slave that its
// option file makes read-only at the restart. Our accounts, which came with the
// clone, are gone after it, and the event scheduler is as it was.
func TestSetupByClone(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MySQL97, servertest.MySQL97, twoDatabases...)
	p.sql(p.master, "INSTALL PLUGIN clone SONAME 'mysql_clone.so'",
		"CREATE EVENT iam.e ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DO SET @a=1")
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	ended := p.slave.Ended()
	cmd, said := p.startUntil("copy voms", p.slave, p.setupSlaveArgs("--method", "clone")...)
	select {
	case <-ended: // nothing restarts it there
	case <-time.After(databasePatience):
		t.Fatalf("the slave does not end:\n%s", said)
	}
	p.restart(p.slave)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v:\n%s", err, said)
	}
	for query, want := range map[string]string{
		"SELECT COUNT(*) FROM mysql.user WHERE user LIKE 'gtunnel%' OR user = 'db_rep'":       "0",
		"SELECT COUNT(*) FROM information_schema.routines WHERE routine_name LIKE 'gtunnel%'": "0",
		"SELECT CONCAT(event_name, ' ', status) FROM " +
			"information_schema.events": "e REPLICA_SIDE_DISABLED",
		"SELECT CONCAT_WS(' ', @@event_scheduler, @@super_read_only)":                                         "ON 1",
		"SELECT COUNT(*) FROM performance_schema.persisted_variables WHERE variable_name = 'event_scheduler'": "0",
	} {
		if got := p.value(p.slave, query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	p.replicates()
	p.noChange(p.slave, p.setupSlaveArgs("--method", "clone")...)
}

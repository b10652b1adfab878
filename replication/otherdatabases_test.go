package replication_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication"
)

// passesFilter changes routines and events of a database that is not replicated,
// and does what the cures say.
func (p *watchedPair) passesFilter() {
	p.fresh()
	p.run(p.master.DB, "CREATE DATABASE elsewhere")
	const event = "CREATE EVENT elsewhere.e ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DO SET @a = 1"
	for _, c := range []struct {
		first, change string // on the slave and on the master
		code          string
		words         []string
		cure          string // as the words say
	}{
		{"", "CREATE PROCEDURE elsewhere.p() SELECT 1", "missing-database", []string{"error 1049", "CREATE DATABASE", "START SLAVE"}, "CREATE DATABASE elsewhere"},
		{"DROP PROCEDURE elsewhere.p", "DROP PROCEDURE elsewhere.p", "missing-routine", []string{"error 1305", "CREATE PROCEDURE ...() SELECT 1"}, "CREATE PROCEDURE elsewhere.p() SELECT 1"},
		{"CREATE PROCEDURE elsewhere.p() SELECT 2", "CREATE PROCEDURE elsewhere.p() SELECT 1", "routine-exists", []string{"error 1304", "DROP it"}, "DROP PROCEDURE elsewhere.p"},
		{event, event, "event-exists", []string{"error 1537", "DROP it"}, "DROP EVENT elsewhere.e"},
		{"DROP EVENT elsewhere.e", "DROP EVENT elsewhere.e", "missing-event", []string{"error 1539", "EVERY 1 YEAR DISABLE DO SELECT 1"}, "CREATE EVENT elsewhere.e ON SCHEDULE EVERY 1 YEAR DISABLE DO SELECT 1"},
	} {
		if c.first != "" {
			p.onSlave(c.first)
		}
		p.run(p.master.DB, c.change)
		p.untilProblem(replication.HealthBroken, c.code, c.words...)
		p.onSlave(c.cure)
		p.run(p.slave.DB, "START SLAVE")
		p.until(func(s *replication.Status) bool { return s.State == replication.HealthRunning && *s.Lag.Bytes == 0 })
	}
	p.onSlave("DROP DATABASE elsewhere")
	p.run(p.master.DB, "DROP DATABASE elsewhere")
}

// TestSharedDatabase plans a slave that has a database of its own with the name
// of another one of the master's.
func TestSharedDatabase(t *testing.T) {
	for _, pair := range followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.start(t)
			master.exec(t, "DROP DATABASE IF EXISTS seed_wanted", "CREATE DATABASE seed_wanted")
			for _, s := range []*testServer{master, slave} {
				s.exec(t, "DROP DATABASE IF EXISTS seed_shared", "CREATE DATABASE seed_shared", "CREATE PROCEDURE seed_shared.p() SELECT 1")
			}
			_, mf := openServer(t, replication.Master, master)
			_, sf := openServer(t, replication.Slave, slave)
			hand := &replication.HandOver{ServerID: mf.ServerID(), UUID: mf.UUID(), Databases: []string{"seed_wanted"}}
			plan := replication.PlanSlave(mf, sf, replication.SlaveWant{HandOver: hand, Databases: hand.Databases, Port: 3307, Method: replication.SeedDump})
			if p := problemOf(plan.Problems, "shared-name"); p == nil || p.On != replication.Slave {
				t.Errorf("the shared database was not found:\n%s", texts(plan.Problems))
			}
			if p := problemOf(plan.Warnings, "passes-filter"); p == nil || p.On != replication.Master {
				t.Errorf("nothing is said of its routines:\n%s", texts(plan.Warnings))
			}
			for _, s := range []*testServer{master, slave} {
				s.exec(t, "DROP DATABASE seed_shared")
			}
		})
	}
}

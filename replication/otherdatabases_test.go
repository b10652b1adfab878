package replication_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/watch"
)

// passesFilter changes routines and events of a database that is not replicated,
// and does what the cures say.
func (p *watchedPair) passesFilter() {
	p.fresh()
	p.run(p.master.DB, "CREATE DATABASE elsewhere")
	const event = "CREATE EVENT elsewhere.e ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DO SET @a = 1"
	for _, c := range []struct {
		first, change string   // on the slave and on the master
		number        int      // of the slave's error
		words         []string // of its cure
		cure          string   // as they say
	}{
		{"", "CREATE PROCEDURE elsewhere.p() SELECT 1", 1049, []string{"CREATE DATABASE"}, "CREATE DATABASE elsewhere"},
		{"DROP PROCEDURE elsewhere.p", "DROP PROCEDURE elsewhere.p", 1305, []string{"make one of that name"}, "CREATE PROCEDURE elsewhere.p() SELECT 1"},
		{"CREATE PROCEDURE elsewhere.p() SELECT 2", "CREATE PROCEDURE elsewhere.p() SELECT 1", 1304, []string{"sql_log_bin=0"}, "DROP PROCEDURE elsewhere.p"},
		{event, event, 1537, []string{"sql_log_bin=0"}, "DROP EVENT elsewhere.e"},
		{"DROP EVENT elsewhere.e", "DROP EVENT elsewhere.e", 1539, []string{"make one of that name"}, "CREATE EVENT elsewhere.e ON SCHEDULE EVERY 1 YEAR DISABLE DO SELECT 1"},
	} {
		if c.first != "" {
			p.onSlave(c.first)
		}
		p.run(p.master.DB, c.change)
		s := p.until(func(s *watch.Status) bool {
			return s.State == watch.HealthBroken && s.Connection.SQLErrno == c.number
		})
		p.wantWords(s, s.Problems[0], append(c.words, "on the slave")...)
		p.onSlave(c.cure)
		p.run(p.slave.DB, "START SLAVE")
		p.until(func(s *watch.Status) bool { return s.State == watch.HealthRunning && *s.Lag.Bytes == 0 })
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
			_, mf := openServer(t, finding.Master, master)
			_, sf := openServer(t, finding.Slave, slave)
			hand := &replication.HandOver{ServerID: mf.ServerID(), UUID: mf.UUID(), Databases: []string{"seed_wanted"}}
			plan := replication.PlanSlave(replication.Situation{MasterFacts: mf, SlaveFacts: sf}, replication.SlaveWant{HandOver: hand, Databases: hand.Databases, Port: 3307, Method: journal.SeedDump})
			if p := problemOf(plan.Problems, "shared-name"); p == nil || p.On != finding.Slave {
				t.Errorf("the shared database was not found:\n%s", texts(plan.Problems))
			}
			if p := problemOf(plan.Warnings, "passes-filter"); p == nil || p.On != finding.Master {
				t.Errorf("nothing is said of its routines:\n%s", texts(plan.Warnings))
			}
			for _, s := range []*testServer{master, slave} {
				s.exec(t, "DROP DATABASE seed_shared")
			}
		})
	}
}

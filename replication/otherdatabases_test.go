package replication_test

import (
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestSharedDatabase plans a slave that has a database of its own with the name
// of another one of the master's.
func TestSharedDatabase(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			master.Exec(t, "DROP DATABASE IF EXISTS seed_wanted", "CREATE DATABASE seed_wanted")
			for _, s := range []*pairs.Server{master, slave} {
				s.Exec(t, "DROP DATABASE IF EXISTS seed_shared", "CREATE DATABASE seed_shared",
					"CREATE PROCEDURE seed_shared.p() SELECT 1")
			}
			_, mf := master.AsSeeder(t, finding.Master)
			_, sf := slave.AsSeeder(t, finding.Slave)
			hand := &replication.HandOver{ServerID: mf.ServerID(), UUID: mf.UUID(), Databases: []string{"seed_wanted"}}
			plan := replication.PlanSlave(replication.Situation{MasterFacts: mf, SlaveFacts: sf},
				replication.SlaveWant{HandOver: hand, Databases: hand.Databases, Port: 3307, Method: journal.SeedDump})
			if p := pairs.ProblemOf(plan.Problems, "shared-name"); p == nil || p.On != finding.Slave {
				t.Errorf("the shared database was not found:\n%s", pairs.Texts(plan.Problems))
			}
			if p := pairs.ProblemOf(plan.Warnings, "passes-filter"); p == nil || p.On != finding.Master {
				t.Errorf("nothing is said of its routines:\n%s", pairs.Texts(plan.Warnings))
			}
			for _, s := range []*pairs.Server{master, slave} {
				s.Exec(t, "DROP DATABASE seed_shared")
			}
		})
	}
}

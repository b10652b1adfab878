package replication

import (
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// TestOwnGTIDs: MySQL before 8.0 with transactions of its own is refused before
// a copy, not after it.
func TestOwnGTIDs(t *testing.T) {
	old, later := server.Version{Family: server.MySQL, Major: 5, Minor: 7, Patch: 44},
		server.Version{Family: server.MySQL, Major: 8, Minor: 0, Patch: 36}
	const own = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"
	for name, test := range map[string]struct {
		v             server.Version
		master, slave string // gtid_mode
		own           string
		method        journal.SeedMethod
		want          bool
	}{
		"its own":                {old, "ON", "ON", own, journal.SeedDump, true},
		"none":                   {old, "ON", "ON", "", journal.SeedDump, false},
		"its own, later version": {later, "ON", "ON", own, journal.SeedDump, false},
		"the data is there":      {old, "ON", "ON", own, journal.SeedNone, false},
		"the master has none":    {old, "OFF", "ON", own, journal.SeedDump, false},
		"the slave takes none":   {old, "ON", "OFF", own, journal.SeedDump, false},
	} {
		master, slave := newFacts(finding.Master, test.v), newFacts(finding.Slave, test.v)
		master.Variables["gtid_mode"], slave.Variables["gtid_mode"] = test.master, test.slave
		slave.Variables["gtid_executed"] = test.own
		slave.Variables["server_uuid"] = "another"
		plan := PlanSlave(Situation{MasterFacts: master, SlaveFacts: slave},
			SlaveWant{HandOver: handOverOf(master, "voms"), Databases: []string{"voms"}, Port: 3307, Method: test.method})
		refused := slices.ContainsFunc(plan.Problems, func(p *finding.Problem) bool { return p.Code == "own-gtids" })
		if refused != test.want {
			t.Errorf("%s: problems %v", name, plan.Problems)
		}
	}
}

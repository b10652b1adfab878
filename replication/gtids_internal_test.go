package replication

import (
	"slices"
	"testing"
)

// TestOwnGTIDs: MySQL before 8.0 with transactions of its own is refused before
// a copy, not after it.
func TestOwnGTIDs(t *testing.T) {
	old, later := Version{Family: MySQL, Major: 5, Minor: 7, Patch: 44}, Version{Family: MySQL, Major: 8, Minor: 0, Patch: 36}
	const own = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"
	for name, test := range map[string]struct {
		v             Version
		master, slave string // gtid_mode
		own           string
		method        SeedMethod
		want          bool
	}{
		"its own":                {old, "ON", "ON", own, SeedDump, true},
		"none":                   {old, "ON", "ON", "", SeedDump, false},
		"its own, later version": {later, "ON", "ON", own, SeedDump, false},
		"the data is there":      {old, "ON", "ON", own, SeedNone, false},
		"the master has none":    {old, "OFF", "ON", own, SeedDump, false},
		"the slave takes none":   {old, "ON", "OFF", own, SeedDump, false},
	} {
		master, slave := newFacts(Master, test.v), newFacts(Slave, test.v)
		master.Variables["gtid_mode"], slave.Variables["gtid_mode"] = test.master, test.slave
		slave.Variables["gtid_executed"] = test.own
		slave.Variables["server_uuid"] = "another"
		plan := PlanSlave(master, slave, SlaveWant{HandOver: handOverOf(master, "voms"), Databases: []string{"voms"}, Port: 3307, Method: test.method})
		refused := slices.ContainsFunc(plan.Problems, func(p *Problem) bool { return p.Code == "own-gtids" })
		if refused != test.want {
			t.Errorf("%s: problems %v", name, plan.Problems)
		}
	}
}

package replication

import (
	"slices"
	"testing"
)

// TestOwnGTIDs: MySQL before 8.0 with transactions of its own is refused before
// a copy, not after it.
func TestOwnGTIDs(t *testing.T) {
	for _, test := range []struct {
		v    Version
		own  string
		want bool
	}{
		{Version{MySQL, 5, 7, 44}, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", true},
		{Version{MySQL, 5, 7, 44}, "", false},
		{Version{MySQL, 8, 0, 36}, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", false},
	} {
		master, slave := newFacts(Master, test.v), newFacts(Slave, test.v)
		for _, f := range []*Facts{master, slave} {
			f.Variables["gtid_mode"] = "ON"
		}
		slave.Variables["gtid_executed"] = test.own
		slave.Variables["server_uuid"] = "another"
		plan := PlanSlave(master, slave, SlaveWant{HandOver: handOverOf(master, "voms"), Databases: []string{"voms"}, Port: 3307, Method: SeedDump})
		refused := slices.ContainsFunc(plan.Problems, func(p *Problem) bool { return p.Code == "own-gtids" })
		if refused != test.want {
			t.Errorf("%s with %q: problems %v", test.v, test.own, plan.Problems)
		}
	}
}

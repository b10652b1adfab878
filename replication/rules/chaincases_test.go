package rules_test

import (
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
)

// chainCases are about a slave that has slaves of its own.
var chainCases = []ruleCase{
	{
		want: "warning stale-slaves slave", at: rules.SetupSlave, words: "server ids 13, 14|on each of them|--reseed",
		change: func(s *rules.Subject) { s.Slave.Slaves = []uint32{13, 14} },
	},
	{
		want: "warning stale-slaves slave", at: rules.Repair, words: "server ids 13:|--repair-table voms.users --repair",
		change: func(s *rules.Subject) { s.Slave.Slaves = []uint32{13} },
	},
	{
		want: "warning stale-slaves slave", at: rules.RepairRows, words: "server ids 13:|compare --repair-rows",
		change: func(s *rules.Subject) { s.Slave.Slaves = []uint32{13} },
	},
}

// TestSlavesThatStayFresh: a setup that copies nothing leaves no slave of a slave behind.
func TestSlavesThatStayFresh(t *testing.T) {
	for name, change := range map[string]func(*rules.Subject){
		"what is there":  func(s *rules.Subject) { s.Method = journal.SeedNone },
		"one that is up": func(s *rules.Subject) { follows(s) },
	} {
		s := wellSubject(rules.SetupSlave, finding.Slave)
		s.Slave.Slaves = []uint32{13}
		change(s)
		if found := rules.Judge(s); slices.Contains(codesOf(found), "warning stale-slaves slave") {
			t.Errorf("%s: %q", name, codesOf(found))
		}
	}
}

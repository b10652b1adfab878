package rules_test

import (
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
)

// repairCases are about tables that cannot be copied anew.
var repairCases = []ruleCase{
	{
		want: "problem no-slave slave", at: rules.Repair, words: "is no slave|setup-slave",
		change: func(s *rules.Subject) {
			s.Slave.Masters = nil
			s.Master.Variables["binlog_format"] = "MIXED" // of which nothing is said then
		},
	},
	{
		want: "problem binlog-format master", at: rules.Repair, words: "is MIXED|would be left out|binlog_format=ROW",
		change: func(s *rules.Subject) { s.Master.Variables["binlog_format"] = "mixed" },
	},
	{
		want: "problem table-name slave", at: rules.Repair, words: "cannot name voms.a,b|--reseed",
		change: func(s *rules.Subject) { s.Tables = []string{"voms.users", "voms.a,b"} },
	},
	{
		want: "problem not-replicated slave", at: rules.Repair, words: "iam.users is of a database|by hand",
		change: func(s *rules.Subject) { s.Tables = []string{"iam.users"} },
	},
	{
		want: "problem one-database slave", at: rules.Repair, words: "voms.users and fts.jobs|after those",
		change: func(s *rules.Subject) {
			s.Master.Databases = append(s.Master.Databases, facts.Database{Name: "fts"})
			s.Slave.Masters[0].WildDoTable = []string{"voms.%", "fts.%"}
			s.Tables = []string{"voms.users", "fts.jobs"}
		},
	},
	{
		want: "problem not-transactional master", at: rules.Repair, words: "rows twice then: voms.log|--lock-tables",
		change: func(s *rules.Subject) {
			s.Tables = []string{"voms.users", "voms.log"}
			s.Master.Database("voms").Locked = []string{"voms.log", "voms.other"}
		},
	},
	{
		want: "problem repair-cut-off slave", at: rules.Repair, words: "voms.users, voms.groups may be half a copy",
		change: func(s *rules.Subject) {
			s.Repaired = &journal.RepairNote{Tables: []string{"voms.users", "voms.groups"}}
		},
	},
}

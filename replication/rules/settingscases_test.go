package rules_test

import (
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// settingsCases are about settings that must follow a server's role.
var settingsCases = []ruleCase{
	{
		want: "problem read-only master", at: ofMaster, words: "it is a slave|super_read_only=1 after it",
		also: "warning is-slave master",
		change: func(s *rules.Subject) {
			s.Master.Variables["super_read_only"] = "ON"
			s.Master.Masters = []*server.SlaveStatus{{MasterHost: "a", MasterPort: 1, IORunning: "Yes", SQLRunning: "Yes"}}
		},
	},
	{
		want: "warning read-only master", at: ofMaster, words: "though nobody's slave|read_only=0",
		change: func(s *rules.Subject) { s.Master.Variables["read_only"] = "ON" },
	},
	{ // as a slave must be
		want: "warning is-slave master", at: ofMaster, words: "it is itself the slave",
		change: func(s *rules.Subject) {
			s.Master.Variables["read_only"], s.Master.DropIn = "ON", slaveDropIn()
			s.Master.Masters = []*server.SlaveStatus{{MasterHost: "a", MasterPort: 1, IORunning: "Yes", SQLRunning: "Yes"}}
		},
	},
	{
		want: "warning slave-settings master", at: rules.CheckServer, words: "read_only, replicate_wild_do_table|setup-master",
		change: func(s *rules.Subject) { s.Master.DropIn = slaveDropIn() },
	},
	{
		want: "warning slave-settings master", at: rules.CheckServer, words: "next restart|super_read_only",
		change: func(s *rules.Subject) {
			s.Master.Persisted = map[string]string{"super_read_only": "ON", "read_only": "OFF"}
		},
	},
}

// slaveDropIn is the option file of gtunnel's that a slave has.
func slaveDropIn() *optionfile.DropIn {
	return (&optionfile.DropIn{}).With(
		optionfile.Setting{Name: "server_id", Value: "2"}, optionfile.Setting{Name: "read_only", Value: "ON"},
		optionfile.Setting{Name: "replicate_wild_do_table", Value: "voms.%"},
	)
}

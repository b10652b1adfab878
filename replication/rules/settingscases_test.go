package rules_test

import (
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// settingsCases are about settings that must follow a server's role.
var settingsCases = []ruleCase{
	{
		want: "problem read-only master", at: ofMaster, words: "it was a slave|read_only=0",
		change: func(s *rules.Subject) { s.Master.Variables["read_only"] = "NO_LOCK_NO_ADMIN" },
	},
	{
		want: "warning read-only master", at: ofMaster, words: "though nobody's slave",
		change: func(s *rules.Subject) { s.Master.Variables["read_only"] = "NO_LOCK" },
	},
	{
		want: "problem log-engine master", at: ofMaster | rules.SetupSlave,
		words: "kept in innodb|take binlog_storage_engine",
		change: func(s *rules.Subject) {
			s.Master.Variables["binlog_storage_engine"], s.Master.Variables["sync_binlog"] = "innodb", "0"
		},
	},
	{
		want: "warning log-engine slave", at: ofSlave, words: "after a failover",
		change: func(s *rules.Subject) { s.Slave.Variables["binlog_storage_engine"] = "innodb" },
	},
	seen("warning gives-up slave", "10 times 1m0s|set master_retry_count=86400",
		func(_ *rules.Subject, c *server.SlaveStatus) { c.RetryCount, c.ConnectRetry = 10, time.Minute }),
	{
		want: "warning function-creators master", at: rules.SetupMaster, words: "as it does not yet: voms@localhost",
		change: func(s *rules.Subject) {
			s.Master.Creators, s.Master.Variables["log_bin"] = []string{"voms@localhost"}, "OFF"
		},
	},
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
		want: "warning slave-settings master", at: rules.CheckServer,
		words:  "read_only, replicate_wild_do_table|setup-master",
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

// relayLogCases are about what a slave has received and not applied.
var relayLogCases = []ruleCase{
	{
		want: "problem relay-log slave", at: rules.SetupSlave,
		words:  "RELAY_LOG_FILE='relay.000002', RELAY_LOG_POS=700; START SLAVE SQL_THREAD|up to bin.000007:5000|keep copies",
		change: received,
	},
	seen("problem stopped slave", "a start deletes|RELAY_LOG_POS=700; START SLAVE SQL_THREAD",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			received(s)
			s.Seen = rules.Seen{Asked: true, MasterID: 1, SameMaster: true, Unread: new(uint64)}
		}),
}

// received makes a subject's slave one whose relay log alone has what its master has
// purged, and that a start would delete.
func received(s *rules.Subject) {
	c := follows(s)
	c.IORunning, c.SQLRunning = "No", "No"
	c.Executed = server.Position{File: "bin.000006", Offset: 300}
	c.Relay = server.Position{File: "relay.000002", Offset: 700}
}

// keptLogCases are about what writing a binary log brings with it.
var keptLogCases = slices.Concat(
	ofLogsCases(finding.Slave, ofSlave, "setup-slave --trust"),
	ofLogsCases(finding.Master, ofMaster, "setup-master --trust"),
)

// ofLogsCases are those of one end.
func ofLogsCases(role finding.Role, at rules.Moment, trust string) []ruleCase {
	of := func(change func(*facts.Facts)) func(*rules.Subject) {
		return func(s *rules.Subject) {
			if role == finding.Master {
				change(s.Master)
			} else {
				change(s.Slave)
			}
		}
	}
	return []ruleCase{
		{
			want: "warning logs-kept-for-ever " + string(role), at: at,
			words: "1 file of 5.0 kB so far, and 9.0 MB are free|SET GLOBAL expire_logs_days=7",
			change: of(func(f *facts.Facts) {
				free := uint64(9e6)
				f.Variables["expire_logs_days"], f.LogFree = "0.000000", &free
			}),
		},
		{
			want: "warning logs-kept-for-ever " + string(role), at: at,
			words: "SET PERSIST binlog_expire_logs_auto_purge=ON",
			change: func(s *rules.Subject) {
				ofMySQL(s)
				of(func(f *facts.Facts) {
					f.Variables["binlog_expire_logs_seconds"], f.Variables["binlog_expire_logs_auto_purge"] = "604800", "OFF"
				})(s)
			},
		},
		{
			want: "warning little-room-for-logs " + string(role), at: at, words: "9.0 MB are free|take 5.0 kB",
			change: of(func(f *facts.Facts) {
				free := uint64(9e6)
				f.Variables["max_binlog_size"], f.LogFree = "1073741824", &free
				f.Variables["expire_logs_days"], f.Variables["max_binlog_total_size"] = "0", "1000000000"
			}),
		},
		{
			want: "warning function-creators " + string(role), at: at, words: "(error 1419), because|voms@localhost|" + trust,
			change: of(func(f *facts.Facts) { f.Creators = []string{"voms@localhost"} }),
		},
	}
}

// crashCases are about what a slave needs to go on after a crash.
var crashCases = []ruleCase{
	{
		want: "warning not-crash-safe slave", at: ofSlave | rules.Status, words: "apply its last change once more|compare",
		change: func(s *rules.Subject) { follows(s).ByGTID = false },
	},
	{
		want: "warning not-crash-safe slave", at: rules.CheckPair, words: "a MariaDB master by GTID",
		change: func(s *rules.Subject) { s.Method = journal.SeedNone },
	},
	{
		want: "warning not-crash-safe slave", at: rules.CheckServer | rules.Status,
		words: "without relay_log_info_repository=TABLE and relay_log_recovery=ON|setup-slave",
		change: func(s *rules.Subject) {
			ofMySQL(s)
			follows(s).ByGTID = false
			s.Slave.Variables["relay_log_info_repository"], s.Slave.Variables["relay_log_recovery"] = "FILE", "OFF"
		},
	},
}

// slaveAtCheck makes a case of what a check says of a slave at work, as a status does.
func slaveAtCheck(want, words string, change func(*rules.Subject)) ruleCase {
	return ruleCase{
		want: want, at: rules.CheckServer | rules.Status, words: words,
		change: func(s *rules.Subject) {
			follows(s)
			change(s)
		},
	}
}

// momentCases are about what is said at one moment as at another.
var momentCases = []ruleCase{
	seen("problem no-binary-log master", "what changes there cannot arrive|setup-master there",
		func(s *rules.Subject, _ *server.SlaveStatus) {
			s.Seen = rules.Seen{Reason: "its binary log is off", LogsNothing: true}
		}),
	slaveAtCheck("warning read-only-not-kept slave", "loses read_only=1", func(s *rules.Subject) {
		s.Slave.Transient = []string{"read_only"}
	}),
	slaveAtCheck("warning filter-not-kept slave", "replicate every database", func(s *rules.Subject) {
		s.Slave.Transient = []string{"replicate_wild_do_table"}
	}),
	{
		want: "warning events-enabled slave", at: rules.CheckServer, words: "voms.e|setup-slave disables",
		change: func(s *rules.Subject) {
			follows(s)
			enabled := func(name string) facts.Database {
				return facts.Database{Name: name, EnabledEvents: []facts.Event{{Database: name, Name: "e"}}}
			}
			s.Slave.Databases = []facts.Database{enabled("voms"), enabled("own")}
		},
	},
}

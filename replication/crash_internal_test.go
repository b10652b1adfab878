package replication

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// mysql57 keeps the position of a slave in files, if it is not told otherwise.
var mysql57 = server.Version{Family: server.MySQL, Major: 5, Minor: 7, Patch: 42}

// crashPlans are slaves with some words that are in their plans, and some that are not.
var crashPlans = map[string]struct {
	v       server.Version
	change  func(slave *facts.Facts, want *planned)
	in, not string // separated by |
}{
	"MariaDB by GTID": {planVersion, func(*facts.Facts, *planned) {}, "", "relay_log_recovery|sync_relay_log"},
	"MariaDB by position, running": {
		planVersion, func(s *facts.Facts, _ *planned) { s.Masters[0].ByGTID = false },
		"relay_log_recovery = ON|sync_relay_log_info = 1|sync_master_info = 1", "SQL: SET GLOBAL sync|SQL: SET GLOBAL relay",
	},
	"MariaDB by position, to begin": {
		planVersion, func(s *facts.Facts, w *planned) {
			s.Masters, w.Method, w.Start = nil, "none", server.Position{File: "mysql-bin.000007", Offset: 4}
		},
		"relay_log_recovery = ON|SQL: SET GLOBAL sync_relay_log_info=1", "SQL: SET GLOBAL relay",
	},
	"MariaDB's data that is there, by GTID": {
		planVersion, func(s *facts.Facts, w *planned) {
			s.Masters, w.Method = nil, "none"
			w.Start = server.Position{File: "mysql-bin.000007", Offset: 4711, GTID: "0-1-7"}
		},
		"gtid_slave_pos='0-1-7'|MASTER_USE_GTID=slave_pos", "relay_log_recovery|MASTER_LOG_FILE",
	},
	"MySQL 5.7, running": {
		mysql57, func(*facts.Facts, *planned) {},
		"relay_log_info_repository = TABLE|master_info_repository = TABLE|relay_log_recovery = ON", "SET GLOBAL relay",
	},
	"MySQL 5.7, stopped": {
		mysql57, func(s *facts.Facts, _ *planned) { s.Masters[0].IORunning, s.Masters[0].SQLRunning = "No", "No" },
		"SQL: SET GLOBAL relay_log_info_repository='TABLE'|SQL: SET GLOBAL master_info_repository='TABLE'",
		"SQL: SET GLOBAL relay_log_recovery",
	},
	"MySQL by GTID since": {
		server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0},
		func(s *facts.Facts, w *planned) {
			s.Masters[0].ByGTID, s.Variables["relay_log_recovery"] = true, "ON"
			w.DropIn = w.DropIn.With(optionfile.Setting{Name: "relay_log_recovery", Value: "ON"})
		},
		"its relay log is data", "relay_log_recovery=",
	},
	"MySQL with another channel": {
		server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0},
		func(s *facts.Facts, _ *planned) {
			s.Masters = append(s.Masters, &server.SlaveStatus{Channel: "other", MasterHost: "10.0.0.7", ByGTID: true})
		},
		"", "relay_log_recovery",
	},
}

// TestCrashSettings: a slave by file and position gets what it needs after a crash, one by
// GTID keeps its relay log, and a running one is told nothing that it would refuse.
func TestCrashSettings(t *testing.T) {
	for name, c := range crashPlans {
		master, slave, want := established(c.v)
		want.DropIn.Path = "/d/" + optionfile.DropInName
		if c.v == planVersion {
			for _, name := range []string{"sync_master_info", "sync_relay_log", "sync_relay_log_info"} {
				slave.Variables[name] = "10000"
			}
			slave.Variables["relay_log_recovery"] = "OFF"
		}
		c.change(slave, &want)
		shown := show(want.plan(master, slave))
		for word := range strings.SplitSeq(c.in, "|") {
			if !strings.Contains(shown, word) {
				t.Errorf("%s: no %q in the plan\n%s", name, word, shown)
			}
		}
		for word := range strings.SplitSeq(c.not, "|") {
			if strings.Contains(shown, word) {
				t.Errorf("%s: %q is in the plan\n%s", name, word, shown)
			}
		}
	}
}

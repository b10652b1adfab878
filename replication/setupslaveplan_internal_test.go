package replication

import (
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// begun makes a copy of ten minutes begin, and the slave's databases hold what was
// made from one time after that to another.
func begun(slave *facts.Facts, want *planned, oldest, newest time.Duration) {
	from := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	want.State.BegunFrom, want.State.BegunUntil = from, from.Add(10*time.Minute)
	for i := range slave.Databases {
		slave.Databases[i].Oldest, slave.Databases[i].Newest = from.Add(oldest), from.Add(newest)
	}
}

// loadCutOff makes a load of a dump be cut off, and the slave's databases hold what was made
// until a time after its beginning.
func loadCutOff(slave *facts.Facts, want *planned, newest time.Duration) {
	slave.Masters = nil
	want.State = journal.State{Stage: journal.StageSeeding, Databases: want.Databases, Begun: want.Databases}
	want.Method, want.Dump = journal.SeedFile, &WantedDump{Name: "/voms.dump"}
	want.Notes.Load = &journal.LoadNote{Whole: 1, Next: "voms.acl"}
	begun(slave, want, time.Second, newest)
}

// copyCutOff makes a copy by several dumps be cut off.
func copyCutOff(master, slave *facts.Facts, want *planned) {
	slave.Masters, want.Method, master.Mark = nil, journal.SeedParallel, "its mark"
	want.State = journal.State{
		Stage: journal.StageSeeding, Method: journal.SeedParallel, Databases: want.Databases, Begun: want.Databases,
		MasterID: master.ServerID(), MasterUUID: master.UUID(), MasterMark: master.Mark, SeedAccount: true,
	}
	begun(slave, want, time.Second, 30*time.Second)
}

// planNames are the steps and problems of a plan.
func planNames(p *Plan) string {
	var names []string
	for _, s := range p.Steps {
		names = append(names, s.Name)
	}
	for _, e := range p.Problems {
		names = append(names, "problem "+e.Code)
	}
	return strings.Join(names, ", ")
}

// wholeSetup are the steps on a slave that follows nobody yet.
const wholeSetup = "slave-drop-in, slave-settings, note-seed, seed, read-only, change-master, filter, start-slave, " +
	"catch-up, compare, drop-seed-account, note-done"

// slavePlanStates are what a run on a slave can find, and what it plans then.
var slavePlanStates = map[string]struct {
	change func(master, slave *facts.Facts, want *planned)
	want   string
}{
	"as it should be": {func(_, _ *facts.Facts, _ *planned) {}, ""},
	"state file lost": {func(_, _ *facts.Facts, w *planned) { w.State = journal.State{} }, "catch-up, compare, " +
		"note-done"},
	"the copy's binary log has gone": {func(_, _ *facts.Facts, w *planned) { // as Setup.Read has it then
		w.State = journal.State{
			Databases: w.Databases, MasterID: 1, Start: server.Position{File: "mysql-bin.000001", Offset: 4},
		}
	}, "catch-up, compare, note-done"},
	"restarted, filtered": {
		func(_, s *facts.Facts, _ *planned) { s.Masters[0].SQLRunning = "No" }, "start-slave, catch-up, note-done",
	},
	"filter lost": {func(_, s *facts.Facts, w *planned) {
		s.Masters[0].WildDoTable, w.State = nil,
			journal.State{
				Stage: journal.StageSeeded, Databases: w.Databases, MasterID: 1, Start: server.Position{File: "mysql-bin.000007"},
			}
	}, "filter, start-slave, catch-up, compare, note-done"},
	"filter lost later": {
		func(_, s *facts.Facts, _ *planned) { s.Masters[0].WildDoTable = nil },
		"filter, start-slave, catch-up, compare, note-done",
	},
	"filter lost, and another database's change failed": {func(_, s *facts.Facts, w *planned) {
		s.Masters[0].WildDoTable, s.Masters[0].SQLErrno, s.Masters[0].SQLRunning, w.State = nil, 1146, "No", journal.State{}
	}, "filter, start-slave, catch-up, compare, note-done"},
	"filter lost, and a new password": {func(_, s *facts.Facts, w *planned) {
		s.Masters[0].WildDoTable, w.NewPasswords = nil, true
	}, "filter, password, start-slave, catch-up, compare, drop-seed-account, note-done"},
	"filter lost, and a comparison was cut off": {func(_, s *facts.Facts, w *planned) {
		s.Masters[0].WildDoTable, w.Notes.Comparison = nil,
			&journal.ComparisonNote{At: server.Position{File: "mysql-bin.000007", Offset: 200}}
	}, "filter, start-slave, catch-up, compare, note-done"},
	"events enabled": {func(_, s *facts.Facts, _ *planned) {
		s.Databases[1].EnabledEvents = []facts.Event{{Database: "voms", Name: "e"}}
	}, "events-disable, note-done"},
	"function creators": {func(_, _ *facts.Facts, w *planned) { w.TrustCreators = true }, "slave-settings, note-done"},
	"writable": {
		func(_, s *facts.Facts, _ *planned) { s.Variables["read_only"] = "OFF" }, "read-only, note-done",
	},
	"fresh": {func(_, s *facts.Facts, w *planned) {
		*s, w.Situation = *newFacts(finding.Slave, planVersion),
			Situation{DropIn: &optionfile.DropIn{Path: "/d/" + optionfile.DropInName}}
	}, wholeSetup},
	"cut off in the copy": {
		func(_, s *facts.Facts, w *planned) {
			s.Masters = nil
			w.State = journal.State{
				Stage: journal.StageSeeding, Databases: w.Databases, Begun: w.Databases, SeedAccount: true, EventScheduler: "ON",
			}
			begun(s, w, time.Second, 30*time.Second)
		},
		"note-seed, writable, drop-databases, seed, read-only, change-master, filter, start-slave, catch-up, events-on, " +
			"compare, drop-seed-account, note-done",
	},
	"a copy by several dumps was cut off": {
		func(m, s *facts.Facts, w *planned) { copyCutOff(m, s, w) },
		"note-seed, writable, seed, read-only, change-master, filter, start-slave, catch-up, compare, drop-seed-account, " +
			"note-done",
	},
	"a copy by several dumps was cut off, of another master": {
		func(m, s *facts.Facts, w *planned) {
			copyCutOff(m, s, w)
			w.State.MasterID, w.State.MasterMark = 99, "another"
		},
		"note-seed, writable, drop-databases, seed, read-only, change-master, filter, start-slave, catch-up, compare, " +
			"drop-seed-account, note-done",
	},
	"the load of a dump was cut off": {
		func(_, s *facts.Facts, w *planned) { loadCutOff(s, w, 30*time.Second) },
		"note-seed, writable, seed, read-only, change-master, filter, start-slave, catch-up, compare, drop-seed-account, " +
			"note-done",
	},
	"the load of a dump was cut off, and somebody has written since": {
		func(_, s *facts.Facts, w *planned) {
			loadCutOff(s, w, 12*time.Minute)
			w.Replace = w.Databases
		},
		"note-seed, writable, drop-databases, seed, read-only, change-master, filter, start-slave, catch-up, compare, " +
			"drop-seed-account, note-done",
	},
	"copied, of a slave where nobody can write": {func(m, _ *facts.Facts, w *planned) {
		m.Variables["super_read_only"] = "ON"
		w.State = journal.State{Stage: journal.StageRunning, Databases: w.Databases, SeedAccount: true}
	}, "catch-up, compare, note-done"},
	"blocked": {func(_, _ *facts.Facts, w *planned) {
		w.Blocked = finding.New(finding.Slave, server.BlockedApplier, "", "it waits")
	}, "problem blocked-applier"},
	"a clone was cut off, and copied again since": {func(_, _ *facts.Facts, w *planned) {
		w.State = journal.State{Stage: journal.StageRunning, Databases: w.Databases, PersistedEvents: new(string)}
	}, "catch-up, events-on, compare, note-done"},
	"cut off, and rebuilt by hand": {func(_, s *facts.Facts, w *planned) {
		s.Masters, w.State = nil, journal.State{Stage: journal.StageSeeding, Databases: w.Databases, Begun: w.Databases}
		begun(s, w, time.Second, 12*time.Minute)
	}, "problem data-on-slave, problem data-on-slave"},
	"cut off a moment after its last note": {
		func(_, s *facts.Facts, w *planned) {
			s.Masters, w.State = nil, journal.State{Stage: journal.StageSeeding, Databases: w.Databases, Begun: w.Databases}
			begun(s, w, 0, 10*time.Minute+30*time.Second)
		},
		"note-seed, writable, drop-databases, seed, read-only, change-master, filter, start-slave, catch-up, compare, " +
			"drop-seed-account, note-done",
	},
	"cut off, and put back by hand": {func(_, s *facts.Facts, w *planned) {
		s.Masters, w.State = nil, journal.State{Stage: journal.StageSeeding, Databases: w.Databases, Begun: w.Databases}
		begun(s, w, -time.Second, time.Second)
	}, "problem data-on-slave, problem data-on-slave"},
	"cut off, by an earlier version": {func(_, s *facts.Facts, w *planned) {
		s.Masters, w.State = nil, journal.State{Stage: journal.StageSeeding, Databases: w.Databases, Begun: w.Databases}
	}, "problem data-on-slave, problem data-on-slave"},
	"cut off before anything was dropped": {func(_, s *facts.Facts, w *planned) {
		s.Masters, w.State = nil, journal.State{Stage: journal.StageSeeding, Databases: w.Databases}
		begun(s, w, time.Second, 30*time.Second)
	}, "problem data-on-slave, problem data-on-slave"},
	"set up by hand after a copy was cut off": {func(_, _ *facts.Facts, w *planned) {
		w.State = journal.State{Stage: journal.StageSeeding, Databases: w.Databases, Begun: w.Databases}
	}, "catch-up, compare, note-done"},
	"new password": {func(_, s *facts.Facts, _ *planned) {
		s.Masters[0].IORunning, s.Masters[0].IOErrno = "Connecting", finding.AccessDenied
	}, "password, start-slave, catch-up, compare, note-done"},
	"new password of the same master": {func(_, s *facts.Facts, w *planned) {
		s.Masters[0].IORunning, s.Masters[0].IOErrno = "Connecting", finding.AccessDenied
		w.HandOver.Mark, w.State.MasterMark = "A", "A"
	}, "password, start-slave, catch-up, note-done"},
	"hand-over of an earlier version": {func(_, _ *facts.Facts, w *planned) { w.State.MasterMark = "A" }, ""},
	"another master": {func(_, s *facts.Facts, w *planned) {
		s.Masters[0].IORunning, s.Masters[0].IOErrno = "Connecting", finding.AccessDenied
		w.HandOver.Mark, w.State.MasterMark = "B", "A"
	}, "problem replaced-master"},
	"another master, which it follows already": {func(_, _ *facts.Facts, w *planned) {
		w.HandOver.Mark, w.State.MasterMark = "B", "A"
	}, "catch-up, compare, note-done"},
	"another master of MySQL": {func(m, s *facts.Facts, w *planned) {
		s.Masters[0].IORunning, s.Masters[0].IOErrno = "Connecting", finding.AccessDenied
		m.Variables["server_uuid"], w.HandOver.UUID, w.State.MasterUUID = "B", "B", "A"
	}, "problem replaced-master"},
	"another master, and the state file lost": {func(m, s *facts.Facts, w *planned) {
		s.Masters[0].IORunning, s.Masters[0].IOErrno, s.Masters[0].MasterUUID = "Connecting", finding.AccessDenied, "A"
		m.Variables["server_uuid"], w.HandOver.UUID, w.State = "B", "B", journal.State{}
	}, "problem replaced-master"},
	"another master, by the binary log": {
		func(_, _ *facts.Facts, w *planned) { w.Elsewhere = true }, "problem replaced-master",
	},
	"another master, and all is copied anew": {
		func(_, _ *facts.Facts, w *planned) {
			w.HandOver.Mark, w.State.MasterMark, w.Elsewhere = "B", "A", true
			w.Reseed, w.Replace = true, []string{"DB_1", "voms"}
		},
		"note-seed, stop-slave, writable, drop-databases, seed, read-only, change-master, filter, start-slave, catch-up, " +
			"compare, drop-seed-account, note-done",
	},
	"new password, not known here": {func(_, s *facts.Facts, w *planned) {
		s.Masters[0].IORunning, s.Masters[0].IOErrno = "Connecting", finding.AccessDenied
		delete(w.HandOver.Passwords, facts.ReplicationUser)
	}, "problem unknown-password"},
	"new password of this run": {func(_, _ *facts.Facts, w *planned) {
		w.NewPasswords = true
	}, "password, catch-up, compare, drop-seed-account, note-done"},
	"filters twice": {func(_, s *facts.Facts, _ *planned) {
		s.Masters[0].WildDoTable = append(s.Masters[0].WildDoTable, s.Masters[0].WildDoTable...)
	}, ""},
	"other filters": {
		func(_, s *facts.Facts, _ *planned) { s.Masters[0].IgnoreTable = []string{"voms.t"} }, "problem other-filters",
	},
	"passes errors over": {
		func(_, s *facts.Facts, _ *planned) { s.Variables["slave_exec_mode"] = "IDEMPOTENT" }, "problem skips-errors",
	},
	"passes some errors over": {func(_, s *facts.Facts, _ *planned) {
		s.Variables["slave_exec_mode"], s.Variables["slave_skip_errors"] = "STRICT", "1062"
	}, "problem skips-errors"},
	"passes no errors over": {func(_, s *facts.Facts, _ *planned) {
		s.Variables["slave_exec_mode"], s.Variables["slave_skip_errors"] = "STRICT", "OFF"
	}, ""},
	"options changed": {func(_, s *facts.Facts, _ *planned) {
		s.Masters[0].ConnectRetry, s.Masters[0].SSLAllowed = time.Hour, "Yes"
	}, "connection, catch-up, note-done"},
	"newer MariaDB": {func(_, s *facts.Facts, _ *planned) {
		s.Masters[0].RetryCount, s.Variables["read_only"] = 100000, "NO_LOCK_NO_ADMIN"
	}, ""},
	"delayed": {func(_, s *facts.Facts, _ *planned) { s.Masters[0].Delay = 3600 }, ""},
	"by file and position since": {func(_, s *facts.Facts, w *planned) {
		s.Masters[0].ByGTID, w.State.ByGTID = false, true
	}, "connection, catch-up, note-done"},
	"by file and position from the beginning": {func(_, s *facts.Facts, w *planned) {
		// of the copy
		s.Masters[0].ByGTID, w.State.Start = false, server.Position{File: "mysql-bin.000007", Offset: 4, GTID: "0-1-7"}
	}, ""},
	"a comparison was cut off": {func(_, s *facts.Facts, w *planned) {
		s.Masters[0].SQLRunning, s.Masters[0].Executed = "No", server.Position{File: "mysql-bin.000007", Offset: 100}
		w.Notes.Comparison = &journal.ComparisonNote{At: server.Position{File: "mysql-bin.000007", Offset: 200}}
	}, "start-slave, catch-up, note-done"},
	"a comparison was cut off, and the slave will stop": {func(_, s *facts.Facts, w *planned) {
		s.Masters[0].Until, w.Notes.Comparison = "mysql-bin.000007:200",
			&journal.ComparisonNote{At: server.Position{File: "mysql-bin.000007", Offset: 200}}
	}, "start-slave, note-done"},
	"a comparison was cut off long ago": {
		func(_, _ *facts.Facts, w *planned) { w.Notes.Comparison = &journal.ComparisonNote{} }, "",
	},
	"a repair was cut off": {
		func(_, _ *facts.Facts, w *planned) { w.Notes.Repair = &journal.RepairNote{Tables: []string{"voms.t"}} },
		"problem repair-cut-off",
	},
	"a repair was cut off, and all is copied anew": {
		func(_, _ *facts.Facts, w *planned) {
			w.Notes.Repair, w.Reseed, w.Replace = &journal.RepairNote{Tables: []string{"voms.t"}}, true,
				[]string{"DB_1", "voms"}
		},
		"note-seed, stop-slave, writable, drop-databases, seed, read-only, change-master, filter, start-slave, catch-up, " +
			"compare, drop-seed-account, note-done",
	},
	"another slave has the id": {func(m, s *facts.Facts, w *planned) {
		*s, w.Situation = *newFacts(finding.Slave, planVersion),
			Situation{DropIn: &optionfile.DropIn{Path: "/d/" + optionfile.DropInName}}
		s.Variables["server_id"], m.Slaves = "2", []uint32{2}
	}, wholeSetup},
	"cut off after the copy": {func(_, s *facts.Facts, w *planned) {
		s.Masters = nil
		w.State = journal.State{
			Stage: journal.StageSeeded, Databases: w.Databases, MasterID: 1, SeedAccount: true,
			Start: server.Position{File: "mysql-bin.000007", Offset: 4},
		}
	}, "change-master, filter, start-slave, catch-up, compare, drop-seed-account, note-done"},
	"cut off after the copy, which was dropped": {func(_, s *facts.Facts, w *planned) {
		s.Masters, s.Databases = nil, s.Databases[:1]
		w.State = journal.State{
			Stage: journal.StageSeeded, Databases: w.Databases, MasterID: 1,
			Start: server.Position{File: "mysql-bin.000007", Offset: 4},
		}
	}, "problem data-on-slave"},
	"copied, but the binary log has gone": {func(_, s *facts.Facts, w *planned) {
		s.Masters = nil
		w.State = journal.State{
			Stage: journal.StageSeeded, Databases: w.Databases, Begun: w.Databases, MasterID: 1,
			Start: server.Position{File: "mysql-bin.000001", Offset: 4},
		}
		begun(s, w, time.Second, 30*time.Second)
	}, "problem data-on-slave, problem data-on-slave"},
	"copied from another server_id": {func(_, s *facts.Facts, w *planned) {
		s.Masters = nil
		w.State = journal.State{
			Stage: journal.StageSeeded, Databases: w.Databases, MasterID: 9,
			Start: server.Position{File: "mysql-bin.000007", Offset: 4},
		}
	}, "problem data-on-slave, problem data-on-slave"},
	"copied from another server with the id": {func(_, s *facts.Facts, w *planned) {
		s.Masters, w.HandOver.Mark = nil, "B"
		w.State = journal.State{
			Stage: journal.StageSeeded, Databases: w.Databases, MasterID: 1, MasterMark: "A",
			Start: server.Position{File: "mysql-bin.000007", Offset: 4},
		}
	}, "problem data-on-slave, problem data-on-slave"},
	"copied from another UUID": {func(_, s *facts.Facts, w *planned) {
		s.Masters = nil
		w.State = journal.State{
			Stage: journal.StageSeeded, Databases: w.Databases, MasterID: 1, MasterUUID: "x",
			Start: server.Position{File: "mysql-bin.000007", Offset: 4},
		}
	}, "problem data-on-slave, problem data-on-slave"},
	"other databases copied": {func(_, s *facts.Facts, w *planned) {
		s.Masters = nil
		w.State = journal.State{
			Stage: journal.StageSeeded, Databases: []string{"voms"}, MasterID: 1,
			Start: server.Position{File: "mysql-bin.000007", Offset: 4},
		}
	}, "problem data-on-slave, problem data-on-slave"},
	"cut off after the start": {func(_, s *facts.Facts, w *planned) {
		w.State = journal.State{Stage: journal.StageRunning, Databases: w.Databases, SeedAccount: true}
	}, "catch-up, compare, drop-seed-account, note-done"},
	"data on the slave": {
		func(_, s *facts.Facts, w *planned) { s.Masters, w.State = nil, journal.State{} },
		"problem data-on-slave, problem data-on-slave",
	},
	"data given up": {
		func(_, s *facts.Facts, w *planned) {
			s.Masters, w.State, w.Replace = nil, journal.State{}, []string{"DB_1", "voms"}
		},
		"note-seed, writable, drop-databases, seed, read-only, change-master, filter, start-slave, catch-up, compare, " +
			"drop-seed-account, note-done",
	},
	"reseed": {
		func(_, _ *facts.Facts, w *planned) {
			w.Reseed, w.Replace = true, []string{"DB_1", "voms"}
		},
		"note-seed, stop-slave, writable, drop-databases, seed, read-only, change-master, filter, start-slave, catch-up, " +
			"compare, drop-seed-account, note-done",
	},
	"reseed without the account": {func(m, _ *facts.Facts, w *planned) {
		w.Reseed, w.Replace, m.User = true, []string{"DB_1", "voms"}, facts.MonitorUser+"@127.0.0.1"
	}, "problem no-seed-account"},
	"data is there": {func(_, s *facts.Facts, w *planned) {
		s.Masters, w.State, w.Method, w.Start = nil, journal.State{}, journal.SeedNone,
			server.Position{File: "mysql-bin.000007", Offset: 4}
	}, "read-only, change-master, filter, start-slave, catch-up, compare, drop-seed-account, note-done"},
	"data is there, with events": {
		func(_, s *facts.Facts, w *planned) {
			s.Masters, w.State, w.Method, w.Start = nil, journal.State{}, journal.SeedNone,
				server.Position{File: "mysql-bin.000007", Offset: 4}
			s.Databases[1].EnabledEvents = []facts.Event{{Database: "voms", Name: "e"}}
		},
		"writable, events-disable, read-only, change-master, filter, start-slave, catch-up, compare, drop-seed-account, " +
			"note-done",
	},
	"data is there, and replicated": {func(_, _ *facts.Facts, w *planned) {
		w.Method, w.Start, w.State.Start = journal.SeedNone, server.Position{File: "mysql-bin.000007", Offset: 4},
			server.Position{File: "mysql-bin.000007", Offset: 4, GTID: "0-1-7"}
	}, ""},
	"data is there, and replicated from elsewhere": {func(_, _ *facts.Facts, w *planned) {
		w.Method, w.Start, w.State.Start = journal.SeedNone, server.Position{File: "mysql-bin.000007", Offset: 4},
			server.Position{File: "mysql-bin.000006", Offset: 4}
	}, "problem other-start"},
	"data is there, and to begin anew": {func(_, _ *facts.Facts, w *planned) {
		w.Method, w.Start, w.Reseed = journal.SeedNone, server.Position{File: "mysql-bin.000007", Offset: 4}, true
	}, "stop-slave, read-only, change-master, filter, start-slave, catch-up, compare, drop-seed-account, note-done"},
	"the slave of another master": {
		func(_, s *facts.Facts, _ *planned) { s.Masters[0].MasterHost = "10.0.0.7" },
		"problem other-master, problem data-on-slave, problem data-on-slave",
	},
	"same server id": {func(m, s *facts.Facts, _ *planned) {
		s.Variables["server_id"], m.Slaves = "1", []uint32{2, 3}
	}, "slave-settings, note-done"},
	"same uuid": {func(m, s *facts.Facts, w *planned) {
		m.Variables["server_uuid"], s.Variables["server_uuid"], w.HandOver.UUID = "x", "x", "x"
	}, "problem same-uuid"},
	"other databases": {
		func(_, _ *facts.Facts, w *planned) { w.Databases = []string{"voms"} }, "problem other-databases",
	},
	"broken": {
		func(_, s *facts.Facts, _ *planned) { s.Masters[0].SQLErrno, s.Masters[0].SQLRunning = 1062, "No" },
		"problem broken",
	},
	"another server": {func(m, _ *facts.Facts, _ *planned) { m.Variables["server_id"] = "9" }, "problem other-server"},
	"not handed over": {
		func(_, _ *facts.Facts, w *planned) { w.HandOver.Databases = []string{"voms"} }, "problem unknown-database",
	},
	"Galera": {func(_, s *facts.Facts, _ *planned) { s.Cluster = "Galera" }, "problem cluster"},
	"older slave": {func(_, s *facts.Facts, _ *planned) {
		s.Version = server.Version{Family: server.MariaDB, Major: 10, Minor: 5, Patch: 0}
	}, "problem older-slave"},
	"unknown charset": {
		func(m, _ *facts.Facts, _ *planned) { m.Databases[0].Collations = []string{"utf8mb4_0900_ai_ci"} },
		"problem unknown-collation",
	},
	"missing rights": {
		func(_, s *facts.Facts, _ *planned) { s.Grants = []string{"GRANT SELECT ON *.* TO `x`@`%`"} }, "problem privileges",
	},
	"log-bin off": {func(m, _ *facts.Facts, _ *planned) { m.Variables["log_bin"] = "OFF" }, "problem no-binary-log"},
	"case of names": {
		func(_, s *facts.Facts, _ *planned) { s.Variables["lower_case_table_names"] = "1" },
		"problem lower-case-table-names",
	},
	"9.x to MariaDB": {func(m, _ *facts.Facts, _ *planned) {
		m.Version = server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0}
	}, "problem families"},
	"rows to MySQL 9": {func(_, s *facts.Facts, w *planned) {
		*s = *newFacts(finding.Slave, server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0})
		s.Variables["gtid_mode"], w.Replace = "ON", w.Databases
	}, "problem row-events, problem gtid-mode"},
	"unknown database": {
		func(m, _ *facts.Facts, _ *planned) { m.Databases = m.Databases[:1] }, "problem unknown-database",
	},
}

// TestSlavePlanStates goes through what a run can find.
func TestSlavePlanStates(t *testing.T) {
	for name, c := range slavePlanStates {
		t.Run(name, func(t *testing.T) {
			master, slave, want := established(planVersion)
			c.change(master, slave, &want)
			if got := planNames(want.plan(master, slave)); got != c.want {
				t.Errorf("the plan is\n%s, want\n%s", got, c.want)
			}
		})
	}
}

package replication

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newFacts is a server as its packages leave it, with two databases on a
// master.
func newFacts(role Role, v Version) *Facts {
	f := &Facts{
		Role: role, Version: v, User: "root@localhost", Grants: []string{"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"},
		Variables: map[string]string{
			"server_id": "1", "log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL", "port": "3306",
			"max_allowed_packet": "16777216", "lower_case_table_names": "0", "collation_server": "utf8mb4_general_ci",
			"time_zone": "SYSTEM", "system_time_zone": "UTC", "sync_binlog": "1", "innodb_flush_log_at_trx_commit": "1",
			"expire_logs_days": "10", "read_only": "OFF", "event_scheduler": "OFF", "slave_net_timeout": "60", "log_slave_updates": "ON",
		},
		Collations: map[string]bool{"utf8mb4_general_ci": true, "latin1_swedish_ci": true},
		Accounts:   []Account{{User: "root", Host: "localhost"}},
		Plugins:    map[string]bool{}, OurGrants: map[string][]string{},
		BinaryLogs: []BinaryLog{{"mysql-bin.000007", 5000}},
		MasterLog:  Position{File: "mysql-bin.000007", Offset: 5000},
	}
	if v.Family == MySQL {
		f.Variables["server_uuid"] = "11111111-0000-0000-0000-00000000000" + map[Role]string{Master: "1", Slave: "2"}[role]
		f.Variables["gtid_mode"] = "OFF"
		if v.atLeast(MySQL, 8, 0, 0) {
			f.Variables["binlog_expire_logs_seconds"] = "2592000"
			f.Variables["event_scheduler"] = "ON"
			f.Variables["replica_net_timeout"] = "60"
		}
		f.Variables["super_read_only"] = "OFF"
	}
	if role == Master {
		f.Databases = []Database{
			{Name: "DB_1", Tables: 3, Bytes: 3 << 20, Engines: map[string]uint64{"InnoDB": 3 << 20}, Collations: []string{"utf8mb4_general_ci"}},
			{Name: "voms", Tables: 20, Bytes: 1 << 30, Engines: map[string]uint64{"InnoDB": 1 << 30}, Collations: []string{"latin1_swedish_ci"}},
		}
	}
	return f
}

// show prints a plan as a golden file has it.
func show(p *Plan) string {
	var b strings.Builder
	for _, w := range p.Warnings {
		fmt.Fprintf(&b, "warning %s: %v\n  cure: %s\n", w.Code, w, w.Cure)
	}
	for _, e := range p.Problems {
		fmt.Fprintf(&b, "problem %s: %v\n  cure: %s\n", e.Code, e, e.Cure)
	}
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s on %s: %s\n", s.Name, s.On, s.What)
		if s.Why != "" {
			fmt.Fprintf(&b, "  why: %s\n", s.Why)
		}
		for _, q := range s.SQL {
			text := q.String()
			if p.HandOver != nil && p.HandOver.Mark != "" {
				text = strings.ReplaceAll(text, p.HandOver.Mark, "MARK")
			}
			fmt.Fprintf(&b, "  SQL: %s\n", text)
		}
		if s.File != nil {
			content := s.File.Content.String()
			if strings.HasPrefix(content, "{") {
				content = "(JSON)"
			}
			fmt.Fprintf(&b, "  file: %s %04o\n    %s\n", s.File.Path, s.File.Mode, strings.ReplaceAll(strings.TrimSpace(content), "\n", "\n    "))
		}
		if s.Hand != "" {
			fmt.Fprintf(&b, "  by hand: %s\n", s.Hand)
		}
		if len(s.Loses) > 0 {
			fmt.Fprintf(&b, "  loses: %s\n", s.Loses)
		}
		if s.Undo != "" {
			fmt.Fprintf(&b, "  undo: %s\n", s.Undo)
		}
	}
	if b.Len() == 0 {
		return "no change\n"
	}
	return b.String()
}

func fileName(role string, v Version) string {
	return filepath.Join("plans", fmt.Sprintf("%s-%s-%s.txt", role, strings.ToLower(string(v.Family)), v.Series()))
}

func handOverOf(f *Facts, databases ...string) *HandOver {
	h := &HandOver{Host: "server1.domain.one", Version: f.Version, ServerID: f.ServerID(), UUID: f.UUID(), Mark: f.Mark, Databases: databases, Passwords: map[string]Password{}}
	for _, user := range accountUsers {
		h.Passwords[user] = NewPassword("secret")
	}
	return h
}

// TestPlans keeps the plans of fresh servers of every dialect.
func TestPlans(t *testing.T) {
	databases := []string{"DB_1", "voms"}
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			master := newFacts(Master, v)
			master.Variables["binlog_format"] = "MIXED"
			master.Variables["expire_logs_days"] = "1"
			master.Variables["binlog_expire_logs_seconds"] = map[bool]string{true: "3600", false: "0"}[v.atLeast(MySQL, 8, 0, 0)]
			plan := PlanMaster(master, MasterWant{Databases: databases, DropIn: &DropIn{Path: "/etc/my.cnf.d/" + dropInName}, HandOverPath: "/var/lib/gtunnel/hand-over.json"})
			golden(t, fileName("master", v), show(plan))

			slave := newFacts(Slave, v)
			slave.Variables["max_allowed_packet"] = "1048576"
			plan = PlanSlave(newFacts(Master, v), slave, SlaveWant{
				HandOver: handOverOf(master, databases...), Databases: databases, Port: 3307, Method: SeedDump,
				DropIn:      &DropIn{Path: "/etc/my.cnf.d/" + dropInName},
				MonitorFile: &OptionFile{Path: "/nowhere/master.cnf", Login: Login{Network: "tcp", Address: "127.0.0.1:3307", User: MonitorUser, Password: NewPassword("secret")}},
			})
			golden(t, fileName("slave", v), show(plan))
		})
	}
}

// established is a slave that a run has set up.
func established(v Version) (master, slave *Facts, want SlaveWant) {
	master, slave = newFacts(Master, v), newFacts(Slave, v)
	slave.Variables["server_id"], slave.Variables["read_only"], slave.Variables["super_read_only"] = "2", "ON", "ON"
	slave.Databases = newFacts(Master, v).Databases
	slave.Masters = []*SlaveStatus{{
		MasterHost: loopback, MasterPort: 3307, MasterUser: ReplicationUser, IORunning: "Yes", SQLRunning: "Yes",
		WildDoTable: wildTables([]string{"DB_1", "voms"}), ByGTID: v.Family == MariaDB, ConnectRetry: connectRetry,
	}}
	want = SlaveWant{
		HandOver: handOverOf(master, "DB_1", "voms"), Databases: []string{"DB_1", "voms"}, Port: 3307, Method: SeedDump,
		DropIn: (&DropIn{}).with(
			Setting{"server_id", "2"}, Setting{"read_only", "ON"}, Setting{"super_read_only", "ON"}, Setting{"replicate_wild_do_table", "DB\\_1.%\nvoms.%"}),
		State: State{Stage: StageDone},
	}
	return master, slave, want
}

// begun makes a copy of ten minutes begin, and the slave's databases hold what was
// made from one time after that to another.
func begun(slave *Facts, want *SlaveWant, oldest, newest time.Duration) {
	from := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	want.State.BegunFrom, want.State.BegunUntil = from, from.Add(10*time.Minute)
	for i := range slave.Databases {
		slave.Databases[i].Oldest, slave.Databases[i].Newest = from.Add(oldest), from.Add(newest)
	}
}

// TestSlavePlanStates goes through what a run can find.
func TestSlavePlanStates(t *testing.T) {
	v := Version{MariaDB, 10, 11, 6}
	names := func(p *Plan) string {
		var names []string
		for _, s := range p.Steps {
			names = append(names, s.Name)
		}
		for _, e := range p.Problems {
			names = append(names, "problem "+e.Code)
		}
		return strings.Join(names, ", ")
	}
	const whole = "slave-drop-in, slave-settings, note-seed, seed, change-master, filter, start-slave, catch-up, read-only, compare, drop-seed-account, note-done"
	for name, c := range map[string]struct {
		change func(master, slave *Facts, want *SlaveWant)
		want   string
	}{
		"as it should be": {func(_, _ *Facts, _ *SlaveWant) {}, ""},
		"state file lost": {func(_, _ *Facts, w *SlaveWant) { w.State = State{} }, "catch-up, compare, note-done"},
		"the copy's binary log has gone": {func(_, _ *Facts, w *SlaveWant) { // as Setup.Plan has it then
			w.State = State{Databases: w.Databases, MasterID: 1, Start: Position{File: "mysql-bin.000001", Offset: 4}}
		}, "catch-up, compare, note-done"},
		"restarted, filtered": {func(_, s *Facts, _ *SlaveWant) { s.Masters[0].SQLRunning = "No" }, "start-slave, catch-up, note-done"},
		"filter lost": {func(_, s *Facts, w *SlaveWant) {
			s.Masters[0].WildDoTable, w.State = nil, State{Stage: StageSeeded, Databases: w.Databases, MasterID: 1, Start: Position{File: "mysql-bin.000007"}}
		}, "filter, start-slave, catch-up, compare, note-done"},
		"filter lost later": {func(_, s *Facts, _ *SlaveWant) { s.Masters[0].WildDoTable = nil }, "filter, start-slave, catch-up, compare, note-done"},
		"filter lost, and another database's change failed": {func(_, s *Facts, w *SlaveWant) {
			s.Masters[0].WildDoTable, s.Masters[0].SQLErrno, s.Masters[0].SQLRunning, w.State = nil, 1146, "No", State{}
		}, "filter, start-slave, catch-up, compare, note-done"},
		"filter lost, and a new password": {func(_, s *Facts, w *SlaveWant) {
			s.Masters[0].WildDoTable, w.NewPasswords = nil, true
		}, "filter, password, start-slave, catch-up, compare, drop-seed-account, note-done"},
		"filter lost, and a comparison was cut off": {func(_, s *Facts, w *SlaveWant) {
			s.Masters[0].WildDoTable, w.compared = nil, &compareNote{At: Position{File: "mysql-bin.000007", Offset: 200}}
		}, "filter, start-slave, catch-up, compare, note-done"},
		"events enabled": {func(_, s *Facts, _ *SlaveWant) {
			s.Databases[1].EnabledEvents = []Event{{Database: "voms", Name: "e"}}
		}, "events-disable, note-done"},
		"writable": {func(_, s *Facts, _ *SlaveWant) { s.Variables["read_only"] = "OFF" }, "read-only, note-done"},
		"fresh": {func(_, s *Facts, w *SlaveWant) {
			*s, *w = *newFacts(Slave, v), SlaveWant{HandOver: w.HandOver, Databases: w.Databases, Port: 3307, Method: SeedDump, DropIn: &DropIn{Path: "/d/" + dropInName}}
		}, whole},
		"cut off in the copy": {func(_, s *Facts, w *SlaveWant) {
			s.Masters = nil
			w.State = State{Stage: StageSeeding, Databases: w.Databases, Begun: w.Databases, SeedAccount: true, EventScheduler: "ON"}
			begun(s, w, time.Second, 30*time.Second)
		}, "note-seed, writable, drop-databases, seed, change-master, filter, start-slave, catch-up, read-only, events-on, compare, drop-seed-account, note-done"},
		"a clone was cut off, and copied again since": {func(_, _ *Facts, w *SlaveWant) {
			w.State = State{Stage: StageRunning, Databases: w.Databases, PersistedEvents: new(string)}
		}, "catch-up, events-on, compare, note-done"},
		"cut off, and rebuilt by hand": {func(_, s *Facts, w *SlaveWant) {
			s.Masters, w.State = nil, State{Stage: StageSeeding, Databases: w.Databases, Begun: w.Databases}
			begun(s, w, time.Second, 12*time.Minute)
		}, "problem data-on-slave, problem data-on-slave"},
		"cut off a moment after its last note": {func(_, s *Facts, w *SlaveWant) {
			s.Masters, w.State = nil, State{Stage: StageSeeding, Databases: w.Databases, Begun: w.Databases}
			begun(s, w, 0, 10*time.Minute+30*time.Second)
		}, "note-seed, writable, drop-databases, seed, change-master, filter, start-slave, catch-up, read-only, compare, drop-seed-account, note-done"},
		"cut off, and put back by hand": {func(_, s *Facts, w *SlaveWant) {
			s.Masters, w.State = nil, State{Stage: StageSeeding, Databases: w.Databases, Begun: w.Databases}
			begun(s, w, -time.Second, time.Second)
		}, "problem data-on-slave, problem data-on-slave"},
		"cut off, by an earlier version": {func(_, s *Facts, w *SlaveWant) {
			s.Masters, w.State = nil, State{Stage: StageSeeding, Databases: w.Databases, Begun: w.Databases}
		}, "problem data-on-slave, problem data-on-slave"},
		"cut off before anything was dropped": {func(_, s *Facts, w *SlaveWant) {
			s.Masters, w.State = nil, State{Stage: StageSeeding, Databases: w.Databases}
			begun(s, w, time.Second, 30*time.Second)
		}, "problem data-on-slave, problem data-on-slave"},
		"set up by hand after a copy was cut off": {func(_, _ *Facts, w *SlaveWant) {
			w.State = State{Stage: StageSeeding, Databases: w.Databases, Begun: w.Databases}
		}, "catch-up, compare, note-done"},
		"new password": {func(_, s *Facts, _ *SlaveWant) {
			s.Masters[0].IORunning, s.Masters[0].IOErrno = "Connecting", accessDenied
		}, "password, start-slave, catch-up, compare, note-done"},
		"new password of the same master": {func(_, s *Facts, w *SlaveWant) {
			s.Masters[0].IORunning, s.Masters[0].IOErrno = "Connecting", accessDenied
			w.HandOver.Mark, w.State.MasterMark = "A", "A"
		}, "password, start-slave, catch-up, note-done"},
		"hand-over of an earlier version": {func(_, _ *Facts, w *SlaveWant) { w.State.MasterMark = "A" }, ""},
		"another master": {func(_, s *Facts, w *SlaveWant) {
			s.Masters[0].IORunning, s.Masters[0].IOErrno = "Connecting", accessDenied
			w.HandOver.Mark, w.State.MasterMark = "B", "A"
		}, "problem replaced-master"},
		"another master, which it follows already": {func(_, _ *Facts, w *SlaveWant) {
			w.HandOver.Mark, w.State.MasterMark = "B", "A"
		}, "catch-up, compare, note-done"},
		"another master of MySQL": {func(m, s *Facts, w *SlaveWant) {
			s.Masters[0].IORunning, s.Masters[0].IOErrno = "Connecting", accessDenied
			m.Variables["server_uuid"], w.HandOver.UUID, w.State.MasterUUID = "B", "B", "A"
		}, "problem replaced-master"},
		"another master, and the state file lost": {func(m, s *Facts, w *SlaveWant) {
			s.Masters[0].IORunning, s.Masters[0].IOErrno, s.Masters[0].MasterUUID = "Connecting", accessDenied, "A"
			m.Variables["server_uuid"], w.HandOver.UUID, w.State = "B", "B", State{}
		}, "problem replaced-master"},
		"another master, by the binary log": {func(_, _ *Facts, w *SlaveWant) { w.elsewhere = true }, "problem replaced-master"},
		"another master, and all is copied anew": {func(_, _ *Facts, w *SlaveWant) {
			w.HandOver.Mark, w.State.MasterMark, w.elsewhere = "B", "A", true
			w.Reseed, w.Replace = true, []string{"DB_1", "voms"}
		}, "note-seed, stop-slave, writable, drop-databases, seed, change-master, filter, start-slave, catch-up, read-only, compare, drop-seed-account, note-done"},
		"new password, not known here": {func(_, s *Facts, w *SlaveWant) {
			s.Masters[0].IORunning, s.Masters[0].IOErrno = "Connecting", accessDenied
			delete(w.HandOver.Passwords, ReplicationUser)
		}, "problem unknown-password"},
		"new password of this run": {func(_, _ *Facts, w *SlaveWant) {
			w.NewPasswords = true
		}, "password, catch-up, compare, drop-seed-account, note-done"},
		"filters twice": {func(_, s *Facts, _ *SlaveWant) {
			s.Masters[0].WildDoTable = append(s.Masters[0].WildDoTable, s.Masters[0].WildDoTable...)
		}, ""},
		"other filters":      {func(_, s *Facts, _ *SlaveWant) { s.Masters[0].IgnoreTable = []string{"voms.t"} }, "problem other-filters"},
		"passes errors over": {func(_, s *Facts, _ *SlaveWant) { s.Variables["slave_exec_mode"] = "IDEMPOTENT" }, "problem skips-errors"},
		"passes some errors over": {func(_, s *Facts, _ *SlaveWant) {
			s.Variables["slave_exec_mode"], s.Variables["slave_skip_errors"] = "STRICT", "1062"
		}, "problem skips-errors"},
		"passes no errors over": {func(_, s *Facts, _ *SlaveWant) {
			s.Variables["slave_exec_mode"], s.Variables["slave_skip_errors"] = "STRICT", "OFF"
		}, ""},
		"options changed": {func(_, s *Facts, _ *SlaveWant) {
			s.Masters[0].ConnectRetry, s.Masters[0].SSLAllowed = time.Hour, "Yes"
		}, "connection, catch-up, note-done"},
		"delayed": {func(_, s *Facts, _ *SlaveWant) { s.Masters[0].Delay = 3600 }, ""},
		"by file and position since": {func(_, s *Facts, w *SlaveWant) {
			s.Masters[0].ByGTID, w.State.ByGTID = false, true
		}, "connection, catch-up, note-done"},
		"by file and position from the beginning": {func(_, s *Facts, w *SlaveWant) {
			s.Masters[0].ByGTID, w.State.Start = false, Position{File: "mysql-bin.000007", Offset: 4, GTID: "0-1-7"} // of the copy
		}, ""},
		"a comparison was cut off": {func(_, s *Facts, w *SlaveWant) {
			s.Masters[0].SQLRunning, s.Masters[0].Executed = "No", Position{File: "mysql-bin.000007", Offset: 100}
			w.compared = &compareNote{At: Position{File: "mysql-bin.000007", Offset: 200}}
		}, "start-slave, catch-up, note-done"},
		"a comparison was cut off, and the slave will stop": {func(_, s *Facts, w *SlaveWant) {
			s.Masters[0].Until, w.compared = "mysql-bin.000007:200", &compareNote{At: Position{File: "mysql-bin.000007", Offset: 200}}
		}, "start-slave, note-done"},
		"a comparison was cut off long ago": {func(_, _ *Facts, w *SlaveWant) { w.compared = &compareNote{} }, ""},
		"a repair was cut off":              {func(_, _ *Facts, w *SlaveWant) { w.repaired = &repairNote{Tables: []string{"voms.t"}} }, "problem repair-cut-off"},
		"a repair was cut off, and all is copied anew": {func(_, _ *Facts, w *SlaveWant) {
			w.repaired, w.Reseed, w.Replace = &repairNote{Tables: []string{"voms.t"}}, true, []string{"DB_1", "voms"}
		}, "note-seed, stop-slave, writable, drop-databases, seed, change-master, filter, start-slave, catch-up, read-only, compare, drop-seed-account, note-done"},
		"another slave has the id": {func(m, s *Facts, w *SlaveWant) {
			*s, *w = *newFacts(Slave, v), SlaveWant{HandOver: w.HandOver, Databases: w.Databases, Port: 3307, Method: SeedDump, DropIn: &DropIn{Path: "/d/" + dropInName}}
			s.Variables["server_id"], m.Slaves = "2", []uint32{2}
		}, whole},
		"cut off after the copy": {func(_, s *Facts, w *SlaveWant) {
			s.Masters = nil
			w.State = State{Stage: StageSeeded, Databases: w.Databases, MasterID: 1, SeedAccount: true, Start: Position{File: "mysql-bin.000007", Offset: 4}}
		}, "change-master, filter, start-slave, catch-up, compare, drop-seed-account, note-done"},
		"cut off after the copy, which was dropped": {func(_, s *Facts, w *SlaveWant) {
			s.Masters, s.Databases = nil, s.Databases[:1]
			w.State = State{Stage: StageSeeded, Databases: w.Databases, MasterID: 1, Start: Position{File: "mysql-bin.000007", Offset: 4}}
		}, "problem data-on-slave"},
		"copied, but the binary log has gone": {func(_, s *Facts, w *SlaveWant) {
			s.Masters = nil
			w.State = State{Stage: StageSeeded, Databases: w.Databases, Begun: w.Databases, MasterID: 1, Start: Position{File: "mysql-bin.000001", Offset: 4}}
			begun(s, w, time.Second, 30*time.Second)
		}, "problem data-on-slave, problem data-on-slave"},
		"copied from another server_id": {func(_, s *Facts, w *SlaveWant) {
			s.Masters = nil
			w.State = State{Stage: StageSeeded, Databases: w.Databases, MasterID: 9, Start: Position{File: "mysql-bin.000007", Offset: 4}}
		}, "problem data-on-slave, problem data-on-slave"},
		"copied from another server with the id": {func(_, s *Facts, w *SlaveWant) {
			s.Masters, w.HandOver.Mark = nil, "B"
			w.State = State{Stage: StageSeeded, Databases: w.Databases, MasterID: 1, MasterMark: "A", Start: Position{File: "mysql-bin.000007", Offset: 4}}
		}, "problem data-on-slave, problem data-on-slave"},
		"copied from another UUID": {func(_, s *Facts, w *SlaveWant) {
			s.Masters = nil
			w.State = State{Stage: StageSeeded, Databases: w.Databases, MasterID: 1, MasterUUID: "x", Start: Position{File: "mysql-bin.000007", Offset: 4}}
		}, "problem data-on-slave, problem data-on-slave"},
		"other databases copied": {func(_, s *Facts, w *SlaveWant) {
			s.Masters = nil
			w.State = State{Stage: StageSeeded, Databases: []string{"voms"}, MasterID: 1, Start: Position{File: "mysql-bin.000007", Offset: 4}}
		}, "problem data-on-slave, problem data-on-slave"},
		"cut off after the start": {func(_, s *Facts, w *SlaveWant) {
			w.State = State{Stage: StageRunning, Databases: w.Databases, SeedAccount: true}
		}, "catch-up, compare, drop-seed-account, note-done"},
		"data on the slave": {func(_, s *Facts, w *SlaveWant) { s.Masters, w.State = nil, State{} }, "problem data-on-slave, problem data-on-slave"},
		"data given up": {func(_, s *Facts, w *SlaveWant) {
			s.Masters, w.State, w.Replace = nil, State{}, []string{"DB_1", "voms"}
		}, "note-seed, writable, drop-databases, seed, change-master, filter, start-slave, catch-up, read-only, compare, drop-seed-account, note-done"},
		"reseed": {func(_, _ *Facts, w *SlaveWant) {
			w.Reseed, w.Replace = true, []string{"DB_1", "voms"}
		}, "note-seed, stop-slave, writable, drop-databases, seed, change-master, filter, start-slave, catch-up, read-only, compare, drop-seed-account, note-done"},
		"reseed without the account": {func(m, _ *Facts, w *SlaveWant) {
			w.Reseed, w.Replace, m.User = true, []string{"DB_1", "voms"}, MonitorUser+"@127.0.0.1"
		}, "problem no-seed-account"},
		"data is there": {func(_, s *Facts, w *SlaveWant) {
			s.Masters, w.State, w.Method, w.Start = nil, State{}, SeedNone, Position{File: "mysql-bin.000007", Offset: 4}
		}, "change-master, filter, start-slave, catch-up, read-only, compare, drop-seed-account, note-done"},
		"data is there, with events": {func(_, s *Facts, w *SlaveWant) {
			s.Masters, w.State, w.Method, w.Start = nil, State{}, SeedNone, Position{File: "mysql-bin.000007", Offset: 4}
			s.Databases[1].EnabledEvents = []Event{{Database: "voms", Name: "e"}}
		}, "writable, events-disable, change-master, filter, start-slave, catch-up, read-only, compare, drop-seed-account, note-done"},
		"data is there, and replicated": {func(_, _ *Facts, w *SlaveWant) {
			w.Method, w.Start, w.State.Start = SeedNone, Position{File: "mysql-bin.000007", Offset: 4}, Position{File: "mysql-bin.000007", Offset: 4, GTID: "0-1-7"}
		}, ""},
		"data is there, and replicated from elsewhere": {func(_, _ *Facts, w *SlaveWant) {
			w.Method, w.Start, w.State.Start = SeedNone, Position{File: "mysql-bin.000007", Offset: 4}, Position{File: "mysql-bin.000006", Offset: 4}
		}, "problem other-start"},
		"data is there, and to begin anew": {func(_, _ *Facts, w *SlaveWant) {
			w.Method, w.Start, w.Reseed = SeedNone, Position{File: "mysql-bin.000007", Offset: 4}, true
		}, "stop-slave, change-master, filter, start-slave, catch-up, read-only, compare, drop-seed-account, note-done"},
		"the slave of another master": {func(_, s *Facts, _ *SlaveWant) { s.Masters[0].MasterHost = "10.0.0.7" }, "problem other-master, problem data-on-slave, problem data-on-slave"},
		"same server id": {func(m, s *Facts, _ *SlaveWant) {
			s.Variables["server_id"], m.Slaves = "1", []uint32{2, 3}
		}, "slave-settings, note-done"},
		"same uuid": {func(m, s *Facts, w *SlaveWant) {
			m.Variables["server_uuid"], s.Variables["server_uuid"], w.HandOver.UUID = "x", "x", "x"
		}, "problem same-uuid"},
		"other databases": {func(_, _ *Facts, w *SlaveWant) { w.Databases = []string{"voms"} }, "problem other-databases"},
		"broken":          {func(_, s *Facts, _ *SlaveWant) { s.Masters[0].SQLErrno, s.Masters[0].SQLRunning = 1062, "No" }, "problem broken"},
		"another server":  {func(m, _ *Facts, _ *SlaveWant) { m.Variables["server_id"] = "9" }, "problem other-server"},
		"not handed over": {func(_, _ *Facts, w *SlaveWant) { w.HandOver.Databases = []string{"voms"} }, "problem unknown-database"},
		"Galera":          {func(_, s *Facts, _ *SlaveWant) { s.Cluster = "Galera" }, "problem cluster"},
		"older slave":     {func(_, s *Facts, _ *SlaveWant) { s.Version = Version{MariaDB, 10, 5, 0} }, "problem older-slave"},
		"unknown charset": {func(m, _ *Facts, _ *SlaveWant) { m.Databases[0].Collations = []string{"utf8mb4_0900_ai_ci"} }, "problem unknown-collation"},
		"missing rights":  {func(_, s *Facts, _ *SlaveWant) { s.Grants = []string{"GRANT SELECT ON *.* TO `x`@`%`"} }, "problem privileges"},
		"log-bin off":     {func(m, _ *Facts, _ *SlaveWant) { m.Variables["log_bin"] = "OFF" }, "problem no-binary-log"},
		"case of names":   {func(_, s *Facts, _ *SlaveWant) { s.Variables["lower_case_table_names"] = "1" }, "problem lower-case-table-names"},
		"9.x to MariaDB":  {func(m, _ *Facts, _ *SlaveWant) { m.Version = Version{MySQL, 9, 7, 0} }, "problem families"},
		"rows to MySQL 9": {func(_, s *Facts, w *SlaveWant) {
			*s = *newFacts(Slave, Version{MySQL, 9, 7, 0})
			s.Variables["gtid_mode"], w.Replace = "ON", w.Databases
		}, "problem row-events, problem gtid-mode"},
		"unknown database": {func(m, _ *Facts, _ *SlaveWant) { m.Databases = m.Databases[:1] }, "problem unknown-database"},
	} {
		t.Run(name, func(t *testing.T) {
			master, slave, want := established(v)
			c.change(master, slave, &want)
			if got := names(PlanSlave(master, slave, want)); got != c.want {
				t.Errorf("the plan is\n%s, want\n%s", got, c.want)
			}
		})
	}
}

// TestMasterPlanStates goes through what a run can find.
func TestMasterPlanStates(t *testing.T) {
	v := Version{MariaDB, 10, 11, 6}
	grant := func(f *Facts, users ...string) {
		f.SeedMade, f.Mark = true, "A"
		for _, user := range users {
			f.Accounts = append(f.Accounts, Account{User: user, Host: loopback})
			for _, g := range grantsOf(v, user, []string{"voms"}) {
				f.OurGrants[user] = append(f.OurGrants[user], "GRANT "+strings.Join(g.privileges, ", ")+" ON "+g.on.String()+" TO `"+user+"`@`127.0.0.1` IDENTIFIED BY PASSWORD '*1'")
			}
		}
	}
	const path = "/var/lib/gtunnel/hand-over.json"
	for name, c := range map[string]struct {
		change func(f *Facts, want *MasterWant)
		want   string
	}{
		"fresh": {func(_ *Facts, _ *MasterWant) {}, "hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
		"again": {func(f *Facts, w *MasterWant) {
			grant(f, accountUsers...)
			w.HandOver = handOverOf(f, "voms")
		}, ""},
		"again, seeded": {func(f *Facts, w *MasterWant) {
			grant(f, ReplicationUser, MonitorUser)
			w.HandOver = handOverOf(f, "voms")
		}, ""},
		"again, with another password": {func(f *Facts, w *MasterWant) {
			grant(f, accountUsers...)
			w.HandOver, w.Refused = handOverOf(f, "voms"), []string{ReplicationUser}
			delete(w.HandOver.Passwords, ReplicationUser)
		}, "problem unknown-password"},
		"cut off before the last account": {func(f *Facts, w *MasterWant) {
			grant(f, ReplicationUser, MonitorUser)
			w.HandOver, f.SeedMade, f.Mark = handOverOf(f, "voms"), false, ""
		}, "account-gtunnel-seed, logins"},
		"hand-over of another server with the id": {func(f *Facts, w *MasterWant) {
			f.Mark = "A"
			w.HandOver, f.Mark = handOverOf(f, "voms"), ""
		}, "hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
		"account of a version before the mark": {func(f *Facts, w *MasterWant) {
			grant(f, accountUsers...)
			f.Mark = ""
			w.HandOver = handOverOf(f, "voms")
		}, ""},
		"to be seeded again": {func(f *Facts, w *MasterWant) {
			grant(f, ReplicationUser, MonitorUser)
			w.HandOver, w.SeedAgain = handOverOf(f, "voms"), true
		}, "account-gtunnel-seed, logins"},
		"one more database": {func(f *Facts, w *MasterWant) {
			grant(f, ReplicationUser, MonitorUser)
			w.HandOver, w.Databases = handOverOf(f, "voms"), []string{"DB_1", "voms"}
		}, "hand-over, account-gtunnel-monitor, logins"},
		"account of an earlier version": {func(f *Facts, w *MasterWant) {
			grant(f, accountUsers...)
			f.OurGrants[MonitorUser] = f.OurGrants[MonitorUser][:1]
			w.HandOver = handOverOf(f, "voms")
		}, "account-gtunnel-monitor, logins"},
		"account of an earlier version, hand-over lost": {func(f *Facts, w *MasterWant) {
			grant(f, ReplicationUser, MonitorUser)
			f.OurGrants[MonitorUser] = f.OurGrants[MonitorUser][:1]
			w.KeepAccounts = true
		}, "account-gtunnel-monitor"},
		"passwords kept": {func(f *Facts, w *MasterWant) {
			grant(f, ReplicationUser, MonitorUser)
			w.KeepAccounts = true
		}, ""},
		"hand-over lost": {func(f *Facts, w *MasterWant) { grant(f, accountUsers...) }, "account-gtunnel-monitor, account-gtunnel-seed, logins, problem unknown-password"},
		"new passwords": {func(f *Facts, w *MasterWant) {
			grant(f, accountUsers...)
			w.NewPasswords = true
		}, "account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, hand-over, logins"},
		"log-bin off":  {func(f *Facts, _ *MasterWant) { f.Variables["log_bin"] = "OFF" }, "master-drop-in, restart, hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
		"server-id 0":  {func(f *Facts, _ *MasterWant) { f.Variables["server_id"] = "0" }, "master-drop-in, master-settings, hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
		"binlog-do-db": {func(f *Facts, _ *MasterWant) { f.BinlogDo = []string{"other"} }, "problem binlog-filter"},
		"Galera":       {func(f *Facts, _ *MasterWant) { f.Cluster = "Galera" }, "problem cluster"},
		"mysql itself": {func(_ *Facts, w *MasterWant) { w.Databases = []string{"mysql"} }, "problem system-database"},
		"no databases": {func(_ *Facts, w *MasterWant) { w.Databases = nil }, "problem no-databases"},
		"wants TLS":    {func(f *Facts, _ *MasterWant) { f.Variables["require_secure_transport"] = "ON" }, "problem secure-transport"},
		"a locked account": {func(f *Facts, w *MasterWant) {
			grant(f, accountUsers...)
			f.account(ReplicationUser, loopback).Bound = true
			w.HandOver = handOverOf(f, "voms")
		}, "account-db-rep, logins"},
		"an account whose password has expired": {func(f *Facts, w *MasterWant) {
			grant(f, accountUsers...)
			f.account(ReplicationUser, loopback).Expired = true
			w.HandOver = handOverOf(f, "voms")
		}, "account-db-rep, logins"},
		"an account whose password has expired, and is not known": {func(f *Facts, w *MasterWant) {
			grant(f, ReplicationUser, MonitorUser)
			f.account(ReplicationUser, loopback).Expired = true
			w.KeepAccounts = true
		}, "problem password-expired"},
		"the same of the monitor account": {func(f *Facts, w *MasterWant) {
			grant(f, ReplicationUser, MonitorUser)
			f.account(MonitorUser, loopback).Expired = true
			w.KeepAccounts = true
		}, "problem password-expired"},
		"a locked account whose password is kept": {func(f *Facts, w *MasterWant) {
			grant(f, ReplicationUser, MonitorUser)
			f.account(ReplicationUser, loopback).Bound = true
			w.KeepAccounts = true
		}, "account-db-rep"},
		"an account at localhost": {func(f *Facts, _ *MasterWant) {
			f.Accounts = append(f.Accounts, Account{User: SeedUser, Host: "localhost"})
		}, "problem account-shadowed"},
		"an account at localhost, and no names": {func(f *Facts, _ *MasterWant) {
			f.Accounts = append(f.Accounts, Account{User: SeedUser, Host: "localhost"})
			f.Variables["skip_name_resolve"] = "ON"
		}, "hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
		"a slave": {func(f *Facts, _ *MasterWant) {
			f.Masters = []*SlaveStatus{{}}
		}, "hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
		"a slave that does not log": {func(f *Facts, _ *MasterWant) {
			f.Masters, f.Variables["log_slave_updates"] = []*SlaveStatus{{IORunning: "Connecting", SQLRunning: "No"}}, "OFF"
		}, "problem is-slave"},
		"a promoted slave that does not log": {func(f *Facts, _ *MasterWant) {
			f.Masters, f.Variables["log_slave_updates"] = []*SlaveStatus{{IORunning: "No", SQLRunning: "No"}}, "OFF"
		}, "hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
		"read-only":      {func(f *Facts, _ *MasterWant) { f.Variables["super_read_only"] = "ON" }, "problem read-only"},
		"at one address": {func(f *Facts, _ *MasterWant) { f.Variables["bind_address"] = "192.0.2.1" }, "problem bind-address"},
		"at two addresses": {func(f *Facts, _ *MasterWant) {
			f.Variables["bind_address"] = "192.0.2.1/red, 127.0.0.1"
		}, "hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
		"no privilege": {func(f *Facts, _ *MasterWant) { f.Grants = []string{"GRANT RELOAD ON *.* TO `x`@`%`"} }, "problem privileges"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFacts(Master, v)
			want := MasterWant{Databases: []string{"voms"}, HandOverPath: path, DropIn: &DropIn{Path: "/d/" + dropInName}}
			c.change(f, &want)
			p := PlanMaster(f, want)
			var names []string
			for _, s := range p.Steps {
				names = append(names, s.Name)
			}
			for _, e := range p.Problems {
				names = append(names, "problem "+e.Code)
			}
			if got := strings.Join(names, ", "); got != c.want {
				t.Errorf("the plan is\n%s, want\n%s", got, c.want)
			}
		})
	}
}

// TestOldSessions: the plans of both ends name the programs that log in the
// format of before, until they, or the server, have started anew.
func TestOldSessions(t *testing.T) {
	master, slave, want := established(Version{MariaDB, 10, 11, 6})
	master.Variables["binlog_format"], master.Session, master.Started = "STATEMENT", 10, time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	master.Sessions = []Session{{9, "voms", "10.0.0.5"}, {8, "voms", "10.0.0.5"}, {10, "root", "localhost"}, {11, "iam", "localhost"}}
	const names = "get other data: voms@10.0.0.5\n"
	plan := PlanMaster(master, MasterWant{Databases: []string{"DB_1", "voms"}, Host: "server1.domain.one"})
	if !strings.Contains(show(plan), names) {
		t.Errorf("the master's plan does not name them:\n%s", show(plan))
	}
	path := filepath.Join(t.TempDir(), "hand-over.json")
	if err := writeFile(path, []byte(plan.HandOver.statement().sql), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if want.HandOver, err = ReadHandOver(path); err != nil {
		t.Fatal(err)
	}
	if !handOverEqual(want.HandOver, plan.HandOver) {
		t.Error("the hand-over file says something else")
	}
	master.Variables["binlog_format"], master.Started = "ROW", master.Started.Add(time.Second) // as it is computed
	if text := show(PlanSlave(master, slave, want)); !strings.Contains(text, names) {
		t.Errorf("the slave's plan does not name them:\n%s", text)
	}
	master.Started = master.Started.Add(time.Hour)
	if text := show(PlanSlave(master, slave, want)); strings.Contains(text, "other data") {
		t.Errorf("after a restart they are named:\n%s", text)
	}
}

// TestStartWithoutGTID: the plan for data that is there shows the statements
// that are run, by file and position.
func TestStartWithoutGTID(t *testing.T) {
	for _, v := range versions {
		master, slave, want := established(v)
		slave.Masters, want.State, want.Method, want.Start = nil, State{}, SeedNone, Position{File: "mysql-bin.000007", Offset: 4711}
		plan := show(PlanSlave(master, slave, want))
		if !strings.Contains(plan, "_LOG_FILE='mysql-bin.000007'") || !strings.Contains(plan, "_LOG_POS=4711") || strings.Contains(plan, "GTIDS") {
			t.Errorf("%s: the plan is\n%s", v, plan)
		}
	}
}

// TestReadinessOfFilter: what is right is named also where it is no variable.
func TestReadinessOfFilter(t *testing.T) {
	master, slave, want := established(Version{MySQL, 9, 7, 0})
	for _, well := range PairReadiness(master, slave, want.Databases, want.Port).Well {
		if well.Text == `replicate_wild_do_table is right: DB\_1.%, voms.%` {
			return
		}
	}
	t.Error("nothing is said of the filter")
}

// TestDrift: only the options that somebody has changed are stated again, in each
// dialect's words.
func TestDrift(t *testing.T) {
	no := false
	for v, want := range map[Version]string{
		{MySQL, 5, 7, 42}:    "CHANGE MASTER TO MASTER_RETRY_COUNT=86400",
		{MySQL, 8, 0, 46}:    "CHANGE REPLICATION SOURCE TO SOURCE_RETRY_COUNT=86400, GET_SOURCE_PUBLIC_KEY=1, SOURCE_AUTO_POSITION=1 FOR CHANNEL ''",
		{MariaDB, 10, 11, 6}: "CHANGE MASTER TO MASTER_USE_GTID=slave_pos",
	} {
		master, slave, wanted := established(v)
		status := slave.Masters[0]
		status.Delay, status.ByGTID = 60, false
		wanted.State.ByGTID = v.Major != 5
		if v.Family == MySQL {
			status.RetryCount = 10
			if v.atLeast(MySQL, 8, 0, 0) {
				status.GetsPublicKey, master.Variables["gtid_mode"], slave.Variables["gtid_mode"] = &no, "ON", "ON"
			}
		}
		if plan := show(PlanSlave(master, slave, wanted)); !strings.Contains(plan, "SQL: "+want+"\n") {
			t.Errorf("%s: no %s in the plan\n%s", v, want, plan)
		}
	}
}

// TestBeginningOfBinaryLog: a copy of a MariaDB master that has written nothing yet
// is followed by GTID as well.
func TestBeginningOfBinaryLog(t *testing.T) {
	master, slave, want := established(Version{MariaDB, 10, 11, 6})
	slave.Masters, want.State = nil, State{Stage: StageSeeded, Databases: want.Databases, Method: SeedDump, MasterID: 1, Start: Position{File: "mysql-bin.000007", Offset: 328}}
	if plan := show(PlanSlave(master, slave, want)); !strings.Contains(plan, "SET GLOBAL gtid_slave_pos=''") || !strings.Contains(plan, "MASTER_USE_GTID=slave_pos") {
		t.Errorf("the plan is\n%s", plan)
	}
}

// TestGTIDModes: a slave follows a master whose transactions it can take (MySQL
// manual, "Replication Compatibility and GTIDs"), and the cure goes step by step.
func TestGTIDModes(t *testing.T) {
	cures := map[string]string{
		"ON OFF":            "on the slave: SET GLOBAL enforce_gtid_consistency=ON; SET GLOBAL gtid_mode=OFF_PERMISSIVE; SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=ON; and enforce_gtid_consistency=ON and gtid_mode=ON in its option files",
		"ON_PERMISSIVE OFF": "on the slave: SET GLOBAL enforce_gtid_consistency=ON; SET GLOBAL gtid_mode=OFF_PERMISSIVE; SET GLOBAL gtid_mode=ON_PERMISSIVE; and enforce_gtid_consistency=ON and gtid_mode=ON_PERMISSIVE in its option files",
		"OFF ON":            "on the slave: SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=OFF_PERMISSIVE; SET GLOBAL gtid_mode=OFF; and gtid_mode=OFF in its option files",
		"OFF_PERMISSIVE ON": "on the slave: SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=OFF_PERMISSIVE; and gtid_mode=OFF_PERMISSIVE in its option files",
	}
	for _, m := range append(gtidModes, "") { // MariaDB has none
		for _, s := range append(gtidModes, "") {
			master, slave, want := established(Version{MySQL, 9, 7, 0})
			master.Variables["gtid_mode"], slave.Variables["gtid_mode"] = m, s
			var cure string
			for _, p := range PlanSlave(master, slave, want).Problems {
				cure += p.Cure
			}
			if cure != cures[m+" "+s] {
				t.Errorf("%q to %q: %q", m, s, cure)
			}
		}
	}
}

// TestWarnAboutWriters names the accounts that can write on MariaDB's slave, but
// not those of the server's packages.
func TestWarnAboutWriters(t *testing.T) {
	for _, test := range []struct {
		v       Version
		writers []string
		want    bool
	}{
		{Version{MariaDB, 10, 11, 6}, []string{"root@localhost", "admin@%"}, true},
		{Version{MariaDB, 10, 11, 6}, []string{"root@localhost"}, false},
		{Version{MariaDB, 10, 11, 6}, nil, false},
		{Version{MySQL, 9, 7, 0}, []string{"admin@%"}, false}, // super_read_only keeps it out
	} {
		f := newFacts(Slave, test.v)
		f.Writers = test.writers
		found := CheckSlave(f, 3307)
		text := ""
		for _, w := range found.Warnings {
			if w.Code == "writers" {
				text = w.Text
			}
		}
		if (text != "") != test.want || test.want && text != "accounts can write in spite of read_only: admin@%" {
			t.Errorf("%s with %v: %q", test.v, test.writers, text)
		}
	}
}

// TestRoom: a copy that does not fit is refused, one that nearly fills the disk
// warned of. What is dropped makes room; indexes count.
func TestRoom(t *testing.T) {
	const g = 1 << 30
	for name, c := range map[string]struct {
		free   uint64 // 0: not known
		method SeedMethod
		own    []Database
		want   string
	}{
		"not known":               {0, SeedDump, nil, ""},
		"enough":                  {4 * g, SeedDump, nil, ""},
		"nearly full":             {7 * g / 2, SeedDump, nil, "little-room"},
		"too little":              {5 * g / 2, SeedDump, nil, "no-room"},
		"its own is dropped":      {2 * g, SeedDump, []Database{{Name: "voms", Bytes: 2 * g}}, ""},
		"its own stays":           {2 * g, SeedDump, []Database{{Name: "mine", Tables: 1, Bytes: 2 * g}}, "no-room"},
		"a clone drops all":       {4 * g, SeedClone, []Database{{Name: "mine", Tables: 1, Bytes: 3 * g}}, ""},
		"a clone brings all":      {4 * g, SeedClone, nil, "no-room"},
		"the data is there":       {1, SeedNone, nil, ""},
		"mydumper loads the same": {2 * g, SeedMydumper, nil, "no-room"},
	} {
		t.Run(name, func(t *testing.T) {
			v := Version{MySQL, 9, 7, 0}
			master, slave, want := established(v)
			master.Databases = []Database{{Name: "voms", Bytes: 2 * g, IndexBytes: g}, {Name: "other", Bytes: 2 * g}}
			slave.Masters, slave.Databases, want.State = nil, c.own, State{}
			want.HandOver.Databases, want.Databases, want.Method, want.Replace = []string{"voms"}, []string{"voms"}, c.method, []string{"voms", "mine"}
			if c.free > 0 {
				slave.Free = &c.free
			}
			p := PlanSlave(master, slave, want)
			var got string
			for _, found := range append(p.Problems, p.Warnings...) {
				if strings.HasSuffix(found.Code, "-room") {
					got += found.Code
					t.Log(found, found.Cure)
				} else if found.Code != "writers" {
					t.Log(found)
				}
			}
			if got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

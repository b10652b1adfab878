package replication

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// newFacts is a server as its packages leave it, with two databases on a
// master.
func newFacts(role finding.Role, v server.Version) *facts.Facts {
	f := &facts.Facts{
		Role: role, Version: v, User: "root@localhost",
		Grants: []string{"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"},
		Variables: map[string]string{
			"server_id": "1", "log_bin": "ON", "binlog_format": "ROW", "binlog_row_image": "FULL", "port": "3306",
			"max_allowed_packet": "16777216", "lower_case_table_names": "0", "collation_server": "utf8mb4_general_ci",
			"time_zone": "SYSTEM", "system_time_zone": "UTC", "sync_binlog": "1", "innodb_flush_log_at_trx_commit": "1",
			"expire_logs_days": "10", "read_only": "OFF", "event_scheduler": "OFF", "slave_net_timeout": "60",
			"log_slave_updates": "ON",
		},
		Collations: map[string]bool{"utf8mb4_general_ci": true, "latin1_swedish_ci": true},
		Accounts:   []facts.Account{{User: "root", Host: "localhost"}},
		Plugins:    map[string]bool{}, OurGrants: map[string][]string{},
		BinaryLogs: []server.BinaryLog{{File: "mysql-bin.000007", Bytes: 5000}},
		MasterLog:  server.Position{File: "mysql-bin.000007", Offset: 5000},
	}
	if v.Family == server.MySQL {
		f.Variables["server_uuid"] = "11111111-0000-0000-0000-00000000000" +
			map[finding.Role]string{finding.Master: "1", finding.Slave: "2"}[role]
		f.Variables["gtid_mode"] = "OFF"
		if v.AtLeast(server.MySQL, 8, 0, 0) {
			f.Variables["binlog_expire_logs_seconds"] = "2592000"
			f.Variables["event_scheduler"] = "ON"
			f.Variables["replica_net_timeout"] = "60"
		}
		f.Variables["super_read_only"], f.Variables["relay_log_recovery"] = "OFF", "OFF"
		if !v.AtLeast(server.MySQL, 8, 0, 0) {
			f.Variables["master_info_repository"], f.Variables["relay_log_info_repository"] = "FILE", "FILE"
		}
	}
	if role == finding.Master {
		f.Databases = []facts.Database{
			{Name: "DB_1", Tables: 3, Bytes: 3 << 20, Collations: []string{"utf8mb4_general_ci"}},
			{Name: "voms", Tables: 20, Bytes: 1 << 30, Collations: []string{"latin1_swedish_ci"}},
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
			fmt.Fprintf(&b, "  file: %s %04o\n    %s\n", s.File.Path, s.File.Mode,
				strings.ReplaceAll(strings.TrimSpace(content), "\n", "\n    "))
		}
		if s.Hand != "" {
			fmt.Fprintf(&b, "  by hand: %s\n", s.Hand)
		}
		if len(s.Loses) > 0 {
			fmt.Fprintf(&b, "  loses: %s\n", s.Loses)
		}
		for _, undo := range []string{s.Undo.String(), s.UndoByHand} {
			if undo != "" {
				fmt.Fprintf(&b, "  undo: %s\n", undo)
			}
		}
	}
	if b.Len() == 0 {
		return "no change\n"
	}
	return b.String()
}

// planned is what the plan of a slave is made of, for tests to change.
type planned struct {
	SlaveWant
	Situation
}

// newPlanned is a slave of a master's that is to be copied for the first time.
func newPlanned(master *facts.Facts) planned {
	return planned{
		SlaveWant: SlaveWant{
			HandOver: handOverOf(master, "DB_1", "voms"), Databases: []string{"DB_1", "voms"}, Port: 3307,
			Method: journal.SeedDump,
		},
		Situation: Situation{DropIn: &optionfile.DropIn{Path: "/d/" + optionfile.DropInName}},
	}
}

// plan plans the slave.
func (p *planned) plan(master, slave *facts.Facts) *Plan {
	p.MasterFacts, p.SlaveFacts = master, slave
	return PlanSlave(p.Situation, p.SlaveWant)
}

// fresh is what tests make accounts of.
func fresh() Fresh {
	f := Fresh{
		Now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC), Mark: "FRESHMARK", Passwords: map[string]server.Password{},
	}
	for _, user := range facts.AccountUsers {
		f.Passwords[user] = server.NewPassword("fresh " + user)
	}
	return f
}

func fileName(role string, v server.Version) string {
	return filepath.Join("plans", fmt.Sprintf("%s-%s-%s.txt", role, strings.ToLower(string(v.Family)), v.Series()))
}

func handOverOf(f *facts.Facts, databases ...string) *HandOver {
	h := &HandOver{
		Host: "server1.domain.one", Version: f.Version, ServerID: f.ServerID(), UUID: f.UUID(), Mark: f.Mark,
		Databases: databases, Passwords: map[string]server.Password{},
	}
	for _, user := range facts.AccountUsers {
		h.Passwords[user] = server.NewPassword("secret")
	}
	return h
}

// TestPlans keeps the plans of fresh servers of every dialect.
func TestPlans(t *testing.T) {
	databases := []string{"DB_1", "voms"}
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) {
			master := newFacts(finding.Master, v)
			master.Variables["binlog_format"] = "MIXED"
			master.Variables["expire_logs_days"] = "1"
			master.Variables["binlog_expire_logs_seconds"] = map[bool]string{true: "3600", false: "0"}[v.AtLeast(server.MySQL, 8,
				0, 0)]
			plan := PlanMaster(master,
				MasterWant{
					Databases: databases, DropIn: &optionfile.DropIn{Path: "/etc/my.cnf.d/" + optionfile.DropInName},
					HandOverPath: "/var/lib/gtunnel/hand-over.json", Fresh: fresh(),
				})
			golden(t, fileName("master", v), show(plan))

			slave := newFacts(finding.Slave, v)
			slave.Variables["max_allowed_packet"] = "1048576"
			plan = PlanSlave(Situation{
				MasterFacts: newFacts(finding.Master, v), SlaveFacts: slave,
				DropIn: &optionfile.DropIn{Path: "/etc/my.cnf.d/" + optionfile.DropInName},
			}, SlaveWant{
				HandOver: handOverOf(master, databases...), Databases: databases, Port: 3307, Method: journal.SeedDump,
				MonitorFile: &optionfile.ClientFile{
					Path: "/nowhere/master.cnf",
					Login: server.Login{
						Network: "tcp", Address: "127.0.0.1:3307", User: facts.MonitorUser, Password: server.NewPassword("secret"),
					},
				},
			})
			golden(t, fileName("slave", v), show(plan))
		})
	}
}

// established is a slave that a run has set up.
func established(v server.Version) (master, slave *facts.Facts, want planned) {
	master, slave = newFacts(finding.Master, v), newFacts(finding.Slave, v)
	slave.Variables["server_id"], slave.Variables["read_only"], slave.Variables["super_read_only"] = "2", "ON", "ON"
	slave.Databases = newFacts(finding.Master, v).Databases
	slave.Masters = []*server.SlaveStatus{{
		MasterHost: server.Loopback, MasterPort: 3307, MasterUser: facts.ReplicationUser, IORunning: "Yes", SQLRunning: "Yes",
		WildDoTable: server.WildTables([]string{"DB_1", "voms"}), ByGTID: v.Family == server.MariaDB,
		ConnectRetry: server.ConnectRetry,
	}}
	want.SlaveWant = SlaveWant{
		HandOver: handOverOf(master, "DB_1", "voms"), Databases: []string{"DB_1", "voms"}, Port: 3307,
		Method: journal.SeedDump,
	}
	want.Situation = Situation{
		DropIn: (&optionfile.DropIn{}).With(
			optionfile.Setting{Name: "server_id", Value: "2"}, optionfile.Setting{Name: "read_only", Value: "ON"},
			optionfile.Setting{Name: "super_read_only", Value: "ON"},
			optionfile.Setting{Name: "replicate_wild_do_table", Value: "DB\\_1.%\nvoms.%"}),
		State: journal.State{Stage: journal.StageDone},
	}
	return master, slave, want
}

// TestStartWithoutGTID: the plan for data that is there shows the statements
// that are run, by file and position.
func TestStartWithoutGTID(t *testing.T) {
	for _, v := range versions {
		master, slave, want := established(v)
		slave.Masters, want.State, want.Method, want.Start = nil, journal.State{}, journal.SeedNone,
			server.Position{File: "mysql-bin.000007", Offset: 4711}
		plan := show(want.plan(master, slave))
		if !strings.Contains(plan, "_LOG_FILE='mysql-bin.000007'") || !strings.Contains(plan, "_LOG_POS=4711") ||
			strings.Contains(plan, "GTIDS") {
			t.Errorf("%s: the plan is\n%s", v, plan)
		}
	}
}

// TestReadinessOfFilter: what is right is named also where it is no variable.
func TestReadinessOfFilter(t *testing.T) {
	master, slave, want := established(server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0})
	for _, well := range pairReadiness(master, slave, want.HandOver, want.Databases, want.Port).Well {
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
	for v, want := range map[server.Version]string{
		{Family: server.MySQL, Major: 5, Minor: 7, Patch: 42}: "CHANGE MASTER TO MASTER_RETRY_COUNT=86400",
		{Family: server.MySQL, Major: 8, Minor: 0, Patch: 46}: "CHANGE REPLICATION SOURCE TO SOURCE_RETRY_COUNT=86400, " +
			"GET_SOURCE_PUBLIC_KEY=1, SOURCE_AUTO_POSITION=1 FOR CHANNEL ''",
		{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6}: "CHANGE MASTER TO MASTER_USE_GTID=slave_pos",
	} {
		master, slave, wanted := established(v)
		status := slave.Masters[0]
		status.Delay, status.ByGTID = 60, false
		wanted.State.ByGTID = v.Major != 5
		if v.Family == server.MySQL {
			status.RetryCount = 10
			if v.AtLeast(server.MySQL, 8, 0, 0) {
				status.GetsPublicKey, master.Variables["gtid_mode"], slave.Variables["gtid_mode"] = &no, "ON", "ON"
			}
		}
		if plan := show(wanted.plan(master, slave)); !strings.Contains(plan, "SQL: "+want+"\n") {
			t.Errorf("%s: no %s in the plan\n%s", v, want, plan)
		}
	}
}

// TestBeginningOfBinaryLog: a copy of a MariaDB master that has written nothing yet
// is followed by GTID as well.
func TestBeginningOfBinaryLog(t *testing.T) {
	master, slave, want := established(server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6})
	slave.Masters, want.State = nil,
		journal.State{
			Stage: journal.StageSeeded, Databases: want.Databases, Method: journal.SeedDump, MasterID: 1,
			Start: server.Position{File: "mysql-bin.000007", Offset: 328},
		}
	if plan := show(want.plan(master, slave)); !strings.Contains(plan, "SET GLOBAL gtid_slave_pos=''") ||
		!strings.Contains(plan, "MASTER_USE_GTID=slave_pos") {
		t.Errorf("the plan is\n%s", plan)
	}
}

// TestGTIDModes: a slave follows a master whose transactions it can take (MySQL
// manual, "Replication Compatibility and GTIDs"), and the cure goes step by step.
func TestGTIDModes(t *testing.T) {
	cures := map[string]string{
		"ON OFF": "on the slave: SET GLOBAL enforce_gtid_consistency=ON; SET GLOBAL gtid_mode=OFF_PERMISSIVE; " +
			"SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=ON; and enforce_gtid_consistency=ON and gtid_mode=ON in " +
			"its option files",
		"ON_PERMISSIVE OFF": "on the slave: SET GLOBAL enforce_gtid_consistency=ON; SET GLOBAL gtid_mode=OFF_PERMISSIVE; " +
			"SET GLOBAL gtid_mode=ON_PERMISSIVE; and enforce_gtid_consistency=ON " +
			"and gtid_mode=ON_PERMISSIVE in its option files",
		"OFF ON": "on the slave: SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=OFF_PERMISSIVE; SET " +
			"GLOBAL gtid_mode=OFF; and gtid_mode=OFF in its option files",
		"OFF_PERMISSIVE ON": "on the slave: SET GLOBAL gtid_mode=ON_PERMISSIVE; SET GLOBAL gtid_mode=OFF_PERMISSIVE; and " +
			"gtid_mode=OFF_PERMISSIVE in its option files",
	}
	modes := []string{"OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON", ""}
	for _, m := range modes { // MariaDB has none
		for _, s := range modes {
			master, slave, want := established(server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0})
			master.Variables["gtid_mode"], slave.Variables["gtid_mode"] = m, s
			var cure string
			for _, p := range want.plan(master, slave).Problems {
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
		v       server.Version
		writers []string
		want    bool
	}{
		{server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6}, []string{"root@localhost", "admin@%"}, true},
		{server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6}, []string{"root@localhost"}, false},
		{server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6}, nil, false},
		// super_read_only keeps it out
		{server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0}, []string{"admin@%"}, false},
	} {
		f := newFacts(finding.Slave, test.v)
		f.Writers = test.writers
		found := rules.Judge(&rules.Subject{Moment: rules.CheckServer, Slave: f, Port: 3307})
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
		method journal.SeedMethod
		own    []facts.Database
		want   string
	}{
		"not known":          {0, journal.SeedDump, nil, ""},
		"enough":             {4 * g, journal.SeedDump, nil, ""},
		"nearly full":        {7 * g / 2, journal.SeedDump, nil, "little-room"},
		"too little":         {5 * g / 2, journal.SeedDump, nil, "no-room"},
		"its own is dropped": {2 * g, journal.SeedDump, []facts.Database{{Name: "voms", Bytes: 2 * g}}, ""},
		"its own stays": {
			2 * g, journal.SeedDump, []facts.Database{{Name: "mine", Tables: 1, Bytes: 2 * g}}, "no-room",
		},
		"a clone drops all":       {4 * g, journal.SeedClone, []facts.Database{{Name: "mine", Tables: 1, Bytes: 3 * g}}, ""},
		"a clone brings all":      {4 * g, journal.SeedClone, nil, "no-room"},
		"the data is there":       {1, journal.SeedNone, nil, ""},
		"mydumper loads the same": {2 * g, journal.SeedMydumper, nil, "no-room"},
	} {
		t.Run(name, func(t *testing.T) {
			v := server.Version{Family: server.MySQL, Major: 9, Minor: 7, Patch: 0}
			master, slave, want := established(v)
			master.Databases = []facts.Database{{Name: "voms", Bytes: 2 * g, IndexBytes: g}, {Name: "other", Bytes: 2 * g}}
			slave.Masters, slave.Databases, want.State = nil, c.own, journal.State{}
			want.HandOver.Databases, want.Databases, want.Method, want.Replace = []string{"voms"}, []string{"voms"}, c.method,
				[]string{"voms", "mine"}
			if c.free > 0 {
				slave.Free = &c.free
			}
			p := want.plan(master, slave)
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

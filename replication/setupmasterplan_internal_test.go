package replication

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// planVersion is that of the servers in plans.
var planVersion = server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6}

// grant gives a master accounts of ours, with all that they need.
func grant(f *facts.Facts, users ...string) {
	f.SeedMade, f.Mark = true, "A"
	for _, user := range users {
		f.Accounts = append(f.Accounts, facts.Account{User: user, Host: server.Loopback})
		for _, g := range grantsOf(planVersion, user, []string{"voms"}) {
			f.OurGrants[user] = append(f.OurGrants[user],
				"GRANT "+strings.Join(g.Privileges, ", ")+" ON "+g.On.String()+" TO `"+user+
					"`@`127.0.0.1` IDENTIFIED BY PASSWORD '*1'")
		}
	}
}

// masterPlanStates are what a run on a master can find, and what it plans then.
var masterPlanStates = map[string]struct {
	change func(f *facts.Facts, want *MasterWant)
	want   string
}{
	"fresh": {
		func(_ *facts.Facts, _ *MasterWant) {},
		"hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins",
	},
	"again": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.AccountUsers...)
		w.HandOver = handOverOf(f, "voms")
	}, ""},
	"again, seeded": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.ReplicationUser, facts.MonitorUser)
		w.HandOver = handOverOf(f, "voms")
	}, ""},
	"again, with another password": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.AccountUsers...)
		w.HandOver, w.Refused = handOverOf(f, "voms"), []string{facts.ReplicationUser}
		delete(w.HandOver.Passwords, facts.ReplicationUser)
	}, "problem unknown-password"},
	"cut off before the last account": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.ReplicationUser, facts.MonitorUser)
		w.HandOver, f.SeedMade, f.Mark = handOverOf(f, "voms"), false, ""
	}, "account-gtunnel-seed, logins"},
	"hand-over of another server with the id": {func(f *facts.Facts, w *MasterWant) {
		f.Mark = "A"
		w.HandOver, f.Mark = handOverOf(f, "voms"), ""
	}, "hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
	"account of a version before the mark": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.AccountUsers...)
		f.Mark = ""
		w.HandOver = handOverOf(f, "voms")
	}, ""},
	"to be seeded again": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.ReplicationUser, facts.MonitorUser)
		w.HandOver, w.SeedAgain = handOverOf(f, "voms"), true
	}, "account-gtunnel-seed, logins"},
	"one more database": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.ReplicationUser, facts.MonitorUser)
		w.HandOver, w.Databases = handOverOf(f, "voms"), []string{"DB_1", "voms"}
	}, "hand-over, account-gtunnel-monitor, logins"},
	"account of an earlier version": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.AccountUsers...)
		f.OurGrants[facts.MonitorUser] = f.OurGrants[facts.MonitorUser][:1]
		w.HandOver = handOverOf(f, "voms")
	}, "account-gtunnel-monitor, logins"},
	"account of an earlier version, hand-over lost": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.ReplicationUser, facts.MonitorUser)
		f.OurGrants[facts.MonitorUser] = f.OurGrants[facts.MonitorUser][:1]
		w.KeepAccounts = true
	}, "account-gtunnel-monitor"},
	"passwords kept": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.ReplicationUser, facts.MonitorUser)
		w.KeepAccounts = true
	}, ""},
	"hand-over lost": {
		func(f *facts.Facts, w *MasterWant) { grant(f, facts.AccountUsers...) },
		"account-gtunnel-monitor, account-gtunnel-seed, logins, problem unknown-password",
	},
	"new passwords": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.AccountUsers...)
		w.NewPasswords = true
	}, "account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, hand-over, logins"},
	"log-bin off": {
		func(f *facts.Facts, _ *MasterWant) { f.Variables["log_bin"] = "OFF" },
		"master-drop-in, restart, hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins",
	},
	"server-id 0": {
		func(f *facts.Facts, _ *MasterWant) { f.Variables["server_id"] = "0" },
		"master-drop-in, master-settings, hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins",
	},
	"binlog-do-db": {func(f *facts.Facts, _ *MasterWant) { f.BinlogDo = []string{"other"} }, "problem binlog-filter"},
	"Galera":       {func(f *facts.Facts, _ *MasterWant) { f.Cluster = "Galera" }, "problem cluster"},
	"mysql itself": {func(_ *facts.Facts, w *MasterWant) { w.Databases = []string{"mysql"} }, "problem system-database"},
	"no databases": {func(_ *facts.Facts, w *MasterWant) { w.Databases = nil }, "problem no-databases"},
	"wants TLS": {
		func(f *facts.Facts, _ *MasterWant) { f.Variables["require_secure_transport"] = "ON" }, "problem secure-transport",
	},
	"a locked account": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.AccountUsers...)
		f.Account(facts.ReplicationUser, server.Loopback).Bound = true
		w.HandOver = handOverOf(f, "voms")
	}, "account-db-rep, logins"},
	"an account whose password has expired": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.AccountUsers...)
		f.Account(facts.ReplicationUser, server.Loopback).Expired = true
		w.HandOver = handOverOf(f, "voms")
	}, "account-db-rep, logins"},
	"an account whose password has expired, and is not known": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.ReplicationUser, facts.MonitorUser)
		f.Account(facts.ReplicationUser, server.Loopback).Expired = true
		w.KeepAccounts = true
	}, "problem password-expired"},
	"the same of the monitor account": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.ReplicationUser, facts.MonitorUser)
		f.Account(facts.MonitorUser, server.Loopback).Expired = true
		w.KeepAccounts = true
	}, "problem password-expired"},
	"a locked account whose password is kept": {func(f *facts.Facts, w *MasterWant) {
		grant(f, facts.ReplicationUser, facts.MonitorUser)
		f.Account(facts.ReplicationUser, server.Loopback).Bound = true
		w.KeepAccounts = true
	}, "account-db-rep"},
	"an account at localhost": {func(f *facts.Facts, _ *MasterWant) {
		f.Accounts = append(f.Accounts, facts.Account{User: facts.SeedUser, Host: "localhost"})
	}, "problem account-shadowed"},
	"an account at localhost, and no names": {func(f *facts.Facts, _ *MasterWant) {
		f.Accounts = append(f.Accounts, facts.Account{User: facts.SeedUser, Host: "localhost"})
		f.Variables["skip_name_resolve"] = "ON"
	}, "hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
	"a slave": {func(f *facts.Facts, _ *MasterWant) {
		f.Masters = []*server.SlaveStatus{{}}
	}, "hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
	"a slave that does not log": {func(f *facts.Facts, _ *MasterWant) {
		f.Masters, f.Variables["log_slave_updates"] = []*server.SlaveStatus{{IORunning: "Connecting", SQLRunning: "No"}},
			"OFF"
	}, "problem is-slave"},
	"a promoted slave that does not log": {func(f *facts.Facts, _ *MasterWant) {
		f.Masters, f.Variables["log_slave_updates"] = []*server.SlaveStatus{{IORunning: "No", SQLRunning: "No"}}, "OFF"
	}, "hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
	"read-only": {func(f *facts.Facts, _ *MasterWant) { f.Variables["super_read_only"] = "ON" }, "problem read-only"},
	"at one address": {
		func(f *facts.Facts, _ *MasterWant) { f.Variables["bind_address"] = "192.0.2.1" }, "problem bind-address",
	},
	"at two addresses": {func(f *facts.Facts, _ *MasterWant) {
		f.Variables["bind_address"] = "192.0.2.1/red, 127.0.0.1"
	}, "hand-over, account-db-rep, account-gtunnel-monitor, account-gtunnel-seed, logins"},
	"no privilege": {
		func(f *facts.Facts, _ *MasterWant) { f.Grants = []string{"GRANT RELOAD ON *.* TO `x`@`%`"} }, "problem privileges",
	},
}

// TestMasterPlanStates goes through what a run can find.
func TestMasterPlanStates(t *testing.T) {
	const path = "/var/lib/gtunnel/hand-over.json"
	for name, c := range masterPlanStates {
		t.Run(name, func(t *testing.T) {
			f := newFacts(finding.Master, planVersion)
			want := MasterWant{
				Databases: []string{"voms"}, HandOverPath: path, Fresh: fresh(),
				DropIn: &optionfile.DropIn{Path: "/d/" + optionfile.DropInName},
			}
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

// TestOldServerID: the plan of a slave names the programs that keep a server_id which it
// changes, with what ends their sessions, and no others.
func TestOldServerID(t *testing.T) {
	master, slave, want := established(server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6})
	slave.Sessions = []facts.Session{
		{ID: 8, User: "voms", Host: "10.0.0.5"},
		{ID: 9, User: "voms", Host: "10.0.0.5"},
		{ID: 11, User: "iam", Host: "localhost"},
	}
	const names, cure = "voms@10.0.0.5, iam@localhost", "KILL 8; KILL 9; KILL 11;"
	slave.Variables["server_id"] = "1"
	if text := show(want.plan(master, slave)); !strings.Contains(text, names) || !strings.Contains(text, cure) {
		t.Errorf("the plan does not name them, and what ends them:\n%s", text)
	}
	slave.Variables["server_id"] = "2"
	if text := show(want.plan(master, slave)); strings.Contains(text, names) {
		t.Errorf("the server_id stays, and they are named:\n%s", text)
	}
}

// TestOldSessions: the plans of both ends name the programs that log in the
// format of before, until they, or the server, have started anew.
func TestOldSessions(t *testing.T) {
	master, slave, want := established(server.Version{Family: server.MariaDB, Major: 10, Minor: 11, Patch: 6})
	master.Variables["binlog_format"], master.Session, master.Started = "STATEMENT", 10,
		time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	master.Sessions = []facts.Session{
		{ID: 9, User: "voms", Host: "10.0.0.5"},
		{ID: 8, User: "voms", Host: "10.0.0.5"},
		{ID: 10, User: "root", Host: "localhost"},
		{ID: 11, User: "iam", Host: "localhost"},
	}
	const names = "get other data: voms@10.0.0.5\n"
	plan := PlanMaster(master, MasterWant{Databases: []string{"DB_1", "voms"}, Host: "server1.domain.one", Fresh: fresh()})
	if !strings.Contains(show(plan), names) {
		t.Errorf("the master's plan does not name them:\n%s", show(plan))
	}
	path := filepath.Join(t.TempDir(), "hand-over.json")
	if err := optionfile.WriteFile(path, []byte(plan.HandOver.statement().Reveal()), 0o600); err != nil {
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
	if text := show(want.plan(master, slave)); !strings.Contains(text, names) {
		t.Errorf("the slave's plan does not name them:\n%s", text)
	}
	master.Started = master.Started.Add(time.Hour)
	if text := show(want.plan(master, slave)); strings.Contains(text, "other data") {
		t.Errorf("after a restart they are named:\n%s", text)
	}
}

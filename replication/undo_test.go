package replication_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestUndo applies the settings and the accounts of a plan, and takes each step back, the
// last one first: the server is as it was, and its binary log has none of it.
func TestUndo(t *testing.T) {
	for kind, settings := range map[servertest.Kind][]string{
		servertest.MariaDB: {"SET GLOBAL expire_logs_days=1.5"},
		servertest.MySQL97: {
			"SET GLOBAL binlog_expire_logs_seconds=3600", "SET PERSIST max_allowed_packet=2097152",
			"SET GLOBAL event_scheduler=ON",
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			at := pairs.OwnServer(t, kind, "undone", 13)
			at.Exec(t, settings...)
			at.Exec(t, "SET GLOBAL binlog_format='MIXED'", "SET GLOBAL binlog_row_image='MINIMAL'",
				"SET GLOBAL max_allowed_packet=2097152", "SET GLOBAL read_only=0")
			at.Exec(t, "SET GLOBAL slave_net_timeout=120", "CREATE DATABASE undone")
			login := server.Login{Network: "unix", Address: at.Socket, User: at.User}

			master, err := server.Open(t.Context(), finding.Master, login)
			if err != nil {
				t.Fatal(err)
			}
			defer master.Close()
			f := readFacts(t, master)
			password := server.NewPassword("It's a \\ secret")
			wanted := replication.PlanMaster(f, replication.MasterWant{
				Databases: []string{"undone"}, DropIn: &optionfile.DropIn{},
				Fresh: replication.Fresh{Mark: "X", Passwords: map[string]server.Password{
					facts.ReplicationUser: password, facts.MonitorUser: password, facts.SeedUser: password,
				}},
			})
			mustUndo(t, master, wanted, 4)

			slave, err := server.Open(t.Context(), finding.Slave, login)
			if err != nil {
				t.Fatal(err)
			}
			defer slave.Close()
			of := readFacts(t, master)
			of.Variables["max_allowed_packet"], of.Variables["server_uuid"] = "16777216", of.UUID()+"0"
			f = readFacts(t, slave)
			f.Databases = nil
			handOver := &replication.HandOver{
				ServerID: of.ServerID(), UUID: of.UUID(), Databases: []string{"undone"},
				Passwords: map[string]server.Password{facts.ReplicationUser: password},
			}
			wanted = replication.PlanSlave(
				replication.Situation{MasterFacts: of, SlaveFacts: f, DropIn: &optionfile.DropIn{}},
				replication.SlaveWant{HandOver: handOver, Databases: handOver.Databases, Port: 3307, Method: journal.SeedDump},
			)
			mustUndo(t, slave, wanted, 2)
		})
	}
}

func readFacts(t *testing.T, s *server.Server) *facts.Facts {
	t.Helper()
	f, err := facts.Read(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// mustUndo applies the steps of a plan that are SQL with a way back, at least so many,
// and takes them back.
func mustUndo(t *testing.T, s *server.Server, plan *replication.Plan, least int) {
	t.Helper()
	if err := plan.Err(); err != nil {
		t.Fatalf("no plan: %s", pairs.Texts(plan.Problems))
	}
	state := func() (*facts.Facts, server.Position) {
		t.Helper()
		at, err := s.Position(t.Context(), s.DB)
		if err != nil {
			t.Fatal(err)
		}
		return readFacts(t, s), at
	}
	before, begin := state()
	var done []*replication.Step
	for _, step := range plan.Steps {
		if len(step.SQL) == 0 || len(step.Undo) == 0 || step.Name == "change-master" || step.Name == "filter" ||
			step.Name == "start-slave" {
			continue
		}
		if err := s.Run(t.Context(), step.SQL); err != nil {
			t.Fatalf("%s: %v", step.Name, err)
		}
		done = append(done, step)
	}
	if len(done) < least {
		t.Fatalf("only %d steps could be applied and undone", len(done))
	}
	if changed, _ := state(); maps.Equal(changed.Variables, before.Variables) {
		t.Error("the plan changes no variable")
	}
	for _, step := range slices.Backward(done) {
		if err := s.Run(t.Context(), step.Undo); err != nil {
			t.Errorf("undo of %s: %v", step.Name, err)
		}
	}
	after, end := state()
	for name, value := range before.Variables {
		if after.Variables[name] != value {
			t.Errorf("%s was %q, and is %q", name, value, after.Variables[name])
		}
	}
	if !maps.Equal(before.Persisted, after.Persisted) {
		t.Errorf("persisted was %q, and is %q", before.Persisted, after.Persisted)
	}
	if len(before.Accounts) != len(after.Accounts) || after.SeedMade != before.SeedMade {
		t.Errorf("there are the accounts %v, %t", after.Accounts, after.SeedMade)
	}
	if end.File != begin.File || end.Offset != begin.Offset {
		t.Errorf("the binary log has gone on from %s to %s", begin, end)
	}
}

package seed_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestSeedByClone clones a server onto another one, which shuts down at the
// end: nothing there restarts it, and the test does when it is asked to.
func TestSeedByClone(t *testing.T) {
	master, _ := pairs.MySQL.Start(t)
	slave := pairs.SharedServer(t, servertest.MySQL97, "cloned slave", 13)
	databases := fillServer(t, master, false)
	slave.Exec(t, "DROP DATABASE IF EXISTS seed_own", "CREATE DATABASE seed_own")
	for _, table := range master.Values(t,
		"SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables WHERE engine = 'MyISAM' "+
			"AND table_schema LIKE 'seed%'") {
		master.Exec(t, "DROP TABLE "+table) // of another test
	}
	if master.Count(t, "information_schema.plugins", "plugin_name = 'clone'") > 0 {
		pairs.WaitUntil(t, "end of the plugin", func() (string, bool) { // the donor of another test may be at work
			_, err := master.DB.ExecContext(t.Context(), "UNINSTALL PLUGIN clone")
			return fmt.Sprint(err), err == nil
		})
	}
	s := newSeed(t, master, slave, databases...)
	s.Method = journal.SeedClone
	found, err := s.Check(t.Context())
	if p := pairs.ProblemOf(found.Problems, "no-clone-plugin"); err != nil || p == nil || p.On != finding.Master {
		t.Errorf("the seeding account may not install the plugin: %v\n%s", err, pairs.Texts(found.Problems))
	}
	master.Exec(t, "INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
	defer master.Exec(t, "UNINSTALL PLUGIN clone")
	s = newSeed(t, master, slave, databases...)
	s.Method, s.MaxRate, s.Compress = journal.SeedClone, 1<<30, true
	// The administrator is on both; the account that the slave had is not after.
	s.Slave, err = server.Open(t.Context(), finding.Slave,
		server.Login{Network: "unix", Address: slave.Socket, User: slave.User})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Slave.Close()
	if s.SlaveFacts, err = facts.Read(t.Context(), s.Slave); err != nil {
		t.Fatal(err)
	}
	found, err = s.Check(t.Context())
	erases := pairs.ProblemOf(found.Warnings, "clone-erases")
	if err != nil || len(found.Problems) > 0 || erases == nil {
		t.Fatalf("%v\n%s%s", err, pairs.Texts(found.Problems), pairs.Texts(found.Warnings))
	}
	if !strings.Contains(erases.Text, "seed_own") {
		t.Errorf("erased would be: %s", erases.Text)
	}
	// What a run that was killed has left, and a restart that makes the slave read-only.
	s.PersistedEvents = new(string)
	slave.Exec(t, "SET PERSIST event_scheduler=OFF", "SET PERSIST_ONLY super_read_only=ON")
	master.Exec(t, "CREATE USER IF NOT EXISTS gtunnel_seed@'127.0.0.1' IDENTIFIED BY 'the-Pw1'",
		"CREATE PROCEDURE mysql.gtunnel_drop_seed() SET @a=1")
	defer master.Exec(t, "DROP USER gtunnel_seed@'127.0.0.1'", "DROP PROCEDURE mysql.gtunnel_drop_seed")
	var told []seed.Phase
	s.Progress = func(p seed.Progress) { told = append(told, p.Phase) }
	position, err := runRestarting(t, s, slave)
	if err != nil {
		t.Fatalf("%v\n%s", err, slave.Log())
	}
	mustHoldLine(t, s)
	if len(told) > 0 && told[0] != seed.PhaseCopy {
		t.Errorf("the phases told were %v", told)
	}
	if position.IsZero() || position.GTID == "" {
		t.Errorf("the position is %v %s", position, position.GTID)
	}
	compareCopies(t, master, slave, databases)
	mustBeClone(t, slave)
}

// TestCloneKilled: a clone that is killed with its server has failed, though an earlier
// one was completed, and the server says for ever that it goes on.
func TestCloneKilled(t *testing.T) {
	master, _ := pairs.MySQL.Start(t)
	slave := pairs.OwnServer(t, servertest.MySQL97, "killed clone", 14)
	if master.Count(t, "information_schema.plugins", "plugin_name = 'clone'") == 0 {
		master.Exec(t, "INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
	}
	master.Exec(t, "SET GLOBAL clone_donor_timeout_after_network_failure=0")
	slave.Exec(t, "INSTALL PLUGIN clone SONAME 'mysql_clone.so'", "SET GLOBAL clone_autotune_concurrency=OFF",
		"SET GLOBAL clone_max_concurrency=1", "SET GLOBAL clone_max_data_bandwidth=1")
	s := newSeed(t, master, slave, "seed_all")
	s.Method = journal.SeedClone
	var err error
	s.Slave = slave.AsRoot(t, finding.Slave)
	if s.SlaveFacts, err = facts.Read(t.Context(), s.Slave); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.Run(t.Context())
		ended <- err
	}()
	pairs.WaitUntil(t, "clone that copies files", func() (string, bool) {
		return "", slave.Count(t, "performance_schema.clone_progress", "stage = 'FILE COPY' AND data > 0") > 0
	})
	slave.Kill()
	if err := slave.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !finding.HasCode(err, "clone-failed") {
			t.Errorf("got %v", err)
		}
	case <-time.After(pairs.Patience):
		t.Error("it is waited for")
	}
}

// runRestarting runs a seed, and starts the slave once it has ended.
func runRestarting(t *testing.T, s *seed.Seed, slave *pairs.Server) (server.Position, error) {
	t.Helper()
	ended := slave.Ended()
	ctx, cancel := context.WithCancel(t.Context())
	var restarting sync.WaitGroup
	defer restarting.Wait()
	defer cancel()
	restarting.Go(func() {
		select {
		case <-ended:
			if err := slave.Start(ctx); err != nil {
				t.Error(err)
			}
		case <-ctx.Done():
		}
	})
	return s.Run(t.Context())
}

// mustBeClone looks at what a clone leaves on the slave beside the data.
func mustBeClone(t *testing.T, slave *pairs.Server) {
	t.Helper()
	if n := slave.Count(t, "information_schema.events", "status = 'ENABLED'"); n != 0 {
		t.Errorf("%d events are enabled", n)
	}
	if got := slave.Values(t, "SELECT @@event_scheduler"); got[0] != "OFF" {
		t.Errorf("the event scheduler is %s", got[0])
	}
	if n := slave.Count(t, "performance_schema.persisted_variables", "variable_name = 'event_scheduler'"); n != 0 {
		t.Error("the event scheduler stays off after the next restart")
	}
	if n := slave.Count(t, "mysql.user", "user LIKE 'gtunnel%'") +
		slave.Count(t, "information_schema.routines", "routine_name LIKE 'gtunnel%'"); n != 0 {
		t.Error("the slave has kept what is the master's alone")
	}
	if n := slave.Count(t, "information_schema.schemata", "schema_name = 'seed_own'"); n != 0 {
		t.Error("the slave has kept a database of its own")
	}
}

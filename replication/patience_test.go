package replication_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// setGlobal sets a variable of new sessions until the test ends.
func setGlobal(t *testing.T, server *servertest.Server, name, value, usual string) {
	t.Helper()
	pairs.Run(t.Context(), t, server.DB, []string{"SET GLOBAL " + name + "=" + value})
	t.Cleanup(func() {
		pairs.Run(context.WithoutCancel(t.Context()), t, server.DB, []string{"SET GLOBAL " + name + "=" + usual})
	})
}

// TestNoAutocommit compares and repairs on a slave whose sessions begin
// transactions that nobody has asked for.
func TestNoAutocommit(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			pairs.MarkTools(t)
			p := pair.Couple(t)
			_, slave := pair.Start(t)
			p.Fresh(t, "uncommitted")
			p.OnMaster(t, "CREATE TABLE uncommitted.t (id int PRIMARY KEY, v varchar(30))")
			p.OnMaster(t, pairs.Numbered("uncommitted.t", 10)...)
			p.Sync(t)
			p.OnSlave(t, "DELETE FROM uncommitted.t WHERE id = 3")
			setGlobal(t, slave.Server, "autocommit", "0", "1")
			p.Slave, _ = slave.AsAdministrator(t, finding.Slave)
			if err := repair(t.Context(), t, p, "uncommitted.t"); err != nil {
				t.Fatal(err)
			}
			if result := compareOn(t, p, compare.Comparison{Databases: []string{"uncommitted"}}); !result.Equal() {
				t.Errorf("differs: %q", found(result, "uncommitted.t"))
			}
			// The SQL thread has it from the server, and would not commit an ALTER
			// SEQUENCE.
			word := "SLAVE"
			if pair.Slave.IsMySQL() {
				word = "REPLICA"
			}
			p.OnSlave(t, "SET GLOBAL autocommit=1", "STOP "+word+" SQL_THREAD", "START "+word+" SQL_THREAD")
		})
	}
}

// TestSilentSessions holds a lock, and copies slowly, between servers that soon
// end sessions which are silent.
func TestSilentSessions(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			p := pair.Couple(t)
			master, slave := pair.Start(t)
			p.Fresh(t, "silent")
			p.OnMaster(t, "CREATE TABLE silent.t (id int PRIMARY KEY AUTO_INCREMENT, v longtext)", "CREATE TABLE silent.u (id int PRIMARY KEY)")
			for range 4 {
				p.OnMaster(t, "INSERT INTO silent.t (v) VALUES (REPEAT('x', 500000))")
			}
			p.Sync(t)
			for _, server := range []*pairs.Server{master, slave} {
				setGlobal(t, server.Server, "wait_timeout", "1", "28800")
			}
			p.Master, p.MasterFacts = master.AsAdministrator(t, finding.Master)
			p.Slave, _ = slave.AsAdministrator(t, finding.Slave)

			var second error
			inside := compare.Comparison{Master: p.Master, Slave: p.Slave, Databases: []string{"silent"}}
			outside := inside
			outside.Progress = func(now compare.Progress) {
				if now.Table != "" && second == nil {
					endsSilent(t, slave)
					_, second = inside.Run(t.Context())
				}
			}
			if _, err := outside.Run(t.Context()); err != nil {
				t.Error(err)
			}
			if !finding.HasCode(second, "busy") {
				t.Errorf("another run: %v", second)
			}

			stop, seed := "STOP REPLICA", newSeed(t, master, slave, "silent")
			if pair == pairs.MariaDB {
				stop = "STOP SLAVE"
				found, err := seed.Check(t.Context())
				if err != nil || pairs.ProblemOf(found.Warnings, "wait-timeout") == nil || pairs.ProblemOf(found.Problems, "wait-timeout") != nil {
					t.Errorf("%v\n%s%s", err, pairs.Texts(found.Problems), pairs.Texts(found.Warnings))
				}
				seed.MaxRate = 400 << 10
				found, err = seed.Check(t.Context())
				if err != nil || pairs.ProblemOf(found.Problems, "wait-timeout") == nil {
					t.Errorf("with a rate: %v\n%s", err, pairs.Texts(found.Problems))
				}
				if _, err := seed.Run(t.Context()); !finding.HasCode(err, "wait-timeout") {
					t.Errorf("its dump cannot last, and the seed says %v", err)
				}
				pairs.Run(t.Context(), t, master.DB, []string{"SET GLOBAL wait_timeout=600"})
				seed = newSeed(t, master, slave, "silent")
			}
			p.OnSlave(t, stop)
			seed.MaxRate = 400 << 10
			if _, err := seed.Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// endsSilent waits until a server has ended a session that does nothing.
func endsSilent(t *testing.T, server *pairs.Server) {
	t.Helper()
	db, err := server.Open(pairs.Administrator, pairs.AdministratorPassword)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var id int
	if err := conn.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	pairs.WaitUntil(t, "end of a silent session", func() (string, bool) {
		var there int
		err := server.DB.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.processlist WHERE id = ?", id).Scan(&there)
		return fmt.Sprint(err), err == nil && there == 0
	})
}

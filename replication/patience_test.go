package replication_test

import (
	"context"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// setGlobal sets a variable of new sessions until the test ends.
func setGlobal(t *testing.T, server *servertest.Server, name, value, usual string) {
	t.Helper()
	run(t.Context(), t, server.DB, []string{"SET GLOBAL " + name + "=" + value})
	t.Cleanup(func() {
		run(context.WithoutCancel(t.Context()), t, server.DB, []string{"SET GLOBAL " + name + "=" + usual})
	})
}

// TestNoAutocommit compares and repairs on a slave whose sessions begin
// transactions that nobody has asked for.
func TestNoAutocommit(t *testing.T) {
	for _, pair := range followers {
		t.Run(pair.String(), func(t *testing.T) {
			markTools(t)
			p := pair.couple(t)
			_, slave := pair.start(t)
			p.fresh(t, "uncommitted")
			p.onMaster(t, "CREATE TABLE uncommitted.t (id int PRIMARY KEY, v varchar(30))")
			p.onMaster(t, numbered("uncommitted.t", 10)...)
			p.sync(t)
			p.onSlave(t, "DELETE FROM uncommitted.t WHERE id = 3")
			setGlobal(t, slave.Server, "autocommit", "0", "1")
			p.Slave, _ = openAsAdministrator(t, finding.Slave, slave)
			if err := p.repair(t.Context(), t, "uncommitted.t"); err != nil {
				t.Fatal(err)
			}
			if result := p.compare(t, compare.Comparison{Databases: []string{"uncommitted"}}); !result.Equal() {
				t.Errorf("differs: %q", found(result, "uncommitted.t"))
			}
			// The SQL thread has it from the server, and would not commit an ALTER
			// SEQUENCE.
			word := "SLAVE"
			if pair.slave.IsMySQL() {
				word = "REPLICA"
			}
			p.onSlave(t, "SET GLOBAL autocommit=1", "STOP "+word+" SQL_THREAD", "START "+word+" SQL_THREAD")
		})
	}
}

// TestSilentSessions holds a lock, and copies slowly, between servers that soon
// end sessions which are silent.
func TestSilentSessions(t *testing.T) {
	for _, pair := range followers {
		t.Run(pair.String(), func(t *testing.T) {
			p := pair.couple(t)
			master, slave := pair.start(t)
			p.fresh(t, "silent")
			p.onMaster(t, "CREATE TABLE silent.t (id int PRIMARY KEY AUTO_INCREMENT, v longtext)", "CREATE TABLE silent.u (id int PRIMARY KEY)")
			for range 4 {
				p.onMaster(t, "INSERT INTO silent.t (v) VALUES (REPEAT('x', 500000))")
			}
			p.sync(t)
			for _, server := range []*testServer{master, slave} {
				setGlobal(t, server.Server, "wait_timeout", "1", "28800")
			}
			p.Master, p.masterFacts = openAsAdministrator(t, finding.Master, master)
			p.Slave, _ = openAsAdministrator(t, finding.Slave, slave)

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
			if pair == mariadbPair {
				stop = "STOP SLAVE"
				found, err := seed.Check(t.Context())
				if err != nil || problemOf(found.Warnings, "wait-timeout") == nil || problemOf(found.Problems, "wait-timeout") != nil {
					t.Errorf("%v\n%s%s", err, texts(found.Problems), texts(found.Warnings))
				}
				seed.MaxRate = 400 << 10
				found, err = seed.Check(t.Context())
				if err != nil || problemOf(found.Problems, "wait-timeout") == nil {
					t.Errorf("with a rate: %v\n%s", err, texts(found.Problems))
				}
				if _, err := seed.Run(t.Context()); !finding.HasCode(err, "wait-timeout") {
					t.Errorf("its dump cannot last, and the seed says %v", err)
				}
				run(t.Context(), t, master.db, []string{"SET GLOBAL wait_timeout=600"})
				seed = newSeed(t, master, slave, "silent")
			}
			p.onSlave(t, stop)
			seed.MaxRate = 400 << 10
			if _, err := seed.Run(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// endsSilent waits until a server has ended a session that does nothing.
func endsSilent(t *testing.T, server *testServer) {
	t.Helper()
	db, err := server.Open("dba", "all of it")
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
	waitFor(t, func() bool {
		var there int
		err := server.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.processlist WHERE id = ?", id).Scan(&there)
		return err == nil && there == 0
	})
}

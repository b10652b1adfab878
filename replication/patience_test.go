package replication_test

import (
	"fmt"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

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
			slave.SetGlobal(t, "autocommit", "0", "1")
			p.Slave, _ = slave.AsAdministrator(t, finding.Slave)
			if err := repair(t.Context(), p, "uncommitted.t"); err != nil {
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

// TestSilentSessions holds a lock between servers that soon end sessions which are
// silent.
func TestSilentSessions(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			p := pair.Couple(t)
			master, slave := pair.Start(t)
			p.Fresh(t, "silent")
			p.OnMaster(t, "CREATE TABLE silent.t (id int PRIMARY KEY AUTO_INCREMENT, v longtext)",
				"CREATE TABLE silent.u (id int PRIMARY KEY)")
			for range 4 {
				p.OnMaster(t, "INSERT INTO silent.t (v) VALUES (REPEAT('x', 500000))")
			}
			p.Sync(t)
			for _, server := range []*pairs.Server{master, slave} {
				server.SetGlobal(t, "wait_timeout", "1", "28800")
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
		err := server.DB.QueryRowContext(
			t.Context(), "SELECT COUNT(*) FROM information_schema.processlist WHERE id = ?", id,
		).Scan(&there)
		return fmt.Sprint(err), err == nil && there == 0
	})
}

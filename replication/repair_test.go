package replication_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// repair repairs tables.
func (p *couple) repair(ctx context.Context, t *testing.T, tables ...string) error {
	t.Helper()
	return (&replication.Repair{Master: p.Master, Slave: p.Slave, Tables: tables}).Run(ctx)
}

// status is what the slave says of its master.
func (p *couple) status(t *testing.T) *server.SlaveStatus {
	t.Helper()
	facts, err := facts.Read(t.Context(), p.Slave)
	if err != nil {
		t.Fatal(err)
	}
	return facts.Masters[0]
}

func TestRepair(t *testing.T) {
	onCouples(t, followers, func(t *testing.T, p *couple) {
		markTools(t)
		p.fresh(t, "repairs")
		tables := []string{"repairs.bad_t"}
		for _, table := range []string{"repairs.bad_t", "repairs.badxt"} {
			p.onMaster(t, "CREATE TABLE "+table+" (id int PRIMARY KEY, v varchar(30))")
			p.onMaster(t, numbered(table, 2000)...)
		}
		p.onMaster(t, "CREATE TABLE repairs.child (id int PRIMARY KEY, bad int, FOREIGN KEY (bad) REFERENCES repairs.bad_t (id))",
			"INSERT INTO repairs.child VALUES (1, 1), (2, 2)", "CREATE TRIGGER repairs.tr BEFORE INSERT ON repairs.bad_t FOR EACH ROW SET NEW.v = UPPER(NEW.v)")
		p.sync(t)

		t.Run("another table's name in capitals", func(t *testing.T) {
			p.onMaster(t, "CREATE TABLE repairs.BADXT (id int PRIMARY KEY)")
			p.sync(t)
			if err := p.repair(t.Context(), t, "repairs.badxt"); finding.HasCode(err, "case-of-name") == (p.Slave.Version.Family == server.MySQL) {
				t.Errorf("got %v", err)
			}
			if err := p.repair(t.Context(), t, "repairs.badxt", "repairs.BADXT"); err != nil {
				t.Error(err)
			}
			p.onMaster(t, "DROP TABLE repairs.BADXT")
			p.sync(t)
		})
		t.Run("stopped at a duplicate row", func(t *testing.T) {
			p.onSlave(t, "INSERT INTO repairs.bad_t VALUES (5000, 'mine')", "DELETE FROM repairs.bad_t WHERE id = 17")
			stop := p.write(t, "INSERT INTO repairs.bad_t (v, id) VALUES (?, 5000 + ?)", "UPDATE repairs.badxt SET v = ? WHERE id = 1 + ? MOD 2000")
			waitFor(t, func() bool { return p.status(t).SQLErrno != 0 })
			if err := p.repair(t.Context(), t, tables...); err != nil {
				t.Fatal(err)
			}
			stop()
			p.sync(t)
			p.mustBeRepaired(t)
		})
		t.Run("running", func(t *testing.T) {
			p.onSlave(t, "UPDATE repairs.bad_t SET v = 'mine' WHERE id = 18")
			stop := p.write(t, "UPDATE repairs.bad_t SET v = ? WHERE id = 1 + ? MOD 2000", "UPDATE repairs.badxt SET v = ? WHERE id = 1 + ? MOD 2000")
			if err := p.repair(t.Context(), t, tables...); err != nil {
				t.Fatal(err)
			}
			stop()
			p.sync(t)
			p.mustBeRepaired(t)
		})
		t.Run("cut off before the copy", func(t *testing.T) {
			if err := p.repair(t.Context(), t, "repairs.nothing"); !finding.HasCode(err, "no-table") {
				t.Errorf("got %v", err)
			}
			toolWrapper(t, "exit 1", "mariadb-dump", "mysqldump")
			if err := p.repair(t.Context(), t, tables...); err == nil {
				t.Error("no error")
			}
			p.mustBeRepaired(t)
		})
		t.Run("cut off during the copy", func(t *testing.T) {
			p.onSlave(t, "UPDATE repairs.bad_t SET v = 'mine' WHERE id = 18")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			release := p.holdSlave(t, "repairs.bad_t") // so that it cannot be dropped
			ended := make(chan error, 1)
			go func() { ended <- p.repair(ctx, t, tables...) }()
			waitFor(t, func() bool {
				s := p.status(t)
				return s.Until != "" && s.SQLRunning == "No"
			})
			cancel(errors.New("enough"))
			if err := <-ended; !finding.HasCode(err, "repair") {
				t.Errorf("got %v", err)
			}
			release()
			p.mustRun(t)
			if got := p.status(t).IgnoreTable; !slices.Equal(got, []string{"repairs.bad_t"}) {
				t.Errorf("the slave ignores %q", got)
			}
			if result := p.compare(t, compare.Comparison{Databases: []string{"repairs"}}); result.Equal() || !strings.Contains(strings.Join(result.Objects, "\n"), "does not replicate it") {
				t.Errorf("equal %t, %q, with a table that is not replicated", result.Equal(), result.Objects)
			}
			if err := p.repair(t.Context(), t, tables...); err != nil {
				t.Fatal(err)
			}
			p.mustBeRepaired(t)
		})
	})
}

// mustBeRepaired fails if the slave does not replicate all, or differs.
func (p *couple) mustBeRepaired(t *testing.T) {
	t.Helper()
	if ignored := p.status(t).IgnoreTable; len(ignored) > 0 {
		t.Errorf("the slave ignores %q", ignored)
	}
	result := p.compare(t, compare.Comparison{Databases: []string{"repairs"}})
	if !result.Equal() || len(result.Tables) != 3 {
		t.Errorf("differs: %q %+v", found(result, "repairs.bad_t"), result)
	}
}

package replication_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

func TestMain(m *testing.M) { os.Exit(pairs.Main(m)) }

// repair repairs tables.
func repair(ctx context.Context, p *pairs.Couple, tables ...string) error {
	return (&replication.Repair{Master: p.Master, Slave: p.Slave, Tables: tables}).Run(ctx)
}

// compareOn compares and checks that the slave runs afterwards.
func compareOn(t *testing.T, p *pairs.Couple, c compare.Comparison) *compare.Result {
	t.Helper()
	c.Master, c.Slave = p.Master, p.Slave
	result, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.MustRun(t)
	return result
}

// found is what a comparison found of all objects and the rows of a table, in
// words.
func found(result *compare.Result, table string) []string {
	words := slices.Clone(result.Objects)
	for _, r := range result.Tables {
		for _, d := range r.Differences {
			if r.Table == table {
				words = append(words, d.String())
			}
		}
	}
	return words
}

// newSeed makes a seed between two servers.
func newSeed(t *testing.T, master, slave *pairs.Server, databases ...string) *seed.Seed {
	t.Helper()
	pairs.MarkTools(t)
	m, mf := master.AsSeeder(t, finding.Master)
	s, sf := slave.AsSeeder(t, finding.Slave)
	return &seed.Seed{Master: m, Slave: s, MasterFacts: mf, SlaveFacts: sf, Databases: databases}
}

func TestRepair(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		pairs.MarkTools(t)
		p.Fresh(t, "repairs")
		tables := []string{"repairs.bad_t"}
		for _, table := range []string{"repairs.bad_t", "repairs.badxt"} {
			p.OnMaster(t, "CREATE TABLE "+table+" (id int PRIMARY KEY, v varchar(30))")
			p.OnMaster(t, pairs.Numbered(table, 2000)...)
		}
		p.OnMaster(t, "CREATE TABLE repairs.child (id int PRIMARY KEY, bad int,"+
			" FOREIGN KEY (bad) REFERENCES repairs.bad_t (id))",
			"INSERT INTO repairs.child VALUES (1, 1), (2, 2)", "CREATE TRIGGER repairs.tr BEFORE INSERT ON repairs.bad_t FOR "+
				"EACH ROW SET NEW.v = UPPER(NEW.v)")
		p.Sync(t)

		t.Run("another table's name in capitals", func(t *testing.T) { repairCapitals(t, p) })
		t.Run("stopped at a duplicate row", func(t *testing.T) {
			p.OnSlave(t, "INSERT INTO repairs.bad_t VALUES (5000, 'mine')", "DELETE FROM repairs.bad_t WHERE id = 17")
			stop := p.Write(t, "INSERT INTO repairs.bad_t (v, id) VALUES (?, 5000 + ?)",
				"UPDATE repairs.badxt SET v = ? WHERE id = 1 + ? MOD 2000")
			pairs.WaitUntil(t, "duplicate row", func() (string, bool) {
				s := p.Status(t)
				return fmt.Sprintf("%+v", *s), s.SQLErrno != 0
			})
			if err := repair(t.Context(), p, tables...); err != nil {
				t.Fatal(err)
			}
			stop()
			p.Sync(t)
			mustBeRepaired(t, p)
		})
		t.Run("running", func(t *testing.T) {
			p.OnSlave(t, "UPDATE repairs.bad_t SET v = 'mine' WHERE id = 18")
			stop := p.Write(t, "UPDATE repairs.bad_t SET v = ? WHERE id = 1 + ? MOD 2000",
				"UPDATE repairs.badxt SET v = ? WHERE id = 1 + ? MOD 2000")
			if err := repair(t.Context(), p, tables...); err != nil {
				t.Fatal(err)
			}
			stop()
			p.Sync(t)
			mustBeRepaired(t, p)
		})
		t.Run("cut off before the copy", func(t *testing.T) {
			if err := repair(t.Context(), p, "repairs.nothing"); !finding.HasCode(err, "no-table") {
				t.Errorf("got %v", err)
			}
			pairs.WrapTools(t, "exit 1", "mariadb-dump", "mysqldump")
			if err := repair(t.Context(), p, tables...); err == nil {
				t.Error("no error")
			}
			mustBeRepaired(t, p)
		})
		t.Run("cut off during the copy", func(t *testing.T) { repairCutOff(t, p, tables) })
	})
}

// repairCapitals repairs a table beside one whose name differs in capitals.
func repairCapitals(t *testing.T, p *pairs.Couple) {
	t.Helper()
	p.OnMaster(t, "CREATE TABLE repairs.BADXT (id int PRIMARY KEY)")
	p.Sync(t)
	if err := repair(t.Context(), p, "repairs.badxt"); finding.HasCode(err, "case-of-name") ==
		(p.Slave.Version.Family == server.MySQL) {
		t.Errorf("got %v", err)
	}
	if err := repair(t.Context(), p, "repairs.badxt", "repairs.BADXT"); err != nil {
		t.Error(err)
	}
	p.OnMaster(t, "DROP TABLE repairs.BADXT")
	p.Sync(t)
}

// repairCutOff cuts a repair off while it copies, and repairs again.
func repairCutOff(t *testing.T, p *pairs.Couple, tables []string) {
	t.Helper()
	p.OnSlave(t, "UPDATE repairs.bad_t SET v = 'mine' WHERE id = 18")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	release := p.HoldSlave(t, "repairs.bad_t") // so that it cannot be dropped
	ended := make(chan error, 1)
	go func() { ended <- repair(ctx, p, tables...) }()
	pairs.WaitUntil(t, "slave that has stopped for the copy", func() (string, bool) {
		s := p.Status(t)
		return fmt.Sprintf("%+v", *s), s.Until != "" && s.SQLRunning == "No"
	})
	cancel(errors.New("enough"))
	if err := <-ended; !finding.HasCode(err, "repair") {
		t.Errorf("got %v", err)
	}
	release()
	p.MustRun(t)
	if got := p.Status(t).IgnoreTable; !slices.Equal(got, []string{"repairs.bad_t"}) {
		t.Errorf("the slave ignores %q", got)
	}
	if result := compareOn(t, p, compare.Comparison{Databases: []string{"repairs"}}); result.Equal() ||
		!strings.Contains(strings.Join(result.Objects, "\n"), "does not replicate it") {
		t.Errorf("equal %t, %q, with a table that is not replicated", result.Equal(), result.Objects)
	}
	if err := repair(t.Context(), p, tables...); err != nil {
		t.Fatal(err)
	}
	mustBeRepaired(t, p)
}

// mustBeRepaired fails if the slave does not replicate all, or differs.
func mustBeRepaired(t *testing.T, p *pairs.Couple) {
	t.Helper()
	if ignored := p.Status(t).IgnoreTable; len(ignored) > 0 {
		t.Errorf("the slave ignores %q", ignored)
	}
	result := compareOn(t, p, compare.Comparison{Databases: []string{"repairs"}})
	if !result.Equal() || len(result.Tables) != 3 {
		t.Errorf("differs: %q %+v", found(result, "repairs.bad_t"), result)
	}
}

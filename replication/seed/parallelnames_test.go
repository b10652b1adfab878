package seed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestParallelNames copies each table once, however databases and tables are called, by
// several dumps, and goes on with such a copy.
func TestParallelNames(t *testing.T) {
	for _, pair := range pairs.Usual() {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			quote := func(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
			databases := []string{"seed names", "seed,n`a`m\"e's", "seed.a", "seed", "Seed\\#ü=;%", "seed_views", "seed_empty"}
			tables := []string{
				"plain", "two words", " begins with a space", "a.b", "b", "tick`", "comma,", `quote"s'`, "#hash", `back\slash`,
				"-- Table structure for table `b`", "cafe", "café", "CAFÉ", "Plain", "100%_", "=;x", "select", "日本",
			}
			for i, database := range databases {
				for _, s := range []*pairs.Server{master, slave} {
					s.Exec(t, "DROP DATABASE IF EXISTS "+quote(database))
				}
				master.Exec(t, "CREATE DATABASE "+quote(database))
				if i < 5 {
					for n, table := range tables {
						name := quote(database) + "." + quote(table)
						master.Exec(t, "CREATE TABLE "+name+" (id INT PRIMARY KEY)",
							fmt.Sprintf("INSERT INTO %s VALUES (%d), (1000)", name, 100*i+n))
					}
				}
			}
			master.Exec(t, "CREATE VIEW seed_views.v AS SELECT * FROM `seed names`.cafe",
				"CREATE FUNCTION seed_views.f() RETURNS INT DETERMINISTIC RETURN 1")
			s := newSeed(t, master, slave, databases...)
			s.Method, s.GoOn = journal.SeedParallel, true
			for range 2 {
				if _, err := s.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				compareCopies(t, master, slave, databases)
				for _, name := range []string{"`seed names`.`café`", "`seed.a`.b", "seed.`two words`"} {
					slave.Exec(t, "DELETE FROM "+name+" WHERE id = 1000")
				}
			}
			slices.Reverse(databases)
			for _, database := range databases {
				master.Exec(t, "DROP DATABASE "+quote(database))
				slave.Exec(t, "DROP DATABASE "+quote(database))
			}
		})
	}
}

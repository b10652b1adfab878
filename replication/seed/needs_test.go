package seed_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// checkSeed gives the problems of a seed.
func checkSeed(t *testing.T, seed *seed.Seed) []*finding.Problem {
	t.Helper()
	found, err := seed.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found.Problems
}

// makeNeedy makes a database whose tables and views use another database, and that has an
// event in a time zone of the master's alone.
func makeNeedy(t *testing.T, master *pairs.Server, zone string) {
	t.Helper()
	if master.Count(t, "mysql.time_zone_name", "name = '"+zone+"'") == 0 {
		master.Exec(t, "INSERT INTO mysql.time_zone VALUES (77, 'N')",
			"INSERT INTO mysql.time_zone_name VALUES ('"+zone+"', 77)",
			"INSERT INTO mysql.time_zone_transition VALUES (77, -2147483648, 0)",
			"INSERT INTO mysql.time_zone_transition_type VALUES (77, 0, 3600, 0, 'CET')")
	}
	master.Exec(t, "CREATE DATABASE seed_needs",
		"CREATE TABLE seed_needs.c (id INT PRIMARY KEY, p INT, CONSTRAINT away FOREIGN KEY (p) REFERENCES seed_other.p "+
			"(id) ON DELETE CASCADE)",
		"CREATE TABLE seed_needs.d (id INT PRIMARY KEY, p INT,"+
			" CONSTRAINT near FOREIGN KEY (p) REFERENCES seed_needs.c (id))",
		"CREATE VIEW seed_needs.v AS SELECT c.id FROM seed_needs.c JOIN seed_other.p USING (id)",
		"CREATE VIEW seed_needs.w AS SELECT seed_other.f() AS f",
		"CREATE VIEW seed_needs.fine AS SELECT seed_other.id FROM seed_needs.c seed_other")
	master.ExecTogether(t, "SET time_zone = '"+zone+"'",
		"CREATE EVENT seed_needs.e ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DISABLE DO SET @a = 1",
		"SET time_zone = "+
			"'+01:00'", "CREATE EVENT seed_needs.fine ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DISABLE DO SET @a = 1")
}

// TestSeedCheckNeeds finds what databases need and the slave does not get.
func TestSeedCheckNeeds(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			const zone = "Europe/Nowhere"
			other := []string{
				"DROP DATABASE IF EXISTS seed_other", "CREATE DATABASE seed_other",
				"CREATE TABLE seed_other.p (id INT PRIMARY KEY)",
				"CREATE FUNCTION seed_other.f() RETURNS INT DETERMINISTIC RETURN 1",
			}
			master.Exec(t, "DROP DATABASE IF EXISTS seed_needs")
			master.Exec(t, other...)
			slave.Exec(t, "DROP DATABASE IF EXISTS seed_other")
			makeNeedy(t, master, zone)
			wants := map[string][]string{
				"foreign-key": {"away of seed_needs.c to seed_other.p", "--databases seed_needs,seed_other"},
				"view-of-others": {
					"seed_needs.v uses seed_other.p, seed_needs.w uses seed_other.f", "--databases seed_needs,seed_other",
				},
				"unknown-time-zone": {"seed_needs.e (" + zone + ")", "tzinfo"},
			}
			if pair == pairs.MySQL {
				master.Exec(t, "CREATE TABLESPACE seed_space ADD DATAFILE 'seed_space.ibd'",
					"CREATE TABLE seed_needs.`in-space ü` (id INT PRIMARY KEY) TABLESPACE seed_space",
					"CREATE TABLE seed_needs.parts (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2")
				defer master.Exec(t, "DROP TABLE seed_needs.`in-space ü`", "DROP TABLESPACE seed_space")
				wants["unknown-tablespace"] = []string{
					"seed_needs.in-space ü (seed_space)", "innodb_file_per_table", "CREATE TABLESPACE `seed_space`",
				}
			}
			seed := newSeed(t, master, slave, "seed_needs")
			problems := checkSeed(t, seed)
			for code, words := range wants {
				for _, word := range words {
					if p := pairs.ProblemOf(problems, code); p == nil || !strings.Contains(p.Text+"\n"+p.Cure, word) ||
						strings.Contains(p.Text, "fine") || strings.Contains(p.Text, "near") {
						t.Errorf("no %s with %q, or too much:\n%s", code, word, pairs.Texts(problems))
					}
				}
			}
			if len(problems) != len(wants) {
				t.Errorf("there are other problems:\n%s", pairs.Texts(problems))
			}
			seed.Method = journal.SeedNone
			if problems := checkSeed(t, seed); len(problems) != 1 || problems[0].Code != "foreign-key" {
				t.Errorf("of data that is there:\n%s", pairs.Texts(problems))
			}
			seed.Method = journal.SeedDump
			slave.Exec(t, other...)
			if p := pairs.ProblemOf(checkSeed(t, seed), "view-of-others"); p != nil {
				t.Errorf("the slave has what views use: %v", p)
			}
			seed.Databases = append(seed.Databases, "seed_other")
			for _, code := range []string{"foreign-key", "view-of-others"} {
				if p := pairs.ProblemOf(checkSeed(t, seed), code); p != nil {
					t.Errorf("both databases are copied: %v", p)
				}
			}
			slave.Exec(t, "DROP DATABASE seed_other")
		})
	}
}

// TestSeedOfBrokenCheck copies a row that is older than the CHECK that it breaks.
func TestSeedOfBrokenCheck(t *testing.T) {
	master, slave := pairs.MariaDB.Start(t)
	master.ExecTogether(t, "DROP DATABASE IF EXISTS seed_broken", "CREATE DATABASE seed_broken",
		"CREATE TABLE seed_broken.t (id INT PRIMARY KEY, CONSTRAINT few CHECK (id < 10))",
		"SET check_constraint_checks=0", "INSERT INTO seed_broken.t VALUES (100)")
	if _, err := newSeed(t, master, slave, "seed_broken").Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	compareCopies(t, master, slave, []string{"seed_broken"})
}

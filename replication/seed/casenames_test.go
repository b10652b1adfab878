package seed_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestSeedCheckCase tells tables and databases apart whose names differ in case
// only.
func TestSeedCheckCase(t *testing.T) {
	for _, pair := range pairs.Followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.Start(t)
			for _, s := range []*pairs.Server{master, slave} {
				s.Exec(t, "DROP DATABASE IF EXISTS seed_case", "DROP DATABASE IF EXISTS SEED_CASE")
			}
			master.Exec(t, "CREATE DATABASE seed_case CHARACTER SET latin1",
				"CREATE TABLE seed_case.usr (id INT PRIMARY KEY, dn VARCHAR(100), f FLOAT)",
				"INSERT INTO seed_case.usr VALUES (1, _latin1 x'c3bc', 1.5)",
				"CREATE TABLE seed_case.USR (id INT, dn VARCHAR(100), f FLOAT, KEY (dn))", "INSERT INTO seed_case.USR VALUES (1, "+
					"'a', 16777216), (1, 'b', 1.2345678)")
			slave.Exec(t, "CREATE DATABASE SEED_CASE",
				"CREATE EVENT SEED_CASE.e ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DO SET @a = 1", "CREATE DATABASE seed_case")
			copying := newSeed(t, master, slave, "seed_case")
			for _, d := range copying.SlaveFacts.Databases {
				if of := d.Name == "SEED_CASE"; strings.EqualFold(d.Name, "seed_case") && (d.Events != 0) != of ||
					len(d.EnabledEvents) != d.Events {
					t.Errorf("%s has %d events and %v", d.Name, d.Events, d.EnabledEvents)
				}
			}
			found, err := copying.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if p := pairs.ProblemOf(found.Warnings, "latin1-holds-utf8"); p == nil ||
				!strings.HasSuffix(p.Text, ": seed_case.usr.dn") {
				t.Errorf("of latin1 is said:\n%s", pairs.Texts(found.Warnings))
			}
			if p := pairs.ProblemOf(found.Problems, "float-digits"); p == nil ||
				!strings.HasSuffix(p.Text, ": seed_case.USR.f") {
				t.Errorf("of FLOAT is said:\n%s", pairs.Texts(found.Problems))
			}
			// MySQL's filter tells the databases apart.
			pairProblems := rules.Judge(&rules.Subject{
				Moment: rules.CheckPair, Master: copying.MasterFacts, Slave: copying.SlaveFacts,
				Databases: copying.Databases,
			}).Problems
			if p := pairs.ProblemOf(pairProblems, "case-of-name"); (p == nil) != pair.Master.IsMySQL() {
				t.Errorf("of the pair is said:\n%s", pairs.Texts(pairProblems))
			}
			for _, s := range []*pairs.Server{master, slave} {
				s.Exec(t, "DROP DATABASE IF EXISTS seed_case", "DROP DATABASE IF EXISTS SEED_CASE")
			}
		})
	}
}

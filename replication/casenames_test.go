package replication_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/rules"
)

// TestSeedCheckCase tells tables and databases apart whose names differ in case
// only.
func TestSeedCheckCase(t *testing.T) {
	for _, pair := range followers {
		t.Run(pair.String(), func(t *testing.T) {
			master, slave := pair.start(t)
			for _, s := range []*testServer{master, slave} {
				s.exec(t, "DROP DATABASE IF EXISTS seed_case", "DROP DATABASE IF EXISTS SEED_CASE")
			}
			master.exec(t, "CREATE DATABASE seed_case CHARACTER SET latin1", "CREATE TABLE seed_case.usr (id INT PRIMARY KEY, dn VARCHAR(100), f FLOAT)",
				"INSERT INTO seed_case.usr VALUES (1, _latin1 x'c3bc', 1.5)",
				"CREATE TABLE seed_case.USR (id INT, dn VARCHAR(100), f FLOAT, KEY (dn))", "INSERT INTO seed_case.USR VALUES (1, 'a', 16777216), (1, 'b', 1.2345678)")
			slave.exec(t, "CREATE DATABASE SEED_CASE", "CREATE EVENT SEED_CASE.e ON SCHEDULE EVERY 1 YEAR STARTS '2037-01-01' DO SET @a = 1", "CREATE DATABASE seed_case")
			seed := newSeed(t, master, slave, "seed_case")
			for _, d := range seed.SlaveFacts.Databases {
				if of := d.Name == "SEED_CASE"; strings.EqualFold(d.Name, "seed_case") && (d.Events != 0) != of || len(d.EnabledEvents) != d.Events {
					t.Errorf("%s has %d events and %v", d.Name, d.Events, d.EnabledEvents)
				}
			}
			found, err := seed.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if p := problemOf(found.Warnings, "latin1-holds-utf8"); p == nil || !strings.HasSuffix(p.Text, ": seed_case.usr.dn") {
				t.Errorf("of latin1 is said:\n%s", texts(found.Warnings))
			}
			if p := problemOf(found.Problems, "float-digits"); p == nil || !strings.HasSuffix(p.Text, ": seed_case.USR.f") {
				t.Errorf("of FLOAT is said:\n%s", texts(found.Problems))
			}
			// MySQL's filter tells the databases apart.
			pairProblems := rules.Judge(&rules.Subject{
				Moment: rules.CheckPair, Master: seed.MasterFacts, Slave: seed.SlaveFacts, Databases: seed.Databases,
			}).Problems
			if p := problemOf(pairProblems, "case-of-name"); (p == nil) != pair.master.IsMySQL() {
				t.Errorf("of the pair is said:\n%s", texts(pairProblems))
			}
			for _, s := range []*testServer{master, slave} {
				s.exec(t, "DROP DATABASE IF EXISTS seed_case", "DROP DATABASE IF EXISTS SEED_CASE")
			}
		})
	}
}

// TestCompareCase compares beside a database on the master only whose name
// differs in case.
func TestCompareCase(t *testing.T) {
	onCouples(t, followers, func(t *testing.T, p *couple) {
		p.fresh(t, "compare_case")
		p.fresh(t, "compare_other") // MariaDB tells case apart in a list of one
		p.onMaster(t, "CREATE TABLE compare_case.t (id INT PRIMARY KEY, CONSTRAINT c CHECK (id > 0))")
		p.sync(t)
		p.onMaster(t, "SET sql_log_bin=0", "DROP DATABASE IF EXISTS COMPARE_CASE", "CREATE DATABASE COMPARE_CASE CHARACTER SET latin2",
			"CREATE TABLE COMPARE_CASE.t (id INT PRIMARY KEY, CONSTRAINT d CHECK (id > 1))")
		result := p.compare(t, compare.Comparison{Databases: []string{"compare_case", "compare_other"}})
		p.onMaster(t, "SET sql_log_bin=0", "DROP DATABASE COMPARE_CASE", "SET sql_log_bin=1")
		if !result.Equal() {
			t.Errorf("got %q and %+v", result.Objects, result.Tables)
		}
	})
}

package replication_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// sequencePairs are pairs that have sequences.
var sequencePairs = []pairs.Pair{pairs.MariaDB, pairs.MariaDB118, pairs.Upgrade}

// TestRepairSequences copies sequences that the slave has behind or ahead of its
// master, or otherwise.
func TestRepairSequences(t *testing.T) {
	pairs.OnCouples(t, sequencePairs, func(t *testing.T, p *pairs.Couple) {
		pairs.MarkTools(t)
		p.Fresh(t, "places")
		p.OnMaster(t, "USE places", "CREATE SEQUENCE plain", "CREATE SEQUENCE none NOCACHE",
			"CREATE SEQUENCE auto INCREMENT BY 0 CACHE 3", "CREATE SEQUENCE round START WITH 1 MAXVALUE 7 CACHE 2 CYCLE",
			"SELECT NEXTVAL(plain), NEXTVAL(none), NEXTVAL(round)")
		p.Sync(t)
		p.OnSlave(t, "SET sql_log_bin=0", "USE places", "ALTER SEQUENCE plain RESTART 1", "DO SETVAL(none, 700)",
			"ALTER SEQUENCE round RESTART 1 INCREMENT 3", "DO SETVAL(auto, 90)")
		if differ := compareOn(t, p, compare.Comparison{Databases: []string{"places"}}).Objects; len(differ) < 4 {
			t.Errorf("differ %q", differ)
		}
		if err := repair(t.Context(), p, "places.auto", "places.none", "places.plain", "places.round"); err != nil {
			t.Error(err)
		}
		result := compareOn(t, p, compare.Comparison{Databases: []string{"places"}})
		if !result.Equal() || len(result.Skipped) > 0 {
			t.Errorf("differ %q, not compared %q", result.Objects, result.Skipped)
		}
	})
}

// TestAlterSequence: MariaDB's slaves with a filter leave ALTER SEQUENCE out, which
// is said before a copy, found by a comparison, and repaired.
func TestAlterSequence(t *testing.T) {
	pairs.OnCouples(t, []pairs.Pair{pairs.MariaDB}, func(t *testing.T, p *pairs.Couple) {
		pairs.MarkTools(t)
		p.Fresh(t, "altered")
		p.OnMaster(t, "CREATE SEQUENCE altered.s", "CREATE SEQUENCE altered.same")
		p.Sync(t)
		master, slave := pairs.MariaDB.Start(t)
		found, err := newSeed(t, master, slave, "altered").Check(t.Context())
		if warning := pairs.ProblemOf(found.Warnings, "alter-sequence"); err != nil || warning == nil ||
			!strings.Contains(warning.Text, "altered.s, altered.same") {
			t.Errorf("%v, and the warnings are\n%s", err, pairs.Texts(found.Warnings))
		}
		replicateOnly(t, p, "altered.%")
		p.OnMaster(t, "ALTER SEQUENCE altered.s INCREMENT 7")
		p.Sync(t)
		differ := compareOn(t, p, compare.Comparison{Databases: []string{"altered"}}).Objects
		if len(differ) != 1 || !strings.HasPrefix(differ[0], "sequence altered.s is not the same") ||
			!strings.Contains(differ[0], "--repair-table altered.s") {
			t.Errorf("differ %q", differ)
		}
		if err := repair(t.Context(), p, "altered.s"); err != nil {
			t.Fatal(err)
		}
		result := compareOn(t, p, compare.Comparison{Databases: []string{"altered"}})
		if !result.Equal() || len(result.Skipped) > 0 {
			t.Errorf("repaired: differ %q, not compared %q", result.Objects, result.Skipped)
		}
	})
}

// TestRepairStructure compares a copy of tables in what is not seen in their
// columns and indexes.
func TestRepairStructure(t *testing.T) {
	series := []pairs.Pair{
		pairs.MariaDB, pairs.MySQL, pairs.MariaDB118, pairs.Upgrade,
		{Master: servertest.MariaDB105, Slave: servertest.MariaDB105},
	}
	pairs.OnCouples(t, series, func(t *testing.T, p *pairs.Couple) {
		pairs.MarkTools(t)
		p.Fresh(t, "structures")
		p.OnMaster(t, "USE structures",
			"CREATE TABLE h (id INT PRIMARY KEY CHECK (id > 1), v VARCHAR(20), j JSON, CONSTRAINT i CHECK (id > 0),"+
				" CONSTRAINT w CHECK (v <> 'a''b\\\\c' AND (id + 2) * 3 > 4 OR v LIKE '%x%'),"+
				" CONSTRAINT o CHECK (id BETWEEN 1 AND 100000 AND NOT (v IN ('u', 'é'))))",
			`INSERT INTO h VALUES (2, 'v', '{"a": [1, 2]}')`,
			"CREATE TABLE d (id INT PRIMARY KEY, v VARCHAR(10)) DEFAULT CHARACTER SET latin1")
		p.Sync(t)
		for _, table := range []string{"structures.h", "structures.d"} {
			var err error
			if p.MasterFacts, err = facts.Read(t.Context(), p.Master); err != nil {
				t.Fatal(err)
			}
			if err := repair(t.Context(), p, table); err != nil {
				t.Fatal(err)
			}
		}
		result := compareOn(t, p, compare.Comparison{Databases: []string{"structures"}})
		if !result.Equal() || len(result.Tables) != 2 {
			t.Errorf("a copy differs: %+v", result)
		}
	})
}

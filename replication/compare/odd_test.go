package compare_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestCompareStructureOfTables finds what makes a slave's tables others than the master's,
// and a table that its server cannot read beside those that it can.
func TestCompareStructureOfTables(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "odd")
		_, slave := p.Servers(t)
		p.OnMaster(t, "USE odd", "CREATE TABLE ordered (a INT PRIMARY KEY, b INT)",
			"CREATE TABLE keyed (a INT PRIMARY KEY, b INT, c INT, UNIQUE KEY b (b))",
			"CREATE TABLE parts (a INT PRIMARY KEY) PARTITION BY RANGE (a) (PARTITION p1 VALUES LESS THAN (10),"+
				" PARTITION p2 VALUES LESS THAN (20))",
			"CREATE TABLE broken (a INT PRIMARY KEY) ENGINE=MyISAM", "INSERT INTO broken VALUES (1), (2)",
			"CREATE TABLE near (a INT PRIMARY KEY, f FLOAT)", "INSERT INTO near VALUES (1, 16777.217), (2, NULL), (3, 0.1)",
			"CREATE TABLE last (a INT PRIMARY KEY)", "INSERT INTO last VALUES (1)")
		p.Sync(t)
		c := compare.Comparison{Databases: []string{"odd"}}
		if result := compareOn(t, p, c); !result.Equal() || result.NotCompared() > 0 || result.Tables[4].Note != "" {
			t.Fatalf("got %+v", result)
		}
		p.OnSlave(t, "SET sql_log_bin=0", "USE odd", "DROP TABLE ordered", "CREATE TABLE ordered (b INT, a INT PRIMARY KEY)",
			"ALTER TABLE keyed DROP KEY b, ADD KEY b (b), ADD UNIQUE KEY u (c), ADD KEY n (c, b)",
			"ALTER TABLE parts DROP PARTITION p2", "UPDATE near SET f = 16777.2 WHERE a = 1", "UPDATE last SET a = 2",
			"FLUSH TABLES")
		index := filepath.Join(slave.Values(t, "SELECT @@datadir")[0], "odd", "broken.MYI")
		if err := os.Truncate(index, 10); err != nil {
			t.Fatal(err)
		}
		result := compareOn(t, p, c)
		for table, want := range map[string][]string{
			"ordered": {"the columns are in another order, which replication goes by"},
			"keyed": {
				"index b (b) is UNIQUE BTREE on the master and BTREE on the slave", "unique index u (c) is on the slave only",
			},
			"parts": {
				"the partitions are (RANGE `a`: p1 10, p2 20,) on the master and (RANGE `a`: p1 10,) on the slave",
			},
			"near": nil,
			"last": {"a 1: missing on the slave", "a 2: only on the slave"},
		} {
			if got := found(result, "odd."+table); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", table, got, want)
			}
		}
		for _, r := range result.Tables {
			switch {
			case r.Table == "odd.broken" && !strings.Contains(r.Problem, "broken"):
				t.Errorf("of the broken table it says %+v", r)
			case r.Table == "odd.near" && !strings.Contains(r.Note, "FLOATs"):
				t.Errorf("of FLOATs it says %+v", r)
			case r.Table == "odd.keyed" && r.Note != "index n (c, b) is on the slave only":
				t.Errorf("of an index it says %+v", r)
			}
		}
		if result.Equal() || result.NotCompared() != 1 {
			t.Errorf("equal %t, %d not compared", result.Equal(), result.NotCompared())
		}
		p.OnSlave(t, "SET sql_log_bin=0", "DROP DATABASE odd", "CREATE DATABASE odd")
	})
}

// TestCompareDatabases names databases that are on one end only, or nowhere.
func TestCompareDatabases(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.OnSlave(t, "SET sql_log_bin=0", "CREATE DATABASE odd_own")
		defer p.OnSlave(t, "SET sql_log_bin=0", "DROP DATABASE odd_own")
		got := compareOn(t, p, compare.Comparison{Databases: []string{"odd_own"}}).Objects
		if want := []string{
			"database odd_own is on the slave only, or the login on the master may not see it",
		}; !slices.Equal(got, want) {
			t.Errorf("of a database of the slave it says %q", got)
		}
		c := compare.Comparison{Master: p.Master, Slave: p.Slave, Databases: []string{"odd_none"}}
		if _, err := c.Run(t.Context()); !finding.HasCode(err, "no-database") {
			t.Errorf("of a database that is nowhere it says %v", err)
		}
	})
}

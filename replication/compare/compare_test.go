package compare_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

func TestMain(m *testing.M) { os.Exit(pairs.Main(m)) }

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

// found is what a comparison of one table found, in words.
func found(result *compare.Result, table string) []string {
	words := slices.Clone(result.Objects)
	for _, r := range result.Tables {
		if r.Table != table {
			continue
		}
		words = append(words, r.Structure...)
		if r.Problem != "" {
			words = append(words, r.Problem)
		}
		for _, d := range r.Differences {
			words = append(words, d.String())
		}
		if r.More > 0 {
			words = append(words, fmt.Sprintf("%d more", r.More))
		}
	}
	return words
}

// difference is a table that is made to differ. T in its statements stands for
// the table's name.
type difference struct {
	name    string
	columns string   // id int PRIMARY KEY, v varchar(30) if it is empty
	rows    []string // on the master, after 3000 rows were inserted
	onSlave []string
	want    []string
}

var compareDifferences = []difference{
	{name: "nothing"},
	{
		name: "a changed byte", onSlave: []string{"UPDATE T SET v = 'valuf 1500' WHERE id = 1500"},
		want: []string{"id 1500: differs"},
	},
	{
		name: "a changed case", onSlave: []string{"UPDATE T SET v = 'Value 7' WHERE id = 7"}, want: []string{"id 7: differs"},
	},
	{
		name: "a trailing space", onSlave: []string{"UPDATE T SET v = 'value 7 ' WHERE id = 7"},
		want: []string{"id 7: differs"},
	},
	{
		name: "a zero byte", onSlave: []string{"UPDATE T SET v = 'value 7\x00' WHERE id = 7"},
		want: []string{"id 7: differs"},
	},
	{
		name: "NULL and empty", rows: []string{"UPDATE T SET v = '' WHERE id = 9"},
		onSlave: []string{"UPDATE T SET v = NULL WHERE id = 9"}, want: []string{"id 9: differs"},
	},
	{
		name: "a missing row", onSlave: []string{"DELETE FROM T WHERE id = 2000"},
		want: []string{"id 2000: missing on the slave"},
	},
	{
		name: "missing rows", onSlave: []string{"DELETE FROM T WHERE id BETWEEN 990 AND 2100"},
		want: []string{"id 990 to 2100: missing on the slave"},
	},
	{
		name: "rows before the first, in the middle and after the last", rows: []string{"DELETE FROM T WHERE id = 100"},
		onSlave: []string{
			"INSERT INTO T VALUES (-3, 'x'), (0, 'x'), (100, 'x'), (5000, 'x'), (900000, 'x')",
		},
		want: []string{"id -3 to 0: only on the slave", "id 100: only on the slave", "id 5000 to 900000: only on the slave"},
	},
	{name: "an empty slave", onSlave: []string{"DELETE FROM T"}, want: []string{"id 1 to 3000: missing on the slave"}},
	{
		name: "an empty master", rows: []string{"DELETE FROM T"}, onSlave: pairs.Numbered("T", 3000),
		want: []string{"id 1 to 3000: only on the slave"},
	},
	{
		name: "swapped values", onSlave: []string{
			"UPDATE T SET v = 'value 1200' WHERE id = 1100", "UPDATE T SET v = 'value 1100' WHERE id = 1200",
		},
		want: []string{"id 1100: differs", "id 1200: differs"},
	},
	{name: "every row", onSlave: []string{"UPDATE T SET v = 'x'"}, want: []string{"id 1 to 3000: differs"}},
	{
		name: "many places", onSlave: []string{"UPDATE T SET v = 'x' WHERE id % 50 = 0"},
		want: slices.Concat(every50(20), []string{"more"}),
	},
	{
		name: "text moved to the next column", columns: "id int PRIMARY KEY, v varchar(30), w varchar(30) NOT NULL",
		rows:    []string{"UPDATE T SET v = 'a#b', w = 'c' WHERE id = 5"},
		onSlave: []string{"UPDATE T SET v = 'a', w = 'b#c' WHERE id = 5"}, want: []string{"id 5: differs"},
	},
	{
		name:    "bytes moved to the next column",
		columns: "id int PRIMARY KEY, v varchar(30), w varbinary(30) NOT NULL, x varbinary(30) NOT NULL",
		rows:    []string{"UPDATE T SET w = X'61FF62', x = 'c' WHERE id = 5"}, onSlave: []string{
			"UPDATE T SET w = 'a', x = X'62FF63' WHERE id = 5",
		}, want: []string{"id 5: differs"},
	},
	{
		name: "equal rows without a key", columns: "id int, v varchar(30)", rows: []string{"UPDATE T SET id = 1, v = 'one'"},
		onSlave: []string{"UPDATE T SET v = 'two' LIMIT 2"},
		want:    []string{"the whole table (3000 rows on the master, 3000 on the slave): differs"},
	},
	{
		name:    "a text key of which the case differs",
		columns: "v varchar(30) CHARACTER SET latin1 COLLATE latin1_swedish_ci PRIMARY KEY, id int",
		rows:    []string{"UPDATE T SET v = _latin1 X'6162E9' WHERE id = 3"},
		onSlave: []string{"UPDATE T SET v = _latin1 X'4142E9' WHERE id = 3"}, want: []string{
			"v 0x6162E9: missing on the slave", "v 0x4142E9: only on the slave",
		},
	},
	{
		name:    "a key of many columns",
		columns: "id int, v varchar(30), b binary(3) NOT NULL DEFAULT 'abc', PRIMARY KEY (v, b, id)",
		rows:    []string{"UPDATE T SET v = IF(id < 1000, 'first', 'second')"},
		onSlave: []string{"DELETE FROM T WHERE id = 2345"}, want: []string{
			`(v, b, id) ("second", "abc", 2345): missing on the slave`,
		},
	},
	{
		name: "a unique key", columns: "id int, v varchar(30), n bigint unsigned NOT NULL",
		rows:    []string{"UPDATE T SET n = 18446744073709551000 - id * 7", "ALTER TABLE T ADD UNIQUE (n)"},
		onSlave: []string{"UPDATE T SET v = 'x' WHERE id = 4"}, want: []string{"n 18446744073709550972: differs"},
	},
	{
		name: "a key with ENUM", columns: "id int, v varchar(30), e enum('z','a') NOT NULL DEFAULT 'z', PRIMARY KEY (id, e)",
		onSlave: []string{"UPDATE T SET v = 'x' WHERE id = 4"}, want: []string{"id 4: differs"},
	},
	{
		name: "decimal key", columns: "id decimal(10,3) PRIMARY KEY, v varchar(30)",
		onSlave: []string{"DELETE FROM T WHERE id = 4"}, want: []string{"id 4.000: missing on the slave"},
	},
	{
		name: "date key", columns: "id int, v varchar(30), d date, PRIMARY KEY (d, id)",
		rows:    []string{"UPDATE T SET d = DATE_ADD('2026-01-01', INTERVAL id MOD 3 DAY)"},
		onSlave: []string{"UPDATE T SET v = 'x' WHERE id = 4"}, want: []string{"(d, id) (2026-01-02, 4): differs"},
	},
	{
		name: "a blob", columns: "id int PRIMARY KEY, v varchar(30), b longblob",
		rows:    []string{"DELETE FROM T WHERE id > 3", "UPDATE T SET b = CONCAT(REPEAT('x', 12000000), id) WHERE id = 2"},
		onSlave: []string{"UPDATE T SET b = CONCAT(REPEAT('x', 12000000), 3) WHERE id = 2"}, want: []string{"id 2: differs"},
	},
	{
		name: "a column missing", onSlave: []string{"ALTER TABLE T DROP COLUMN v"},
		want: []string{"column v is missing on the slave", "the columns are not the same"},
	},
	{
		name: "another type", onSlave: []string{"ALTER TABLE T MODIFY v varchar(40)"},
		want: []string{"column v is varchar(30) on the master and varchar(40) on the slave", "the columns are not the same"},
	},
	{
		name: "another character set", onSlave: []string{"ALTER TABLE T MODIFY v varchar(30) CHARACTER SET latin1"},
		want: []string{
			"column v has the character set utf8mb4 on the master and latin1 on the slave", "the columns are not the same",
		},
	},
	{name: "a table missing", onSlave: []string{"DROP TABLE T"}, want: []string{"the table is missing on the slave"}},
	{
		name: "a table on the slave only", rows: []string{"DROP TABLE T"}, onSlave: []string{"CREATE TABLE T (id int)"},
		want: []string{"the table is on the slave only"},
	},
	{
		name: "an index missing", columns: "id int PRIMARY KEY, v varchar(30), KEY by_v (v)",
		onSlave: []string{"ALTER TABLE T DROP KEY by_v"}, want: []string{"index by_v (v) is missing on the slave"},
	},
}

func TestCompareFinds(t *testing.T) {
	pairs.OnCouples(t, pairs.All, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "finds")
		var before, after []string
		for i, d := range compareDifferences {
			table := fmt.Sprintf("finds.`t``%d`", i)
			columns := d.columns
			if columns == "" {
				columns = "id int PRIMARY KEY, v varchar(30)"
			}
			before = append(before, "CREATE TABLE "+table+" ("+columns+")")
			before = append(before, pairs.Numbered(table, 3000)...)
			before = append(before, inTable(table, d.rows)...)
			after = append(after, inTable(table, d.onSlave)...)
		}
		p.OnMaster(t, before...)
		p.Sync(t)
		p.OnSlave(t, after...)
		result := compareOn(t, p, *compare.Comparison{Databases: []string{"finds"}}.WithChunks(32 << 10))
		for i, d := range compareDifferences {
			got := found(result, fmt.Sprintf("finds.t`%d", i))
			if n := len(got); n > 0 && slices.Contains(d.want, "more") && strings.HasSuffix(got[n-1], " more") {
				got[n-1] = "more" // how many chunks are left depends on their sizes
			}
			if !slices.Equal(got, d.want) {
				t.Errorf("%s:\ngot  %q\nwant %q", d.name, got, d.want)
			}
		}
		if result.Equal() {
			t.Error("the result is equal")
		}
		p.OnSlave(t, "DROP DATABASE finds", "CREATE DATABASE finds") // nothing in it will stop the slave
	})
}

// inTable gives statements with the name of a table for T.
func inTable(table string, statements []string) []string {
	var list []string
	for _, s := range statements {
		list = append(list, strings.NewReplacer(" T ", " "+table+" ").Replace(s+" "))
	}
	return list
}

func every50(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("id %d: differs", 50*(i+1)))
	}
	return list
}

func TestCompareDuringWrites(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "writes")
		p.OnMaster(t, "CREATE TABLE writes.t (id int PRIMARY KEY, v varchar(30))")
		p.OnMaster(t, pairs.Numbered("writes.t", 20000)...)
		p.Sync(t)
		stop := p.Write(t, "UPDATE writes.t SET v = ? WHERE id = 1 + ? MOD 17000",
			"INSERT INTO writes.t (v, id) VALUES (?, 100000 + ?)",
			"DELETE FROM writes.t WHERE ? >= 0 AND id = 99000 + ?", "DELETE FROM writes.t WHERE ? >= 0 AND id = 1 + ? MOD 20000")
		for range 5 {
			if result := compareOn(t, p, *compare.Comparison{Databases: []string{"writes"}}.WithChunks(64 <<
				10)); !result.Equal() {
				t.Errorf("differs: %q", found(result, "writes.t"))
			}
		}
		stop()
	})
}

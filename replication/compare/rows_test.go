package compare_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// lookAt compares and looks at the rows that differ.
func lookAt(t *testing.T, p *pairs.Couple, c compare.Comparison) *compare.RowLook {
	t.Helper()
	c.All = true
	result := compareOn(t, p, c)
	c.Master, c.Slave = p.Master, p.Slave
	look, err := c.LookAtRows(t.Context(), result)
	if err != nil {
		t.Fatal(err)
	}
	p.MustRun(t)
	return look
}

// repairRows puts rows right, and gives how many.
func repairRows(t *testing.T, p *pairs.Couple, c compare.Comparison, look *compare.RowLook) (rows int, err error) {
	t.Helper()
	unlock, err := p.Slave.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	c.Master, c.Slave = p.Master, p.Slave
	err = c.RepairRows(t.Context(), look.Tables, func(t *compare.TableRows) { rows += len(t.Rows) })
	p.MustRun(t)
	return rows, err
}

// changesOf are the changes of all tables in words.
func changesOf(look *compare.RowLook) []string {
	var words []string
	for _, t := range look.Tables {
		for _, row := range t.Rows {
			words = append(words, t.Table+" "+row.String())
		}
	}
	return words
}

// repairEveryType puts rows right of which each has another value in a column of its own
// type, beside a writer on the master.
func repairEveryType(t *testing.T, p *pairs.Couple, types [][4]string) {
	t.Helper()
	p.OnSlave(t, "DELETE FROM types.t WHERE id IN (0, 1)", "DELETE FROM types.long_key WHERE k = 'a'",
		"INSERT INTO types.long_key VALUES ('c', '2026-03-29 01:30:00'), ('A', '2026-03-29 01:30:00')",
		"INSERT INTO types.t (id, c5) VALUES (2000, 7)")
	want := []string{"types.t id 0: inserted", "types.t id 1: inserted", "types.t id 2000: DELETED: only the slave has it"}
	for i, c := range types {
		p.OnSlave(t, "UPDATE types.t SET "+c[0]+" = "+c[3]+" WHERE id = "+strconv.Itoa(i+10))
		columns := c[0]
		if c[0] == "c1" || c[0] == "c2" {
			columns += ", kept, computed"
		}
		want = append(want, fmt.Sprintf("types.t id %d: changed: %s", i+10, columns))
	}
	databases := compare.Comparison{Databases: []string{"types"}}
	look := lookAt(t, p, databases)
	got := slices.DeleteFunc(changesOf(look), func(line string) bool { return strings.HasPrefix(line, "types.long_key") })
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(look.Refused) > 0 || len(look.Tables) != 2 || len(look.Tables[0].Rows) != 3 {
		t.Errorf("got  %q\nwant %q, and refused %v", got, want, look.Refused)
	}
	logged, err := p.Slave.Position(t.Context(), p.Slave.DB)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repairRows(t, p, databases, look); err != nil {
		t.Fatal(err)
	}
	if now, err := p.Slave.Position(t.Context(), p.Slave.DB); err != nil || now != logged {
		t.Errorf("the slave has logged %v to %v, %v", logged, now, err)
	}
	if result := compareOn(t, p, databases); !result.Equal() {
		t.Errorf("differs: %q and %q", found(result, "types.t"), found(result, "types.long_key"))
	}
}

// TestRepairRows puts rows right that take more than to write them: of unique keys whose
// values were exchanged, with foreign keys, of keys that their collation takes for the
// same, and what an empty sql_mode alone takes; and refuses what it cannot.
func TestRepairRows(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "rowwise")
		plantRows(t, p)
		database := compare.Comparison{Databases: []string{"rowwise"}}
		look := lookAt(t, p, database)
		var codes []string
		for _, problem := range look.Refused {
			codes = append(codes, problem.Code)
		}
		slices.Sort(codes)
		if want := []string{
			"not-transactional", "rows-definition", "rows-key", "rows-trigger",
		}; !slices.Equal(codes, want) {
			t.Errorf("refused are %q: %v", codes, look.Refused)
		}
		stop := p.Write(t, "UPDATE rowwise.busy SET v = ? WHERE id = 1 + ? MOD 500")
		_, err := repairRows(t, p, database, look)
		stop()
		if err != nil {
			t.Fatal(err)
		}
		p.Sync(t)
		for _, table := range []string{"swapped", "parent", "child", "odd", "texts", "updates", "busy"} {
			result := compareOn(t, p, compare.Comparison{Tables: []string{"rowwise." + table}})
			if !result.Equal() {
				t.Errorf("%s differs: %q, %+v", table, found(result, "rowwise."+table), result.Tables)
			}
		}
		locked := compare.Comparison{Tables: []string{"rowwise.my"}, LockTables: true}
		if _, err := repairRows(t, p, locked, lookAt(t, p, locked)); err != nil {
			t.Error(err)
		}
		if result := compareOn(t, p, locked); !result.Equal() {
			t.Errorf("differs: %q", found(result, "rowwise.my"))
		}
		refusesInexact(t, p)
		becomesReadOnly(t, p)
		p.OnSlave(t, "SET sql_log_bin=0", "DROP DATABASE rowwise", "CREATE DATABASE rowwise")
	})
}

// plantRows makes tables whose rows differ.
func plantRows(t *testing.T, p *pairs.Couple) {
	t.Helper()
	p.OnMaster(t, "USE rowwise", "SET sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'",
		"CREATE TABLE swapped (id INT PRIMARY KEY, u INT, UNIQUE (u))", "INSERT INTO swapped VALUES (1, 1), (2, 2), (3, 3)",
		"CREATE TABLE parent (id INT PRIMARY KEY, v INT)", "INSERT INTO parent VALUES (1, 1), (2, 2)",
		"CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id)"+
			" ON DELETE CASCADE ON UPDATE CASCADE)", "INSERT INTO child VALUES (1, 1), (2, 2)",
		"CREATE TABLE odd (id INT AUTO_INCREMENT PRIMARY KEY, d DATE, e ENUM('a', 'b'), f FLOAT, s SET("+members(64)+"))",
		"INSERT INTO odd VALUES (0, '2026-02-31', 0, 0.1, 1 << 63), (-1, '2026-00-00', 1, 16777.217, 3)",
		"CREATE TABLE texts (k VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT)",
		"INSERT INTO texts VALUES ('a', 1), ('b ', 2), ('ß', 3)",
		"CREATE TABLE fires (id INT PRIMARY KEY, v INT)", "INSERT INTO fires VALUES (1, 1)",
		"CREATE TRIGGER tr AFTER DELETE ON fires FOR EACH ROW INSERT INTO swapped VALUES (OLD.id + 100, NULL)",
		"CREATE TABLE updates (id INT PRIMARY KEY, v INT)", "INSERT INTO updates VALUES (1, 1)",
		"CREATE TRIGGER up AFTER UPDATE ON updates FOR EACH ROW INSERT INTO swapped VALUES (OLD.id + 100, NULL)",
		"CREATE TABLE keyless (v INT)", "INSERT INTO keyless VALUES (1)",
		"CREATE TABLE my (id INT PRIMARY KEY, v INT) ENGINE=MyISAM", "INSERT INTO my VALUES (1, 1)",
		"CREATE TABLE otherwise (id INT PRIMARY KEY, v INT, KEY (v))", "INSERT INTO otherwise VALUES (1, 1)",
		"CREATE TABLE busy (id INT PRIMARY KEY, v VARCHAR(30))")
	p.OnMaster(t, pairs.Numbered("rowwise.busy", 500)...)
	p.Sync(t)
	p.OnSlave(t, "SET sql_log_bin=0", "USE rowwise", "DELETE FROM swapped",
		"INSERT INTO swapped VALUES (1, 2), (2, 1), (4, 3)", "UPDATE parent SET v = 3", "DELETE FROM odd",
		"INSERT INTO odd VALUES (7, NULL, NULL, NULL, NULL)", "DELETE FROM texts",
		"INSERT INTO texts VALUES ('A', 1), ('b', 2)",
		"UPDATE fires SET v = 2", "UPDATE keyless SET v = 2", "UPDATE my SET v = 2", "UPDATE otherwise SET v = 2",
		"DROP TRIGGER up", "UPDATE updates SET v = 2", "ALTER TABLE otherwise DROP KEY v", "UPDATE busy SET v = 'mine'",
		"CREATE TRIGGER up AFTER UPDATE ON updates FOR EACH ROW INSERT INTO swapped VALUES (OLD.id + 100, NULL)")
}

// refusesInexact takes everything back if a row is not the master's after it was written,
// as one that does not fit into max_allowed_packet.
func refusesInexact(t *testing.T, p *pairs.Couple) {
	t.Helper()
	_, slave := p.Servers(t)
	was := slave.Values(t, "SELECT @@GLOBAL.max_allowed_packet")[0]
	p.OnMaster(t, "CREATE TABLE rowwise.long_one (id INT PRIMARY KEY, v LONGTEXT)",
		"INSERT INTO rowwise.long_one VALUES (1, 'short'), (2, REPEAT('x', 600000))")
	p.Sync(t)
	p.OnSlave(t, "SET sql_log_bin=0", "DELETE FROM rowwise.long_one")
	one := compare.Comparison{Tables: []string{"rowwise.long_one"}}
	look := lookAt(t, p, one)
	slave.Exec(t, "SET GLOBAL max_allowed_packet=1048576")
	defer slave.Exec(t, "SET GLOBAL max_allowed_packet="+was)
	if _, err := repairRows(t, p, one, look); !finding.HasCode(err, "rows-inexact") {
		t.Errorf("of a row that is too long: %v", err)
	}
	if n := slave.Values(t, "SELECT COUNT(*) FROM rowwise.long_one")[0]; n != "0" {
		t.Errorf("%s rows were left by a repair that has failed", n)
	}
}

// becomesReadOnly makes a slave read-only for all after a repair's first table, as a guard may:
// the second one is left as it was.
func becomesReadOnly(t *testing.T, p *pairs.Couple) {
	t.Helper()
	if p.Slave.Version.Family != server.MySQL {
		return
	}
	p.OnMaster(t, "CREATE TABLE rowwise.first (id INT PRIMARY KEY)", "INSERT INTO rowwise.first VALUES (1), (2)",
		"CREATE TABLE rowwise.second (id INT PRIMARY KEY)", "INSERT INTO rowwise.second VALUES (1), (2)")
	p.Sync(t)
	p.OnSlave(t, "SET sql_log_bin=0", "DELETE FROM rowwise.first", "UPDATE rowwise.second SET id = id + 10")
	both := compare.Comparison{Master: p.Master, Slave: p.Slave, Tables: []string{"rowwise.first", "rowwise.second"}}
	look := lookAt(t, p, both)
	_, slave := p.Servers(t)
	defer slave.Exec(t, "SET GLOBAL super_read_only=0, GLOBAL read_only=0")
	err := both.RepairRows(t.Context(), look.Tables, func(*compare.TableRows) {
		slave.Exec(t, "SET GLOBAL super_read_only=1")
	})
	if err == nil || !strings.Contains(err.Error(), "super-read-only") {
		t.Errorf("on a server that became read-only: %v", err)
	}
	p.MustRun(t)
	query := "SELECT CONCAT((SELECT SUM(id) FROM rowwise.first), ' and ', (SELECT SUM(id) FROM rowwise.second))"
	if got := slave.Values(t, query)[0]; got != "3 and 23" {
		t.Errorf("the tables have %s", got)
	}
}

// members are so many members of a SET.
func members(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("'m%d'", i)
	}
	return strings.Join(list, ", ")
}

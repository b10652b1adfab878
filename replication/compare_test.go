package replication_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// couple is a master with a slave that follows it.
type couple struct {
	Master, Slave *server.Server
	masterFacts   *facts.Facts
	m, s          *sql.DB
	settings      []string // of sessions on the master
}

// onCouples runs a test on pairs whose slaves follow.
func onCouples(t *testing.T, pairs []pair, test func(t *testing.T, p *couple)) {
	for _, pair := range pairs {
		t.Run(pair.String(), func(t *testing.T) { test(t, pair.couple(t)) })
	}
}

// couple gives the pair's servers, the slave following until the test ends.
func (p pair) couple(t *testing.T) *couple {
	t.Helper()
	master, slave := p.start(t)
	c := &couple{m: master.db, s: slave.db}
	c.Master, c.masterFacts = openAsAdministrator(t, finding.Master, master)
	c.Slave, _ = openAsAdministrator(t, finding.Slave, slave)
	master.exec(t, "DROP USER IF EXISTS repl@'127.0.0.1'", "CREATE USER repl@'127.0.0.1' IDENTIFIED BY 'repl'", "GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1'")
	show := "SHOW MASTER STATUS"
	if p.master.IsMySQL() {
		show = "SHOW BINARY LOG STATUS"
	}
	end := master.rows(t, show)[0]
	stop := []string{"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL replicate_wild_do_table='', GLOBAL replicate_ignore_table=''"}
	start := []string{fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='repl', MASTER_PASSWORD='repl', MASTER_SSL_VERIFY_SERVER_CERT=0, ", master.Port)}
	if p == mariadbPair { // by GTID, the others by file and position
		start = []string{"SET GLOBAL gtid_slave_pos='" + master.values(t, "SELECT @@gtid_binlog_pos")[0] + "'", start[0] + "MASTER_USE_GTID=slave_pos", "START SLAVE"}
	} else {
		start = []string{fmt.Sprintf("%sMASTER_USE_GTID=no, MASTER_LOG_FILE='%s', MASTER_LOG_POS=%s", start[0], end[0], end[1]), "START SLAVE"}
	}
	if p.slave.IsMySQL() {
		stop = []string{"STOP REPLICA", "RESET REPLICA ALL", "CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=(), REPLICATE_IGNORE_TABLE=()"}
		from := fmt.Sprintf("SOURCE_AUTO_POSITION=0, SOURCE_LOG_FILE='%s', SOURCE_LOG_POS=%s", end[0], end[1])
		if p == mysqlPair {
			from = "SOURCE_AUTO_POSITION=1"
		}
		start = []string{fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='repl', SOURCE_PASSWORD='repl', SOURCE_SSL=0, GET_SOURCE_PUBLIC_KEY=1, %s", master.Port, from), "START REPLICA"}
		if p.crosses() {
			// MariaDB's transactions have no GTIDs that MySQL knows, and its events
			// of rows are of a kind that MySQL 9 has given up.
			c.settings = []string{"SET SESSION binlog_format=STATEMENT"}
			start = slices.Concat([]string{"SET GLOBAL gtid_mode=ON_PERMISSIVE", "SET GLOBAL gtid_mode=OFF_PERMISSIVE"}, start)
			stop = append(stop, "SET GLOBAL gtid_mode=ON_PERMISSIVE", "SET GLOBAL gtid_mode=ON")
		} else {
			start = slices.Concat([]string{"RESET BINARY LOGS AND GTIDS", "SET GLOBAL gtid_purged='" + end[4] + "'"}, start)
		}
	}
	slave.exec(t, slices.Concat(stop, start)...)
	t.Cleanup(func() { run(context.WithoutCancel(t.Context()), t, slave.db, stop) })
	c.onMaster(t, "DROP DATABASE IF EXISTS marks", "CREATE DATABASE marks", "CREATE TABLE marks.m (id int PRIMARY KEY)")
	return c
}

// openAsAdministrator logs in with all rights.
func openAsAdministrator(t *testing.T, role finding.Role, at *testServer) (*server.Server, *facts.Facts) {
	t.Helper()
	at.exec(t, "DROP USER IF EXISTS dba@'127.0.0.1'", "CREATE USER dba@'127.0.0.1' IDENTIFIED BY 'all of it'", "GRANT ALL ON *.* TO dba@'127.0.0.1'")
	s, err := server.Open(t.Context(), role, server.Login{Network: "tcp", Address: at.Address(), User: "dba", Password: server.NewPassword("all of it")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	facts, err := facts.Read(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return s, facts
}

// onMaster runs statements on the master.
func (p *couple) onMaster(t *testing.T, statements ...string) {
	t.Helper()
	run(t.Context(), t, p.m, slices.Concat(p.settings, statements))
}

// onSlave runs statements on the slave, as somebody who should not.
func (p *couple) onSlave(t *testing.T, statements ...string) {
	t.Helper()
	run(t.Context(), t, p.s, statements)
}

func run(ctx context.Context, t *testing.T, db *sql.DB, statements []string) {
	t.Helper()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, s := range slices.Concat([]string{"SET sql_mode='', time_zone='+00:00', foreign_key_checks=0"}, statements) {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// lastMark tells the marks of all couples apart: a slave may still have those
// of an earlier master when it begins to follow another.
var lastMark atomic.Int64

// sync waits until the slave has what the master has.
func (p *couple) sync(t *testing.T) {
	t.Helper()
	defer func() {
		if facts, err := facts.Read(t.Context(), p.Slave); err == nil && t.Failed() {
			t.Logf("the slave: %+v", *facts.Masters[0])
		}
	}()
	id := lastMark.Add(1)
	p.onMaster(t, fmt.Sprintf("INSERT INTO marks.m VALUES (%d)", id))
	waitFor(t, func() bool {
		var there int
		err := p.s.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM marks.m WHERE id = ?", id).Scan(&there)
		return err == nil && there == 1
	})
}

// waitFor waits for a condition.
func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatal("waited for a minute")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// fresh gives an empty database of a name on both ends.
func (p *couple) fresh(t *testing.T, name string) {
	t.Helper()
	p.onMaster(t, "DROP DATABASE IF EXISTS "+name, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
	t.Cleanup(func() {
		if !t.Failed() {
			ctx := context.WithoutCancel(t.Context())
			_, err := p.m.ExecContext(ctx, "DROP DATABASE "+name)
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// compare compares and checks that the slave runs afterwards.
func (p *couple) compare(t *testing.T, c compare.Comparison) *compare.Result {
	t.Helper()
	c.Master, c.Slave = p.Master, p.Slave
	result, err := c.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.mustRun(t)
	return result
}

// mustRun fails if the slave's threads do not run.
func (p *couple) mustRun(t *testing.T) {
	t.Helper()
	facts, err := facts.Read(t.Context(), p.Slave)
	if err != nil {
		t.Fatal(err)
	}
	if len(facts.Masters) != 1 || !facts.Masters[0].Running() {
		t.Errorf("the slave does not run: %+v", facts.Masters)
	}
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

// numbered fills a table with rows of a running number, doubling.
func numbered(table string, rows int) []string {
	list := []string{"INSERT INTO " + table + " (id, v) VALUES (1, 'value 1')"}
	for n := 1; n < rows; n *= 2 {
		list = append(list, fmt.Sprintf("INSERT INTO %s (id, v) SELECT id + %d, CONCAT('value ', id + %d) FROM %s WHERE id <= %d", table, n, n, table, rows-n))
	}
	return list
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
	{name: "a changed byte", onSlave: []string{"UPDATE T SET v = 'valuf 1500' WHERE id = 1500"}, want: []string{"id 1500: differs"}},
	{name: "a changed case", onSlave: []string{"UPDATE T SET v = 'Value 7' WHERE id = 7"}, want: []string{"id 7: differs"}},
	{name: "a trailing space", onSlave: []string{"UPDATE T SET v = 'value 7 ' WHERE id = 7"}, want: []string{"id 7: differs"}},
	{name: "a zero byte", onSlave: []string{"UPDATE T SET v = 'value 7\x00' WHERE id = 7"}, want: []string{"id 7: differs"}},
	{name: "NULL and empty", rows: []string{"UPDATE T SET v = '' WHERE id = 9"}, onSlave: []string{"UPDATE T SET v = NULL WHERE id = 9"}, want: []string{"id 9: differs"}},
	{name: "a missing row", onSlave: []string{"DELETE FROM T WHERE id = 2000"}, want: []string{"id 2000: missing on the slave"}},
	{name: "missing rows", onSlave: []string{"DELETE FROM T WHERE id BETWEEN 990 AND 2100"}, want: []string{"id 990 to 2100: missing on the slave"}},
	{name: "rows before the first, in the middle and after the last", rows: []string{"DELETE FROM T WHERE id = 100"}, onSlave: []string{
		"INSERT INTO T VALUES (-3, 'x'), (0, 'x'), (100, 'x'), (5000, 'x'), (900000, 'x')",
	}, want: []string{"id -3 to 0: only on the slave", "id 100: only on the slave", "id 5000 to 900000: only on the slave"}},
	{name: "an empty slave", onSlave: []string{"DELETE FROM T"}, want: []string{"id 1 to 3000: missing on the slave"}},
	{name: "an empty master", rows: []string{"DELETE FROM T"}, onSlave: numbered("T", 3000), want: []string{"id 1 to 3000: only on the slave"}},
	{
		name: "swapped values", onSlave: []string{"UPDATE T SET v = 'value 1200' WHERE id = 1100", "UPDATE T SET v = 'value 1100' WHERE id = 1200"},
		want: []string{"id 1100: differs", "id 1200: differs"},
	},
	{name: "every row", onSlave: []string{"UPDATE T SET v = 'x'"}, want: []string{"id 1 to 3000: differs"}},
	{name: "many places", onSlave: []string{"UPDATE T SET v = 'x' WHERE id % 50 = 0"}, want: slices.Concat(every50(20), []string{"more"})},
	{
		name: "text moved to the next column", columns: "id int PRIMARY KEY, v varchar(30), w varchar(30) NOT NULL", rows: []string{"UPDATE T SET v = 'a#b', w = 'c' WHERE id = 5"},
		onSlave: []string{"UPDATE T SET v = 'a', w = 'b#c' WHERE id = 5"}, want: []string{"id 5: differs"},
	},
	{
		name: "bytes moved to the next column", columns: "id int PRIMARY KEY, v varchar(30), w varbinary(30) NOT NULL, x varbinary(30) NOT NULL",
		rows: []string{"UPDATE T SET w = X'61FF62', x = 'c' WHERE id = 5"}, onSlave: []string{"UPDATE T SET w = 'a', x = X'62FF63' WHERE id = 5"}, want: []string{"id 5: differs"},
	},
	{
		name: "equal rows without a key", columns: "id int, v varchar(30)", rows: []string{"UPDATE T SET id = 1, v = 'one'"},
		onSlave: []string{"UPDATE T SET v = 'two' LIMIT 2"}, want: []string{"the whole table (3000 rows on the master, 3000 on the slave): differs"},
	},
	{
		name: "a text key of which the case differs", columns: "v varchar(30) CHARACTER SET latin1 COLLATE latin1_swedish_ci PRIMARY KEY, id int", rows: []string{"UPDATE T SET v = _latin1 X'6162E9' WHERE id = 3"},
		onSlave: []string{"UPDATE T SET v = _latin1 X'4142E9' WHERE id = 3"}, want: []string{"v 0x6162E9: missing on the slave", "v 0x4142E9: only on the slave"},
	},
	{
		name: "a key of many columns", columns: "id int, v varchar(30), b binary(3) NOT NULL DEFAULT 'abc', PRIMARY KEY (v, b, id)", rows: []string{"UPDATE T SET v = IF(id < 1000, 'first', 'second')"},
		onSlave: []string{"DELETE FROM T WHERE id = 2345"}, want: []string{`(v, b, id) ("second", "abc", 2345): missing on the slave`},
	},
	{
		name: "a unique key", columns: "id int, v varchar(30), n bigint unsigned NOT NULL", rows: []string{"UPDATE T SET n = 18446744073709551000 - id * 7", "ALTER TABLE T ADD UNIQUE (n)"},
		onSlave: []string{"UPDATE T SET v = 'x' WHERE id = 4"}, want: []string{"n 18446744073709550972: differs"},
	},
	{
		name: "a key with ENUM", columns: "id int, v varchar(30), e enum('z','a') NOT NULL DEFAULT 'z', PRIMARY KEY (id, e)",
		onSlave: []string{"UPDATE T SET v = 'x' WHERE id = 4"}, want: []string{"id 4: differs"},
	},
	{name: "decimal key", columns: "id decimal(10,3) PRIMARY KEY, v varchar(30)", onSlave: []string{"DELETE FROM T WHERE id = 4"}, want: []string{"id 4.000: missing on the slave"}},
	{
		name: "date key", columns: "id int, v varchar(30), d date, PRIMARY KEY (d, id)", rows: []string{"UPDATE T SET d = DATE_ADD('2026-01-01', INTERVAL id MOD 3 DAY)"},
		onSlave: []string{"UPDATE T SET v = 'x' WHERE id = 4"}, want: []string{"(d, id) (2026-01-02, 4): differs"},
	},
	{
		name: "a blob", columns: "id int PRIMARY KEY, v varchar(30), b longblob", rows: []string{"DELETE FROM T WHERE id > 3", "UPDATE T SET b = CONCAT(REPEAT('x', 12000000), id) WHERE id = 2"},
		onSlave: []string{"UPDATE T SET b = CONCAT(REPEAT('x', 12000000), 3) WHERE id = 2"}, want: []string{"id 2: differs"},
	},
	{name: "a column missing", onSlave: []string{"ALTER TABLE T DROP COLUMN v"}, want: []string{"column v is missing on the slave", "the columns are not the same"}},
	{name: "another type", onSlave: []string{"ALTER TABLE T MODIFY v varchar(40)"}, want: []string{"column v is varchar(30) on the master and varchar(40) on the slave", "the columns are not the same"}},
	{name: "another character set", onSlave: []string{"ALTER TABLE T MODIFY v varchar(30) CHARACTER SET latin1"}, want: []string{"column v has the character set utf8mb4 on the master and latin1 on the slave", "the columns are not the same"}},
	{name: "a table missing", onSlave: []string{"DROP TABLE T"}, want: []string{"the table is missing on the slave"}},
	{name: "a table on the slave only", rows: []string{"DROP TABLE T"}, onSlave: []string{"CREATE TABLE T (id int)"}, want: []string{"the table is on the slave only"}},
	{name: "an index missing", columns: "id int PRIMARY KEY, v varchar(30), KEY by_v (v)", onSlave: []string{"ALTER TABLE T DROP KEY by_v"}, want: []string{"index by_v (v) is missing on the slave"}},
}

func TestCompareFinds(t *testing.T) {
	onCouples(t, pairs, func(t *testing.T, p *couple) {
		p.fresh(t, "finds")
		var before, after []string
		for i, d := range compareDifferences {
			table := fmt.Sprintf("finds.`t``%d`", i)
			columns := d.columns
			if columns == "" {
				columns = "id int PRIMARY KEY, v varchar(30)"
			}
			before = append(before, "CREATE TABLE "+table+" ("+columns+")")
			before = append(before, numbered(table, 3000)...)
			before = append(before, inTable(table, d.rows)...)
			after = append(after, inTable(table, d.onSlave)...)
		}
		p.onMaster(t, before...)
		p.sync(t)
		p.onSlave(t, after...)
		result := p.compare(t, compare.Comparison{Databases: []string{"finds"}, ChunkBytes: 32 << 10})
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
		p.onSlave(t, "DROP DATABASE finds", "CREATE DATABASE finds") // nothing in it will stop the slave
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

// write runs statements on the master, again and again, each with a number and
// seven times the number, until stop is called.
func (p *couple) write(t *testing.T, statements ...string) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			for _, s := range statements {
				if _, err := p.m.ExecContext(ctx, s, i, i*7); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		}
	})
	return func() {
		cancel()
		writer.Wait()
	}
}

func TestCompareDuringWrites(t *testing.T) {
	onCouples(t, followers, func(t *testing.T, p *couple) {
		p.fresh(t, "writes")
		p.onMaster(t, "CREATE TABLE writes.t (id int PRIMARY KEY, v varchar(30))")
		p.onMaster(t, numbered("writes.t", 20000)...)
		p.sync(t)
		stop := p.write(t, "UPDATE writes.t SET v = ? WHERE id = 1 + ? MOD 17000", "INSERT INTO writes.t (v, id) VALUES (?, 100000 + ?)",
			"DELETE FROM writes.t WHERE ? >= 0 AND id = 99000 + ?", "DELETE FROM writes.t WHERE ? >= 0 AND id = 1 + ? MOD 20000")
		for range 5 {
			if result := p.compare(t, compare.Comparison{Databases: []string{"writes"}, ChunkBytes: 64 << 10}); !result.Equal() {
				t.Errorf("differs: %q", found(result, "writes.t"))
			}
		}
		stop()
	})
}

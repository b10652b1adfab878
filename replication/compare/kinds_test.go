package compare_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// everyType are columns of the types that a family has, with a value and
// another one that is near it.
func everyType(family server.Family) [][4]string {
	types := [][4]string{
		{"c1", "tinyint", "-5", "-4"},
		{"c2", "smallint unsigned", "65535", "65534"},
		{"c3", "mediumint", "-1", "0"},
		{"c4", "int(8) zerofill", "5", "50"},
		{"c5", "bigint unsigned", "18446744073709551615", "18446744073709551614"},
		{"c6", "decimal(30,10)", "1.0000000001", "1.0000000002"},
		{"c7", "float", "1.25", "1.2501"},
		{"c8", "double", "0.1e0 + 0.2e0", "0.3e0"},
		{"c9", "bit(10)", "b'1010101010'", "b'0010101010'"},
		{"c10", "bit(64)", "b'1'", "b'10'"},
		{"c11", "date", "'2026-01-02'", "'0000-00-00'"},
		{"c12", "time(6)", "'-838:59:59'", "'-838:59:58.999999'"},
		{"c13", "datetime(6)", "'2026-01-02 03:04:05.000001'", "'2026-01-02 03:04:05'"},
		{"c14", "timestamp(3) NULL", "'2026-06-02 03:04:05.001'", "NULL"},
		{"c15", "year", "2026", "0"},
		{"c16", "char(10) CHARACTER SET ucs2", "_utf8mb4'a'", "_utf8mb4'A'"},
		{"c17", "varchar(20) CHARACTER SET utf16", "_utf8mb4 X'F09F9880'", "_utf8mb4 X'F09F9881'"},
		{"c18", "varchar(20) CHARACTER SET latin1", "_latin1 X'E9'", "_latin1 X'C9'"},
		{"c19", "varchar(20) CHARACTER SET sjis", "_utf8mb4 X'E38182'", "_utf8mb4 X'E38184'"},
		{"c20", "varchar(20) CHARACTER SET utf8mb4", "X'F09F9880'", "X'F09F9881'"},
		{"c21", "varchar(20) CHARACTER SET utf8mb4", "'a'", "'a '"},
		{"c22", "binary(4)", "'a'", "'a\\0\\0b'"},
		{"c23", "varbinary(10)", "'a'", "'a\\0'"},
		{"c24", "tinyblob", "''", "NULL"},
		{"c25", "longblob", "'\\0'", "'\\0\\0'"},
		{"c26", "mediumtext CHARACTER SET latin1", "'Text'", "'text'"},
		{"c27", "longtext CHARACTER SET ucs2", "_utf8mb4'x'", "_utf8mb4'X'"},
		{"c28", "enum('a','b','')", "'a'", "'b'"},
		{"c29", "enum('a','b','')", "0", "''"},
		{"c30", "set('x','y','z')", "'x,z'", "'x'"},
		{"c31", "json", `'{"a": [1, 2]}'`, `'{"a": [2, 1]}'`},
		{"c32", "geometry", "ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(1 3)')"},
		{"c33", "point", "ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('POINT(1 2)', 4326)"},
		{"c34", "varchar(4000) CHARACTER SET utf8mb4", "REPEAT('x', 3999)", "REPEAT('x', 4000)"},
	}
	if family == server.MariaDB {
		return append(types, [4]string{
			"c40", "uuid", "'123e4567-e89b-12d3-a456-426655440000'", "'123e4567-e89b-12d3-a456-426655440001'",
		},
			[4]string{"c41", "inet6", "'::1'", "'::2'"}, [4]string{"c42", "varchar(100) COMPRESSED", "'a'", "'b'"})
	}
	return append(types, [4]string{"c50", "vector(3)", "TO_VECTOR('[1,2,3]')", "TO_VECTOR('[1,2,4]')"},
		[4]string{"c51", "double", "0e0 * -1", "0e0"})
}

func TestCompareEveryType(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "types")
		types := everyType(p.Master.Version.Family)
		create := "CREATE TABLE types.t (id int PRIMARY KEY"
		var names, values string
		for _, c := range types {
			create += ", " + c[0] + " " + c[1]
			names += ", " + c[0]
			values += ", " + c[2]
		}
		create += ", kept varchar(20) AS (CONCAT(c1, c2)) STORED, computed varchar(20) AS (CONCAT(c2, '#', c1)) VIRTUAL, " +
			"hidden int "
		if p.Master.Version.Family == server.MariaDB {
			create += "INVISIBLE)"
		} else {
			create += "DEFAULT 5 INVISIBLE)"
		}
		p.OnMaster(t, create, "INSERT INTO types.t (id"+names+", hidden) VALUES (0"+values+", 1)",
			"INSERT INTO types.t (id) VALUES (1)")
		for i := range types { // a row for each
			p.OnMaster(t,
				"INSERT INTO types.t (id"+names+", hidden) SELECT "+strconv.Itoa(i+10)+names+", hidden FROM types.t WHERE id = 0")
		}
		p.OnMaster(t, "CREATE TABLE types.long_key (k char(255) CHARACTER SET utf8mb4, u timestamp(6), PRIMARY KEY (k, u))",
			"INSERT INTO types.long_key VALUES ('a', '2026-03-29 01:30:00'), (REPEAT('b', 255), '2026-03-29 01:30:00')")
		p.Sync(t)
		result := compareOn(t, p, compare.Comparison{Databases: []string{"types"}})
		if !result.Equal() {
			t.Fatalf("differs: %q", found(result, "types.t"))
		}
		var changes, want []string
		for i, c := range types {
			if i%2 == 0 { // so that no two follow each other
				changes = append(changes, "UPDATE types.t SET "+c[0]+" = "+c[3]+" WHERE id = "+strconv.Itoa(i+10))
				want = append(want, "id "+strconv.Itoa(i+10)+": differs")
			}
		}
		changes = append(changes, "UPDATE types.t SET hidden = NULL WHERE id = 1000")
		p.OnSlave(t, changes...)
		if got := found(compareOn(t, p, compare.Comparison{Databases: []string{"types"}}), "types.t"); !slices.Equal(got,
			want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		repairEveryType(t, p, types)
		p.OnSlave(t, "DROP DATABASE types", "CREATE DATABASE types")
	})
}

func TestCompareTablesWithoutTransactions(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "notrans")
		p.OnMaster(t, "CREATE TABLE notrans.my (id int PRIMARY KEY, v varchar(30)) ENGINE=MyISAM",
			"CREATE TABLE notrans.inno (id int PRIMARY KEY, v varchar(30))")
		p.OnMaster(t, pairs.Numbered("notrans.my", 3000)...)
		p.Sync(t)
		stop := p.Write(t, "UPDATE notrans.my SET v = ? WHERE id = 1 + ? MOD 3000")
		for range 3 {
			if result := compareOn(t, p,
				*compare.Comparison{Databases: []string{"notrans"}, LockTables: true}.WithChunks(8 << 10)); !result.Equal() {
				t.Errorf("differs under a lock: %q", found(result, "notrans.my"))
			}
		}
		stop()
		p.Sync(t)
		p.OnSlave(t, "UPDATE notrans.my SET v = 'x' WHERE id = 77")
		result := compareOn(t, p, compare.Comparison{Databases: []string{"notrans"}})
		if got := found(result, "notrans.my"); !slices.Equal(got, []string{"id 77: differs"}) {
			t.Errorf("got %q", got)
		}
		if result.Tables[1].Note == "" || !result.Tables[0].Equal() {
			t.Errorf("got %+v", result.Tables)
		}
		p.OnSlave(t, "DROP TABLE notrans.my", "CREATE TABLE notrans.my (id int)")
	})
}

func TestCompareObjects(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "objects")
		p.OnMaster(t, "CREATE TABLE objects.t (id int PRIMARY KEY, v varchar(30))",
			"CREATE VIEW objects.seen AS SELECT id FROM objects.t", "CREATE VIEW objects.same AS SELECT v FROM objects.t",
			"CREATE FUNCTION objects.f() RETURNS int DETERMINISTIC RETURN 1",
			"CREATE TRIGGER objects.tr BEFORE INSERT ON objects.t FOR EACH ROW SET NEW.v = 'x'",
			"CREATE EVENT objects.e ON SCHEDULE EVERY 1 YEAR DO SET @a = 1")
		sequences := p.Master.Version.Family == server.MariaDB
		if sequences {
			p.OnMaster(t, "CREATE SEQUENCE objects.s1", "CREATE SEQUENCE objects.s2", "CREATE SEQUENCE objects.s3")
		}
		p.Sync(t)
		if result := compareOn(t, p, compare.Comparison{Databases: []string{"objects"}}); !result.Equal() ||
			len(result.Skipped) > 0 {
			t.Errorf("got %+v", result)
		}
		p.OnSlave(t, "DROP FUNCTION objects.f", "DROP TRIGGER objects.tr",
			"CREATE OR REPLACE VIEW objects.seen AS SELECT v FROM objects.t",
			"DROP EVENT objects.e", "CREATE VIEW objects.mine AS SELECT 1")
		want := []string{
			"view objects.seen is not the same on both ends", "view objects.mine is on the slave only",
			"trigger objects.tr is missing on the slave",
			"routine objects.f is missing on the slave", "event objects.e is missing on the slave",
		}
		if sequences {
			p.OnSlave(t, "DROP SEQUENCE objects.s1", "ALTER SEQUENCE objects.s2 INCREMENT 7")
			want = slices.Insert(want, 2, "sequence objects.s1 is missing on the slave",
				"sequence objects.s2 is not the same on both ends: a slave with a filter leaves ALTER SEQUENCE out; gtunnel "+
					"replication compare --repair-table objects.s2")
		}
		if got := found(compareOn(t, p, compare.Comparison{Databases: []string{"objects"}}), ""); !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		p.OnSlave(t, "DROP DATABASE objects", "CREATE DATABASE objects")
	})
}

// TestCompareReadsRanges holds the servers to reading the rows of a range and
// no others.
func TestCompareReadsRanges(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "ranges")
		p.OnMaster(t, "CREATE TABLE ranges.t (id int, v varchar(30), w int NOT NULL DEFAULT 3, PRIMARY KEY (w, id))")
		p.OnMaster(t, pairs.Numbered("ranges.t", 4000)...)
		p.OnMaster(t, "UPDATE ranges.t SET w = id DIV 1000", "ANALYZE TABLE ranges.t")
		// see TestKeyRanges
		const clause = " FORCE INDEX (`PRIMARY`) WHERE (`w` > 1 OR (`w` = 1 AND `id` > 1990)) AND (`w` < 2 OR (`w` = 2 AND " +
			"`id` <= 2009))"
		conn, err := p.MasterDB.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, query := range []string{"FLUSH STATUS", "SELECT SUM(CRC32(v)), COUNT(*) FROM ranges.t" + clause} {
			if _, err := conn.ExecContext(t.Context(), query); err != nil {
				t.Fatal(err)
			}
		}
		rows, err := conn.QueryContext(t.Context(), "SHOW SESSION STATUS LIKE 'Handler_read%'")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		read := 0
		for rows.Next() {
			var name string
			var n int
			if err := rows.Scan(&name, &n); err != nil {
				t.Fatal(err)
			}
			if name == "Handler_read_next" || name == "Handler_read_rnd_next" || name == "Handler_read_key" {
				read += n
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if read < 19 || read > 30 {
			t.Errorf("%d rows were read for a range of 19", read)
		}
	})
}

// TestCompareCase compares beside a database on the master only whose name
// differs in case.
func TestCompareCase(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		p.Fresh(t, "compare_case")
		p.Fresh(t, "compare_other") // MariaDB tells case apart in a list of one
		p.OnMaster(t, "CREATE TABLE compare_case.t (id INT PRIMARY KEY, CONSTRAINT c CHECK (id > 0))")
		p.Sync(t)
		p.OnMaster(t, "SET sql_log_bin=0", "DROP DATABASE IF EXISTS COMPARE_CASE",
			"CREATE DATABASE COMPARE_CASE CHARACTER SET latin2",
			"CREATE TABLE COMPARE_CASE.t (id INT PRIMARY KEY, CONSTRAINT d CHECK (id > 1))")
		result := compareOn(t, p, compare.Comparison{Databases: []string{"compare_case", "compare_other"}})
		p.OnMaster(t, "SET sql_log_bin=0", "DROP DATABASE COMPARE_CASE", "SET sql_log_bin=1")
		if !result.Equal() {
			t.Errorf("got %q and %+v", result.Objects, result.Tables)
		}
	})
}

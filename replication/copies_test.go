package replication_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// copyCase is a database that is not easy to copy. It is copied right, or refused
// before the copy, with a cure after which it is copied right.
type copyCase struct {
	name    string
	of      server.Family // empty: of both
	make    []string      // in the database, by one session without sql_mode
	refused string        // the code; empty: it is copied as it is
	later   []string      // changes that the slave must follow afterwards
}

// copyCases are of both families.
var copyCases = []copyCase{
	{name: "c_dates", make: []string{
		"SET sql_mode='ALLOW_INVALID_DATES'",
		"CREATE TABLE z (id INT PRIMARY KEY, d DATE, t DATETIME(3), z DATE DEFAULT '0000-00-00')",
		"INSERT INTO z VALUES (1, '2020-02-31', '2021-04-31 10:00:00.5', DEFAULT)",
		"INSERT INTO z VALUES (2, '0000-00-00', '2020-00-11', '2020-11-00')",
	}},
	{name: "c_names", make: slices.Concat([]string{
		"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20)) CHARACTER SET utf8mb4", "INSERT INTO t VALUES (1, 'é')",
	}, namesOf("latin1", "\xe9", "\xf6"), namesOf("cp1251", "\xe9", "\xf6"), namesOf("utf8mb4", "ü", "ß"))},
	{name: "c_zeros", make: []string{
		"SET sql_mode='NO_AUTO_VALUE_ON_ZERO'", "CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, e ENUM('x','y'))",
		"INSERT INTO a VALUES (0, 'x'), (7, 'none such')",
	}},
	{name: "c_bytes", make: []string{
		"CREATE TABLE b (id INT PRIMARY KEY, c CHAR(10), v VARCHAR(50), b BLOB, s SET('a','b'), n BIT(9))",
		`INSERT INTO b VALUES (1, 'pad', 'back\\slash \0 " '' ` + "`" + ` \n', '\\\0\'', 'a,b', b'100000001')`,
		"INSERT INTO b VALUES (2, 'x ', 'y ', ' ', '', 0)",
	}},
	{name: "c_circle", make: []string{
		"CREATE TABLE a (id INT PRIMARY KEY, b INT)",
		"CREATE TABLE b (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id))",
		"ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b (id)", "INSERT INTO a VALUES (1, 1), (2, NULL)",
		"INSERT INTO b VALUES (1, 1)",
	}},
	{name: "c_wide", make: []string{
		"SET innodb_strict_mode=0", "CREATE TABLE w (id INT PRIMARY KEY, " + columns("c%d VARCHAR(300) NULL", 50) +
			") ROW_FORMAT=COMPACT CHARACTER SET latin1",
		"CREATE TABLE many (id INT PRIMARY KEY, " + columns("c%d TINYINT", 1000) + ")",
		"INSERT INTO w (id, c3) VALUES (1, 'three')", "INSERT INTO many (id, c999) VALUES (1, 9)",
	}},
	{name: "c_moments", make: []string{
		"CREATE TABLE m (id INT PRIMARY KEY, t TIMESTAMP NULL, y INT)",
		"INSERT INTO m VALUES (1, '2026-10-25 00:30:00', 1), (2, '2026-10-25 01:30:00', 2), (3, '2026-03-29 01:30:00', 3)",
		"CREATE TABLE p (id INT, d DATE, PRIMARY KEY (id, d)) PARTITION BY RANGE (TO_DAYS(d))" +
			" (PARTITION old VALUES LESS THAN (0), PARTITION new VALUES LESS THAN MAXVALUE)",
		"INSERT INTO p VALUES (1, '0000-00-00'), (2, '2026-01-01')",
		"CREATE TABLE g (id INT PRIMARY KEY, p POINT NOT NULL, t TEXT, SPATIAL KEY (p), FULLTEXT KEY (t))",
		"INSERT INTO g VALUES (1, ST_GeomFromText('POINT(1 2)'), 'some words')",
	}},
	{name: "c_invoker", make: []string{
		"CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)",
		"CREATE FUNCTION f(a INT) RETURNS INT DETERMINISTIC RETURN a + 1",
		"CREATE SQL SECURITY INVOKER VIEW v AS SELECT id, f(id) AS x FROM t",
	}},

	{name: "c_broken", refused: "view-broken", make: []string{
		"CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE g (id INT PRIMARY KEY)",
		"CREATE FUNCTION f(a INT) RETURNS INT DETERMINISTIC RETURN a", "CREATE VIEW fine AS SELECT id FROM t",
		"CREATE VIEW column_gone AS SELECT id, v FROM t", "CREATE VIEW table_gone AS SELECT * FROM g",
		"CREATE VIEW function_gone AS SELECT f(id) FROM t", "CREATE VIEW above AS SELECT * FROM column_gone",
		"CREATE SQL SECURITY INVOKER VIEW higher AS SELECT * FROM above",
		"GRANT SELECT ON c_broken.* TO copies_weak@localhost",
		"CREATE DEFINER=copies_weak@localhost VIEW weak AS SELECT id FROM t",
		"CREATE SQL SECURITY INVOKER VIEW over_weak AS SELECT id FROM weak",
		"ALTER TABLE t DROP COLUMN v", "DROP TABLE g", "DROP FUNCTION f",
		"REVOKE SELECT ON c_broken.* FROM copies_weak@localhost",
	}},
	{
		name: "c_enum", refused: "lost-values", make: []string{
			"CREATE TABLE e (id INT PRIMARY KEY, e ENUM('a', '', 'it''s'), s SET('x', '', 'y'), n ENUM('q') NOT NULL," +
				" at TIMESTAMP NOT NULL DEFAULT '2001-02-03 04:05:06' ON UPDATE CURRENT_TIMESTAMP)",
			"INSERT INTO e (id, e, s, n) VALUES (1, 0, 2, 'q'), (2, '', 7, 'q'), (3, 'a', 1, 'q'), (4, NULL, NULL, 'q')," +
				" (5, 'a', 0, 'q')",
			"CREATE TABLE k (e ENUM('', 'b'), UNIQUE KEY (e))", "INSERT INTO k VALUES (0)",
		},
		later: []string{"UPDATE k SET e = 'b'", "UPDATE e SET s = 5"},
	},
	{
		name: "c_float", refused: "float-digits", make: []string{
			"CREATE TABLE nopk (f FLOAT UNSIGNED NOT NULL DEFAULT 1.5 COMMENT 'it''s float, DEFAULT 2', d DATETIME NOT NULL," +
				" g FLOAT(9,3) COMMENT 'second')",
			"INSERT INTO nopk VALUES (16777.217, 0, 1234.567), (1, 0, 1)",
		},
		later: []string{"UPDATE nopk SET d = '2026-01-01'"},
	},
	{
		name: "c_json", of: server.MySQL, refused: "json-values", make: []string{
			"CREATE TABLE j (id INT PRIMARY KEY, d JSON)",
			"INSERT INTO j VALUES (1, JSON_OBJECT('a', CAST(169.09 AS DECIMAL(12,6)))), (2, NULL), (3, '[1, 2.5]')",
			"CREATE TABLE k (a INT, d JSON NOT NULL DEFAULT (JSON_ARRAY()) COMMENT 'json, longtext')",
			"INSERT INTO k VALUES (1, JSON_ARRAY(JSON_OBJECT('n', CAST(1 AS UNSIGNED)), CAST(5 AS DECIMAL), NOW(6)))," +
				" (2, JSON_ARRAY(5000000000, _binary 'x')), (3, '{}')",
		},
		later: []string{"UPDATE k SET a = a + 10", "UPDATE j SET d = '{}' WHERE id = 1"},
	},
	{
		name: "c_sign", of: server.MySQL, refused: "lost-values", make: []string{
			"CREATE TABLE s (d DOUBLE, f FLOAT, n INT)", "INSERT INTO s VALUES (-0e0, 1, 1), (0, -0e0, 2), (-1.5, 0, 3)",
		},
		later: []string{"UPDATE s SET n = n + 10"},
	},
	{name: "c_sequence", of: server.MariaDB, make: []string{
		"CREATE SEQUENCE s START WITH 100", "CREATE TABLE t (id INT PRIMARY KEY DEFAULT NEXTVAL(s), v INT)",
		"INSERT INTO t (v) VALUES (1), (2)",
	}, later: []string{"INSERT INTO t (v) VALUES (3)"}},
	{name: "c_versioned", of: server.MariaDB, make: []string{
		"CREATE TABLE v (id INT PRIMARY KEY, x INT, s BIGINT UNSIGNED GENERATED ALWAYS AS ROW START," +
			" e BIGINT UNSIGNED GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING",
		"INSERT INTO v (id, x) VALUES (1, 1), (2, 2)", "UPDATE v SET x = 3 WHERE id = 1",
		"CREATE TABLE w (id INT PRIMARY KEY, x INT) WITH SYSTEM VERSIONING", "INSERT INTO w VALUES (1, 1)",
	}, later: []string{"UPDATE v SET x = 4", "DELETE FROM w"}},
	{name: "c_checks", of: server.MariaDB, make: []string{
		"SET check_constraint_checks=0", "CREATE TABLE c (id INT PRIMARY KEY, n INT CHECK (n > 0), CHECK (id < 10))",
		"INSERT INTO c VALUES (1, -1), (11, 1)",
	}},
	{name: "c_kinds", of: server.MariaDB, make: []string{
		"CREATE TABLE kinds (u UUID PRIMARY KEY, i INET6, c VARCHAR(90) COMPRESSED, h INT INVISIBLE DEFAULT 3," +
			" g INT AS (h + 1))",
		"INSERT INTO kinds (u, i, c, h) VALUES ('00112233-4455-6677-8899-aabbccddeeff', '::1', REPEAT('c', 90), 4)",
	}},
}

// namesOf makes code whose names have two letters of a client's character set.
func namesOf(charset, one, two string) []string {
	in := charset + "_" + one
	definer := "DEFINER=`copies_" + two + "`@`localhost` "
	return []string{
		"SET NAMES " + charset,
		"CREATE USER IF NOT EXISTS `copies_" + two + "`@`localhost` IDENTIFIED BY 'a-Pw1'",
		"CREATE " + definer + "EVENT `" + in + "` ON SCHEDULE EVERY 1 DAY STARTS '2036-01-01 00:00:00'" +
			" COMMENT 'it''s " + two + " \\\\' DO DELETE FROM t WHERE v = '" + two + "' AND id < 0",
		"CREATE " + definer + "PROCEDURE `p " + in + "`(IN `" + one + "` INT) COMMENT '" + two + "'\n" +
			"SELECT '" + two + "', `" + one + "`",
		"CREATE " + definer + "FUNCTION `f " + in + "`(a INT) RETURNS INT DETERMINISTIC RETURN a + LENGTH('" + two + "')",
		"CREATE " + definer + "TRIGGER `t " + in + "` BEFORE INSERT ON t FOR EACH ROW SET NEW.v = '" + two + "'",
		"CREATE VIEW `v " + in + "` AS SELECT id AS `" + one + "`, '" + two + "' AS x FROM t", "SET NAMES utf8mb4",
	}
}

// columns are definitions with the numbers from 1 on, of which there are n.
func columns(format string, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(format, i+1)
	}
	return strings.Join(list, ", ")
}

// TestCopies copies what is not easy to copy, by the methods that copy table by table,
// between servers whose sql_mode is odd. The cures are pasted.
func TestCopies(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		master, slave := p.Servers(t)
		names, cases := makeCopies(t, p)
		for _, c := range cases {
			if c.refused != "" {
				t.Run(c.name, func(t *testing.T) { cureCopy(t, p, c) })
			}
		}
		methods := []journal.SeedMethod{journal.SeedDump}
		if p.Master.Version.Family == server.MariaDB {
			methods = append(methods, journal.SeedMydumper)
		}
		for _, method := range methods {
			t.Run(string(method), func(t *testing.T) {
				const odd = "'NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH'"
				master.SetGlobal(t, "sql_mode", odd, "DEFAULT")
				slave.SetGlobal(t, "sql_mode", odd, "DEFAULT")
				s := newSeed(t, master, slave, names...)
				s.Method = method
				found, err := s.Check(t.Context())
				if refused := pairs.ProblemOf(found.Problems, "seed-method"); method == journal.SeedMydumper {
					if refused == nil || !strings.Contains(refused.Text, "c_kinds.kinds.i, c_kinds.kinds.u") {
						t.Errorf("%v, and refused is\n%s", err, pairs.Texts(found.Problems))
					}
					s.Databases = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "c_kinds" })
					found, err = s.Check(t.Context())
				}
				if err != nil || len(found.Problems) > 0 {
					t.Fatalf("%v\n%s", err, pairs.Texts(found.Problems))
				}
				if _, err := s.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				result := compareOn(t, p, compare.Comparison{Databases: names})
				if !result.Equal() || len(result.Tables) < len(names) {
					t.Errorf("the copy differs: %q, %+v", result.Objects, result.Tables)
				}
				if n := slave.Count(t, "information_schema.events", "status = 'ENABLED' AND event_schema = 'c_names'"); n > 0 {
					t.Errorf("%d events are enabled", n)
				}
			})
		}
		for _, c := range cases {
			p.OnMaster(t, slices.Concat([]string{"USE " + c.name}, c.later)...)
		}
		p.Sync(t)
		if result := compareOn(t, p, compare.Comparison{Databases: names}); !result.Equal() {
			t.Errorf("the slave differs: %q, %+v", result.Objects, result.Tables)
		}
	})
}

// makeCopies makes the databases of a couple's family on its master, which logs none
// of what is in them.
func makeCopies(t *testing.T, p *pairs.Couple) (names []string, cases []copyCase) {
	t.Helper()
	p.OnMaster(t, "CREATE USER IF NOT EXISTS copies_weak@localhost")
	for _, c := range copyCases {
		if c.of != "" && c.of != p.Master.Version.Family {
			continue
		}
		p.Fresh(t, c.name)
		p.OnMaster(t, slices.Concat([]string{"SET sql_log_bin=0", "USE " + c.name}, c.make)...)
		names, cases = append(names, c.name), append(cases, c)
	}
	return names, cases
}

// refusals are what keeps a database from being copied.
func refusals(t *testing.T, p *pairs.Couple, name string) []*finding.Problem {
	t.Helper()
	master, slave := p.Servers(t)
	s := newSeed(t, master, slave, name)
	found, err := s.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	judged := rules.Judge(&rules.Subject{
		Moment: rules.SetupSlave, Master: s.MasterFacts, Slave: s.SlaveFacts, Databases: []string{name}, Reseed: true,
	})
	return slices.Concat(found.Problems, slices.DeleteFunc(judged.Problems, func(p *finding.Problem) bool {
		return !strings.HasPrefix(p.Code, "view-") && p.Code != "unknown-engine"
	}))
}

// cureCopy finds that a database cannot be copied, and does what the cure says.
func cureCopy(t *testing.T, p *pairs.Couple, c copyCase) {
	t.Helper()
	problems := refusals(t, p, c.name)
	if len(problems) != 1 || problems[0].Code != c.refused {
		t.Fatalf("refused is, for %s:\n%s", c.refused, pairs.Texts(problems))
	}
	cure := problems[0].Cure
	_, lines, several := strings.Cut(cure, ":\n")
	if !several {
		lines, _, _ = strings.Cut(strings.TrimPrefix(cure, "on the master: "), ";")
	}
	var statements []string
	for line := range strings.Lines(lines) {
		statements = append(statements, strings.TrimRight(line, ";\n"))
	}
	master, _ := p.Servers(t)
	usual := []string{"SET SESSION sql_mode=@@GLOBAL.sql_mode, sql_log_bin=0"}
	master.ExecTogether(t, slices.Concat(usual, statements)...)
	if problems := refusals(t, p, c.name); len(problems) > 0 {
		t.Errorf("after %q:\n%s", statements, pairs.Texts(problems))
	}
}

// TestRepairRefusesCopies: a repair begins nothing that it cannot end, or that would be
// found different again; after the cure it repairs.
func TestRepairRefusesCopies(t *testing.T) {
	pairs.OnCouples(t, pairs.Followers, func(t *testing.T, p *pairs.Couple) {
		pairs.MarkTools(t)
		p.Fresh(t, "c_repair")
		p.OnMaster(t, "CREATE TABLE c_repair.e (id INT PRIMARY KEY, e ENUM('a', ''))", "INSERT INTO c_repair.e VALUES (1, 0)",
			"CREATE TABLE c_repair.well (id INT PRIMARY KEY)")
		p.Sync(t)
		p.OnSlave(t, "SET sql_log_bin=0", "INSERT INTO c_repair.e VALUES (2, 'a')")
		err := repair(t.Context(), p, "c_repair.e")
		if bad, ok := errors.AsType[*finding.Problem](err); !ok || bad.Code != "lost-values" ||
			!strings.Contains(bad.Cure, "UPDATE `c_repair`.`e`") {
			t.Errorf("got %v", err)
		}
		_, slave := p.Servers(t)
		if n := slave.Count(t, "c_repair.e", "TRUE"); n != 2 {
			t.Errorf("the slave has %d rows", n)
		}
		if status := p.Status(t); len(status.IgnoreTable) > 0 || !status.Running() {
			t.Errorf("the slave is %+v", *status)
		}
		p.OnMaster(t, "UPDATE c_repair.e SET e = '' WHERE e+0 = 0")
		if err := repair(t.Context(), p, "c_repair.e"); err != nil {
			t.Error(err)
		}
	})
}

// TestRepairSequenceDefault repairs a table whose rows take their numbers from a
// sequence.
func TestRepairSequenceDefault(t *testing.T) {
	pairs.OnCouples(t, []pairs.Pair{pairs.MariaDB, pairs.MariaDB118}, func(t *testing.T, p *pairs.Couple) {
		pairs.MarkTools(t)
		p.Fresh(t, "c_numbers")
		p.OnMaster(t, "USE c_numbers", "CREATE SEQUENCE s START WITH 100",
			"CREATE TABLE t (id INT PRIMARY KEY DEFAULT NEXTVAL(s), v INT)", "INSERT INTO t (v) VALUES (1), (2)")
		p.Sync(t)
		p.OnSlave(t, "SET sql_log_bin=0", "DELETE FROM c_numbers.t")
		if err := repair(t.Context(), p, "c_numbers.t"); err != nil {
			t.Fatal(err)
		}
		p.MustRun(t)
	})
}

// TestCopyOfForeignEngine: a table of an engine that the slave lacks is refused before the
// copy, and copied once it is made anew.
func TestCopyOfForeignEngine(t *testing.T) {
	pairs.OnCouples(t, []pairs.Pair{pairs.Crossed}, func(t *testing.T, p *pairs.Couple) {
		master, slave := p.Servers(t)
		p.Fresh(t, "c_engine")
		p.OnMaster(t, "SET sql_log_bin=0", "CREATE TABLE c_engine.t (id INT PRIMARY KEY) ENGINE=Aria")
		s := newSeed(t, master, slave, "c_engine")
		judged := rules.Judge(&rules.Subject{
			Moment: rules.CheckPair, Master: s.MasterFacts, Slave: s.SlaveFacts, Databases: []string{"c_engine"},
		})
		if bad := pairs.ProblemOf(judged.Problems, "unknown-engine"); bad == nil ||
			!strings.Contains(bad.Text, "ARIA of tables of the master: c_engine.t") ||
			!strings.Contains(bad.Cure, "make these tables anew") {
			t.Errorf("refused is\n%s", pairs.Texts(judged.Problems))
		}
		master.ExecTogether(t, "SET sql_log_bin=0", "USE c_engine", "CREATE TABLE n (id INT PRIMARY KEY) ENGINE=InnoDB",
			"INSERT INTO n SELECT * FROM t", "DROP TABLE t", "RENAME TABLE n TO t")
		if _, err := newSeed(t, master, slave, "c_engine").Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

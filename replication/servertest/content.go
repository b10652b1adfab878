package servertest

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// Content is what Fill makes.
type Content struct {
	Databases []string // with names that need quotes and escapes
	App       string   // the user, at 127.0.0.1, that has rights on all of them, by the password AppPassword
	Owner     string   // the user, at localhost, that is the definer of some objects
}

// AppPassword is the password of the application's account.
const AppPassword = "it's an application" //nolint:gosec // of throw-away servers

// The databases. The first's name is a pattern too, which matches contentX1; groups
// is a reserved word of MySQL.
var contentDatabases = []string{"content_1", "groups", "odd %_ näme"}

// Fill makes databases with all that a server of the kind can have in them:
// every type at its limits, keys of all sorts, views, triggers, routines,
// events, partitions, foreign keys, and names, comments and values that break
// careless quoting. It is always the same. The databases must not exist.
func Fill(ctx context.Context, db *sql.DB, kind Kind) (*Content, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer discard(conn)
	c := &Content{Databases: contentDatabases, App: "content_app", Owner: "content_owner"}
	for _, statement := range c.statements(kind) {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return c, nil
}

// statements are the content, for one session.
func (c *Content) statements(kind Kind) []string {
	statements := []string{"SET NAMES utf8mb4, time_zone = '+00:00'"}
	for _, account := range []struct{ name, password string }{
		{name: "'" + c.App + "'@'127.0.0.1'", password: AppPassword},
		{name: "'" + c.Owner + "'@'localhost'", password: "nobody uses this"},
	} {
		password := strings.ReplaceAll(account.password, "'", "''")
		statements = append(statements, "CREATE USER "+account.name+" IDENTIFIED BY '"+password+"'")
		for _, database := range c.Databases {
			pattern := strings.NewReplacer("_", `\_`, "%", `\%`).Replace(database)
			statements = append(statements, "GRANT ALL PRIVILEGES ON "+quote(pattern)+".* TO "+account.name)
		}
	}
	return slices.Concat(statements, typesContent(kind), keysContent, codeContent, oddContent)
}

// typesContent has a table of all types, once with all NULL, at both limits and
// empty.
func typesContent(kind Kind) []string {
	statements := []string{
		"CREATE DATABASE content_1 CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", "USE content_1",
		`CREATE TABLE types (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY COMMENT 'it''s "the" key; ` + "`quoted`" + ` \\ 100%',
			ti TINYINT, tiu TINYINT UNSIGNED, si SMALLINT, siu SMALLINT UNSIGNED, mi MEDIUMINT, miu MEDIUMINT UNSIGNED,
			i INT, iu INT UNSIGNED, bi BIGINT, biu BIGINT UNSIGNED, zf INT(8) UNSIGNED ZEROFILL, bo BOOLEAN,
			de DECIMAL(65,30), fl FLOAT, dou DOUBLE, b1 BIT(1), b64 BIT(64),
			da DATE, ti0 TIME, ti6 TIME(6), dt DATETIME, dt6 DATETIME(6), ts TIMESTAMP NULL, ts6 TIMESTAMP(6) NULL, ye YEAR,
			ch CHAR(10), chl CHAR(10) CHARACTER SET latin1, vc VARCHAR(300), vcb VARCHAR(30) COLLATE utf8mb4_bin, bin BINARY(8), vb VARBINARY(300),
			tt TINYTEXT, te TEXT, mt MEDIUMTEXT, lt LONGTEXT, tb TINYBLOB, bl BLOB, mb MEDIUMBLOB, lb LONGBLOB,
			en ENUM('a','it''s','ö'), se SET('x','y','z'), js JSON,
			ge GEOMETRY, po POINT, ls LINESTRING, pg POLYGON, mpo MULTIPOINT, mls MULTILINESTRING, mpg MULTIPOLYGON, gc GEOMETRYCOLLECTION,
			gv INT GENERATED ALWAYS AS (ti + 1) VIRTUAL, gs VARCHAR(310) GENERATED ALWAYS AS (CONCAT(vc, '!')) STORED, hidden INT DEFAULT 7 INVISIBLE,
			KEY (vc(20)), KEY (gv), KEY (bl(10)), FULLTEXT KEY (te)) ENGINE=InnoDB COMMENT='a ''comment'' with \\ and ;'`,
		"INSERT INTO types (id, hidden) VALUES (1, NULL)",
		"INSERT INTO types (id, " + typesColumns + `, hidden) VALUES (2, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, 0, 0,
			-99999999999999999999999999999999999.999999999999999999999999999999, -3.4e38, -1.7976931348623157e308, b'0', 0,
			'1000-01-01', '-838:59:59', '-838:59:59.000000', '1000-01-01 00:00:00', '1000-01-01 00:00:00.000001', '1970-01-01 00:00:01', '1970-01-01 00:00:01.000001', 1901,
			'', '', '', '', '', '', '', '', '', '', '', '', '', '', 'ö', '', '[]',
			ST_GeomFromText('POINT(0 0)'), ST_GeomFromText('POINT(1 -2.5)'), ST_GeomFromText('LINESTRING(0 0, 1 1)'), ST_GeomFromText('POLYGON((0 0, 1 0, 1 1, 0 0))'),
			ST_GeomFromText('MULTIPOINT(0 0, 1 1)'), ST_GeomFromText('MULTILINESTRING((0 0, 1 1), (2 2, 3 3))'), ST_GeomFromText('MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))'),
			ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(0 0, 1 1))'), -1)`,
		"INSERT INTO types (id, " + typesColumns + `, hidden) VALUES (18446744073709551600, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615, 7, 1,
			99999999999999999999999999999999999.999999999999999999999999999999, 1.5e-7, 2.2250738585072014e-308, b'1', 18446744073709551615,
			'9999-12-31', '838:59:59', '23:59:59.999999', '9999-12-31 23:59:59', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07', '2038-01-19 03:14:07.999999', 2155,
			'ä😀', 'ÄÖÜ', 'quote '' " ` + "`" + ` \\ \n \r \0 \Z % _ 😀', 'Größe', x'00ff00ff00ff00ff', x'000a0d1a5c2227ff00', 'tt', 'text; DELIMITER // \\! echo', REPEAT('é', 9000), REPEAT('😀 long ', 60000),
			x'ff', x'00', x'0102', REPEAT(x'ff005c27', 200000), 'it''s', 'x,z', '{"a": [1, 2.5, "ü"], "b": null, "c\\\\d": "\\"", "e": {"f": true}}',
			ST_GeomFromText('POLYGON((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 2 1, 2 2, 1 1))'), ST_GeomFromText('POINT(-1e10 1e-10)'), NULL, NULL, NULL, NULL, NULL, NULL, DEFAULT)`,
		// What the server refuses today may have come in yesterday.
		"SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
		"INSERT INTO types (id, da, dt, dt6, ts, en, ye) " +
			"VALUES (0, '0000-00-00', '0000-00-00', '2026-02-00 00:00:00.5', '0000-00-00', 'none such', 0)",
		"SET sql_mode = DEFAULT",
		"CREATE TABLE defaults (id INT PRIMARY KEY, t TIMESTAMP NOT NULL DEFAULT '2001-02-03 04:05:06' " +
			"ON UPDATE CURRENT_TIMESTAMP, w VARCHAR(40) NOT NULL DEFAULT 'it''s; \\\\ \"ü\"', " +
			"n DECIMAL(5,2) NOT NULL DEFAULT -1.50, b BIT(3) NOT NULL DEFAULT b'101', CHECK (n < 100))",
		"INSERT INTO defaults (id) VALUES (1), (2)",
	}
	if kind.IsMySQL() {
		// No index on an array: CHECKSUM TABLE gives another sum each time.
		return append(statements,
			"CREATE TABLE family (id INT PRIMARY KEY, v VECTOR(3), e INT DEFAULT (1 + 1), doc JSON, "+
				"srid4326 POINT NOT NULL SRID 4326, "+
				"u BINARY(16) DEFAULT (UUID_TO_BIN('00112233-4455-6677-8899-aabbccddeeff')), "+
				"w VARCHAR(50), KEY ((UPPER(w))), KEY down (id DESC), KEY unseen (e) INVISIBLE)",
			`INSERT INTO family (id, v, doc, srid4326, w) VALUES (1, STRING_TO_VECTOR('[1, -2.5, 3e-7]'), '{"list": [1, 2, 3]}', ST_GeomFromText('POINT(38.7 -9.1)', 4326), 'ü😀'), (2, NULL, NULL, ST_GeomFromText('POINT(0 0)', 4326), NULL)`)
	}
	columns := "id INT PRIMARY KEY, i6 INET6, e INT DEFAULT (1 + 1), c VARCHAR(100) COMPRESSED"
	if kind != MariaDB105 {
		columns += ", u UUID DEFAULT '00112233-4455-6677-8899-aabbccddeeff', i4 INET4 DEFAULT '192.0.2.255'"
	}
	if kind == MariaDB118 {
		columns += ", v VECTOR(3) DEFAULT x'0000803f000020c00000403f'"
	}
	return append(statements, "CREATE TABLE family ("+columns+")", "INSERT INTO family (id, i6, c) "+
		"VALUES (1, '2001:db8::ff', REPEAT('c', 90)), (2, '::ffff:192.0.2.1', ''), (3, NULL, NULL)")
}

// typesColumns are those with values that are given.
const typesColumns = "ti, tiu, si, siu, mi, miu, i, iu, bi, biu, zf, bo, de, fl, dou, b1, b64, " +
	"da, ti0, ti6, dt, dt6, ts, ts6, ye, " +
	"ch, chl, vc, vcb, bin, vb, tt, te, mt, lt, tb, bl, mb, lb, en, se, js, ge, po, ls, pg, mpo, mls, mpg, gc"

// keysContent has tables that differ in their keys.
var keysContent = []string{
	"CREATE TABLE no_key (a INT, b VARCHAR(10), c BLOB)",
	"INSERT INTO no_key VALUES (1, 'x', x'00'), (1, 'x', x'00'), (NULL, NULL, NULL), (NULL, NULL, NULL), (2, '', '')",
	"CREATE TABLE unique_key (a INT, b VARCHAR(10) NOT NULL, UNIQUE KEY (a, b))",
	"INSERT INTO unique_key VALUES (NULL, 'x'), (NULL, 'x'), (1, 'x'), (1, 'y')",
	"CREATE TABLE composite (a INT UNSIGNED, b VARCHAR(20), c DATE, v TEXT, PRIMARY KEY (b, a, c), KEY (c))",
	"INSERT INTO composite VALUES (1, '', '2026-01-01', 'one'), " +
		"(4294967295, 'ß', '2026-01-01', NULL), (1, 'Z', '1999-12-31', ''), (0, 'a#b', '2026-01-02', 'a#b')",
	"CREATE TABLE binary_key (k BINARY(16) PRIMARY KEY, v INT)",
	"INSERT INTO binary_key VALUES (x'00', 0), (x'ff', 1), (x'0a0d1a5c2227', 2), ('text', 3)",
	"CREATE TABLE varbinary_key (k VARBINARY(50) PRIMARY KEY, v INT)",
	"INSERT INTO varbinary_key VALUES ('', 0), (x'00', 1), (x'0000', 2), (x'5c', 3), (x'ffff', 4)",
	"CREATE TABLE blob_key (k BLOB, n TEXT, v INT, PRIMARY KEY (k(10), n(5)))",
	"INSERT INTO blob_key VALUES ('', '', 0), (REPEAT('k', 9), 'a', 1), (REPEAT('k', 3000), 'b', 2), (x'5c00', 'ä', 3)",
	"CREATE TABLE text_key (k VARCHAR(50) PRIMARY KEY, v INT)",
	"INSERT INTO text_key VALUES ('zebra', 1), ('Zürich', 2), ('😀', 3), ('a\\'\\\\', 4), ('A z', 5), ('', 6)",
	"CREATE TABLE bin_text_key (k VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, v INT)",
	"INSERT INTO bin_text_key VALUES ('a', 1), ('A', 2), ('ä', 3), ('😀', 4)",
	"CREATE TABLE bigint_key (k BIGINT PRIMARY KEY, v INT)",
	"INSERT INTO bigint_key VALUES (-9223372036854775808, 1), (9223372036854775807, 2), (0, 3)",
	"CREATE TABLE unsigned_key (k BIGINT UNSIGNED PRIMARY KEY, v INT)",
	"INSERT INTO unsigned_key VALUES (18446744073709551615, 1), (9223372036854775808, 2), (0, 3)",
	"CREATE TABLE decimal_key (k DECIMAL(30,10) PRIMARY KEY)",
	"INSERT INTO decimal_key VALUES (-12345678901234567890.0123456789), (0), (0.0000000001)",
	"CREATE TABLE moment_key (k DATETIME(6), d DATE, y YEAR, t TIME(3), PRIMARY KEY (k, d, y, t))",
	"INSERT INTO moment_key VALUES ('2026-01-01 00:00:00.000001', '2026-01-01', 2026, '-01:00:00.001'), " +
		"('2026-01-01', '2026-01-01', 1901, '00:00:00')",
	"CREATE TABLE enum_key (e ENUM('b','a','ö'), s SET('x','y'), b BIT(12), PRIMARY KEY (e, s, b))",
	"INSERT INTO enum_key VALUES ('b', '', b'0'), ('a', 'x,y', b'111111111111'), ('ö', 'y', b'1')",
	"CREATE TABLE latin (id INT PRIMARY KEY, v VARCHAR(50), u VARCHAR(50) CHARACTER SET utf8mb4) CHARACTER SET latin1",
	"INSERT INTO latin VALUES (1, 'Größe €', 'Größe € 😀'), (2, _latin1 x'c3a4', ''), (3, NULL, NULL)",
	"CREATE TABLE latin_key (k VARCHAR(50) PRIMARY KEY) CHARACTER SET latin1",
	"INSERT INTO latin_key VALUES ('ä'), ('z'), ('É')",

	"CREATE TABLE parent (id INT AUTO_INCREMENT PRIMARY KEY, up INT, name VARCHAR(50), UNIQUE KEY (name), " +
		"CONSTRAINT `up y` FOREIGN KEY (up) REFERENCES parent (id)) AUTO_INCREMENT=1000",
	"INSERT INTO parent (id, up, name) VALUES (1, NULL, 'root'), (2, 1, 'below'), (3, 3, 'itself')",
	"CREATE TABLE child (id INT PRIMARY KEY, p INT, n VARCHAR(50), " +
		"CONSTRAINT `f k` FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE, " +
		"FOREIGN KEY (n) REFERENCES parent (name) ON DELETE SET NULL)",
	"INSERT INTO child VALUES (1, 1, 'below'), (2, 2, NULL), (3, NULL, 'root')",
	"CREATE TABLE by_range (id INT, y INT, v VARCHAR(20), PRIMARY KEY (id, y)) PARTITION BY RANGE (y) " +
		"SUBPARTITION BY HASH (id) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (2000), " +
		"PARTITION p1 VALUES LESS THAN MAXVALUE COMMENT 'the ''rest''')",
	"INSERT INTO by_range VALUES (1, 1999, 'old'), (2, 2020, 'new'), (1, 2020, 'too')",
	"CREATE TABLE by_list (c VARCHAR(10), v INT) PARTITION BY LIST COLUMNS (c) " +
		"(PARTITION a VALUES IN ('a', 'it''s'), PARTITION b VALUES IN ('b', NULL))",
	"INSERT INTO by_list VALUES ('a', 1), ('it''s', 2), (NULL, 3), ('b', 4)",
	"CREATE TABLE empty_table (id INT PRIMARY KEY)",
	"CREATE TABLE my (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20)) ENGINE=MyISAM",
	"INSERT INTO my (v) VALUES ('not'), ('transactional')",
}

// codeContent has views, triggers, routines and events, with definers, modes
// and character sets of their own. The events never run.
var codeContent = []string{
	"CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, t VARCHAR(50))",
	"CREATE VIEW z_first AS SELECT id, vc, hidden FROM types",
	"CREATE DEFINER=content_owner@localhost SQL SECURITY DEFINER VIEW a_second " +
		"AS SELECT id FROM z_first WHERE vc LIKE '%ü\\_%😀' OR id < 3",
	"CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW checked AS SELECT id, n " +
		"FROM defaults WHERE id > 0 WITH LOCAL CHECK OPTION",
	"CREATE TRIGGER `trg \"x\"` AFTER INSERT ON parent " +
		"FOR EACH ROW BEGIN\n -- a comment ' with ` quotes\n INSERT INTO log (t) VALUES (CONCAT('é', NEW.id)); END",
	"CREATE DEFINER=content_owner@localhost TRIGGER second AFTER INSERT ON parent " +
		"FOR EACH ROW FOLLOWS `trg \"x\"` INSERT INTO log (t) VALUES ('second')",
	"CREATE TRIGGER before_change BEFORE UPDATE ON parent FOR EACH ROW SET NEW.name = TRIM(NEW.name)",
	"INSERT INTO parent (id, name) VALUES (10, 'by the trigger')", "UPDATE parent SET name = ' trimmed ' WHERE id = 10",
	"CREATE DEFINER=content_owner@localhost FUNCTION `f é`(x INT) RETURNS INT DETERMINISTIC RETURN x + 1",
	"CREATE PROCEDURE p1(IN a INT, OUT b VARCHAR(20) CHARACTER SET utf8mb4) COMMENT 'cömment' " +
		"SQL SECURITY INVOKER\nBEGIN\n/* block ; comment */ # hash\nSET b = CONCAT('a;😀', a);\n-- Dumping data for table `zzz`\n\nEND",
	"SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'",
	`CREATE PROCEDURE p2() SELECT 'a' || "id" || '\' FROM "types"`,
	"SET sql_mode = DEFAULT",
	"CREATE DEFINER=content_owner@localhost EVENT e1 ON SCHEDULE EVERY 1 HOUR STARTS '2036-01-01 00:00:00' " +
		"ON COMPLETION PRESERVE COMMENT 'ö ''q' DO BEGIN DELETE FROM log WHERE id < 0; END",
	"SET time_zone = '+05:00', sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
	`CREATE EVENT "e ""2" ON SCHEDULE EVERY '1:30' MINUTE_SECOND STARTS '2035-12-01 00:00:00' ENDS '2036-01-01 00:00:00' DO DELETE FROM "log" WHERE t = '\'`,
	"SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = DEFAULT",
	"CREATE EVENT e3 ON SCHEDULE AT '2035-05-05 05:05:05' DO DELETE FROM log",
	"CREATE EVENT e4 ON SCHEDULE EVERY 1 DAY STARTS '2036-01-01 00:00:00' DISABLE DO DELETE FROM log",
}

// oddContent has the other databases, which need content_1.
var oddContent = []string{
	"CREATE DATABASE `groups` CHARACTER SET latin1", "USE `groups`",
	"CREATE TABLE `groups` (gid INT PRIMARY KEY, `select` VARCHAR(200), `rank` INT, KEY `order` (`rank`))",
	"INSERT INTO `groups` VALUES (1, '/vo', 1), (2, '/vo/öps', 2)",
	"CREATE VIEW `order` AS SELECT g.gid, c.name FROM `groups` g JOIN content_1.parent c ON c.id = g.gid",
	"CREATE VIEW across AS SELECT o.gid, v.id FROM `order` o JOIN content_1.a_second v ON v.id = o.gid",
	"CREATE TABLE member (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES content_1.parent (id))",
	"INSERT INTO member VALUES (1, 1), (2, NULL)",
	"CREATE TRIGGER `insert` AFTER INSERT ON member FOR EACH ROW INSERT INTO content_1.log (t) VALUES ('across')",
	"INSERT INTO member VALUES (3, 2)",

	"CREATE DATABASE `odd %_ näme`", "USE `odd %_ näme`",
	"CREATE TABLE `--help` (`a b` INT PRIMARY KEY, `c``d` VARCHAR(5), `%` INT, `ü.é` INT)",
	"INSERT INTO `--help` VALUES (1, 'x', 2, 3)",
	"CREATE TABLE `back``tick \"quote\" 'it''s'` (id INT PRIMARY KEY)",
	"INSERT INTO `back``tick \"quote\" 'it''s'` VALUES (1)",
	"CREATE TABLE `t.ä\\_%` (id INT) COMMENT 'no key either'", "INSERT INTO `t.ä\\_%` VALUES (1), (1), (NULL)",
	"CREATE TABLE `UPPER` (`Id` INT PRIMARY KEY)", "INSERT INTO `UPPER` VALUES (1)",
	"CREATE VIEW `v ``w` AS SELECT `c``d` AS `x y` FROM `--help`",
	"CREATE PROCEDURE `p ``q`() SELECT * FROM `--help`",
}

// quote makes an identifier of a name.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

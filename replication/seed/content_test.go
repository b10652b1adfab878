package seed_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// fillServer makes databases that have all that databases have, and gives
// their names. Between families it leaves out what they do not share.
func fillServer(t *testing.T, s *pairs.Server, crosses bool) []string {
	t.Helper()
	databases := []string{"seed_all", "seed odd-`db`"}
	for _, database := range databases {
		s.Exec(t, "DROP DATABASE IF EXISTS `"+strings.ReplaceAll(database, "`", "``")+"`")
	}
	conn, err := s.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	generated := ", gen INT AS (ti + 1) VIRTUAL, sto VARCHAR(310) AS (CONCAT(vc, '!')) STORED"
	if crosses {
		generated = "" // MariaDB's dumps have values of theirs, which MySQL refuses
	}
	statements := append([]string{
		"CREATE DATABASE seed_all CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", "USE seed_all", "SET NAMES utf8mb4",
		"SET time_zone = '+00:00'",
		"CREATE TABLE types (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, ti TINYINT, si SMALLINT UNSIGNED, mi " +
			"MEDIUMINT, bi BIGINT," +
			" de DECIMAL(30,10), fl FLOAT, dou DOUBLE, b BIT(13), bo BOOL, da DATE, ti6 TIME(6), dt DATETIME(6), ts " +
			"TIMESTAMP(6) NULL, ye YEAR," +
			" c CHAR(10), vc VARCHAR(300), bin BINARY(8), vb VARBINARY(300), tt TINYTEXT, te TEXT, mt MEDIUMTEXT, lt LONGTEXT," +
			" tb TINYBLOB, bl BLOB, mb MEDIUMBLOB, lb LONGBLOB, en ENUM('a','b','ö'), se SET('x','y','z'), js JSON, ge " +
			"GEOMETRY, po POINT" +
			generated + ", KEY (vc(20)), FULLTEXT (te))",
	}, contentStatements...)
	for _, statement := range statements {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %s: %v", s, statement, err)
		}
	}
	return databases
}

// columnsOfTypes are all but the generated ones, in order.
const columnsOfTypes = "ti,si,mi,bi,de,fl,dou,b,bo,da,ti6,dt,ts,ye,c,vc,bin,vb,tt,te,mt,lt,tb,bl,mb,lb,en,se,js,ge,po"

var contentStatements = []string{
	"INSERT INTO types (" + columnsOfTypes + `) VALUES (-128, 65535, -8388608, -9223372036854775808,
		'12345678901234567890.0123456789', 1.5e-7, 1.7976931348623157e308, b'1010101010101', 1,
		'9999-12-31', '-838:59:59.000000', '2026-02-28 23:59:59.999999', '2030-01-19 03:14:07.999999', 2155,
		'ä😀', 'quote '' " \\ \n \r \0 \Z % _ 😀', x'00ff00ff00ff00ff', x'0a0d1a5c2227ff00', 'tt', 'text; DELIMITER // \\! echo', 'mt', REPEAT('é', 70000),
		x'ff', x'00', x'0102', REPEAT(x'ff00', 40000), 'ö', 'x,z', '{"a": [1, 2.5, "ü"], "b": null}',
		ST_GeomFromText('POLYGON((0 0, 1 0, 1 1, 0 0))'), ST_GeomFromText('POINT(1 -2.5)'))`,
	"INSERT INTO types (id) VALUES (NULL), (9223372036854775807)",
	"INSERT INTO types (" + columnsOfTypes + ") SELECT " + columnsOfTypes + " FROM types WHERE id < 3",

	"CREATE TABLE latin (id INT PRIMARY KEY, v VARCHAR(300)) CHARACTER SET latin1",
	"INSERT INTO latin SELECT 1 + n DIV 100, GROUP_CONCAT(CONVERT(UNHEX(LPAD(HEX(n), 2, '0')) USING latin1) ORDER BY n " +
		"SEPARATOR '') FROM (" + numbers(255) + ") seq GROUP BY 1",
	"CREATE TABLE parent (id INT PRIMARY KEY)",
	"CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT `f k` FOREIGN KEY (p) REFERENCES parent (id) ON DELETE " +
		"CASCADE)",
	"INSERT INTO parent VALUES (1), (2)", "INSERT INTO child VALUES (1, 1), (2, 2), (3, NULL)",
	"CREATE TABLE parts (id INT NOT NULL, y INT NOT NULL, PRIMARY KEY (id, y)) PARTITION BY RANGE (y) (PARTITION p0 " +
		"VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE)",
	"INSERT INTO parts VALUES (1, 1999), (2, 2020)",
	"CREATE TABLE nokey (a INT, b VARCHAR(10))", "INSERT INTO nokey VALUES (1, 'x'), (1, 'x'), (NULL, NULL)",
	"CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, t VARCHAR(50))",
	"CREATE TABLE many (id INT PRIMARY KEY, pad VARCHAR(1000))",
	"INSERT INTO many SELECT n, REPEAT('x', 1000) FROM (" + numbers(1500) + ") seq",

	"CREATE VIEW v2 AS SELECT id, vc FROM types",
	"CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW v1 AS SELECT id FROM v2 WHERE vc LIKE '%ü\\_%'",
	"CREATE TRIGGER `trg \"x\"` AFTER INSERT ON parent FOR EACH ROW BEGIN\n -- a comment ' with ` quotes\n INSERT INTO " +
		"log (t) VALUES (CONCAT('é', NEW.id)); END",
	"CREATE TRIGGER trg2 AFTER INSERT ON parent FOR EACH ROW INSERT INTO log (t) VALUES ('second')",
	"CREATE FUNCTION `f é`(x INT) RETURNS INT DETERMINISTIC RETURN x + 1",
	"CREATE PROCEDURE p1(IN a INT, OUT b VARCHAR(20) CHARACTER SET utf8mb4) COMMENT 'cömment' SQL SECURITY " +
		"INVOKER\nBEGIN\n" +
		"/* block ; comment */ # hash\nSET b = CONCAT('a;', a);\n-- Dumping data for table `zzz`\n\nEND",
	"SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'",
	`CREATE PROCEDURE p2() SELECT 'a' || "id" || '\' FROM "types"`,
	"SET sql_mode = DEFAULT",
	"CREATE EVENT e1 ON SCHEDULE EVERY 1 HOUR STARTS '2020-01-01 00:00:00' ON COMPLETION PRESERVE COMMENT 'ö ''q' DO " +
		"BEGIN DELETE FROM log WHERE id < 0; END",
	"SET time_zone = '+05:00', sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
	`CREATE EVENT "e ""2" ON SCHEDULE EVERY '1:30' MINUTE_SECOND ENDS '2036-01-01 00:00:00' DO DELETE FROM "log" WHERE t = '\'`,
	"SET NAMES latin1",
	"CREATE EVENT e3 ON SCHEDULE AT '2035-05-05 05:05:05' DO DELETE FROM log",
	"SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = DEFAULT",
	"CREATE EVENT e4 ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM log",

	"CREATE DATABASE `seed odd-``db```", "USE `seed odd-``db```",
	"CREATE TABLE `--help` (`a b` INT PRIMARY KEY, `c``d` VARCHAR(5))", "INSERT INTO `--help` VALUES (1, 'x')",
	"CREATE TABLE `t.ä` (id INT)", "CREATE VIEW `v ``w` AS SELECT * FROM `--help`",
}

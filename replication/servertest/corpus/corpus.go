package corpus

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

//go:embed schemas changes cases plants
var files embed.FS

// Schema is what one service keeps.
type Schema struct {
	Name      string
	Databases []string
	Create    string // makes it, with its rows and accounts
	Change    string // what a later version of the service makes of it; may be empty
}

// Schemas are those that servers of a kind can have. The last has as many tables as
// asked for, and many more in MySQL's and MariaDB's own family of names.
func Schemas(kind servertest.Kind, tables int) ([]Schema, error) {
	all := []Schema{}
	for _, folder := range []string{".", family(kind)} {
		names, err := fs.Glob(files, path.Join("schemas", folder, "*.sql"))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			create, err := fs.ReadFile(files, name)
			if err != nil {
				return nil, err
			}
			base := path.Base(name)
			change, err := fs.ReadFile(files, path.Join("changes", folder, base))
			if err != nil {
				return nil, err
			}
			all = append(all, Schema{
				Name: strings.TrimSuffix(base, ".sql"), Databases: databasesOf(string(create)), Create: string(create),
				Change: string(change),
			})
		}
	}
	return append(all, manyTables(tables)), nil
}

// family is the folder of what a kind's family alone has.
func family(kind servertest.Kind) string {
	if kind.IsMySQL() {
		return "mysql"
	}
	return "mariadb"
}

var createDatabase = regexp.MustCompile("(?m)^CREATE DATABASE (`[^`]+`|\\w+)")

// databasesOf are those that SQL creates.
func databasesOf(sql string) []string {
	var names []string
	for _, found := range createDatabase.FindAllStringSubmatch(sql, -1) {
		names = append(names, strings.Trim(found[1], "`"))
	}
	return names
}

// monitoring is the database of manyTables.
const monitoring = "zabbix"

// manyTables is the schema of a monitoring with as many tables as asked for:
// small ones, of which hardly any is written to.
func manyTables(n int) Schema {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("CREATE DATABASE %s CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;\nUSE %[1]s;", monitoring)
	line("CREATE TABLE trends (itemid bigint);\nCREATE TABLE dice (n BIGINT NOT NULL);\nINSERT INTO dice VALUES (1);")
	columns := []string{
		"name varchar(128) NOT NULL DEFAULT ''", "value double NOT NULL DEFAULT 0.0000", "severity int NOT NULL DEFAULT '0'",
		"params text NOT NULL", "uuid varchar(32) COLLATE utf8mb4_bin NOT NULL DEFAULT ''", "proxyid bigint unsigned NULL",
		"ns int NOT NULL DEFAULT 0", "data mediumblob", "tag varchar(255) NOT NULL DEFAULT '' COMMENT 'a tag''s name'",
	}
	for i := range n {
		var own []string
		for j, column := range columns {
			if (i*7+j*j)%3 != 1 {
				own = append(own, column)
			}
		}
		keys := []string{"KEY by_clock (clock, itemid)"}
		if i%5 != 4 { // the history has no key
			keys = append(keys, "PRIMARY KEY (itemid)")
		}
		line("CREATE TABLE t_%03d (itemid bigint unsigned NOT NULL, clock int NOT NULL DEFAULT '0', %s) ENGINE=InnoDB;",
			i, strings.Join(slices.Concat(own, keys), ", "))
		if i%3 == 1 {
			line("SET sql_mode = '';\nINSERT INTO t_%03d (itemid, clock) VALUES (%d, 1), (%d, 2), (18446744073709551615, -1);",
				i, i+1, i+2)
		}
	}
	line("CREATE TABLE ids (table_name varchar(64) NOT NULL, field_name varchar(64) NOT NULL,"+
		" nextid bigint unsigned NOT NULL, PRIMARY KEY (table_name, field_name));"+
		"\nDELIMITER //\nCREATE PROCEDURE write_some(IN r BIGINT)\nBEGIN"+
		"\n  SET @t = CONCAT('t_', LPAD(r MOD %d, 3, '0')), @n = r MOD 1000;"+
		"\n  SET @s = IF(r MOD 4 = 0, CONCAT('DELETE FROM ', @t, ' WHERE itemid = ', @n),"+
		"\n    CONCAT('INSERT IGNORE INTO ', @t, ' (itemid, clock) VALUES (', @n, ', ', r MOD 77, ')'));"+
		"\n  PREPARE s FROM @s;\n  EXECUTE s;\n  DEALLOCATE PREPARE s;"+
		"\n  INSERT INTO ids VALUES (@t, 'itemid', 1) ON DUPLICATE KEY UPDATE nextid = nextid + 1;\nEND//\nDELIMITER ;", n)
	return Schema{
		Name: monitoring, Databases: []string{monitoring}, Create: b.String(), Change: fmt.Sprintf(
			"USE %s;\nALTER TABLE t_000 ADD COLUMN more INT;\nDROP TABLE trends;\nALTER TABLE t_002 CHARACTER SET latin1;\n"+
				"RENAME TABLE t_004 TO t_005_old, t_005 TO t_004, t_005_old TO t_005;\n", monitoring),
	}
}

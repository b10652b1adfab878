package corpus

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// Plant is a difference that is made on a slave.
type Plant struct {
	What   string
	Object string // as in a Dump: the only one that is not the same afterwards
	SQL    string // on the slave
}

// Plants are differences in the schemas, as they are after their changes: one of
// each kind, each in an object of its own. In their files each stands below a line
// of what it is and in which object.
func Plants(kind servertest.Kind) ([]Plant, error) {
	var all []Plant
	for _, name := range []string{"all", family(kind)} {
		text, err := fs.ReadFile(files, "plants/"+name+".sql")
		if err != nil {
			return nil, err
		}
		for plant := range strings.SplitSeq(strings.TrimPrefix(string(text), "-- "), "\n-- ") {
			head, sql, _ := strings.Cut(plant, "\n")
			what, object, _ := strings.Cut(head, ": ")
			all = append(all, Plant{What: what, Object: object, SQL: sql})
		}
	}
	return all, nil
}

// AsSlave makes SQL one that changes a slave alone, whoever is in its way.
func AsSlave(kind servertest.Kind, sql string) string {
	begin := "SET SESSION sql_log_bin = 0, SESSION sql_mode = '', SESSION foreign_key_checks = 0;"
	if kind.IsMySQL() {
		return fmt.Sprintf("SET GLOBAL super_read_only = 0;\n%s\n%s\nSET GLOBAL super_read_only = 1;", begin, sql)
	}
	return begin + "\n" + sql
}

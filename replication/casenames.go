package replication

import (
	"context"
	"slices"
	"strings"
)

// quoteExactly joins literals of names for a comparison that tells upper and lower
// case apart: MariaDB's lists, and those of MySQL before 8.0, do not by themselves.
func quoteExactly(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "CAST(" + quoteString(name) + " AS BINARY)"
	}
	return strings.Join(quoted, ", ")
}

// joinTables joins information_schema.tables as t to another list, c, of what
// tables have. The second condition tells upper and lower case apart; the first
// one is for speed.
const joinTables = " JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name" +
	" AND CAST(t.table_schema AS BINARY) = CAST(c.table_schema AS BINARY) AND CAST(t.table_name AS BINARY) = CAST(c.table_name AS BINARY)"

// caseOfName is the code of names that the filter takes for the same.
const caseOfName = "case-of-name"

// checkNames refuses other databases whose names differ from those of the wanted
// ones in case only. MariaDB's filter takes them for the same, so that changes of
// one would be made in the other; so do its lists, as those of MySQL before 8.0.
func checkNames(master, slave *Facts, databases []string) Findings {
	var found Findings
	if master.Version.atLeast(MySQL, 8, 0, 0) && slave.Version.atLeast(MySQL, 8, 0, 0) {
		return found
	}
	for _, f := range []*Facts{master, slave} {
		for _, name := range databaseNames(f) {
			i := slices.IndexFunc(databases, func(wanted string) bool { return strings.EqualFold(wanted, name) })
			if i >= 0 && !slices.Contains(databases, name) {
				found.problem(f.Role, caseOfName, "rename or drop it, or replicate both", "the name of its database %s differs from that of %s in case only, which MariaDB's filter and the lists of older servers take for the same", name, databases[i])
			}
		}
	}
	return found
}

// mustBeToldApart refuses tables with which MariaDB's filter would leave others
// out while they are repaired.
func (r *repair) mustBeToldApart(ctx context.Context, a *Applier) error {
	if a.Slave.Version.Family != MariaDB {
		return nil
	}
	for _, table := range r.tables {
		rows, err := a.Master.query(ctx, a.Master.db, "SELECT CONCAT(table_schema, '.', table_name) AS t FROM information_schema.tables"+
			" WHERE LOWER(CONCAT(table_schema, '.', table_name)) = LOWER(?)", table)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if other := row["t"]; !slices.Contains(r.tables, other) {
				return problem(Slave, caseOfName, "is the name right, in upper and lower case too? Repair both at once: --repair-table "+table+" --repair-table "+other,
					"the filter of the slave does not tell %s from %s", table, other)
			}
		}
	}
	return nil
}

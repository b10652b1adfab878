package compare

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Codes of tables whose rows cannot be put right by their keys.
const (
	otherDefinition = "rows-definition"
	withoutKey      = "rows-key"
	tooManyRows     = "rows-many"
	inexactRows     = "rows-inexact"
	firesTriggers   = "rows-trigger"
)

// refusedRows is the problem of a table whose rows cannot be put right by their keys:
// it is copied anew.
func refusedRows(code, table, format string, args ...any) *finding.Problem {
	return finding.New(finding.Slave, code, journal.RepairCommand([]string{finding.ShellWord(table)})+" copies it anew",
		"%s: %s", table, fmt.Sprintf(format, args...))
}

// refuseRows refuses a table by what a comparison has found of it; nil: it may be put
// right by its rows, or has none that differ.
func (t *TableResult) refuseRows() *finding.Problem {
	switch {
	case t.Problem != "":
		return refusedRows(otherDefinition, t.Table, "%s", t.Problem)
	case len(t.Differences) == 0:
		return nil
	case len(t.Structure) > 0:
		return refusedRows(otherDefinition, t.Table, "its definition differs, too: %s", strings.Join(t.Structure, "; "))
	case slices.ContainsFunc(t.Differences, func(d Difference) bool { return d.span.after == nil }):
		return refusedRows(withoutKey, t.Table, "it has no key by which its rows are told apart")
	case t.More > 0 || t.differing() > mostRepaired:
		return refusedRows(tooManyRows, t.Table, "%d rows or more differ, and %d are as many as are put right one by one",
			t.differing(), mostRepaired)
	}
	return nil
}

// rowPair is a table whose rows are put right.
type rowPair struct {
	*tablePair

	refused *finding.Problem // why they cannot be; nil: they can
}

// rowPair refuses what cannot be put right by its rows.
func (c *Comparison) rowPair(p *tablePair, slave *schema, triggers map[string][]string) *rowPair {
	return &rowPair{tablePair: p, refused: c.refusePair(p, slave, triggers[p.String()])}
}

func (c *Comparison) refusePair(p *tablePair, slave *schema, triggers []string) *finding.Problem {
	name := p.String()
	switch {
	case p.problem != "":
		return refusedRows(otherDefinition, name, "%s", p.problem)
	case len(p.structure) > 0:
		return refusedRows(otherDefinition, name, "its definition differs, too: %s", strings.Join(p.structure, "; "))
	case p.master.versioned || p.slave.versioned:
		return refusedRows(otherDefinition, name, "it is system-versioned: a row that is put right would leave a history")
	case p.masterKey == nil || !p.masterKey.unique || p.masterKey.ended:
		return refusedRows(withoutKey, name, "it has no key by which its rows are told apart")
	case !p.frozen || !p.transactional() && !c.LockTables:
		return finding.New(finding.Master, "not-transactional",
			"--lock-tables locks it on the master meanwhile; on the slave it is not put right all at once",
			"%s is without transactions, and can change while its rows are read", name)
	case len(triggers) > 0:
		return refusedRows(firesTriggers, name, "triggers of it would run on the slave: %s", finding.Items(triggers))
	case !slave.granted.has(p.slave.database, []string{"TRIGGER"}):
		return refusedRows(firesTriggers, name, "the login may not see if it has triggers, which would run on the slave")
	}
	for _, column := range p.master.columns {
		if p.across && (column.typeFor(true) == "json" || isGeometry(column)) {
			return refusedRows(inexactRows, name, "MariaDB and MySQL do not write column %s alike", column.name)
		}
	}
	return nil
}

// isGeometry reports whether a column has shapes.
func isGeometry(c column) bool {
	switch c.kind {
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
		"geometrycollection", "geomcollection":
		return true
	}
	return false
}

// inexact is the problem of a row that cannot be carried as it is.
func (p *rowPair) inexact(k *key, v keyValue, format string, args ...any) *finding.Problem {
	return refusedRows(inexactRows, p.String(), "the row %s %s", k.keyed(v), fmt.Sprintf(format, args...))
}

// json reports whether a column is of MySQL's type JSON.
func (c column) json(v server.Version) bool { return c.kind == "json" && v.Family == server.MySQL }

package compare

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// How many rows of a table are put right one by one. They are read from the master by
// their keys while the slave stands, and held in memory: with more of them the table is
// sooner copied anew.
const (
	mostRepaired      = 10_000
	mostRepairedBytes = 128 << 20 // as the master estimates them
)

// RowLook is what the rows that differ are on both ends, at one position.
type RowLook struct {
	At      server.Position
	Tables  []*TableRows       // in which rows differ, in the order of their names
	Refused []*finding.Problem // tables whose rows cannot be put right by their keys
	Others  []string           // what differs and is no row, in words
}

// TableRows are the rows of a table that differ. Its JSON keys are stable.
type TableRows struct {
	Table string      `json:"table"` // "database.table"
	Key   string      `json:"key"`   // its columns
	Rows  []RowChange `json:"rows"`  // in the order in which they were found

	// LocksMaster is that the master's table must be locked while it is read.
	LocksMaster bool `json:"locks_master,omitempty"`

	// Statements are what puts the rows right, by their keys and without their values.
	Statements []server.Statement `json:"-"`

	keys []keyValue
}

// RowChange is a row that differs, and how it is put right: a missing one is inserted, an
// extra one is deleted, and another is deleted and inserted.
type RowChange struct {
	Kind    DifferenceKind `json:"kind"`
	Key     string         `json:"key"`
	Columns []string       `json:"columns,omitempty"` // that differ; of a row that differs

	// Lost is what the slave has in them, or in all columns of an extra row: texts as
	// they are, or 0x and their bytes in hexadecimal, ENUM and SET by their numbers. Nil
	// is NULL.
	Lost map[string]*string `json:"lost,omitempty"`
}

// String is the change in words, such as "id 7: changed: dn".
func (c RowChange) String() string {
	switch c.Kind {
	case Missing:
		return c.Key + ": inserted"
	case Extra:
		return c.Key + ": DELETED: only the slave has it"
	default:
		return c.Key + ": changed: " + finding.List(c.Columns)
	}
}

// Count counts the changes of a kind.
func (t *TableRows) Count(kind DifferenceKind) int {
	n := 0
	for _, c := range t.Rows {
		if c.Kind == kind {
			n++
		}
	}
	return n
}

// ByRows reports whether rows are all that differs in a table, and few enough to be put
// right by their keys, as far as a comparison tells.
func (t *TableResult) ByRows() bool {
	return len(t.Differences) > 0 && t.Problem == "" && len(t.Structure) == 0 && t.More == 0 &&
		!slices.ContainsFunc(t.Differences, func(d Difference) bool { return d.Key == "" }) &&
		t.differing() <= mostRepaired
}

// differing is how many rows differ, as far as they are listed.
func (t *TableResult) differing() uint64 {
	var n uint64
	for _, d := range t.Differences {
		n += max(d.MasterRows, d.SlaveRows)
	}
	return n
}

// LookAtRows reads the rows that a comparison has found to differ, as they are now: those
// that have become equal are left out. The slave stands while they are read. It needs
// what the comparison needed, and takes the slave's lock.
func (c *Comparison) LookAtRows(ctx context.Context, found *Result) (*RowLook, error) {
	look := &RowLook{Others: slices.Clone(found.Objects)}
	var tables []string
	spans := map[string][]keyRange{}
	for i := range found.Tables {
		t := &found.Tables[i]
		switch refused := t.refuseRows(); {
		case refused != nil:
			look.Refused = append(look.Refused, refused)
		case len(t.Differences) > 0:
			tables = append(tables, t.Table)
			for _, d := range t.Differences {
				spans[t.Table] = append(spans[t.Table], d.span)
			}
		}
		for _, words := range t.Structure {
			look.Others = append(look.Others, "table "+t.Table+": "+words)
		}
	}
	if len(tables) == 0 {
		return look, nil
	}
	unlock, err := c.Slave.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return look, c.atRows(ctx, tables, func(ends *snapshotEnds, p *rowPair) error {
		return look.add(ctx, ends, p, spans[p.String()])
	})
}

// add adds what differs in the spans of a table, or why it is refused.
func (l *RowLook) add(ctx context.Context, ends *snapshotEnds, p *rowPair, spans []keyRange) error {
	l.At = ends.at
	rows, refused, err := p.look(ctx, ends, spans)
	switch {
	case err != nil:
		return err
	case refused != nil:
		l.Refused = append(l.Refused, refused)
	case len(rows.Rows) > 0:
		l.Tables = append(l.Tables, rows)
	}
	return nil
}

// RepairRows puts rows right that a look has found, for those who hold the lock of the
// slave, whose login must be one that may write on it and leave its binary log out. At
// one position of the master the rows are read anew, by their keys alone, and those that
// still differ are put right, in one transaction for each table. Repaired is told of
// each table, with what was done.
func (c *Comparison) RepairRows(ctx context.Context, tables []*TableRows, repaired func(*TableRows)) error {
	keys := map[string][]keyValue{}
	var names []string
	for _, t := range tables {
		names, keys[t.Table] = append(names, t.Table), t.keys
	}
	return c.atRows(ctx, names, func(ends *snapshotEnds, p *rowPair) error {
		if p.refused != nil {
			return p.refused
		}
		rows, err := p.repair(ctx, ends, keys[p.String()])
		if err == nil {
			repaired(rows)
		}
		return err
	})
}

// atRows does something for each of some tables while the slave stands at the position
// of a snapshot of the master, and lets the slave go on then, whatever happens.
func (c *Comparison) atRows(ctx context.Context, tables []string, do func(*snapshotEnds, *rowPair) error) (err error) {
	all, err := c.databaseNames(ctx)
	if err != nil {
		return err
	}
	names, err := databasesOf(all, tables)
	if err != nil {
		return err
	}
	ends, err := c.openEnds(ctx)
	if err != nil {
		return err
	}
	defer ends.close(ctx)
	master, to, err := c.readMaster(ctx, ends, names, tables)
	if err != nil {
		return err
	}
	stopped, err := c.pauseSlave(ctx, to)
	if err != nil {
		return err
	}
	defer func() {
		if resumeErr := stopped.resume(ctx); err == nil {
			err = resumeErr
		}
	}()
	if err := ends.meet(ctx, c, stopped, master.locked(tables)); err != nil {
		return err
	}
	slave, err := readSchema(ctx, ends.slave, names, tables)
	if err != nil {
		return err
	}
	walk := c.newWalk(tables)
	walk.result = &Result{}
	pairs, err := walk.pairTables(master, slave, stopped.status)
	if err != nil {
		return err
	}
	triggers, err := ends.slave.triggers(ctx, names)
	if err != nil {
		return err
	}
	slices.SortFunc(pairs, func(a, b *tablePair) int { return strings.Compare(a.String(), b.String()) })
	for _, p := range pairs {
		if err := do(ends, c.rowPair(p, slave, triggers)); err != nil {
			return err
		}
	}
	return nil
}

// triggers gives the names of the triggers that fire at INSERT or DELETE, by
// "database.table".
func (s *session) triggers(ctx context.Context, databases []string) (map[string][]string, error) {
	rows, err := s.query(ctx, "SELECT event_object_schema AS d, event_object_table AS t, trigger_name AS n"+
		" FROM information_schema.triggers WHERE event_manipulation <> 'UPDATE' AND trigger_schema IN ("+
		server.QuoteExactly(databases)+")")
	byTable := map[string][]string{}
	for _, r := range rows {
		table := r["d"] + "." + r["t"]
		byTable[table] = append(byTable[table], r["n"])
	}
	return byTable, err
}

// keyed is a key for people, such as "id 7" or "(a, b) (1, 2)".
func (k *key) keyed(v keyValue) string { return fmt.Sprintf("%s %s", k.names(), k.shown(v)) }

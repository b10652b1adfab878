package compare

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// tablePair is a table on both ends. One that an end lacks is nil there.
type tablePair struct {
	master, slave *tableShape
	masterKey     *key // the same key on both ends; nil if they have none for ranges
	slaveKey      *key
	across        bool // the servers are of different families
	structure     []string
	problem       string // why the rows cannot be compared
	note          string
	frozen        bool // no writes can come between the ends
}

// String is "database.table".
func (p *tablePair) String() string {
	if p.master != nil {
		return p.master.String()
	}
	return p.slave.String()
}

func (p *tablePair) bytes() uint64 {
	if p.master == nil || p.problem != "" {
		return 0
	}
	return p.master.bytes
}

// transactional reports whether both ends' snapshots cover the table.
func (p *tablePair) transactional() bool {
	return (p.master == nil || p.master.transactional()) && (p.slave == nil || p.slave.transactional())
}

// pairTables brings the tables of both ends together, those without transactions
// first, and notes in the result what is left out.
func (c *Comparison) pairTables(
	result *Result, master, slave *schema, status *server.SlaveStatus, only []string,
) ([]*tablePair, error) {
	names := map[string]bool{}
	for _, t := range slices.Concat(master.tables, slave.tables) {
		names[t.String()] = true
	}
	sequences := slices.Concat(master.sequences(only), slave.sequences(only))
	for _, name := range only {
		if !names[name] && !slices.Contains(sequences, name) {
			return nil, noTableProblem(name)
		}
	}
	var pairs []*tablePair
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if len(only) > 0 && !slices.Contains(only, name) {
			continue
		}
		p := &tablePair{master: master.table(name), slave: slave.table(name)}
		if filter := status.LeavesOut(name); filter != "" {
			if status.LeavesOutAlone(name) { // as no setup means it
				result.Objects = append(result.Objects, "table "+name+": the slave does not replicate it ("+filter+")")
				continue
			}
			result.Skipped = append(result.Skipped, "table "+name+": the slave leaves it out ("+filter+")")
			continue
		}
		p.frozen = p.transactional() || p.master != nil && p.master.transactional() || c.LockTables
		p.match(c.Master.Version, c.Slave.Version)
		if p.master != nil && p.slave != nil {
			p.matchTable(master, slave)
		}
		pairs = append(pairs, p)
	}
	slices.SortStableFunc(pairs, func(a, b *tablePair) int {
		switch {
		case a.transactional() == b.transactional():
			return 0
		case b.transactional():
			return -1
		}
		return 1
	})
	return pairs, nil
}

// match compares the two definitions and finds the key for ranges.
func (p *tablePair) match(master, slave server.Version) {
	switch {
	case p.slave == nil:
		p.problem = "the table is missing on the slave"
		return
	case p.master == nil:
		p.problem = "the table is on the slave only"
		return
	}
	p.across = master.Family != slave.Family
	strict := !p.across && master.Series() == slave.Series()
	var unlike []string // columns whose values cannot be compared
	for _, m := range p.master.columns {
		i := slices.IndexFunc(p.slave.columns, func(s column) bool { return s.name == m.name })
		if i < 0 {
			unlike = append(unlike, "column "+m.name+" is missing on the slave")
			continue
		}
		s := p.slave.columns[i]
		switch {
		case m.typeFor(p.across) != s.typeFor(p.across):
			unlike = append(unlike, fmt.Sprintf("column %s is %s on the master and %s on the slave",
				m.name, m.columnType, s.columnType))
		case m.charset != s.charset && m.typeFor(p.across) != "json":
			unlike = append(unlike, fmt.Sprintf("column %s has the character set %s on the master and %s on the slave",
				m.name, m.charset, s.charset))
		default:
			p.structure = append(p.structure, m.unlike(s, p.across, strict)...)
		}
	}
	for _, s := range p.slave.columns {
		if !slices.ContainsFunc(p.master.columns, func(m column) bool { return s.name == m.name }) {
			unlike = append(unlike, "column "+s.name+" is on the slave only")
		}
	}
	p.matchKeys()
	if len(unlike) > 0 {
		p.structure = append(unlike, p.structure...)
		p.problem = "the columns are not the same"
	}
	if p.across && slices.ContainsFunc(p.master.columns, func(c column) bool { return c.typeFor(true) == "json" }) {
		p.note = "JSON is compared by length and depth, because MariaDB and MySQL write it in different ways"
	}
}

// typeFor is the type as it is compared. MariaDB's JSON is a text.
func (c column) typeFor(across bool) string {
	if across && c.kind == "longtext" && c.collation == "utf8mb4_bin" {
		return "json"
	}
	return c.columnType
}

// unlike says how columns of the same type differ otherwise. Text of
// definitions is only the same from servers of the same series.
func (c column) unlike(s column, across, strict bool) []string {
	var list []string
	add := func(what, onMaster, onSlave string) {
		if onMaster != onSlave {
			list = append(list, fmt.Sprintf("column %s: %s is %q on the master and %q on the slave",
				c.name, what, onMaster, onSlave))
		}
	}
	if c.nullable != s.nullable {
		list = append(list, fmt.Sprintf("column %s may be NULL on one end only", c.name))
	}
	if !across {
		add("the collation", c.collation, s.collation)
	}
	if strict {
		add("the default", c.fallback, s.fallback)
		add("the expression", c.generated, s.generated)
		add("EXTRA", c.extra, s.extra)
	}
	return list
}

// matchKeys compares the indexes and chooses the primary key, or else the
// unique one of the fewest bytes, for the ranges.
func (p *tablePair) matchKeys() {
	for i := range p.master.keys {
		m := &p.master.keys[i]
		j := slices.IndexFunc(p.slave.keys, func(s key) bool { return s.name == m.name })
		if j < 0 {
			p.structure = append(p.structure, fmt.Sprintf("index %s (%s) is missing on the slave", m.name, m.parts))
			continue
		}
		s := &p.slave.keys[j]
		if m.parts != s.parts {
			p.structure = append(p.structure, fmt.Sprintf("index %s is on (%s) on the master and on (%s) on the slave",
				m.name, m.parts, s.parts))
			continue
		}
		if len(m.columns) == 0 || !m.unique && m.name != "PRIMARY" || m.unique != s.unique ||
			!sameOrder(m.columns, s.columns) {
			continue
		}
		if p.masterKey == nil || m.better(p.masterKey) {
			p.masterKey, p.slaveKey = m, s
		}
	}
}

// sameOrder reports whether values of the columns sort the same on both ends.
func sameOrder(m, s []column) bool {
	return slices.EqualFunc(m, s,
		func(m, s column) bool { return m.columnType == s.columnType && m.collation == s.collation })
}

// better reports whether the key is a better one for ranges than another.
func (k *key) better(than *key) bool {
	if k.name == "PRIMARY" || than.name == "PRIMARY" {
		return k.name == "PRIMARY"
	}
	return k.width() < than.width()
}

// width is about how many bytes a value of the key has.
func (k *key) width() uint64 {
	var width uint64
	for _, c := range k.columns {
		width += max(c.octets, 8)
	}
	return width
}

// compareObjects notes how views, sequences, triggers, routines and events differ:
// all, or the sequences of the list.
func compareObjects(result *Result, master, slave *schema, only []string) {
	wanted := func(name string) bool { return len(only) == 0 || slices.Contains(only, name) }
	v, w := master.server.Version, slave.server.Version
	sameSeries := v.Family == w.Family && v.Series() == w.Series()
	for _, kind := range objectKinds {
		if len(only) > 0 && kind.kind != sequenceKind {
			continue
		}
		onMaster, onSlave := master.objects[kind.kind], slave.objects[kind.kind]
		if (onMaster == nil || onSlave == nil) && len(only) == 0 {
			result.Skipped = append(result.Skipped,
				kind.kind+"s: the login may not see all of them; gtunnel replication setup-master --keep-passwords"+
					" completes the account on the master")
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(onMaster)) {
			definition, ok := onSlave[name]
			switch {
			case !wanted(name):
			case !ok:
				result.Objects = append(result.Objects, kind.kind+" "+name+" is missing on the slave")
			case sameSeries && definition != "" && onMaster[name] != "" && definition != onMaster[name]:
				difference := kind.kind + " " + name + " is not the same on both ends"
				if kind.kind == sequenceKind {
					difference += ": a slave with a filter leaves ALTER SEQUENCE out; " +
						journal.RepairCommand([]string{name})
				}
				result.Objects = append(result.Objects, difference)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(onSlave)) {
			if _, ok := onMaster[name]; !ok && wanted(name) {
				result.Objects = append(result.Objects, kind.kind+" "+name+" is on the slave only")
			}
		}
	}
}

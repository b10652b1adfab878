package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// tablePair is a table on both ends. One that an end lacks is nil there.
type tablePair struct {
	master, slave *tableShape
	masterKey     *key // the same key on both ends; nil if they have none for ranges
	slaveKey      *key
	across        bool // the servers are of different families
	strict        bool // they are of the same series, and write definitions in the same words
	foreign       bool // what they write in ways of their own is not the same, or is unknown to be
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

// pairTables brings the tables of both ends together that are wanted, and notes in the
// result what is left out.
func (w *walk) pairTables(master, slave *schema, status *server.SlaveStatus) ([]*tablePair, error) {
	names := map[string]bool{}
	for _, t := range slices.Concat(master.tables, slave.tables) {
		names[t.String()] = true
	}
	only := w.wanted()
	sequences := setOf(slices.Concat(master.sequences(only), slave.sequences(only)))
	for _, name := range only {
		switch {
		case names[name] || sequences[name]:
		case w.second || w.legs > 0:
			w.result.skip("table " + name + ": it was dropped while the comparison went on")
		default:
			return nil, noTableProblem(name)
		}
	}
	wanted := setOf(only)
	var pairs []*tablePair
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if len(only) > 0 && !wanted[name] || w.done[name] {
			continue
		}
		p := &tablePair{master: master.table(name), slave: slave.table(name)}
		if filter := status.LeavesOut(name); filter != "" {
			if status.LeavesOutAlone(name) { // as no setup means it
				w.result.Objects = append(w.result.Objects,
					"table "+name+": the slave does not replicate it ("+filter+")")
				continue
			}
			w.result.skip("table " + name + ": the slave leaves it out (" + filter + ")")
			continue
		}
		if skipUnopened(w.result, name, master, slave) {
			continue
		}
		p.frozen = p.transactional() || p.master != nil && p.master.transactional() || w.LockTables
		p.match(w.Master.Version, w.Slave.Version)
		if p.master != nil && p.slave != nil {
			p.matchTable(master, slave)
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// setOf is a list as a set.
func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, name := range list {
		set[name] = true
	}
	return set
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
	case p.master.broken != "":
		p.problem = "the master cannot open it: " + p.master.broken
		return
	case p.slave.broken != "":
		p.problem = "the slave cannot open it: " + p.slave.broken
		return
	}
	p.across = master.Family != slave.Family
	p.strict = !p.across && master.Series() == slave.Series()
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
			p.structure = append(p.structure, p.unlike(m, s)...)
		}
	}
	for _, s := range p.slave.columns {
		if !slices.ContainsFunc(p.master.columns, func(m column) bool { return s.name == m.name }) {
			unlike = append(unlike, "column "+s.name+" is on the slave only")
		}
	}
	p.matchKeys()
	if len(unlike) == 0 && !slices.EqualFunc(p.master.columns, p.slave.columns,
		func(m, s column) bool { return m.name == s.name }) {
		p.structure = append(p.structure, "the columns are in another order, which replication goes by")
	}
	if len(unlike) > 0 {
		p.structure = append(unlike, p.structure...)
		p.problem = "the columns are not the same"
	}
	if p.across && slices.ContainsFunc(p.master.columns, func(c column) bool { return c.typeFor(true) == "json" }) {
		p.addNote("JSON is compared by length and depth, because MariaDB and MySQL write it in different ways")
	}
}

// typeFor is the type as it is compared. MariaDB's JSON is a text.
func (c column) typeFor(across bool) string {
	if across && c.kind == "longtext" && c.collation == "utf8mb4_bin" {
		return "json"
	}
	return c.columnType
}

// addNote adds what is to be known of the result.
func (p *tablePair) addNote(text string) { p.note = strings.TrimPrefix(p.note+"; "+text, "; ") }

// unlike says how columns of the same type differ otherwise. Text of
// definitions is only the same from servers of the same series.
func (p *tablePair) unlike(m, s column) []string {
	var list []string
	add := func(what, onMaster, onSlave string) {
		if onMaster != onSlave {
			list = append(list, fmt.Sprintf("column %s: %s is %q on the master and %q on the slave",
				m.name, what, onMaster, onSlave))
		}
	}
	if m.nullable != s.nullable {
		list = append(list, fmt.Sprintf("column %s may be NULL on one end only", m.name))
	}
	if !p.across {
		add("the collation", m.collation, s.collation)
	}
	add("the comment", m.comment, s.comment)
	if p.strict {
		add("the default", m.fallback, s.fallback)
		add("the expression", m.generated, s.generated)
		add("EXTRA", m.extra, s.extra)
	} else if plainText(m.fallback) != plainText(s.fallback) || m.generated != s.generated ||
		plainText(m.extra) != plainText(s.extra) {
		p.foreign = true
	}
	return list
}

// plainText is a default, or what is extra of a column, without what the families
// write in different ways.
func plainText(text string) string {
	if n := len(text); n > 1 && text[0] == '\'' && text[n-1] == '\'' {
		return strings.NewReplacer("''", "'", `\\`, `\`, `\'`, "'").Replace(text[1 : n-1])
	}
	if lower := strings.ToLower(text); strings.Contains(lower, "current_timestamp") {
		return strings.TrimSpace(strings.NewReplacer("()", "", "default_generated", "").Replace(lower))
	}
	return text
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
		if m.sort != s.sort && p.master.engine == p.slave.engine {
			p.structure = append(p.structure, fmt.Sprintf("index %s (%s) is %s on the master and %s on the slave",
				m.name, m.parts, m.sort, s.sort))
		}
		if len(m.columns) == 0 || !m.unique && m.name != "PRIMARY" || m.unique != s.unique ||
			!sameOrder(m.columns, s.columns) {
			continue
		}
		if p.masterKey == nil || m.better(p.masterKey) {
			p.masterKey, p.slaveKey = m, s
		}
	}
	for _, s := range p.slave.keys {
		switch {
		case slices.ContainsFunc(p.master.keys, func(m key) bool { return m.name == s.name }):
		case strings.HasPrefix(s.sort, "UNIQUE"): // it may refuse what the master has
			p.structure = append(p.structure, fmt.Sprintf("unique index %s (%s) is on the slave only", s.name, s.parts))
		default: // which a site may have chosen
			p.addNote(fmt.Sprintf("index %s (%s) is on the slave only", s.name, s.parts))
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

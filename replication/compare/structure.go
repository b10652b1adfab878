package compare

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// constraint is a foreign key or a CHECK of a table.
type constraint struct {
	name string
	text string // what it demands
}

// Kinds of what a login may not see all of: tables, and what is of them.
const (
	tableKind      = "table"
	constraintKind = "foreign keys and CHECK" // s
)

// readDefaults reads the collations that new tables of the databases get.
func (s *schema) readDefaults(in string) reading {
	return reads("SELECT schema_name AS d, default_collation_name AS c FROM information_schema.schemata"+
		" WHERE schema_name"+in, func(rows []server.Record) error {
		s.defaults = make(map[string]string, len(rows))
		for _, r := range rows {
			s.defaults[r["d"]] = utf8mb3(r["c"])
		}
		return nil
	})
}

// readChecks reads the CHECKs. MySQL keeps their tables in another list: a join
// by the server of two such lists takes time by the square of their length, and
// the slave stands meanwhile.
func (s *schema) readChecks(in string) reading {
	return func(ctx context.Context, opened *session) (func() error, error) {
		checks, tables := s.server.Version.CheckConstraints()
		if checks == "" {
			return func() error { return nil }, nil
		}
		var clauses, rows []server.Record
		err := s.server.Together(ctx, opened.conn, func(ctx context.Context) (err error) {
			clauses, err = opened.query(ctx, checks+in)
			return err
		}, func(ctx context.Context) (err error) {
			if tables != "" {
				rows, err = opened.query(ctx, tables+in)
			}
			return err
		})
		return func() error {
			if tables == "" {
				rows = clauses
			} else {
				joinClauses(rows, clauses)
			}
			slices.SortFunc(rows, func(a, b server.Record) int { return strings.Compare(a["n"], b["n"]) })
			for _, r := range rows {
				if t := s.table(r["d"] + "." + r["t"]); t != nil {
					t.checks = append(t.checks, constraint{name: r["n"], text: words(r["b"])})
				}
			}
			return nil
		}, err
	}
}

// joinClauses puts what CHECKs demand into the rows of their tables.
func joinClauses(rows, clauses []server.Record) {
	texts := make(map[[2]string]string, len(clauses))
	for _, r := range clauses {
		texts[[2]string{r["d"], r["n"]}] = r["b"]
	}
	for _, r := range rows {
		r["b"] = texts[[2]string{r["d"], r["n"]}] + r["not_enforced"]
	}
}

// readForeignKeys reads the foreign keys. NO ACTION and RESTRICT are the same. MariaDB
// shows them only to those who may do more than read.
func (s *schema) readForeignKeys(in, inTables string) reading {
	return func(ctx context.Context, opened *session) (func() error, error) {
		var rules, columns []server.Record
		err := s.server.Together(ctx, opened.conn, func(ctx context.Context) (err error) {
			rules, err = opened.query(ctx, "SELECT constraint_schema AS d, table_name AS t, constraint_name AS n,"+
				" REPLACE(delete_rule, 'NO ACTION', 'RESTRICT') AS on_delete,"+
				" REPLACE(update_rule, 'NO ACTION', 'RESTRICT') AS on_update"+
				" FROM information_schema.referential_constraints WHERE constraint_schema"+in)
			return err
		}, func(ctx context.Context) (err error) {
			columns, err = opened.query(ctx, "SELECT table_schema AS d, table_name AS t, constraint_name AS n,"+
				" column_name AS c, referenced_table_schema AS rd, referenced_table_name AS rt, referenced_column_name AS rc"+
				" FROM information_schema.key_column_usage WHERE referenced_table_name IS NOT NULL AND table_schema"+
				inTables+" ORDER BY table_schema, table_name, constraint_name, ordinal_position")
			return err
		})
		return func() error { s.putForeignKeys(rules, columns); return nil }, err
	}
}

// putForeignKeys puts foreign keys in, by their rules and their columns.
func (s *schema) putForeignKeys(rows, columns []server.Record) {
	rules := make(map[[3]string]string, len(rows))
	for _, r := range rows {
		rules[[3]string{r["d"], r["t"], r["n"]}] = " ON DELETE " + r["on_delete"] + " ON UPDATE " + r["on_update"]
	}
	for len(columns) > 0 {
		first := columns[0]
		n := slices.IndexFunc(columns, func(r server.Record) bool {
			return r["d"] != first["d"] || r["t"] != first["t"] || r["n"] != first["n"]
		})
		if n < 0 {
			n = len(columns)
		}
		if t := s.table(first["d"] + "." + first["t"]); t != nil {
			var from, to []string
			for _, r := range columns[:n] {
				from, to = append(from, r["c"]), append(to, r["rc"])
			}
			text := fmt.Sprintf("(%s) to %s.%s (%s)%s", strings.Join(from, ", "), first["rd"], first["rt"],
				strings.Join(to, ", "), rules[[3]string{first["d"], first["t"], first["n"]}])
			t.foreignKeys = append(t.foreignKeys, constraint{name: first["n"], text: text})
		}
		columns = columns[n:]
	}
}

// matchTable compares what a table is beside its columns and indexes. Names that
// a server has given, and text of definitions, are only the same from servers
// of the same series.
func (p *tablePair) matchTable(master, slave *schema) {
	add := func(what, onMaster, onSlave string) {
		if !p.across && onMaster != onSlave {
			p.structure = append(p.structure,
				fmt.Sprintf("%s is %s on the master and %s on the slave", what, onMaster, onSlave))
		}
	}
	if !p.across && p.master.engine != p.slave.engine { // which a site may have chosen
		p.addNote(fmt.Sprintf("the engine is %s on the master and %s on the slave", p.master.engine, p.slave.engine))
	}
	add("the default collation", p.master.collation, p.slave.collation)
	if !p.across && p.master.versioned != p.slave.versioned {
		p.structure = append(p.structure, "the table is system-versioned on one end only")
	}
	if p.master.comment != p.slave.comment {
		p.structure = append(p.structure,
			fmt.Sprintf("the comment is %q on the master and %q on the slave", p.master.comment, p.slave.comment))
	}
	p.matchPartitions()
	if !slices.Contains(slices.Concat(master.unseen[constraintKind], slave.unseen[constraintKind]), p.master.database) {
		p.matchForeignKeys()
		p.matchChecks(master.server.Version.ShowsChecks() && slave.server.Version.ShowsChecks())
	}
}

// matchPartitions compares how the rows are divided, if both ends have the same
// engine: a site may have chosen another one that cannot.
func (p *tablePair) matchPartitions() {
	m, s := p.master.partitions, p.slave.partitions
	switch {
	case m == s || p.master.engine != p.slave.engine:
	case p.strict:
		p.structure = append(p.structure,
			fmt.Sprintf("the partitions are (%s) on the master and (%s) on the slave", m, s))
	default:
		p.foreign = true
	}
}

func (p *tablePair) matchForeignKeys() {
	p.structure = append(p.structure,
		unlikeConstraints("foreign key", p.master.foreignKeys, p.slave.foreignKeys, func(c constraint) string {
			if p.strict {
				return c.name + " " + c.text
			}
			return c.text
		})...)
}

// matchChecks compares the CHECKs, if both ends show them. Servers of two families
// have no names for them in common.
func (p *tablePair) matchChecks(shown bool) {
	text := func(c constraint) string { return c.name + " (" + c.text + ")" }
	unlike := unlikeConstraints("CHECK", p.master.checks, p.slave.checks, text)
	switch {
	case p.strict && shown:
		p.structure = append(p.structure, unlike...)
		return
	case shown && !p.across:
		p.structure = append(p.structure,
			unlikeConstraints("CHECK", p.master.checks, p.slave.checks, func(c constraint) string { return c.name })...)
	}
	p.foreign = p.foreign || len(unlike) > 0
}

// unlikeConstraints says which constraints one end lacks, by words for each that
// must be the same.
func unlikeConstraints(kind string, master, slave []constraint, words func(constraint) string) []string {
	var list []string
	lacks := func(there, here []constraint, where string) {
		for _, c := range there {
			if !slices.ContainsFunc(here, func(other constraint) bool { return words(other) == words(c) }) {
				list = append(list, kind+" "+words(c)+" is "+where)
			}
		}
	}
	lacks(master, slave, "missing on the slave")
	lacks(slave, master, "on the slave only")
	return list
}

// compareDatabases notes how the databases themselves differ, and what of their
// tables is not compared.
func compareDatabases(result *Result, master, slave *schema, status *server.SlaveStatus) {
	across := master.server.Version.Family != slave.server.Version.Family
	for _, name := range slices.Sorted(maps.Keys(master.defaults)) {
		m := master.defaults[name]
		s, ok := slave.defaults[name]
		switch {
		case !status.ReplicatesOf(name):
		case !ok:
			result.Objects = append(result.Objects, "database "+name+" is missing on the slave")
		case !across && m != s:
			result.Objects = append(result.Objects,
				fmt.Sprintf("database %s: the default collation is %s on the master and %s on the slave", name, m, s))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(slave.defaults)) {
		if _, ok := master.defaults[name]; !ok && status.ReplicatesOf(name) {
			result.Objects = append(result.Objects,
				"database "+name+" is on the slave only, or the login on the master may not see it")
		}
	}
}

// skipUnseen notes of which tables, and of what of them, the logins do not see all.
func skipUnseen(result *Result, master, slave *schema) {
	for _, kind := range []string{tableKind, constraintKind} {
		for _, s := range []*schema{master, slave} {
			if list := s.unseen[kind]; len(list) > 0 {
				result.skip(s.unseenText(kind, list))
			}
		}
	}
}

// skipForeign notes of which tables the definitions are not compared as a whole,
// because two servers write them in ways of their own.
func skipForeign(result *Result, master, slave *schema, pairs []*tablePair) {
	var names []string
	for _, p := range pairs {
		if p.foreign {
			names = append(names, p.String())
		}
	}
	if len(names) > 0 {
		result.skip("defaults, expressions, CHECKs and partitions of " + finding.Count(len(names), "table") + ": " +
			writeOtherwise(master, slave) + ": " + strings.Join(names, ", "))
	}
}

// skipHistory notes that the history of system-versioned tables is not compared.
func skipHistory(result *Result, pairs []*tablePair) {
	for _, p := range pairs {
		if p.master != nil && p.slave != nil && p.master.versioned && p.slave.versioned {
			result.skip("the history of table " + p.String() + ", which is system-versioned: only its present rows")
		}
	}
}

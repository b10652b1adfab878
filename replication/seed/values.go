package seed

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// A dump is text, and some values are not what their text says: read again, it gives
// another value. A changed row of a table without a primary key is found by no later
// change that is logged as rows, because it is looked for by all of its columns:
// the replication would stop (1032).

// valueColumn is a column that may have such values.
type valueColumn struct {
	database, table, name string
	dataType, columnType  string
	charset               string   // of text that may come back from Unicode as another one
	stamps                []string // columns of its table that an UPDATE sets to its time
}

// String is the column's full name.
func (c *valueColumn) String() string { return c.database + "." + c.table + "." + c.name }

// quotedTable is the full name of its table, in quotes.
func (c *valueColumn) quotedTable() string { return server.QuoteTable(c.database, c.table) }

// update is the statement that gives the column another value in some rows, and leaves
// all else of them as it is.
func (c *valueColumn) update(to, where string) string {
	set := []string{server.QuoteName(c.name) + " = " + to}
	for _, stamp := range c.stamps {
		set = append(set, server.QuoteName(stamp)+" = "+server.QuoteName(stamp))
	}
	return "UPDATE " + c.quotedTable() + " SET " + strings.Join(set, ", ") + " WHERE " + where + ";"
}

// lossy is a kind of values that a dump changes.
type lossy struct {
	// changes is the condition of a row whose value a dump changes; empty: no value of
	// the column is of the kind.
	changes func(v server.Version, c *valueColumn) string
	// found is told of the columns of a table that have such values.
	found func(ctx context.Context, columns []*valueColumn) error
}

// lossyFindings are what is found of such values: full names of columns, and
// statements that mend them.
type lossyFindings struct {
	check *seedCheck

	rounded, unfound, lost, retyped, changed []string
	doubles, updates, retype                 []string
}

// kinds are all kinds of such values.
func (f *lossyFindings) kinds() []lossy {
	return []lossy{
		{changes: losesDigits, found: f.digits},
		{changes: losesSign, found: f.signs},
		{changes: losesNumber, found: f.numbers},
		{changes: losesMember, found: f.members},
		{changes: losesText, found: f.text},
		{changes: losesJSON, found: f.json},
		{changes: losesTypes, found: f.types},
	}
}

// values finds values that a dump would change, by one look at all rows of the tables
// that may have some.
func (c *seedCheck) values(ctx context.Context) error {
	columns, err := c.valueColumns(ctx)
	if err != nil {
		return err
	}
	var tables [][]*valueColumn // the columns of each
	for len(columns) > 0 {
		n := slices.IndexFunc(columns, func(other *valueColumn) bool {
			return other.quotedTable() != columns[0].quotedTable()
		})
		if n < 0 {
			n = len(columns)
		}
		tables, columns = append(tables, columns[:n]), columns[n:]
	}
	inTables := make([]lossyFindings, len(tables))
	master := c.seed.Master
	err = server.Each(ctx, master, master.DB, tables, func(ctx context.Context, i int, columns []*valueColumn) error {
		inTables[i].check = c
		return inTables[i].look(ctx, columns)
	})
	if err != nil {
		return err
	}
	found := &lossyFindings{check: c}
	for i := range inTables {
		found.add(&inTables[i])
	}
	found.tell()
	return nil
}

// add adds what was found in another table.
func (f *lossyFindings) add(other *lossyFindings) {
	f.rounded, f.unfound = append(f.rounded, other.rounded...), append(f.unfound, other.unfound...)
	f.lost, f.updates = append(f.lost, other.lost...), append(f.updates, other.updates...)
	f.retyped = append(f.retyped, other.retyped...)
	f.changed, f.retype = addLines(f.changed, other.changed...), addLines(f.retype, other.retype...)
	f.doubles = addLines(f.doubles, other.doubles...)
}

// valueColumns are the columns of the tables to copy that may have such values, those
// of a table together. Columns that the slave computes are not copied.
func (c *seedCheck) valueColumns(ctx context.Context) ([]*valueColumn, error) {
	master := c.seed.Master
	var rows, stamps []server.Record
	err := master.Together(ctx, master.DB, func(ctx context.Context) (err error) {
		rows, err = master.Query(ctx, master.DB,
			"SELECT c.table_schema AS d, c.table_name AS t, c.column_name AS c, c.data_type AS type,"+
				" c.column_type AS full_type, IF("+oddText+", c.character_set_name, '') AS charset"+
				" FROM information_schema.columns c"+joinTables+
				" WHERE (c.data_type IN ('float', 'double', 'enum', 'set', 'json') OR "+oddText+")"+
				" AND t.table_type IN ("+facts.TableTypes+")"+
				" AND c.extra NOT REGEXP 'VIRTUAL|STORED|PERSISTENT' AND c.table_schema IN ("+
				server.QuoteExactly(c.seed.databases())+")"+
				" ORDER BY CAST(c.table_schema AS BINARY), CAST(c.table_name AS BINARY), c.ordinal_position")
		return err
	}, func(ctx context.Context) (err error) {
		stamps, err = master.Query(ctx, master.DB,
			"SELECT table_schema AS d, table_name AS t, column_name AS c FROM information_schema.columns"+
				" WHERE extra LIKE '%on update%' AND table_schema IN ("+server.QuoteExactly(c.seed.databases())+")")
		return err
	})
	stampsOf := map[string][]string{}
	for _, r := range stamps {
		table := server.QuoteTable(r["d"], r["t"])
		stampsOf[table] = append(stampsOf[table], r["c"])
	}
	var columns []*valueColumn
	for _, r := range rows {
		if len(c.seed.Tables) == 0 || slices.Contains(c.seed.Tables, r["d"]+"."+r["t"]) {
			columns = append(columns, &valueColumn{
				database: r["d"], table: r["t"], name: r["c"], dataType: r["type"], columnType: r["full_type"],
				charset: r["charset"], stamps: stampsOf[server.QuoteTable(r["d"], r["t"])],
			})
		}
	}
	return columns, err
}

// look looks at the rows of one table.
func (f *lossyFindings) look(ctx context.Context, columns []*valueColumn) error {
	master := f.check.seed.Master
	var asked []string
	kinds := f.kinds()
	for i, kind := range kinds {
		for j, c := range columns {
			if changes := kind.changes(master.Version, c); changes != "" {
				asked = append(asked, fmt.Sprintf("MAX(%s) AS k%d_%d", changes, i, j))
			}
		}
	}
	if len(asked) == 0 {
		return nil
	}
	rows, err := master.Query(ctx, master.DB,
		master.Version.SelectWithin(ctx)+" "+strings.Join(asked, ", ")+" FROM "+columns[0].quotedTable())
	if err != nil || len(rows) == 0 {
		return err
	}
	for i, kind := range kinds {
		var found []*valueColumn
		for j, c := range columns {
			if rows[0][fmt.Sprintf("k%d_%d", i, j)] == "1" {
				found = append(found, c)
			}
		}
		if len(found) == 0 {
			continue
		}
		if err := kind.found(ctx, found); err != nil {
			return err
		}
	}
	return nil
}

// tell says what was found.
func (f *lossyFindings) tell() {
	f.tellFloats()
	if len(f.lost) > 0 {
		f.check.Problem(finding.Master, "lost-values",
			"on the master, to give them the values that a copy would have:\n"+strings.Join(f.updates, "\n"),
			"a dump cannot say values of these columns, and the copy would never be equal"+
				" (a zero below zero; an ENUM's number 0 or a SET's member beside a member '';"+
				" text that Unicode has otherwise): %s",
			finding.Items(f.lost))
	}
	f.tellJSON()
}

// findsRows reports whether a slave finds the rows of a column's table without
// the value of that column: by its primary key, or else by a unique key whose
// columns cannot be NULL.
func (f *lossyFindings) findsRows(ctx context.Context, c *valueColumn) (bool, error) {
	if f.check.seed.MasterFacts.Variable("binlog_format") == "STATEMENT" {
		return true, nil
	}
	s := f.check.seed.Master
	keys, err := s.Query(ctx, s.DB,
		"SELECT index_name AS k, SUM(column_name = ?) AS has FROM information_schema.statistics"+
			" WHERE table_schema = CAST(? AS BINARY) AND table_name = CAST(? AS BINARY) AND non_unique = 0"+
			" GROUP BY index_name HAVING SUM(nullable = 'YES') = 0",
		c.name, c.database, c.table)
	if err != nil {
		return false, err
	}
	for _, k := range keys {
		if k["k"] == "PRIMARY" {
			return k["has"] == "0", nil
		}
	}
	return len(keys) > 0 && !slices.ContainsFunc(keys, func(k server.Record) bool { return k["has"] != "0" }), nil
}

// definition is all that SHOW CREATE TABLE says of a column behind its name.
func (f *lossyFindings) definition(ctx context.Context, c *valueColumn) (string, error) {
	s := f.check.seed.Master
	shown, err := s.Query(ctx, s.DB, "SHOW CREATE TABLE "+c.quotedTable())
	if err != nil || len(shown) == 0 {
		return "", err
	}
	begin := "  " + server.QuoteName(c.name) + " "
	for line := range strings.Lines(shown[0]["create table"]) {
		if definition, found := strings.CutPrefix(strings.TrimRight(line, "\n"), begin); found {
			return strings.TrimSuffix(definition, ","), nil
		}
	}
	return "", fmt.Errorf("SHOW CREATE TABLE %s lacks the column %s", c.quotedTable(), c.name)
}

// modify are statements that make a column one of another type, and leave all else of
// it as it is. What it has may be nothing that today's sql_mode takes.
func modify(c *valueColumn, definitions ...string) []string {
	lines := []string{"SET SESSION sql_mode='';"}
	for _, definition := range definitions {
		lines = append(lines, "ALTER TABLE "+c.quotedTable()+" MODIFY "+server.QuoteName(c.name)+" "+definition+";")
	}
	return lines
}

// addLines adds those lines to a list that it does not have yet.
func addLines(list []string, lines ...string) []string {
	for _, line := range lines {
		if !slices.Contains(list, line) {
			list = append(list, line)
		}
	}
	return list
}

// clones is what is said of another way.
const clones = "; between MySQL servers of one series --method " + string(journal.SeedClone) +
	" copies them as they are"

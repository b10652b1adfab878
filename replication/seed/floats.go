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

// floats finds values of FLOAT columns that a dump would change: servers print
// them with six digits (MySQL manual, "Problems with Floating-Point Values"),
// and a dump is what they print. A changed row of a table without a primary key
// is found by no later change that is logged as rows, because it is looked for
// by all of its columns: the replication would stop (1032).
func (c *seedCheck) floats(ctx context.Context) error {
	if c.seed.Method == journal.SeedClone {
		return nil
	}
	master := c.seed.Master
	columns, err := master.Query(ctx, master.DB,
		"SELECT c.table_schema AS d, c.table_name AS t, c.column_name AS c, c.column_type AS type,"+
			" c.is_nullable AS nullable, c.column_default AS preset"+
			" FROM information_schema.columns c"+joinTables+
			" WHERE c.data_type = 'float' AND t.table_type IN ("+facts.TableTypes+") AND c.table_schema IN ("+
			server.QuoteExactly(c.seed.databases())+")"+
			" ORDER BY c.table_schema, c.table_name, c.ordinal_position")
	if err != nil {
		return err
	}
	var changed, unfound, cures []string
	for _, column := range columns {
		table, name := server.QuoteTable(column["d"], column["t"]), server.QuoteName(column["c"])
		found, err := master.Value(ctx, master.DB,
			fmt.Sprintf("SELECT 1 FROM %s WHERE %s+0e0 <> CONCAT(%s)+0e0 LIMIT 1", table, name, name))
		if err != nil {
			return err
		}
		if found == "" {
			continue
		}
		keyed, err := findsRows(ctx, master, column)
		if err != nil {
			return err
		}
		full := column["d"] + "." + column["t"] + "." + column["c"]
		if keyed || c.seed.MasterFacts.Variable("binlog_format") == "STATEMENT" {
			changed = append(changed, full)
			continue
		}
		unfound = append(unfound, full)
		cures = append(cures, "ALTER TABLE "+table+" MODIFY "+name+" "+asDouble(column)+";")
	}
	const clone = "; between MySQL servers of one series --method clone copies them as they are"
	if len(changed) > 0 {
		c.Warn(finding.Master, "float-digits",
			"if the digits matter, ALTER TABLE ... MODIFY them to DOUBLE on the master first"+clone,
			"FLOAT columns hold values of more than six digits, which are all that a dump and a comparison have;"+
				" the copy is rounded: %s", finding.List(changed))
	}
	if len(unfound) > 0 {
		c.Problem(finding.Master, "float-digits",
			"on the master, or give these tables a primary key without such columns"+clone+":\n"+
				strings.Join(cures, "\n"),
			"FLOAT columns hold values of more than six digits, which are all that a dump has,"+
				" in tables without a primary key:"+
				" the slave would not find their rows when they are changed (error 1032): %s", finding.List(unfound))
	}
	return nil
}

// findsRows reports whether a slave finds the rows of a column's table without
// the value of that column: by its primary key, or else by a unique key whose
// columns cannot be NULL.
func findsRows(ctx context.Context, s *server.Server, column server.Record) (bool, error) {
	keys, err := s.Query(ctx, s.DB,
		"SELECT index_name AS k, SUM(column_name = ?) AS has FROM information_schema.statistics"+
			" WHERE table_schema = CAST(? AS BINARY) AND table_name = CAST(? AS BINARY) AND non_unique = 0"+
			" GROUP BY index_name HAVING SUM(nullable = 'YES') = 0",
		column["c"], column["d"], column["t"])
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

// asDouble is the definition of a FLOAT column as a DOUBLE.
func asDouble(column server.Record) string {
	text := "DOUBLE"
	if strings.Contains(column["type"], "unsigned") {
		text += " UNSIGNED"
	}
	if column["nullable"] == "NO" {
		text += " NOT NULL"
	}
	if preset := column["preset"]; preset != "" && preset != "NULL" {
		text += " DEFAULT " + preset
	}
	return text
}

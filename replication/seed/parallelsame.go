package seed

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// describeTables tells of tables all by which they are the same as others. One that cannot
// be told of, such as one that was changed since the session's snapshot, is left out.
func describeTables(ctx context.Context, s *server.Server, on server.Execer, tables []object) (kept, error) {
	if len(tables) == 0 {
		return kept{}, nil
	}
	texts, err := textColumns(ctx, s, on, tables)
	if err != nil {
		return nil, err
	}
	made, rows := make([]string, len(tables)), make([]string, len(tables))
	err = server.Each(ctx, s, on, tables, func(ctx context.Context, i int, o object) error {
		name := o.quoted()
		found, err := s.Query(ctx, on, "SHOW CREATE TABLE "+name)
		if err != nil || len(found) == 0 {
			return goneMeanwhile(err)
		}
		made[i] = found[0]["create table"]
		count, err := s.Query(ctx, on, countQuery(name, texts[name]))
		if err != nil || len(count) == 0 {
			return goneMeanwhile(err)
		}
		sums, err := s.Query(ctx, on, "CHECKSUM TABLE "+name)
		if err == nil && len(sums) > 0 && sums[0]["checksum"] != "" {
			rows[i] = count[0]["n"] + " " + count[0]["bounds"] + " " + sums[0]["checksum"]
		}
		return goneMeanwhile(err)
	})
	if err != nil {
		return nil, err
	}
	databases, triggers, err := describeAround(ctx, s, on, tables)
	if err != nil {
		return nil, err
	}
	all := kept{}
	for i, o := range tables {
		if made[i] != "" && rows[i] != "" && databases[o.database] != "" {
			all[o.quoted()] = strings.Join([]string{databases[o.database], made[i], rows[i], triggers[o.quoted()]}, "\x00")
		}
	}
	return all, nil
}

// textColumns gives the columns of tables that are as long as what they hold, by the table's
// quoted name.
func textColumns(
	ctx context.Context, s *server.Server, on server.Execer, tables []object,
) (map[string][]string, error) {
	rows, err := s.Query(ctx, on, "SELECT table_schema AS d, table_name AS n, column_name AS c"+
		" FROM information_schema.columns WHERE data_type IN ('char', 'varchar', 'binary', 'varbinary', 'tinytext',"+
		" 'text', 'mediumtext', 'longtext', 'tinyblob', 'blob', 'mediumblob', 'longblob') AND table_schema IN ("+
		server.QuoteExactly(databasesOf(tables))+") ORDER BY table_schema, table_name, ordinal_position")
	columns := map[string][]string{}
	for _, r := range rows {
		name := server.QuoteTable(r["d"], r["n"])
		columns[name] = append(columns[name], server.QuoteName(r["c"]))
	}
	return columns, err
}

// countQuery counts the rows of a table. CHECKSUM TABLE joins the values of a row, and so takes
// ('ab', 'c') and ('a', 'bc') for the same: where a table has several columns that may be of any
// length, bounds tells them apart.
func countQuery(table string, texts []string) string {
	if len(texts) < 2 {
		return "SELECT COUNT(*) AS n, 0 AS bounds FROM " + table
	}
	values := make([]string, len(texts))
	for i, column := range texts {
		values[i] = fmt.Sprintf("COALESCE(LENGTH(%[1]s), 'N'), COALESCE(CRC32(%[1]s), 'N')", column)
	}
	return "SELECT COUNT(*) AS n, SUM(CRC32(CONCAT_WS(',', " + strings.Join(values, ", ") + "))) AS bounds FROM " + table
}

// databasesOf are the databases of tables, each once.
func databasesOf(tables []object) []string {
	var names []string
	for _, o := range tables {
		if !slices.Contains(names, o.database) {
			names = append(names, o.database)
		}
	}
	return names
}

// goneMeanwhile passes over the errors of a table that was dropped or changed.
func goneMeanwhile(err error) error {
	switch server.ErrorNumber(err) {
	case 1146, 1412, 1049: // it is not there, it was changed since the snapshot, its database is not there
		return nil
	}
	return err
}

// describeAround tells of the databases of tables, and of the tables' triggers.
func describeAround(
	ctx context.Context, s *server.Server, on server.Execer, tables []object,
) (databases, triggers map[string]string, err error) {
	databases, triggers = map[string]string{}, map[string]string{}
	names := databasesOf(tables)
	made := make([]string, len(names))
	err = server.Each(ctx, s, on, names, func(ctx context.Context, i int, name string) error {
		found, err := s.Query(ctx, on, "SHOW CREATE DATABASE "+server.QuoteName(name))
		if err == nil && len(found) > 0 {
			made[i] = found[0]["create database"]
		}
		return goneMeanwhile(err)
	})
	if err != nil {
		return nil, nil, err
	}
	for i, name := range names {
		databases[name] = made[i]
	}
	rows, err := s.Query(ctx, on,
		"SELECT event_object_schema AS d, event_object_table AS n, CONCAT_WS(CHAR(1), trigger_name,"+
			" event_manipulation, action_timing, action_order, action_statement, sql_mode, definer, character_set_client,"+
			" collation_connection, database_collation) AS t FROM information_schema.triggers WHERE trigger_schema IN ("+
			server.QuoteExactly(names)+") ORDER BY trigger_schema, trigger_name")
	for _, r := range rows {
		triggers[server.QuoteTable(r["d"], r["n"])] += r["t"] + "\x00"
	}
	return databases, triggers, err
}

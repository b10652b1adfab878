package servertest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"regexp"
	"strings"
)

// Snapshot describes all that databases have: each object by its kind and name,
// with its SHOW CREATE, and each table with its checksum, which is comparable
// within a family. It leaves out in what a slave differs rightly: which events
// are enabled, when an object was made, and counters of AUTO_INCREMENT.
func Snapshot(ctx context.Context, db *sql.DB, databases []string) (map[string]string, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer discard(conn)
	if _, err := conn.ExecContext(ctx, "SET NAMES utf8mb4"); err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, database := range databases {
		if err := snapshotDatabase(ctx, conn, database, found); err != nil {
			return nil, fmt.Errorf("%s: %w", database, err)
		}
	}
	return found, nil
}

// listings are the objects of a database, by their kinds.
var listings = []struct{ kind, query string }{
	{
		kind:  "TABLE",
		query: "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'",
	},
	{
		kind:  "VIEW",
		query: "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'VIEW'",
	},
	{kind: "TRIGGER", query: "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = ?"},
	{
		kind:  "PROCEDURE",
		query: "SELECT routine_name FROM information_schema.routines WHERE routine_schema = ? AND routine_type = 'PROCEDURE'",
	},
	{
		kind:  "FUNCTION",
		query: "SELECT routine_name FROM information_schema.routines WHERE routine_schema = ? AND routine_type = 'FUNCTION'",
	},
	{kind: "EVENT", query: "SELECT event_name FROM information_schema.events WHERE event_schema = ?"},
}

func snapshotDatabase(ctx context.Context, conn *sql.Conn, database string, found map[string]string) error {
	text, err := show(ctx, conn, "SHOW CREATE DATABASE "+quote(database))
	if err != nil {
		return err
	}
	found["DATABASE "+database] = text
	for _, l := range listings {
		names, err := column(ctx, conn, l.query, database)
		if err != nil {
			return err
		}
		for _, name := range names {
			object := quote(database) + "." + quote(name)
			text, err := show(ctx, conn, "SHOW CREATE "+l.kind+" "+object)
			if err != nil {
				return err
			}
			if l.kind == "TABLE" {
				sum, err := show(ctx, conn, "CHECKSUM TABLE "+object)
				if err != nil {
					return err
				}
				text += "\n" + sum
			}
			found[l.kind+" "+object] = text
		}
	}
	return nil
}

// ownSlave is what differs between a master and its slave. MySQL also remembers
// whether a column's character set was named beside its collation.
var ownSlave = regexp.MustCompile(
	` AUTO_INCREMENT=\d+| (?:ENABLE|DISABLE ON (?:SLAVE|REPLICA)|DISABLE)\b| CHARACTER SET \w+( COLLATE )`,
)

// show gives the one row of a SHOW statement, a line for each column.
func show(ctx context.Context, conn *sql.Conn, query string) (string, error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return "", fmt.Errorf("%s: %w", query, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err says what is wrong
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	values, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if !rows.Next() {
		return "", fmt.Errorf("%s: nothing: %w", query, rows.Err())
	}
	if err := rows.Scan(into...); err != nil {
		return "", err
	}
	var lines []string
	for i, name := range names {
		if name != "Created" {
			lines = append(lines, name+": "+ownSlave.ReplaceAllString(values[i].String, "$1"))
		}
	}
	return strings.Join(lines, "\n"), rows.Err()
}

// column gives the one column of a query.
func column(ctx context.Context, conn *sql.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err says what is wrong
	var found []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		found = append(found, name)
	}
	return found, rows.Err()
}

// discard closes a session whose settings the pool must not keep.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close() // it is closed
}

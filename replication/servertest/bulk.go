package servertest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

const (
	bulkTables = 4
	bulkRows   = 10000 // of one statement
	bulkRow    = 220   // bytes of a row with its keys
)

// Bulk makes a database of about so many bytes, at least some megabytes, in
// tables like those of sysbench. It is not in the binary log. The database must
// not exist.
func Bulk(ctx context.Context, db *sql.DB, database string, bytes int64) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer discard(conn)
	for _, statement := range []string{
		"SET SESSION sql_log_bin = 0", "CREATE DATABASE " + quote(database), "USE " + quote(database),
	} {
		if err := do(ctx, conn, statement); err != nil {
			return err
		}
	}
	return fillBulk(ctx, conn, bytes)
}

// fillBulk makes the tables.
func fillBulk(ctx context.Context, conn *sql.Conn, bytes int64) error {
	const digit = "(SELECT 0 UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 " +
		"UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)"
	const group = "LPAD(FLOOR(RAND() * 1e11), 11, '0')"
	for i := range bulkTables {
		table := fmt.Sprintf("sbtest%d", i+1)
		if err := do(ctx, conn,
			"CREATE TABLE "+table+" (id INT NOT NULL AUTO_INCREMENT, k INT NOT NULL DEFAULT 0, c CHAR(120) NOT NULL DEFAULT "+
				"'', pad CHAR(60) NOT NULL DEFAULT '', PRIMARY KEY (id), KEY k (k)) ENGINE=InnoDB DEFAULT "+
				"CHARSET=latin1"); err != nil {
			return err
		}
		for range max(1, bytes/bulkTables/bulkRow/bulkRows) {
			err := do(ctx, conn, "INSERT INTO "+table+" (k, c, pad) SELECT FLOOR(RAND() * 1e6), CONCAT_WS('-', "+group+
				strings.Repeat(", "+group, 9)+"), CONCAT_WS('-', "+group+strings.Repeat(", "+group, 4)+")"+
				" FROM "+digit+" a, "+digit+" b, "+digit+" c, "+digit+" d")
			if err != nil {
				return err
			}
		}
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// mostRows is how many rows a table may be told to have.
const mostRows = 1000000

// numbers are a million rows for a SELECT, which LIMITs them: a thousand is how deep
// servers go by themselves.
const numbers = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 1000)"

// fillTables makes many small tables on the master, and what else a schema has.
func (f *farSites) fillTables(ctx context.Context) error {
	var statements []string
	for i := range f.tables {
		statements = append(
			statements,
			fmt.Sprintf("CREATE TABLE t%d (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(40), k INT, KEY (k))", i),
			fmt.Sprintf("INSERT INTO t%d (v, k) %s SELECT UUID(), a.n FROM s a JOIN s b LIMIT %d", i, numbers, f.rows),
		)
	}
	return f.fill(ctx, append(statements, "CREATE PROCEDURE p() SELECT 1",
		"CREATE VIEW w AS SELECT COUNT(*) AS c FROM t0")...)
}

// fillBulk makes one table of sysbench's shape on the master.
func (f *farSites) fillBulk(ctx context.Context) error {
	groups := func(n int) string {
		return "CONCAT_WS('-'" + strings.Repeat(", LPAD(FLOOR(RAND() * 1e11), 11, '0')", n) + ")"
	}
	return f.fill(
		ctx,
		"CREATE TABLE sbtest (id INT PRIMARY KEY AUTO_INCREMENT, k INT NOT NULL, c CHAR(120) NOT NULL, "+
			"pad CHAR(60) NOT NULL, KEY (k)) DEFAULT CHARSET=latin1",
		fmt.Sprintf("INSERT INTO sbtest (k, c, pad) %s SELECT FLOOR(RAND() * 1e6), %s, %s FROM s a JOIN s b LIMIT %d",
			numbers, groups(10), groups(5), f.thinRows),
	)
}

// fill makes the database and the account of the bare tools on the master.
func (f *farSites) fill(ctx context.Context, statements ...string) error {
	account := "'" + bareName + "'@'127.0.0.1'"
	return execute(ctx, f.master, append([]string{
		"CREATE USER " + account + " IDENTIFIED BY '" + bareName + "'", "GRANT ALL PRIVILEGES ON *.* TO " + account,
		"CREATE DATABASE " + farDatabase, "USE " + farDatabase,
	}, statements...)...)
}

// seedAgain empties the slave, and lets the next one copy through the tunnel.
func (f *farSites) seedAgain(ctx context.Context) error {
	if err := f.clearSlave(ctx); err != nil {
		return err
	}
	_, err := f.time(ctx, "setup-master --seed-again", f.replication(f.setupMaster("--seed-again")))
	return err
}

// clearSlave makes the slave a server that holds nothing and is nobody's slave.
func (f *farSites) clearSlave(ctx context.Context) error {
	f.states++
	statements := []string{
		"SET GLOBAL read_only=OFF", "STOP SLAVE", "RESET SLAVE ALL", "DROP DATABASE IF EXISTS " + farDatabase,
		"RESET MASTER", "SET GLOBAL gtid_slave_pos=''",
	}
	if f.kind.IsMySQL() {
		statements = []string{
			"SET GLOBAL super_read_only=OFF", "SET GLOBAL read_only=OFF", "STOP REPLICA", "RESET REPLICA ALL",
			"DROP DATABASE IF EXISTS " + farDatabase, "RESET BINARY LOGS AND GTIDS",
		}
	}
	return execute(ctx, f.slave, statements...)
}

// execute runs statements in one session of a server's administrator.
func execute(ctx context.Context, s *servertest.Server, statements ...string) error {
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return fmt.Errorf("log in to the %s: %w", s.Name, err)
	}
	defer conn.Close() //nolint:errcheck // nothing is under way
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s on the %s: %w", statement, s.Name, err)
		}
	}
	return nil
}

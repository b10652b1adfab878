package pairs

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Couple is a master with a slave that follows it.
type Couple struct {
	Master, Slave     *server.Server // as the administrator
	MasterFacts       *facts.Facts   // as they were at first
	MasterDB, SlaveDB *sql.DB
	pair              Pair

	// Settings are statements that each session on the master begins with.
	Settings []string
}

// OnCouples runs a test on pairs whose slaves follow.
func OnCouples(t *testing.T, pairs []Pair, test func(t *testing.T, p *Couple)) {
	t.Helper()
	for _, pair := range pairs {
		t.Run(pair.String(), func(t *testing.T) { test(t, pair.Couple(t)) })
	}
}

// Couple gives the pair's servers, the slave following until the test ends: by
// GTID where both are of one series, otherwise by file and position.
func (p Pair) Couple(t *testing.T) *Couple {
	t.Helper()
	master, slave := p.Start(t)
	c := &Couple{MasterDB: master.DB, SlaveDB: slave.DB, pair: p}
	c.Master, c.MasterFacts = master.AsAdministrator(t, finding.Master)
	c.Slave, _ = slave.AsAdministrator(t, finding.Slave)
	if p.Crosses() {
		// MySQL 9 has given up events of rows of the kind that MariaDB writes.
		c.Settings = []string{"SET SESSION binlog_format=STATEMENT"}
	}
	master.MakeReplicationAccount(t)
	begin, end := p.following(t, master)
	slave.Exec(t, slices.Concat(end, begin)...)
	t.Cleanup(func() { Run(context.WithoutCancel(t.Context()), t, slave.DB, end) })
	c.OnMaster(t, "DROP DATABASE IF EXISTS marks", "CREATE DATABASE marks", "CREATE TABLE marks.m (id int PRIMARY KEY)")
	return c
}

// Servers gives the servers themselves.
func (c *Couple) Servers(t *testing.T) (master, slave *Server) {
	t.Helper()
	return c.pair.Start(t)
}

// MakeReplicationAccount makes the account repl with the password repl, anew.
func (s *Server) MakeReplicationAccount(t *testing.T) {
	t.Helper()
	s.Exec(t, "DROP USER IF EXISTS repl@'127.0.0.1'", "CREATE USER repl@'127.0.0.1' IDENTIFIED BY 'repl'",
		"GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1'")
}

// following gives the statements by which the slave begins to follow its master
// from where that stands, and ends.
func (p Pair) following(t *testing.T, master *Server) (begin, end []string) {
	t.Helper()
	show := "SHOW MASTER STATUS"
	if p.Master.IsMySQL() {
		show = "SHOW BINARY LOG STATUS"
	}
	at := master.Rows(t, show)[0]
	if !p.Slave.IsMySQL() {
		end = []string{
			"STOP SLAVE", "RESET SLAVE ALL",
			"SET GLOBAL replicate_wild_do_table='', GLOBAL replicate_ignore_table=''",
		}
		change := fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='repl',"+
			" MASTER_PASSWORD='repl', MASTER_SSL_VERIFY_SERVER_CERT=0, ", master.Port)
		if p == MariaDB {
			from := "SET GLOBAL gtid_slave_pos='" + master.Values(t, "SELECT @@gtid_binlog_pos")[0] + "'"
			return []string{from, change + "MASTER_USE_GTID=slave_pos", "START SLAVE"}, end
		}
		change += fmt.Sprintf("MASTER_USE_GTID=no, MASTER_LOG_FILE='%s', MASTER_LOG_POS=%s", at[0], at[1])
		return []string{change, "START SLAVE"}, end
	}
	end = []string{
		"STOP REPLICA", "RESET REPLICA ALL",
		"CHANGE REPLICATION FILTER REPLICATE_WILD_DO_TABLE=(), REPLICATE_IGNORE_TABLE=()",
	}
	change := fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='repl',"+
		" SOURCE_PASSWORD='repl', SOURCE_SSL=0, GET_SOURCE_PUBLIC_KEY=1, ", master.Port)
	byPosition := change + fmt.Sprintf("SOURCE_AUTO_POSITION=0, SOURCE_LOG_FILE='%s', SOURCE_LOG_POS=%s", at[0], at[1])
	switch {
	case p.Crosses(): // MariaDB's transactions have no GTIDs that MySQL knows
		const between = "SET GLOBAL gtid_mode=ON_PERMISSIVE"
		begin = []string{between, "SET GLOBAL gtid_mode=OFF_PERMISSIVE", byPosition, "START REPLICA"}
		return begin, append(end, between, "SET GLOBAL gtid_mode=ON")
	case p == MySQL:
		byPosition = change + "SOURCE_AUTO_POSITION=1"
	}
	begin = []string{"RESET BINARY LOGS AND GTIDS", "SET GLOBAL gtid_purged='" + at[4] + "'", byPosition, "START REPLICA"}
	return begin, end
}

// OnMaster runs statements on the master, in one session.
func (c *Couple) OnMaster(t *testing.T, statements ...string) {
	t.Helper()
	Run(t.Context(), t, c.MasterDB, slices.Concat(c.Settings, statements))
}

// OnSlave runs statements on the slave, in one session, as somebody who should
// not.
func (c *Couple) OnSlave(t *testing.T, statements ...string) {
	t.Helper()
	Run(t.Context(), t, c.SlaveDB, statements)
}

// Run runs statements in one session that takes any value and any order of
// tables.
func Run(ctx context.Context, t *testing.T, db *sql.DB, statements []string) {
	t.Helper()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // what failed is said already
	for _, s := range slices.Concat([]string{"SET sql_mode='', time_zone='+00:00', foreign_key_checks=0"}, statements) {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			t.Fatalf("%.200s: %v", s, err)
		}
	}
}

// lastMark tells the marks of all couples apart: a slave may still have those
// of an earlier master when it begins to follow another.
var lastMark atomic.Int64

// Sync waits until the slave has what the master has.
func (c *Couple) Sync(t *testing.T) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the slave: %+v", *c.Status(t))
		}
	}()
	id := lastMark.Add(1)
	c.OnMaster(t, fmt.Sprintf("INSERT INTO marks.m VALUES (%d)", id))
	WaitUntil(t, "mark on the slave", func() (string, bool) {
		var there int
		err := c.SlaveDB.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM marks.m WHERE id = ?", id).Scan(&there)
		return fmt.Sprint(err), err == nil && there == 1
	})
}

// Status is what the slave says of its master.
func (c *Couple) Status(t *testing.T) *server.SlaveStatus {
	t.Helper()
	read, err := facts.Read(t.Context(), c.Slave)
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Masters) != 1 {
		t.Fatalf("the slave has the masters %+v", read.Masters)
	}
	return read.Masters[0]
}

// MustRun fails if the slave's threads do not run.
func (c *Couple) MustRun(t *testing.T) {
	t.Helper()
	if status := c.Status(t); !status.Running() {
		t.Errorf("the slave does not run: %+v", *status)
	}
}

// Fresh gives an empty database of a name on both ends.
func (c *Couple) Fresh(t *testing.T, name string) {
	t.Helper()
	c.OnMaster(t, "DROP DATABASE IF EXISTS "+name, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
	t.Cleanup(func() {
		if !t.Failed() {
			_, err := c.MasterDB.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE "+name)
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// Write runs statements on the master, again and again, each with a number and
// seven times the number, until stop is called.
func (c *Couple) Write(t *testing.T, statements ...string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			for _, s := range statements {
				if _, err := c.MasterDB.ExecContext(ctx, s, i, i*7); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		}
	})
	return func() {
		cancel()
		writer.Wait()
	}
}

// HoldSlave keeps the slave from applying writes to a table until the test ends
// or release is called.
func (c *Couple) HoldSlave(t *testing.T, table string) (release func()) {
	t.Helper()
	conn, err := c.SlaveDB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "LOCK TABLES "+table+" WRITE"); err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	released := false
	release = func() {
		if !released {
			released = true
			if _, err := conn.ExecContext(ctx, "UNLOCK TABLES"); err != nil {
				t.Error(err)
			}
			_ = conn.Close() // what failed is said already
		}
	}
	t.Cleanup(release)
	return release
}

// Numbered gives statements that fill a table with rows of a running number,
// doubling: its columns id and v.
func Numbered(table string, rows int) []string {
	list := []string{"INSERT INTO " + table + " (id, v) VALUES (1, 'value 1')"}
	for n := 1; n < rows; n *= 2 {
		list = append(list, fmt.Sprintf("INSERT INTO %[1]s (id, v) SELECT id + %[2]d, CONCAT('value ', id + %[2]d)"+
			" FROM %[1]s WHERE id <= %[3]d", table, n, rows-n))
	}
	return list
}

package watch_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/watch"
)

func TestMain(m *testing.M) { os.Exit(pairs.Main(m)) }

// watchedPair is a master and its slave, which reaches it by a gate.
type watchedPair struct {
	*testing.T

	kind          servertest.Kind
	master, slave *pairs.Server
	gate          *gate
	m, s          *server.Server
}

// The passwords of the pair, which nothing may show.
const (
	watchedSecret = "replicates-this-Pw1"
	monitorSecret = "watches-this-Pw2"
)

func newWatchedPair(t *testing.T, kind servertest.Kind) *watchedPair {
	t.Helper()
	p := &watchedPair{
		T: t, kind: kind, master: pairs.OwnServer(t, kind, "watched master", 1),
		slave: pairs.OwnServer(t, kind, "watched slave", 2),
	}
	p.gate = newGate(t, p.master.Address())
	p.run(p.master.DB,
		"CREATE USER db_rep@'127.0.0.1' IDENTIFIED BY '"+watchedSecret+"'",
		"GRANT REPLICATION SLAVE ON *.* TO db_rep@'127.0.0.1'",
		"CREATE USER gtunnel_monitor@'127.0.0.1' IDENTIFIED BY '"+monitorSecret+"'", "GRANT REPLICATION CLIENT ON *.* TO "+
			"gtunnel_monitor@'127.0.0.1'")
	p.m = p.master.Login(t, finding.Master,
		server.Login{
			Network: "tcp", Address: p.master.Address(), User: "gtunnel_monitor", Password: server.NewPassword(monitorSecret),
		})
	p.s = p.slave.AsRoot(t, finding.Slave)
	return p
}

// session gives a session that ends with the test, or by the function: no other
// gets what was set in it.
func (p *watchedPair) session(db *sql.DB) (conn *sql.Conn, end func()) {
	p.Helper()
	conn, err := db.Conn(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	end = func() { conn.Raw(func(any) error { return driver.ErrBadConn }) }
	p.Cleanup(end)
	return conn, end
}

// run runs statements in one session. The words for the master and the slave
// are MariaDB's; MySQL gets its own.
func (p *watchedPair) run(db *sql.DB, statements ...string) {
	p.Helper()
	conn, end := p.session(db)
	defer end()
	for _, statement := range statements {
		if p.kind.IsMySQL() {
			statement = strings.NewReplacer("CHANGE MASTER TO", "CHANGE REPLICATION SOURCE TO", "MASTER_", "SOURCE_",
				"SLAVE ALL", "REPLICA ALL",
				"START SLAVE", "START REPLICA", "STOP SLAVE", "STOP REPLICA").Replace(statement)
		}
		if _, err := conn.ExecContext(p.Context(), statement); err != nil {
			p.Fatalf("%s: %v", statement, err)
		}
	}
}

// position is where the master's binary log stands.
func (p *watchedPair) position() (file string, offset uint64) {
	p.Helper()
	files, sizes := p.logs()
	return files[len(files)-1], sizes[len(sizes)-1]
}

// logs are the files of the master's binary log with their sizes.
func (p *watchedPair) logs() (files []string, sizes []uint64) {
	p.Helper()
	rows, err := p.master.DB.QueryContext(p.Context(), "SHOW BINARY LOGS")
	if err != nil {
		p.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		p.Fatal(err)
	}
	for rows.Next() {
		values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			p.Fatal(err)
		}
		var size uint64
		fmt.Sscan(values[1].String, &size)
		files, sizes = append(files, values[0].String), append(sizes, size)
	}
	if err := rows.Err(); err != nil {
		p.Fatal(err)
	}
	return files, sizes
}

// fresh makes a new, healthy replication of an empty table.
func (p *watchedPair) fresh() {
	p.Helper()
	p.gate.open()
	p.run(p.slave.DB, "STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only=0")
	table := []string{
		"SET sql_log_bin=0", "DROP DATABASE IF EXISTS d", "CREATE DATABASE d",
		"CREATE TABLE d.t (a INT PRIMARY KEY, b LONGTEXT)",
	}
	p.run(p.slave.DB, table...)
	p.run(p.master.DB, table...)
	file, offset := p.position()
	change := fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='db_rep', "+
		"MASTER_PASSWORD='%s', MASTER_LOG_FILE='%s', MASTER_LOG_POS=%d,"+
		" MASTER_HEARTBEAT_PERIOD=1, MASTER_CONNECT_RETRY=1, MASTER_SSL=0", p.gate.port, watchedSecret, file, offset)
	if p.kind.IsMySQL() {
		change += ", MASTER_RETRY_COUNT=86400, GET_MASTER_PUBLIC_KEY=1"
	}
	p.run(p.slave.DB, change)
	p.setFilter("replicate_wild_do_table", "d.%")
	p.run(p.slave.DB, "SET GLOBAL read_only=1")
	if p.kind.IsMySQL() {
		p.run(p.slave.DB, "SET GLOBAL super_read_only=1")
	}
	p.until(func(s *watch.Status) bool { return s.State == watch.HealthOK && *s.Lag.Bytes == 0 })
}

// setFilter sets a filter of the slave.
func (p *watchedPair) setFilter(name, patterns string) {
	p.Helper()
	if p.kind.IsMySQL() {
		list := patterns
		if patterns != "" && strings.Contains(name, "wild") { // the others are of names
			list = "'" + strings.ReplaceAll(patterns, ",", "','") + "'"
		}
		p.run(p.slave.DB, "STOP SLAVE", "CHANGE REPLICATION FILTER "+name+"=("+list+")", "START SLAVE")
		return
	}
	p.run(p.slave.DB, "STOP SLAVE", "SET GLOBAL "+name+"='"+patterns+"'", "START SLAVE")
}

// onSlave runs statements on the slave in spite of read_only.
func (p *watchedPair) onSlave(statements ...string) {
	p.Helper()
	p.run(p.slave.DB, append([]string{"SET GLOBAL read_only=0", "SET sql_log_bin=0"}, statements...)...)
}

func (p *watchedPair) status(master *server.Server, o watch.Options) *watch.Status {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), pairs.Patience)
	defer cancel()
	s, err := watch.Read(ctx, p.s, master, o)
	if err != nil {
		p.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		p.Fatal(err)
	}
	for _, secret := range []string{watchedSecret, monitorSecret} {
		if strings.Contains(string(text), secret) {
			p.Fatalf("a password in %s", text)
		}
	}
	return s
}

// until looks until the status is as expected.
func (p *watchedPair) until(expected func(*watch.Status) bool) (s *watch.Status) {
	p.Helper()
	pairs.WaitUntil(p, "status as expected", func() (string, bool) {
		s = p.status(p.m, watch.Options{Window: 300 * time.Millisecond})
		return statusText(s), expected(s)
	})
	return s
}

// untilProblem looks until there is a problem of a code, in a state, and wants
// its words.
func (p *watchedPair) untilProblem(state watch.Health, code string, words ...string) *watch.Status {
	p.Helper()
	s := p.until(func(s *watch.Status) bool { return s.State == state && pairs.ProblemOf(s.Problems, code) != nil })
	p.wantWords(s, pairs.ProblemOf(s.Problems, code), words...)
	if s.Healthy {
		p.Errorf("healthy in spite of\n%s", statusText(s))
	}
	return s
}

func (p *watchedPair) wantWords(s *watch.Status, found *finding.Problem, words ...string) {
	p.Helper()
	for _, word := range words {
		if found == nil || !strings.Contains(found.Error()+"\n"+found.Cure, word) {
			p.Errorf("no %q in\n%s", word, statusText(s))
		}
	}
}

func statusText(s *watch.Status) string {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

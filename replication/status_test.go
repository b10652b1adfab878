package replication_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// watchedPair is a master and its slave, which reaches it by a gate.
type watchedPair struct {
	*testing.T

	kind          servertest.Kind
	master, slave *testServer
	gate          *gate
	m, s          *replication.Server
}

// The passwords of the pair, which nothing may show.
const (
	watchedSecret = "replicates-this-Pw1"
	monitorSecret = "watches-this-Pw2"
)

func newWatchedPair(t *testing.T, kind servertest.Kind) *watchedPair {
	t.Helper()
	p := &watchedPair{T: t, kind: kind, master: ownServer(t, kind, "watched master", 1), slave: ownServer(t, kind, "watched slave", 2)}
	p.gate = newGate(t, p.master.Address())
	p.run(p.master.DB,
		"CREATE USER db_rep@'127.0.0.1' IDENTIFIED BY '"+watchedSecret+"'", "GRANT REPLICATION SLAVE ON *.* TO db_rep@'127.0.0.1'",
		"CREATE USER gtunnel_monitor@'127.0.0.1' IDENTIFIED BY '"+monitorSecret+"'", "GRANT REPLICATION CLIENT ON *.* TO gtunnel_monitor@'127.0.0.1'")
	p.m = p.open(replication.Master, replication.Login{Network: "tcp", Address: p.master.Address(), User: "gtunnel_monitor", Password: replication.NewPassword(monitorSecret)})
	p.s = p.open(replication.Slave, replication.Login{Network: "unix", Address: p.slave.Socket, User: p.slave.User})
	return p
}

// ownServer starts a server that no other test uses, and ends with the test.
func ownServer(t *testing.T, kind servertest.Kind, name string, id int) *testServer {
	t.Helper()
	name = string(kind) + " " + name
	s := sharedServer(t, kind, name, id)
	t.Cleanup(func() {
		lab.mu.Lock()
		defer lab.mu.Unlock()
		delete(lab.servers, name)
		s.Kill()
	})
	return s
}

func (p *watchedPair) open(role replication.Role, login replication.Login) *replication.Server {
	p.Helper()
	server, err := replication.Open(p.Context(), role, login)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { server.Close() })
	return server
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
			statement = strings.NewReplacer("CHANGE MASTER TO", "CHANGE REPLICATION SOURCE TO", "MASTER_", "SOURCE_", "SLAVE ALL", "REPLICA ALL",
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
	change := fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='db_rep', MASTER_PASSWORD='%s', MASTER_LOG_FILE='%s', MASTER_LOG_POS=%d,"+
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
	p.until(func(s *replication.Status) bool { return s.State == replication.HealthRunning && *s.Lag.Bytes == 0 })
}

// onSlave runs statements on the slave in spite of read_only.
func (p *watchedPair) onSlave(statements ...string) {
	p.Helper()
	p.run(p.slave.DB, append([]string{"SET GLOBAL read_only=0", "SET sql_log_bin=0"}, statements...)...)
}

func (p *watchedPair) status(master *replication.Server, o replication.StatusOptions) *replication.Status {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	s, err := replication.ReadStatus(ctx, p.s, master, o)
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
func (p *watchedPair) until(expected func(*replication.Status) bool) *replication.Status {
	p.Helper()
	for end := time.Now().Add(patience); ; {
		s := p.status(p.m, replication.StatusOptions{Window: 300 * time.Millisecond})
		if expected(s) {
			return s
		}
		if time.Now().After(end) {
			p.Fatalf("it stays\n%s", statusText(s))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// untilProblem looks until there is a problem of a code, in a state, and wants
// its words.
func (p *watchedPair) untilProblem(state replication.Health, code string, words ...string) *replication.Status {
	p.Helper()
	s := p.until(func(s *replication.Status) bool { return s.State == state && find(s.Problems, code) != nil })
	p.wantWords(s, find(s.Problems, code), words...)
	if s.Healthy {
		p.Errorf("healthy in spite of\n%s", statusText(s))
	}
	return s
}

func (p *watchedPair) wantWords(s *replication.Status, found *replication.Problem, words ...string) {
	p.Helper()
	for _, word := range words {
		if found == nil || !strings.Contains(found.Error()+"\n"+found.Cure, word) {
			p.Errorf("no %q in\n%s", word, statusText(s))
		}
	}
}

func find(list []*replication.Problem, code string) *replication.Problem {
	for _, p := range list {
		if p.Code == code {
			return p
		}
	}
	return nil
}

func statusText(s *replication.Status) string {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestStatus puts a pair of each kind into every state.
func TestStatus(t *testing.T) {
	for _, kind := range []servertest.Kind{servertest.MariaDB105, servertest.MariaDB, servertest.MariaDB118, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			p := newWatchedPair(t, kind)
			for _, scenario := range []struct {
				name string
				run  func(*watchedPair)
			}{
				{"not set up", (*watchedPair).notSetUp}, // first: nothing has been done to the slave
				{"healthy", (*watchedPair).healthy},
				{"lag in bytes", (*watchedPair).lagInBytes},
				{"catching up", (*watchedPair).catchingUp},
				{"tunnel down", (*watchedPair).tunnelDown},
				{"wrong password", (*watchedPair).wrongPassword},
				{"duplicate row", (*watchedPair).duplicateRow},
				{"missing row", (*watchedPair).missingRow},
				{"statement with a password", (*watchedPair).failedStatement},
				{"purged", (*watchedPair).purged},
				{"lost log", (*watchedPair).lostLog},
				{"same server id", (*watchedPair).sameServerID},
				{"stopped", (*watchedPair).stopped},
				{"until", (*watchedPair).stoppedAtUntil},
				{"stalled", (*watchedPair).stalled},
				{"stalled and no master", (*watchedPair).stalledWithoutMaster},
				{"writable", (*watchedPair).writable},
				{"filters", (*watchedPair).filters},
				{"settings that a restart loses", (*watchedPair).transientSettings},
				{"patience", (*watchedPair).patience},
				{"master not reachable", (*watchedPair).masterUnreachable},
				{"other master", (*watchedPair).otherMaster},
				{"other connections", (*watchedPair).otherConnections},
			} {
				t.Run(scenario.name, func(t *testing.T) {
					p := &watchedPair{T: t, kind: kind, master: p.master, slave: p.slave, gate: p.gate, m: p.m, s: p.s}
					scenario.run(p)
				})
			}
		})
	}
}

func (p *watchedPair) notSetUp() {
	s := p.untilProblem(replication.HealthNotSetUp, "not-set-up", "gtunnel replication setup-slave")
	if s.Connection != nil || len(s.Warnings) > 0 {
		p.Errorf("more than that:\n%s", statusText(s))
	}
}

func (p *watchedPair) healthy() {
	p.fresh()
	p.run(p.master.DB, "INSERT INTO d.t VALUES (1, 'one')", "FLUSH LOGS")
	// MariaDB goes on writing for a moment after a log has been begun.
	s := p.until(func(s *replication.Status) bool {
		file, offset := p.position()
		return s.Connection.Executed.File == file && s.Connection.Executed.Offset == offset
	})
	if s.State != replication.HealthRunning || !s.Healthy || *s.Lag.Bytes != 0 || *s.Lag.Unread != 0 || *s.Lag.Seconds != 0 {
		p.Errorf("not healthy:\n%s", statusText(s))
	}
	if !s.Slave.ReadOnly || s.Slave.ServerID != 2 || s.Master.ServerID != 1 || !s.Master.Reachable || s.Connection.MasterUser != "db_rep" {
		p.Errorf("wrong facts:\n%s", statusText(s))
	}
	if find(s.Warnings, "writable") != nil || find(s.Warnings, "gives-up") != nil || find(s.Warnings, "tls-inside") != nil || find(s.Warnings, "public-key") != nil {
		p.Errorf("warned without cause:\n%s", statusText(s))
	}
	// Heartbeats tell as much when the master cannot be asked.
	s = p.status(nil, replication.StatusOptions{})
	if s.State != replication.HealthRunning || s.Lag.Bytes != nil {
		p.Errorf("without its master:\n%s", statusText(s))
	}
}

func (p *watchedPair) lagInBytes() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE SQL_THREAD")
	for i := range 3 {
		p.run(p.master.DB, fmt.Sprintf("INSERT INTO d.t VALUES (%d, REPEAT('x', 100000))", i), "FLUSH LOGS")
	}
	p.run(p.master.DB, "INSERT INTO d.t VALUES (9, 'nine')")
	// MariaDB goes on writing for a moment after a log has been begun.
	var files []string
	var sizes []uint64
	s := p.until(func(s *replication.Status) bool {
		files, sizes = p.logs()
		last := replication.Position{File: files[len(files)-1], Offset: sizes[len(sizes)-1]}
		at := replication.Position{File: s.Master.Position.File, Offset: s.Master.Position.Offset}
		return at == last && s.Lag.Unread != nil && *s.Lag.Unread == 0
	})
	var want uint64
	for i := range files {
		if files[i] >= s.Connection.Executed.File {
			want += sizes[i]
		}
	}
	want -= s.Connection.Executed.Offset
	if s.Lag.Bytes == nil || *s.Lag.Bytes != want || want < 300000 {
		p.Errorf("the lag is not %d:\n%s", want, statusText(s))
	}
	p.wantWords(s, find(s.Problems, "stopped"), "the SQL thread", "START ")
	p.run(p.slave.DB, "START SLAVE SQL_THREAD")
	p.until(func(s *replication.Status) bool { return s.Healthy && *s.Lag.Bytes == 0 })
}

func (p *watchedPair) catchingUp() {
	p.fresh()
	lock, unlock := p.session(p.slave.DB)
	if _, err := lock.ExecContext(p.Context(), "LOCK TABLES d.t READ"); err != nil {
		p.Fatal(err)
	}
	p.run(p.master.DB, "INSERT INTO d.t VALUES (1, REPEAT('x', 2000000))")
	s := p.until(func(s *replication.Status) bool { return s.State == replication.HealthCatchingUp })
	if !s.Healthy || *s.Lag.Bytes < 2000000 || !strings.Contains(s.Summary, "2.0 MB behind") {
		p.Errorf("not as it is:\n%s", statusText(s))
	}
	unlock()
	p.until(func(s *replication.Status) bool { return s.State == replication.HealthRunning && *s.Lag.Bytes == 0 })
}

func (p *watchedPair) tunnelDown() {
	p.fresh()
	p.gate.shut()
	p.untilProblem(replication.HealthConnecting, "tunnel-down", "nothing listens at the local end of the tunnel", "error 2003", "systemctl status gtunnel-client")
	p.gate.open()
	p.until(func(s *replication.Status) bool { return s.Healthy })
	p.gate.refuse()
	p.untilProblem(replication.HealthConnecting, "far-end-closed", "its far end closes it", "error 2013", "is MySQL on the master running?")
	p.gate.open()
	p.until(func(s *replication.Status) bool { return s.Healthy })
}

func (p *watchedPair) wrongPassword() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE", "CHANGE MASTER TO MASTER_PASSWORD='wrong-Pw3'", "START SLAVE")
	s := p.untilProblem(replication.HealthConnecting, "access-denied", "the password is wrong, or there is no account for 127.0.0.1", "error 1045", "SELECT user, host FROM mysql.user")
	if strings.Contains(statusText(s), "wrong-Pw3") {
		p.Error("the password is shown")
	}
}

func (p *watchedPair) duplicateRow() {
	p.fresh()
	p.onSlave("INSERT INTO d.t VALUES (7, 'of the slave')")
	p.run(p.master.DB, "INSERT INTO d.t VALUES (7, 'of the master')")
	p.untilProblem(replication.HealthBroken, "duplicate-row", "PRIMARY='7' is in d.t on the slave already", "error 1062", "--repair-table d.t", "never skip")
}

func (p *watchedPair) missingRow() {
	p.fresh()
	p.run(p.master.DB, "INSERT INTO d.t VALUES (8, 'eight')")
	file, offset := p.position()
	p.until(func(s *replication.Status) bool {
		return s.Connection.Executed.File == file && s.Connection.Executed.Offset == offset
	})
	p.onSlave("DELETE FROM d.t")
	p.run(p.master.DB, "DELETE FROM d.t WHERE a = 8")
	p.untilProblem(replication.HealthBroken, "missing-row", "is not in d.t on the slave", "error 1032", "--repair-table d.t")
}

func (p *watchedPair) failedStatement() {
	p.fresh()
	p.setFilter("replicate_wild_do_table", "") // it is of no database
	p.onSlave("CREATE USER clerk@localhost IDENTIFIED BY 'a'")
	p.run(p.master.DB, "CREATE USER clerk@localhost IDENTIFIED BY '"+monitorSecret+"'")
	s := p.untilProblem(replication.HealthBroken, "slave-error", "look it up: error 1396")
	if strings.Contains(statusText(s), "IDENTIFIED") {
		p.Errorf("the statement is shown:\n%s", statusText(s))
	}
	p.onSlave("DROP USER clerk@localhost")
	p.run(p.master.DB, "DROP USER clerk@localhost")
}

func (p *watchedPair) purged() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE")
	p.run(p.master.DB, "INSERT INTO d.t VALUES (1, 'one')", "FLUSH LOGS")
	file, _ := p.position()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		p.run(p.master.DB, "PURGE BINARY LOGS TO '"+file+"'")
		if files, _ := p.logs(); files[0] == file {
			break
		}
		if time.Now().After(end) {
			p.Fatal("the logs stay: a thread of the master still reads them")
		}
	}
	p.untilProblem(replication.HealthStopped, "purged", "no longer has the binary log", "setup-slave --reseed", "binlog_expire_logs_seconds")
	p.run(p.slave.DB, "START SLAVE")
	p.untilProblem(replication.HealthBroken, "purged", "no longer has the binary log", "error 1236")
}

func (p *watchedPair) lostLog() {
	p.fresh()
	file, offset := p.position()
	p.run(p.slave.DB, "STOP SLAVE", fmt.Sprintf("CHANGE MASTER TO MASTER_LOG_FILE='%s', MASTER_LOG_POS=%d", file, offset+1000000), "START SLAVE")
	p.untilProblem(replication.HealthBroken, "master-lost-log", "ends before the place", "error 1236", "sync_binlog=1")
}

func (p *watchedPair) sameServerID() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE", "SET GLOBAL server_id=1", "START SLAVE")
	p.untilProblem(replication.HealthBroken, "same-server-id", "the same server_id or UUID", "error 1593", "server_id of its own")
	p.run(p.slave.DB, "STOP SLAVE", "SET GLOBAL server_id=2")
}

func (p *watchedPair) stopped() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE IO_THREAD")
	p.untilProblem(replication.HealthStopped, "stopped", "the I/O thread")
	p.run(p.slave.DB, "STOP SLAVE")
	s := p.untilProblem(replication.HealthStopped, "stopped", "both threads", "START ")
	p.run(p.slave.DB, strings.TrimSuffix(s.Problems[0].Cure, " ")) // the cure is a statement
	p.until(func(s *replication.Status) bool { return s.Healthy })
}

func (p *watchedPair) stoppedAtUntil() {
	p.fresh()
	p.run(p.slave.DB, "STOP SLAVE SQL_THREAD")
	p.run(p.master.DB, "INSERT INTO d.t VALUES (1, 'one')")
	file, offset := p.position()
	p.run(p.master.DB, "INSERT INTO d.t VALUES (2, 'two')")
	p.run(p.slave.DB, fmt.Sprintf("START SLAVE SQL_THREAD UNTIL MASTER_LOG_FILE='%s', MASTER_LOG_POS=%d", file, offset))
	s := p.untilProblem(replication.HealthStopped, "stopped-until", fmt.Sprintf("told to stop at %s:%d", file, offset), "gtunnel replication compare")
	if s.Connection.Executed.Offset != offset || *s.Lag.Bytes == 0 {
		p.Errorf("it is not there:\n%s", statusText(s))
	}
}

func (p *watchedPair) stalled() {
	p.fresh()
	p.gate.freeze()
	p.run(p.master.DB, "INSERT INTO d.t VALUES (1, 'one')")
	s := p.untilProblem(replication.HealthStalled, "stalled", "ahead of what the slave has received, and nothing came in", "connects anew")
	if *s.Lag.Unread == 0 || s.Connection.IORunning != "Yes" || *s.Lag.Seconds != 0 {
		p.Errorf("it is no silent link:\n%s", statusText(s))
	}
	p.gate.open()
	p.until(func(s *replication.Status) bool { return s.State == replication.HealthRunning && *s.Lag.Bytes == 0 })
}

func (p *watchedPair) stalledWithoutMaster() {
	p.fresh()
	p.gate.freeze()
	for end := time.Now().Add(patience); ; {
		s := p.status(nil, replication.StatusOptions{Window: 2 * time.Second, Unreachable: errors.New("no answer")})
		if s.State == replication.HealthStalled {
			p.wantWords(s, find(s.Problems, "stalled"), "is due every 1s")
			break
		}
		if time.Now().After(end) {
			p.Fatalf("it stays\n%s", statusText(s))
		}
	}
	p.gate.open()
}

func (p *watchedPair) writable() {
	p.fresh()
	p.run(p.slave.DB, "SET GLOBAL read_only=0")
	s := p.status(p.m, replication.StatusOptions{})
	p.wantWords(s, find(s.Warnings, "writable"), "it is not read-only", "SET GLOBAL read_only=1")
	if !s.Healthy || s.Slave.ReadOnly {
		p.Errorf("not as it is:\n%s", statusText(s))
	}
	if p.kind.IsMySQL() {
		p.run(p.slave.DB, "SET GLOBAL read_only=1")
		s := p.status(p.m, replication.StatusOptions{})
		p.wantWords(s, find(s.Warnings, "writable"), "root@localhost", "SET GLOBAL super_read_only=1")
		return
	}
	p.onSlave("CREATE USER app@localhost", "GRANT ALL PRIVILEGES ON *.* TO app@localhost", "CREATE USER reader@localhost", "GRANT SELECT ON *.* TO reader@localhost",
		"SET GLOBAL read_only=1")
	s = p.status(p.m, replication.StatusOptions{})
	p.wantWords(s, find(s.Warnings, "writers"), "in spite of read_only: app@localhost")
	p.onSlave("DROP USER app@localhost", "DROP USER reader@localhost", "SET GLOBAL read_only=1")
	if s = p.status(p.m, replication.StatusOptions{}); find(s.Warnings, "writers") != nil {
		p.Errorf("warned of administrators:\n%s", statusText(s))
	}
}

// setFilter sets a filter of the slave.
func (p *watchedPair) setFilter(name, patterns string) {
	p.Helper()
	if p.kind.IsMySQL() {
		list := ""
		if patterns != "" {
			list = "'" + strings.ReplaceAll(patterns, ",", "','") + "'"
		}
		p.run(p.slave.DB, "STOP SLAVE", "CHANGE REPLICATION FILTER "+name+"=("+list+")", "START SLAVE")
		return
	}
	p.run(p.slave.DB, "STOP SLAVE", "SET GLOBAL "+name+"='"+patterns+"'", "START SLAVE")
}

func (p *watchedPair) filters() {
	p.fresh()
	p.setFilter("replicate_wild_do_table", "d.%,e.%")
	p.setFilter("replicate_wild_ignore_table", "d.t")
	s := p.until(func(s *replication.Status) bool { return s.Healthy })
	p.wantWords(s, find(s.Warnings, "ignored-tables"), "are left out (replicate_wild_ignore_table): d.t", "--repair-table")
	if got := strings.Join(s.Connection.WildDoTable, " "); got != "d.% e.%" {
		p.Errorf("it replicates %q", got)
	}
	p.setFilter("replicate_wild_ignore_table", "")
	if p.kind.IsMySQL() {
		p.run(p.slave.DB, "STOP SLAVE", "CHANGE REPLICATION FILTER replicate_do_db=(d)", "START SLAVE")
	} else {
		p.setFilter("replicate_do_db", "d")
	}
	s = p.until(func(s *replication.Status) bool { return s.Healthy })
	p.wantWords(s, find(s.Warnings, "database-filter"), "replicate_do_db=d silently loses statements")
	if p.kind.IsMySQL() {
		p.run(p.slave.DB, "STOP SLAVE", "CHANGE REPLICATION FILTER replicate_do_db=()", "START SLAVE")
	} else {
		p.setFilter("replicate_do_db", "")
	}
	if s = p.until(func(s *replication.Status) bool { return s.Healthy }); find(s.Warnings, "database-filter") != nil || find(s.Warnings, "ignored-tables") != nil {
		p.Errorf("warned without cause:\n%s", statusText(s))
	}
	p.setFilter("replicate_wild_do_table", "")
	p.untilProblem(replication.HealthRunning, "no-filter", "every database", "setup-slave")
}

func (p *watchedPair) transientSettings() {
	p.fresh()
	p.setFilter("replicate_wild_do_table", "d.%")
	s := p.until(func(s *replication.Status) bool { return s.Healthy })
	p.wantWords(s, find(s.Warnings, "filter-not-kept"), "replicate every database", "setup-slave writes it")
	p.wantWords(s, find(s.Warnings, "read-only-not-kept"), "a restart of the server loses read_only=1")
	file := filepath.Join(p.slave.ConfigDir, "zz-gtunnel.cnf")
	text := "# Made by gtunnel replication, which changes nothing outside this file.\n[mysqld]\nread_only = ON\nreplicate_wild_do_table = \"d.%\"\n"
	if p.kind.IsMySQL() {
		text += "super_read_only = ON\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		p.Fatal(err)
	}
	defer os.Remove(file)
	if s = p.status(p.m, replication.StatusOptions{}); find(s.Warnings, "filter-not-kept") != nil || find(s.Warnings, "read-only-not-kept") != nil {
		p.Errorf("warned in spite of the file:\n%s", statusText(s))
	}
}

func (p *watchedPair) patience() {
	p.fresh()
	p.run(p.slave.DB, "SET GLOBAL slave_net_timeout=3600")
	s := p.status(p.m, replication.StatusOptions{})
	p.wantWords(s, find(s.Warnings, "net-timeout"), "only after 1h")
	p.run(p.slave.DB, "SET GLOBAL slave_net_timeout=60")
	if !p.kind.IsMySQL() {
		return
	}
	p.run(p.slave.DB, "STOP SLAVE", "CHANGE MASTER TO MASTER_RETRY_COUNT=10, MASTER_CONNECT_RETRY=60, GET_MASTER_PUBLIC_KEY=0", "START SLAVE")
	s = p.until(func(s *replication.Status) bool { return s.State == replication.HealthRunning })
	p.wantWords(s, find(s.Warnings, "gives-up"), "away for 10m (10 times 1m0s)", "setup-slave")
	p.wantWords(s, find(s.Warnings, "public-key"), "fails after the next restart of the master")
	p.run(p.slave.DB, "STOP SLAVE", "CHANGE MASTER TO MASTER_SSL=1", "START SLAVE")
	s = p.until(func(s *replication.Status) bool { return s.State == replication.HealthRunning })
	p.wantWords(s, find(s.Warnings, "tls-inside"), "MASTER_SSL=1")
}

func (p *watchedPair) masterUnreachable() {
	p.fresh()
	_, err := replication.Open(p.Context(), replication.Master, replication.Login{
		Network: "tcp", Address: p.master.Address(), User: "gtunnel_monitor", Password: replication.NewPassword("wrong-Pw4"),
	})
	if !replication.IsAccessDenied(err) {
		p.Fatalf("the login was not refused: %v", err)
	}
	s := p.status(nil, replication.StatusOptions{Unreachable: err})
	p.wantWords(s, find(s.Warnings, "master-unreachable"), "how far the slave is behind cannot be said", "Access denied", "SELECT user, host")
	if s.State != replication.HealthRunning || s.Master.Reachable || strings.Contains(statusText(s), "wrong-Pw4") {
		p.Errorf("not as it is:\n%s", statusText(s))
	}
}

func (p *watchedPair) otherMaster() {
	p.fresh()
	p.onSlave("CREATE USER watch@'127.0.0.1' IDENTIFIED BY 'w'", "GRANT REPLICATION CLIENT ON *.* TO watch@'127.0.0.1'")
	other := p.open(replication.Master, replication.Login{Network: "tcp", Address: p.slave.Address(), User: "watch", Password: replication.NewPassword("w")})
	s := p.status(other, replication.StatusOptions{})
	p.wantWords(s, find(s.Warnings, "other-master"), "has server_id 2, and the slave follows one with 1", "--master")
	if s.Lag.Bytes != nil {
		p.Errorf("a lag from the wrong server:\n%s", statusText(s))
	}
}

func (p *watchedPair) otherConnections() {
	p.fresh()
	change := "CHANGE MASTER 'elsewhere' TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='other'"
	reset := "RESET SLAVE 'elsewhere' ALL"
	if p.kind.IsMySQL() {
		change, reset = "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='other' FOR CHANNEL 'elsewhere'", "RESET SLAVE ALL FOR CHANNEL 'elsewhere'"
	}
	p.run(p.slave.DB, change)
	s := p.status(p.m, replication.StatusOptions{})
	if len(s.Others) != 1 || s.Others[0] != "elsewhere" || !s.Healthy || s.Connection.MasterUser != "db_rep" {
		p.Errorf("not ours, or not the other:\n%s", statusText(s))
	}
	p.run(p.slave.DB, reset)
}

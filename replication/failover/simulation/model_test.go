package simulation

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(1600) // a run makes much, and keeps nothing of it
	code := failovertest.Main(m, nil)
	_, _ = os.Stdout.WriteString(explored.String()) // also where no test tells anything: see Makefile
	os.Exit(code)
}

// rig is a pair on which a script can be run: the model, or real servers. Hosts are A and B.
type rig interface {
	family() server.Family

	// run runs a statement as an administrator, in a named session that stays; "" one of its own.
	run(host, session, statement string) string

	// write adds a row as an application.
	write(host string, row int) string

	// see is all that is to be seen of a server.
	see(host string) string

	kill(host string)
	start(host string)
	port(host string) int
}

// act is a step of a script: it gives what came of it.
type act func(r rig) string

func ask(host, statement string) act { return sqlIn(host, "", statement) }

func sqlIn(host, session, statement string) act {
	return func(r rig) string {
		return fmt.Sprintf("%s> %s: %s", host, statement, r.run(host, session, inWords(r.family(), statement)))
	}
}

// askOrigin asks where the server_id of a host comes from.
func askOrigin(host string) act {
	return func(r rig) string {
		return "origin of the server_id: " + r.run(host, "", versionOf(r.family()).ServerIDOrigin())
	}
}

// versionOf is the version that is modelled.
func versionOf(f server.Family) server.Version {
	if f == server.MySQL {
		return server.Version{Family: f, Major: 9, Minor: 7}
	}
	return server.Version{Family: f, Major: 10, Minor: 11}
}

// inWords puts a statement of MariaDB's into MySQL's words.
func inWords(f server.Family, statement string) string {
	return versionOf(f).InWords(statement)
}

func insert(host string, row int) act {
	return func(r rig) string { return fmt.Sprintf("%s> row %d: %s", host, row, r.write(host, row)) }
}

func kill(host string) act  { return func(r rig) string { r.kill(host); return "kill " + host } }
func start(host string) act { return func(r rig) string { r.start(host); return "start " + host } }

// filter sets the filter of a slave.
func filter(host string) act {
	return func(r rig) string {
		v := server.Version{Family: r.family(), Major: 10, Minor: 11}
		if v.Family == server.MySQL {
			v.Major, v.Minor = 9, 7
		}
		return "filter: " + r.run(host, "", v.SetFilter([]string{failovertest.Database}).Reveal())
	}
}

// follow makes a host the slave of the other, from what it has.
func follow(host string) act {
	return func(r rig) string {
		v := versionOf(r.family())
		to := server.Connection{
			Host: server.Loopback, Port: r.port(host), User: replicationUser, ByGTID: true,
			Password: server.NewPassword("of the replication"),
		}
		text := ""
		if v.Family == server.MariaDB {
			at := r.run(host, "", "SELECT @@GLOBAL.gtid_current_pos")
			text = r.run(host, "", v.SetStart(at).Reveal())
		}
		text += r.run(host, "", v.ChangeMaster(to).Reveal())
		return text + r.run(host, "", v.StartSlave(server.BothThreads).Reveal())
	}
}

// script goes through what a failover does and what the facts say of it.
func script() []act {
	return []act{
		insert("A", 1), insert("B", 2), // the slave is read-only
		// read_only and an administrator; super_read_only; the read lock.
		ask("A", "SET GLOBAL read_only=1"), insert("A", 3), ask("A", "SET GLOBAL read_only=0"), insert("A", 4),
		sqlIn("A", "lock", "FLUSH TABLES WITH READ LOCK"), sqlIn("A", "other", "SET SESSION lock_wait_timeout=1"),
		sqlIn("A", "other", "REPLACE INTO `gtunnel`.`pair` (id, record) VALUES (1, '{}')"),
		sqlIn("A", "lock", "SELECT GET_LOCK('x', 1)"), sqlIn("A", "other", "SELECT GET_LOCK('x', 0)"),
		sqlIn("A", "other", "SELECT IS_USED_LOCK('y')"), sqlIn("A", "lock", "UNLOCK TABLES"), insert("A", 5),
		sqlIn("A", "lock", "SELECT RELEASE_LOCK('x')"), sqlIn("A", "other", "SELECT GET_LOCK('x', 0)"),
		// What was received and not applied, and a master that is gone.
		ask("B", "RESET SLAVE ALL"), ask("B", "CHANGE MASTER TO MASTER_HOST='127.0.0.1'"), // both threads run
		filter("B"), ask("B", "STOP SLAVE SQL_THREAD"), insert("A", 6), insert("A", 7), kill("A"), ask("B", "STOP SLAVE"),
		ask("B", "START SLAVE SQL_THREAD"), // MariaDB has deleted it by that
		start("A"), ask("A", "SET GLOBAL read_only=0"), ask("B", "START SLAVE"), insert("A", 8),
		// The slave is killed: skip_slave_start.
		kill("B"), insert("A", 9), start("B"), ask("B", "START SLAVE"),
		// The I/O thread alone is stopped, and started again: nothing is deleted.
		ask("B", "STOP SLAVE IO_THREAD"), insert("A", 10), ask("B", "START SLAVE IO_THREAD"),
		// The roles change.
		ask("A", "SET GLOBAL read_only=1"), ask("B", "STOP SLAVE"), ask("B", "RESET SLAVE ALL"), ask("B", "STOP SLAVE"),
		ask("B", "START SLAVE"), ask("B", "SET GLOBAL read_only=0"), insert("B", 11), follow("A"), insert("B", 12),
		kill("A"), start("A"), insert("B", 13), ask("A", "START SLAVE"),
		// A session keeps the server_id that it began with; what it writes by that of the other
		// is passed over there.
		askOrigin("B"), ask("B", "SET GLOBAL server_id=1"), sqlIn("B", "old", "SELECT 1"), ask("B", "SET GLOBAL server_id=2"),
		askOrigin("B"), sqlIn("B", "old", "REPLACE INTO `gtunnel`.`pair` (id, record) VALUES (1, '{}')"), insert("B", 16),
		ask("A", "STOP SLAVE"), ask("A", "START SLAVE"),
		// The histories part: what the old master has alone.
		ask("A", "STOP SLAVE"), ask("A", "SET GLOBAL read_only=0"), insert("A", 14), insert("B", 15),
		ask("A", "SET GLOBAL read_only=1"), ask("A", "RESET SLAVE ALL"), follow("A"),
	}
}

// TestModel runs the same script on the model and on real servers: the same must come of it.
func TestModel(t *testing.T) {
	t.Parallel()
	for _, kind := range failovertest.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			family := server.MariaDB
			if kind == servertest.MySQL97 {
				family = server.MySQL
			}
			var want []string
			synctest.Test(t, func(t *testing.T) { want = runOnModel(t, family) })
			if testing.Verbose() {
				t.Logf("the model:\n%s", strings.Join(want, "\n"))
			}
			actual := newRealRig(t, kind)
			for i, do := range script() {
				said := do(actual)
				var got string
				for end := time.Now().Add(15 * time.Second); ; {
					if got = said + "\n  " + actual.see("A") + "\n  " + actual.see("B"); got == want[i] || time.Now().After(end) {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				if got != want[i] {
					t.Fatalf("step %d, on the model:\n%s\non %s:\n%s", i, want[i], kind, got)
				}
			}
		})
	}
}

// runOnModel gives what comes of each step of the script on the model.
func runOnModel(t *testing.T, family server.Family) []string {
	t.Helper()
	s := &scenario{name: "script", guard: noGuard}
	w := s.begin(t.Context(), family, nil)
	r := &modelRig{w: w, sessions: map[string]*session{}}
	w.hosts[0].engine.variables["read_only"] = "OFF"
	w.hosts[1].engine.start(true, true)
	var all []string
	for _, do := range script() {
		said := do(r)
		for w.hosts[0].engine.replicate() || w.hosts[1].engine.replicate() {
		}
		all = append(all, said+"\n  "+r.see("A")+"\n  "+r.see("B"))
	}
	w.end()
	if w.violated() {
		t.Fatal(w.violations)
	}
	return all
}

// modelRig is the model.
type modelRig struct {
	w        *world
	sessions map[string]*session
}

func (r *modelRig) host(name string) *host {
	return r.w.hosts[slices.Index([]string{"A", "B"}, name)]
}

func (r *modelRig) family() server.Family { return r.w.hosts[0].engine.family }
func (r *modelRig) port(string) int       { return 3307 }
func (r *modelRig) kill(name string)      { r.host(name).engine.stop(false) }
func (r *modelRig) start(name string)     { r.host(name).engine.boot() }

func (r *modelRig) run(name, in, statement string) string {
	e := r.host(name).engine
	s := r.sessions[name+in]
	if s == nil || in == "" || s.closed {
		s = e.login("root", nil)
		r.sessions[name+in] = s
	}
	rows, err := e.execute(s, statement)
	return r.answer(rows, err)
}

func (r *modelRig) answer(rows *table, err error) string {
	switch {
	case err == errWait: //nolint:errorlint // it is ours
		return "1205"
	case err != nil:
		return fmt.Sprint(server.ErrorNumber(err))
	case rows == nil || len(rows.rows) == 0:
		return ""
	case rows.rows[0][0] == nil:
		return "NULL"
	}
	return fmt.Sprint(rows.rows[0][0])
}

func (r *modelRig) write(name string, row int) string {
	h := r.host(name)
	s := r.w.client(h)
	if err := h.engine.mayWrite(s); err != nil {
		return r.answer(nil, err)
	}
	h.engine.commit(s, row)
	return ""
}

func (r *modelRig) see(name string) string {
	e := r.host(name).engine
	if !e.up {
		return name + " is down"
	}
	ask := func(query string) []server.Record {
		rows, err := e.execute(e.login("root", nil), inWords(e.family, query))
		if err != nil {
			return nil
		}
		return records(rows)
	}
	return seen(e.family, name, ask, e.rows)
}

// records are the rows of a table as package server gives them.
func records(t *table) []server.Record {
	var all []server.Record
	for _, row := range t.rows {
		r := server.Record{}
		for i, column := range t.columns {
			if row[i] != nil {
				r[strings.ToLower(column)] = fmt.Sprint(row[i])
			}
		}
		all = append(all, r)
	}
	return all
}

// seen is what is compared of a server.
func seen(family server.Family, name string, ask func(string) []server.Record, rows []int) string {
	text := fmt.Sprintf("%s rows %v", name, sorted(rows))
	for _, variable := range []string{
		"read_only", "super_read_only", "gtid_binlog_pos", "gtid_slave_pos", "gtid_executed",
	} {
		for _, r := range ask("SHOW GLOBAL VARIABLES WHERE variable_name IN ('" + variable + "')") {
			text += fmt.Sprintf(" %s=%s", variable, strings.ReplaceAll(r["value"], "\n", ""))
		}
	}
	query := "SHOW ALL SLAVES STATUS"
	if family == server.MySQL {
		query = "SHOW REPLICA STATUS"
	}
	for _, r := range ask(query) {
		text += "; slave:"
		for _, column := range []string{
			"slave_io_running", "replica_io_running", "slave_sql_running", "replica_sql_running",
			"last_io_errno", "last_sql_errno",
			"using_gtid", "auto_position", "retrieved_gtid_set", "executed_gtid_set", "until_condition",
		} {
			value, ok := r[column]
			if column == "last_io_errno" && value != "1236" { // other numbers are of the way to the master
				continue
			}
			if ok {
				text += fmt.Sprintf(" %s=%s", column, strings.ReplaceAll(value, "\n", ""))
			}
		}
		if family == server.MariaDB && r["slave_io_running"] == "Yes" {
			text += " gtid_io_pos=" + r["gtid_io_pos"]
		}
	}
	return text
}

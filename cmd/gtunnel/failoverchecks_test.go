package main_test

import (
	"database/sql"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
)

// session is one of its own on the host's server, as the administrator. It ends with the test.
func (h *pairHost) session(statements ...string) *sql.Conn {
	h.t.Helper()
	conn, err := h.Server.DB.Conn(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	for _, statement := range statements {
		if _, err := conn.ExecContext(h.t.Context(), statement); err != nil {
			h.t.Fatalf("%s: %s: %v", h.Name, statement, err)
		}
	}
	return conn
}

// refused is a dry run of a switchover that must be refused, with words.
func (h *pairHost) refused(words ...string) string {
	h.t.Helper()
	out, code := h.try("switchover", "--dry-run")
	for _, word := range words {
		if code != 1 || !strings.Contains(out, word) {
			h.t.Errorf("exit code %d, want 1 and %q:\n%s", code, word, out)
		}
	}
	return out
}

// paste runs the SQL of a cure on the host, of which a pattern finds a line.
func (h *pairHost) paste(out, pattern string) {
	h.t.Helper()
	found := regexp.MustCompile(pattern).FindAllString(out, -1)
	if len(found) == 0 {
		h.t.Fatalf("no cure is like %s:\n%s", pattern, out)
	}
	for _, line := range found {
		for statement := range strings.SplitSeq(line, ";") {
			h.Exec(strings.TrimSpace(statement))
		}
	}
}

// TestSwitchoverChecks brings about all that stands in the way of a switchover, and cures it
// as it is said.
func TestSwitchoverChecks(t *testing.T) {
	eachPair(t, func(t *testing.T, p *twoHosts) {
		w := p.Write()
		w.WaitFor(p.A)
		// A transaction of two phases, a temporary table that the slave has as well, a
		// transaction and a statement that last, and a slave that stands.
		other := failovertest.Database + ".other"
		insert := "INSERT INTO " + other + " VALUES (1)"
		p.A.Exec("CREATE TABLE " + other + " (id INT PRIMARY KEY)")
		p.prepare(insert)
		temporary := p.a.session("SET SESSION binlog_format='STATEMENT'",
			"CREATE TEMPORARY TABLE "+failovertest.Database+".passing (id INT PRIMARY KEY) ENGINE=InnoDB")
		p.B.Wait("SELECT variable_value FROM "+statusTable(p)+" WHERE variable_name='"+openTables(p)+"'", "1")
		long := p.a.session("BEGIN", strings.ReplaceAll(insert, "1", "2"))
		go p.a.Server.DB.ExecContext(t.Context(), "SELECT SLEEP(1000)") // it is killed
		held := p.b.session("LOCK TABLES " + failovertest.Table + " READ")
		w.WaitFor(p.A)
		time.Sleep(3500 * time.Millisecond) // see MaxStatement

		out := p.b.refused("prepared XA transaction", "open temporary table", "open for more than 3s",
			"runs for more than 3s", "SELECT SLEEP(1000)", "its slave is more than 10")
		p.a.paste(out, `KILL \d+(; KILL \d+)*`)
		if _, err := long.ExecContext(t.Context(), "COMMIT"); err == nil {
			t.Error("the long transaction was not ended by the cure")
		}
		if strings.Contains(out, "XA ROLLBACK") {
			p.A.Exec("XA ROLLBACK 'two phases'")
		}
		held.ExecContext(t.Context(), "UNLOCK TABLES")
		temporary.ExecContext(t.Context(), "DROP TEMPORARY TABLE "+failovertest.Database+".passing")
		p.b.again("switchover", "--dry-run")

		// A slave that is told to stay behind.
		word, source := "SLAVE", "MASTER"
		if p.Kind.IsMySQL() {
			word, source = "REPLICA", "SOURCE"
		}
		to := "CHANGE MASTER TO"
		if p.Kind.IsMySQL() {
			to = "CHANGE REPLICATION SOURCE TO"
		}
		p.B.Exec("STOP "+word, to+" "+source+"_DELAY=3600", "START "+word)
		out = p.b.refused("is told to stay 3600 seconds behind")
		p.b.paste(out, `STOP [A-Z_ ]+; CHANGE .*?; START [A-Z_ ]+`)
		p.b.again("switchover", "--yes")
		w.WaitFor(p.B)
		p.a.again("switchover", "--yes")
		p.settled(p.a, w)
		if n := p.A.Value("SELECT COUNT(*) FROM " + other); n != "0" {
			t.Errorf("%s rows are there that were rolled back", n)
		}
	})
}

// statusTable is where a server has its counters.
func statusTable(p *twoHosts) string {
	if p.Kind.IsMySQL() {
		return "performance_schema.global_status"
	}
	return "information_schema.global_status"
}

// openTables is the counter of a slave's temporary tables.
func openTables(p *twoHosts) string {
	if p.Kind.IsMySQL() {
		return "Replica_open_temp_tables"
	}
	return "SLAVE_OPEN_TEMP_TABLES"
}

// inForce is what status says of semi-synchronous replication that is in force.
var inForce = regexp.MustCompile(`in force since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`)

// pairStatus is what status says of the pair as well.
func (h *pairHost) pairStatus() string {
	h.t.Helper()
	out, err := h.command(h.watchArgs("status", "--config", h.config)...).CombinedOutput()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		h.t.Fatal(err)
	}
	return string(out)
}

// waitSemi waits until the status of the slave's host says something of semi-synchronous
// replication, and gives what it found.
func (h *pairHost) waitSemi(pattern *regexp.Regexp) (found string) {
	h.t.Helper()
	out := ""
	waitUntil(h.t, "status of "+h.Name+" with "+pattern.String(), func() bool {
		out = h.pairStatus()
		found = pattern.FindString(out)
		return found != ""
	})
	return found
}

// sides wants the master to wait for its slave, and not the other way.
func (p *twoHosts) sides(master *pairHost) {
	p.t.Helper()
	source, replica := "@@GLOBAL.rpl_semi_sync_master_enabled", "@@GLOBAL.rpl_semi_sync_slave_enabled"
	if p.Kind.IsMySQL() {
		source, replica = "@@GLOBAL.rpl_semi_sync_source_enabled", "@@GLOBAL.rpl_semi_sync_replica_enabled"
	}
	master.Wait("SELECT "+source, "1")
	master.peer.Wait("SELECT "+replica, "1")
	master.peer.Wait("SELECT "+source, "0")
}

// TestSemiSyncPair has setup-slave switch semi-synchronous replication on: status tells since
// when, a switchover takes the sides along, and a promotion may claim what it makes true.
func TestSemiSyncPair(t *testing.T) {
	usualPair(t, func(t *testing.T, p *twoHosts) {
		p.a.refuses("this one is the master", "setup-slave", "--semi-sync=endless", "--yes")
		out := p.b.must("setup-slave", "--semi-sync=endless", "--yes")
		if !strings.Contains(out, "however long that takes") {
			t.Errorf("setup-slave says:\n%s", out)
		}
		since := p.b.waitSemi(inForce)
		if !strings.Contains(p.b.pairStatus(), "without end") {
			t.Errorf("status does not tell that it waits without end:\n%s", p.b.pairStatus())
		}
		p.sides(p.a)
		time.Sleep(2 * time.Second)
		if later := p.b.waitSemi(inForce); later != since {
			t.Errorf("it was %q, and is %q", since, later)
		}
		w := p.Write()
		w.WaitFor(p.A)
		p.b.again("switchover", "--yes")
		w.WaitFor(p.B)
		p.sides(p.b)
		p.a.waitSemi(inForce)
		w.WaitFor(p.B)

		// The master is lost, and nothing that it has acknowledged.
		p.b.powerCut()
		out = p.a.must("promote", "--fenced", p.B.Name, "--yes") // nothing is agreed to be lost
		if !strings.Contains(out, "in force without end since") ||
			!strings.Contains(out, "nothing is lost that the master has acknowledged") {
			t.Errorf("promote claims:\n%s", out)
		}
		w.WaitFor(p.A)
		if lacking := w.Lacking(p.A); len(lacking) > 0 {
			t.Errorf("%d acknowledged rows are lost, such as %+v", len(lacking), lacking[0])
		}
		p.b.boot()
		p.b.again("rejoin", "--yes", "--replace-databases", failovertest.Database)
		p.sides(p.a)
		p.b.waitSemi(inForce)

		p.withoutSlave(w)

		// With a time-out it falls back, which is counted.
		p.b.must("setup-slave", "--semi-sync=1s", "--yes")
		p.A.Wait("SELECT @@GLOBAL.rpl_semi_sync_"+strings.ToLower(sourceWord(p))+"_timeout", "1000")
		w.WaitFor(p.A) // what waits without end has ended
		p.B.Exec("STOP " + kindWord(p.Kind) + " IO_THREAD")
		w.WaitFor(p.A)
		p.b.waitSemi(regexp.MustCompile(`it fell back \d+ times?`))
		p.B.Exec("START " + kindWord(p.Kind) + " IO_THREAD")
		p.b.waitSemi(regexp.MustCompile(`in force( since [^;]*)?; it fell back \d+ times?`))
		p.b.must("setup-slave", "--semi-sync=off", "--yes")
		p.A.Wait("SELECT @@GLOBAL.rpl_semi_sync_"+strings.ToLower(sourceWord(p))+"_enabled", "0")
		p.settled(p.a, w)
	})
}

// withoutSlave has the first host, whose commits wait for the second without end, go on when
// that is off: by its promise, and by the administrator's word.
func (p *twoHosts) withoutSlave(w *failovertest.Writer) {
	p.t.Helper()
	p.b.must("guard", "--stand-aside")
	p.b.powerCut()
	w.WaitFor(p.A)
	p.b.boot()
	p.b.waitSemi(inForce)
	p.b.must("guard", "--stand-by")
	w.WaitFor(p.A)

	p.b.powerCut()
	before := len(w.Acked())
	time.Sleep(2 * time.Second)
	if now := len(w.Acked()); now > before+1 {
		p.t.Errorf("%d commits were acknowledged without the slave", now-before)
	}
	if out := p.a.pairStatus(); !p.Kind.IsMySQL() && !strings.Contains(out, "a commit waits for the slave") ||
		!strings.Contains(out, p.B.Name) {
		p.t.Errorf("status of a master whose commits wait says:\n%s", out)
	}
	p.a.must("guard", "--i-am-master", "--fenced", p.B.Name)
	w.WaitFor(p.A)
	p.b.boot()
	p.b.waitSemi(inForce)
}

// sourceWord is what a server calls the side of a master.
func sourceWord(p *twoHosts) string {
	if p.Kind.IsMySQL() {
		return "SOURCE"
	}
	return "MASTER"
}

package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// watched is a master and its slave, each with the words of its family, and the
// home of who watches them.
type watched struct {
	*loginHome

	kind          servertest.Kind
	master, slave *servertest.Server
}

// The passwords, which nothing may show.
const (
	replicationSecret = "replicates-Pw5"
	watchSecret       = "watches-Pw6"
)

func newWatched(t *testing.T, kind servertest.Kind) *watched {
	t.Helper()
	w := &watched{
		loginHome: newLoginHome(t), kind: kind,
		master: startDatabase(t, kind, servertest.Options{ServerID: 1}),
		slave:  startDatabase(t, kind, servertest.Options{ServerID: 2, Flags: []string{"--replicate-wild-do-table=d.%"}}),
	}
	w.exec(w.master, "CREATE USER db_rep@'127.0.0.1' IDENTIFIED BY '"+replicationSecret+"'",
		"GRANT REPLICATION SLAVE ON *.* TO db_rep@'127.0.0.1'",
		"CREATE USER watch@'127.0.0.1' IDENTIFIED BY '"+watchSecret+"'", "GRANT REPLICATION CLIENT ON *.* TO "+
			"watch@'127.0.0.1'",
		"CREATE DATABASE d", "CREATE TABLE d.t (a INT PRIMARY KEY)")
	w.write("my.cnf", fmt.Sprintf("[client]\nsocket=%s\nuser=%s\n", w.slave.Socket, w.slave.User), 0o600)
	w.write("master.cnf", fmt.Sprintf("[client]\nport=%d\nuser=watch\npassword=%s\n", w.master.Port, watchSecret), 0o600)
	return w
}

// exec runs statements. Their words are MariaDB's; MySQL gets its own.
func (w *watched) exec(server *servertest.Server, statements ...string) {
	w.t.Helper()
	for _, statement := range statements {
		if w.kind.IsMySQL() {
			statement = strings.NewReplacer("CHANGE MASTER TO", "CHANGE REPLICATION SOURCE TO", "MASTER_", "SOURCE_",
				"START SLAVE", "START REPLICA").Replace(statement)
		}
		if _, err := server.DB.ExecContext(w.t.Context(), statement); err != nil {
			w.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// follow starts the replication from the beginning of the master's log.
func (w *watched) follow() {
	w.t.Helper()
	change := fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='db_rep', "+
		"MASTER_PASSWORD='%s', MASTER_LOG_FILE='mysql-bin.000001', MASTER_LOG_POS=4,"+
		" MASTER_CONNECT_RETRY=10, MASTER_HEARTBEAT_PERIOD=50, MASTER_SSL=0", w.master.Port, replicationSecret)
	if w.kind.IsMySQL() {
		change += ", MASTER_RETRY_COUNT=86400, GET_MASTER_PUBLIC_KEY=1"
	}
	w.exec(w.slave, change, "START SLAVE")
}

// status runs the command.
func (w *watched) status(args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	return w.command("status", append([]string{"--master-defaults-file", "HOME/master.cnf"}, args...)...)
}

func (w *watched) command(name string, args ...string) (code int, stdout, stderr string) {
	w.t.Helper()
	if name == "status" { // what it notes of the master is not this host's
		args = append(args, "--state-dir", "HOME/state")
	}
	code, stdout, stderr = w.run(w.t.Context(), strings.NewReader(""),
		append([]string{"replication", name, "--defaults-file", "HOME/my.cnf"}, args...)...)
	for _, secret := range []string{replicationSecret, watchSecret} {
		if strings.Contains(stdout+stderr, secret) {
			w.t.Errorf("a password is shown:\n%s%s", stdout, stderr)
		}
	}
	return code, w.normalise(stdout), w.normalise(stderr)
}

// volatile is what differs from one run to the next.
var volatile = regexp.MustCompile(
	`(MariaDB|MySQL) \d+\.\d+\.\d+|mysql-bin\.\d+(:\d+)?|\d+s ago|end_log_pos \d+|[0-9a-f]{8}-[-0-9a-f:]*`,
)

func (w *watched) normalise(text string) string {
	text = strings.NewReplacer(
		fmt.Sprintf("127.0.0.1:%d", w.master.Port), "MASTER", w.slave.Socket, "SOCKET",
	).Replace(text)
	return volatile.ReplaceAllStringFunc(text, func(found string) string {
		switch {
		case strings.HasPrefix(found, "mysql-bin"):
			return "POSITION"
		case strings.HasSuffix(found, "ago"):
			return "TIME ago"
		case strings.HasPrefix(found, "end_log_pos"):
			return "end_log_pos N"
		case strings.Contains(found, "-"):
			return "GTIDS"
		}
		family, _, _ := strings.Cut(found, " ")
		return family + " VERSION"
	})
}

// until runs the command until it prints a text.
func (w *watched) until(text string) (code int, stdout, stderr string) {
	w.t.Helper()
	pairs.WaitFor(w.t, databasePatience, text+" from status", func() (string, bool) {
		code, stdout, stderr = w.status()
		return stdout + stderr, strings.Contains(stdout, text)
	})
	return code, stdout, stderr
}

// golden compares a text with a file of testdata/replication.
func golden(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", "replication", name))
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is otherwise:\n%s", name, got)
	}
}

// TestReplicationStatus shows what people read: a slave that is none, one that
// is well, one that is broken.
func TestReplicationStatus(t *testing.T) {
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWatched(t, kind)
			family := "mariadb"
			if kind.IsMySQL() {
				family = "mysql"
			}
			code, stdout, stderr := w.status()
			golden(t, family+"-not-configured.txt", stdout)
			if code != 1 || stderr != "gtunnel: the replication is not well: not-configured: this server is nobody's slave\n" {
				t.Errorf("exit code %d: %s", code, stderr)
			}

			w.follow()
			code, stdout, stderr = w.until("has applied all")
			golden(t, family+"-ok.txt", stdout)
			if code != 0 || stderr != "" {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			w.saysItInJSON()
			w.asksTheMaster()
			// Without the master less is known, and it is said why.
			code, stdout, stderr = w.command("status", "--master-defaults-file", "HOME/my.cnf", "--master", "127.0.0.1:1")
			if code != 0 || stderr != "" ||
				!strings.Contains(stdout,
					"warning  master: how far the slave is behind cannot be said: cannot log in as "+w.slave.User+
						" at 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused\n         hint: is the tunnel up") {
				t.Errorf("exit code %d: %s%s", code, stdout, stderr)
			}
			code, stdout, stderr = w.command("status", "--master", "192.0.2.1:3306", "--master-user", "x")
			if code != 2 || stdout != "" ||
				!strings.Contains(stderr,
					"gtunnel: --master: 192.0.2.1:3306 is no loopback address: nothing would be encrypted\nhint: ") {
				t.Errorf("exit code %d: %s%s", code, stdout, stderr)
			}

			w.exec(w.slave, "INSERT INTO d.t VALUES (7)")
			w.exec(w.master, "INSERT INTO d.t VALUES (7)")
			code, stdout, stderr = w.until("(error 1062: ")
			golden(t, family+"-sql-error.txt", stdout)
			if code != 1 || stderr != "gtunnel: the replication is not well: sql-error: an error has stopped the SQL thread, "+
				"which applies changes\n" {
				t.Errorf("exit code %d: %s", code, stderr)
			}
		})
	}
}

// saysItInJSON asks for the state of a replication that is well, as JSON.
func (w *watched) saysItInJSON() {
	w.t.Helper()
	code, stdout, _ := w.status("--json")
	var status struct {
		Schema     int
		State      string
		Healthy    bool
		Lag        struct{ Bytes, Unread_Bytes *int }
		Connection map[string]any
		Problems   []any
	}
	if err := json.Unmarshal([]byte(stdout), &status); err != nil {
		w.t.Fatal(err)
	}
	if code != 0 || status.State != "ok" || status.Schema != 1 || !status.Healthy || status.Lag.Bytes == nil ||
		status.Connection["connect_retry_seconds"] != 10.0 || status.Problems == nil {
		w.t.Errorf("exit code %d: %s", code, stdout)
	}
}

// asksTheMaster asks the master instead: it has a slave, and is told nothing that would
// make it one.
func (w *watched) asksTheMaster() {
	w.t.Helper()
	w.write("root.cnf", fmt.Sprintf("[client]\nsocket=%s\nuser=%s\n", w.master.Socket, w.master.User), 0o600)
	code, stdout, stderr := w.command("status", "--defaults-file", "HOME/root.cnf")
	wantCheck(w.t, code, 0, stdout, stderr, "master: this server is a master; connected: 1 slave\n",
		"its slave  server_id ", ", from 127.0.0.1 as db_rep, connected for ", "was sent all\n")
	if strings.Contains(stdout, "setup-slave") {
		w.t.Errorf("a master is told to become a slave:\n%s", stdout)
	}
	code, stdout, _ = w.command("status", "--defaults-file", "HOME/root.cnf", "--json")
	var seen struct {
		Role, State string
		Slaves      []struct{ Server_ID int }
	}
	if err := json.Unmarshal([]byte(stdout), &seen); err != nil || code != 0 || seen.Role != "master" ||
		seen.State != "master" || len(seen.Slaves) != 1 || seen.Slaves[0].Server_ID != 2 {
		w.t.Errorf("%v, exit code %d: %s", err, code, stdout)
	}
}

// wantCheck wants an exit code of a check, and lines in what it says.
func wantCheck(t *testing.T, code, wantCode int, stdout, stderr string, want ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	for _, line := range want {
		if !strings.Contains(stdout+stderr, line) {
			t.Errorf("no %q in\n%s%s", line, stdout, stderr)
		}
	}
}

// TestReplicationCheck checks hosts and the pair before a setup.
func TestReplicationCheck(t *testing.T) {
	w := newWatched(t, servertest.MariaDB)
	w.exec(w.master, "CREATE TABLE d.old (a INT) ENGINE=MyISAM")
	w.write("root.cnf", fmt.Sprintf("[client]\nsocket=%s\n", w.master.Socket), 0o600)
	code, stdout, stderr := w.command("check", "--role", "master", "--defaults-file", "HOME/root.cnf")
	wantCheck(t, code, 0, stdout, stderr, "ok       master: MariaDB VERSION, server_id 1\n",
		"ok       master: log_bin is right: ON\n",
		"ok       master: there are accounts of a slave: db_rep@127.0.0.1\n", "ok       master: d has 2 tables with ",
		"warning  master: d has tables without transactions, which may change while they are copied: d.old\n         hint: "+
			"ALTER TABLE")
	code, stdout, stderr = w.command("check", "--role", "master", "--defaults-file", "HOME/root.cnf", "--databases",
		"none,d", "--json")
	var check struct {
		Ready    bool
		Findings []struct{ Level, About, Text, Cure string }
	}
	if err := json.Unmarshal([]byte(stdout), &check); err != nil {
		t.Fatal(err)
	}
	if code != 1 || check.Ready ||
		!strings.Contains(stdout, `"text": "there is no database none that this login can see"`) {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	wantCheck(t, code, 1, stdout, stderr, "gtunnel: not ready: 1 problem\n")

	code, stdout, stderr = w.command("check", "--role", "slave")
	wantCheck(t, code, 0, stdout, stderr, "ok       slave: it follows no master yet\n")

	// The pair, by an account that sees little of the master.
	master := []string{"--master", w.master.Address(), "--master-defaults-file", "HOME/master.cnf", "--databases", "d"}
	code, stdout, stderr = w.command("check", master...)
	wantCheck(t, code, 0, stdout, stderr,
		"ok       both: a slave of MariaDB VERSION can follow a master of MariaDB VERSION\n",
		"ok       slave: server_id is right: 2\n", "ok       slave: setup-slave will set read_only to ON")
	// The hand-over file has the login, and the names of the databases.
	w.exec(w.master, "CREATE USER gtunnel_monitor@'127.0.0.1' IDENTIFIED BY '"+watchSecret+"'",
		"GRANT SELECT ON d.* TO gtunnel_monitor@'127.0.0.1'")
	w.write("hand-over.json",
		`{"gtunnel_hand_over": 1, "family": "MariaDB", "version": "10.11.6", "server_id": 1, "databases": ["d"],`+
			` "passwords": {"gtunnel_monitor": "`+watchSecret+`"}}`, 0o600)
	code, stdout, stderr = w.command("check", "--master", w.master.Address(), "--hand-over", "HOME/hand-over.json")
	wantCheck(t, code, 0, stdout, stderr, "ok       both: a slave of MariaDB VERSION can follow",
		"ok       slave: setup-slave will set replicate_wild_do_table to d.%")
	w.exec(w.slave, "SET GLOBAL server_id=1", "CREATE DATABASE d", "CREATE TABLE d.mine (a INT)")
	code, stdout, stderr = w.command("check", master...)
	wantCheck(t, code, 0, stdout, stderr,
		"ok       slave: setup-slave will set server_id to 2: master and slave need different ones\n",
		"warning  slave: there is a database d with 1 table of")
	w.exec(w.slave, "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='other'")
	code, stdout, stderr = w.command("check", master...)
	wantCheck(t, code, 1, stdout, stderr, "problem  slave: it follows another master already: 127.0.0.1:1 as other\n")

	// The tunnel is down: the rest is checked all the same.
	code, stdout, stderr = w.command("check", "--master", "127.0.0.1:1", "--master-defaults-file", "HOME/master.cnf")
	wantCheck(t, code, 1, stdout, stderr, "ok       slave: MariaDB VERSION, server_id 1\n", "problem  master: ",
		"cannot log in as watch at 127.0.0.1:1", "is the tunnel up")
}

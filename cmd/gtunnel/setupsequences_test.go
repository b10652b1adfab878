package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// eachFamily runs a test for both families, side by side.
func eachFamily(t *testing.T, test func(*testing.T, servertest.Kind)) {
	t.Helper()
	for _, kind := range bothFamilies {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// inWordsOf gives a statement about replication in the words of a kind.
func inWordsOf(kind servertest.Kind, statement string) string {
	if !kind.IsMySQL() {
		return statement
	}
	return strings.NewReplacer("RESET MASTER", "RESET BINARY LOGS AND GTIDS", "CHANGE MASTER", "CHANGE REPLICATION SOURCE", "MASTER", "SOURCE", "SLAVE", "REPLICA").Replace(statement)
}

// onSlave runs statements about replication on the slave.
func (p *pair) onSlave(statements ...string) {
	p.t.Helper()
	for _, statement := range statements {
		p.sql(p.slave, inWordsOf(p.slave.Kind, statement))
	}
}

// loginAgain has the slave log in to its master anew.
func (p *pair) loginAgain() {
	p.t.Helper()
	p.onSlave("STOP SLAVE IO_THREAD", "START SLAVE IO_THREAD")
}

// restart restarts a server.
func (p *pair) restart(s *servertest.Server) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), databasePatience)
	defer cancel()
	if err := s.Restart(ctx); err != nil {
		p.t.Fatal(err)
	}
}

// waitStatus waits until gtunnel replication status says words.
func (p *pair) waitStatus(words string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), databasePatience)
	defer cancel()
	for {
		out, _ := p.status()
		if strings.Contains(out, words) {
			return
		}
		if ctx.Err() != nil {
			p.t.Fatalf("status does not come to say %q:\n%s", words, out)
		}
	}
}

// noChange runs a command that must find all as it should be.
func (p *pair) noChange(s *servertest.Server, args ...string) {
	p.t.Helper()
	if out := p.must(s, args...); !strings.Contains(out, "no change") {
		p.t.Errorf("gtunnel %s says:\n%s", strings.Join(args, " "), out)
	}
}

// replicates writes a row on the master, and waits until the slave has it.
func (p *pair) replicates() {
	p.t.Helper()
	p.sql(p.master, "INSERT INTO voms.t SELECT MAX(id) + 1, 'one more' FROM voms.t")
	p.waitSlave("SELECT MAX(id) FROM voms.t")
}

// secondSlave is another slave of the master: a pair whose host has a server,
// an end of the tunnel and files of its own.
func (p *pair) secondSlave(serverID int) *pair {
	p.t.Helper()
	q := &pair{t: p.t, site: p.site, folder: p.t.TempDir(), master: p.master, server: p.server, serverAddress: p.serverAddress}
	q.slave = startDatabase(p.t, p.slave.Kind, servertest.Options{Name: "second slave", ServerID: serverID})
	q.client, q.end = p.site.startClient(p.serverAddress)
	return q
}

// takeHandOver takes the hand-over file of another host.
func (p *pair) takeHandOver(from *pair) {
	p.t.Helper()
	content, err := os.ReadFile(from.handOver())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.handOver(), content, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// dropOnSlave drops databases of the slave by hand.
func (p *pair) dropOnSlave(databases ...string) {
	p.t.Helper()
	p.sql(p.slave, "SET GLOBAL read_only=0")
	for _, database := range databases {
		p.sql(p.slave, "DROP DATABASE "+database)
	}
}

// forgetSlave takes back by hand what a setup has made of the slave.
func (p *pair) forgetSlave() {
	p.t.Helper()
	p.onSlave("STOP SLAVE", "RESET SLAVE ALL")
	p.dropOnSlave("voms", "iam")
	if err := os.RemoveAll(filepath.Join(p.folder, "state")); err != nil {
		p.t.Fatal(err)
	}
}

// serverID is the server_id of a server.
func (p *pair) serverID(s *servertest.Server) string { return p.value(s, "SELECT @@GLOBAL.server_id") }

// TestSecondSlave gives a master another slave, and new passwords.
func TestSecondSlave(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		boss := append(p.administrator(), "--databases", "voms,iam")
		p.must(p.master, p.setupMasterArgs("--databases", "voms,iam")...)
		p.must(p.slave, p.setupSlaveArgs()...)

		// By the same hand-over. It has the id that the first has been given.
		q := p.secondSlave(2)
		if p.serverID(p.slave) != "2" {
			t.Fatalf("the first slave has the server_id %s", p.serverID(p.slave))
		}
		q.takeHandOver(p)
		q.refused(q.slave, 1, "setup-master --seed-again", q.setupSlaveArgs()...)
		p.must(p.master, p.setupMasterArgs("--seed-again")...)
		q.must(q.slave, q.setupSlaveArgs()...)
		if id := q.serverID(q.slave); id != "3" {
			t.Errorf("the second slave has the server_id %s", id)
		}
		for _, host := range []*pair{p, q} {
			host.loginAgain()
			host.replicates()
			host.must(host.slave, host.compareArgs()...)
			host.noChange(host.slave, host.setupSlaveArgs()...)
		}
		p.noChange(p.master, p.setupMasterArgs()...)
		q.noSecrets()

		// By an administrator's login on the master.
		q.forgetSlave()
		out := q.refused(q.slave, 1, "its password is not known here", q.setupSlaveArgs(boss...)...)
		if !strings.Contains(out, "--new-passwords") {
			t.Errorf("it does not say what to do:\n%s", out)
		}
		p.loginAgain()
		p.replicates()
		q.must(q.slave, q.setupSlaveArgs(append(boss, "--new-passwords")...)...)
		q.loginAgain()
		q.replicates()

		// The first is refused when it logs in again, and so is its hand-over.
		p.loginAgain()
		p.waitStatus("1045")
		out = p.refused(p.slave, 1, "Access denied", p.setupSlaveArgs()...)
		if !strings.Contains(out, "setup-master --new-passwords") {
			t.Errorf("it does not say what to do:\n%s", out)
		}
		p.refused(p.slave, 1, "the password of 'db_rep'@'127.0.0.1' is not known here", p.setupSlaveArgs(boss...)...)
		p.must(p.slave, p.setupSlaveArgs(append(boss, "--new-passwords")...)...)
		p.loginAgain()
		p.replicates()
		if n := p.value(p.master, "SELECT COUNT(*) FROM mysql.user WHERE user = 'gtunnel_seed'"); n != "0" {
			t.Error("the seeding account is still there")
		}

		// One hand-over serves both. The one that the master has is stale.
		q.loginAgain()
		q.waitStatus("1045")
		p.refused(p.master, 1, "the server refuses the password", p.setupMasterArgs()...)
		p.must(p.master, p.setupMasterArgs("--new-passwords")...)
		q.takeHandOver(p)
		p.loginAgain()
		for _, host := range []*pair{p, q} {
			host.waitStatus("1045")
			host.must(host.slave, host.setupSlaveArgs()...)
			host.replicates()
			host.must(host.slave, host.compareArgs()...)
			host.noChange(host.slave, host.setupSlaveArgs()...)
		}
		p.noChange(p.master, p.setupMasterArgs()...)
		p.noSecrets()
	})
}

// TestOtherChannel: a slave of MySQL goes on following its other master, all
// of it; one of MariaDB cannot, and is refused.
func TestOtherChannel(t *testing.T) {
	t.Run("mysql", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, servertest.MySQL97, servertest.MySQL97, twoDatabases...)
		// It has the id that the slave would be given.
		other := &pair{t: t, master: startDatabase(t, servertest.MySQL97, servertest.Options{Name: "other master", ServerID: 2}), slave: p.slave}
		other.sql(other.master, "CREATE USER other@'127.0.0.1' IDENTIFIED BY 'x'", "GRANT REPLICATION SLAVE ON *.* TO other@'127.0.0.1'",
			"CREATE DATABASE others", "CREATE TABLE others.t (id INT PRIMARY KEY)", "CREATE TABLE others.secret (id INT PRIMARY KEY)")
		filter := "[mysqld]\nreplicate-wild-ignore-table=other:others.secret\n"
		if err := os.WriteFile(filepath.Join(p.slave.ConfigDir, "other.cnf"), []byte(filter), 0o644); err != nil {
			t.Fatal(err)
		}
		p.sql(p.slave, fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='other', SOURCE_PASSWORD='x', GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1 FOR CHANNEL 'other'", other.master.Port),
			"CHANGE REPLICATION FILTER REPLICATE_WILD_IGNORE_TABLE=('others.secret') FOR CHANNEL 'other'", "START REPLICA FOR CHANNEL 'other'")
		written := 0
		follows := func() {
			t.Helper()
			written++
			other.sql(other.master, fmt.Sprintf("CREATE DATABASE more%d", written), fmt.Sprintf("INSERT INTO others.secret VALUES (%d)", written), fmt.Sprintf("INSERT INTO others.t VALUES (%d)", written))
			other.waitSlave("SELECT GROUP_CONCAT(schema_name ORDER BY schema_name) FROM information_schema.schemata WHERE schema_name LIKE 'more%'")
			other.waitSlave("SELECT MAX(id) FROM others.t")
			if n := p.value(p.slave, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'others' AND table_name = 'secret'"); n != "0" {
				t.Error("the other channel has lost its filter")
			}
		}
		follows()
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		out := p.must(p.slave, p.setupSlaveArgs()...)
		if !strings.Contains(out, "by the channel other") {
			t.Errorf("the other channel is not named:\n%s", out)
		}
		ours := func() {
			t.Helper()
			p.sql(p.master, "INSERT INTO iam.t SELECT COUNT(*) FROM iam.t AS already")
			p.replicates()
			if n := p.value(p.slave, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'iam'"); n != "0" {
				t.Error("a database that was not named has come too")
			}
		}
		ours()
		p.sql(p.slave, "STOP REPLICA IO_THREAD FOR CHANNEL 'other'", "START REPLICA IO_THREAD FOR CHANNEL 'other'") // by the new server_id
		follows()
		p.noChange(p.slave, p.setupSlaveArgs()...)
		p.restart(p.slave)
		ours()
		follows()
		p.noChange(p.slave, p.setupSlaveArgs()...)
	})
	t.Run("mariadb", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, servertest.MariaDB, servertest.MariaDB, twoDatabases...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		p.sql(p.slave, "CHANGE MASTER 'other' TO MASTER_HOST='127.0.0.9', MASTER_USER='x', MASTER_PASSWORD='y'")
		p.unchanged(p.slave, 1, "it also follows 127.0.0.9:3306 by other", p.setupSlaveArgs()...)
	})
}

// TestConfigDir: servers that read another directory, too, which gtunnel would
// not choose itself. It finds its file there without being told again.
func TestConfigDir(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		keep := "expire_logs_days"
		if kind.IsMySQL() {
			keep = "binlog_expire_logs_seconds"
		}
		p.sql(p.master, "SET GLOBAL "+keep+"=1") // what setup-master will not leave so
		args := map[*servertest.Server][]string{
			p.master: p.setupMasterArgs("--databases", "voms"), p.slave: p.setupSlaveArgs(),
		}
		both := []*servertest.Server{p.master, p.slave}
		for _, s := range both {
			folder := filepath.Join(s.Dir, "other.d")
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(s.OptionFile())
			if err != nil {
				t.Fatal(err)
			}
			include := "!includedir " + s.ConfigDir // the last is chosen otherwise
			text = bytes.Replace(text, []byte(include), []byte("!includedir "+folder+"\n"+include), 1)
			if err := os.WriteFile(s.OptionFile(), text, 0o644); err != nil {
				t.Fatal(err)
			}
			p.must(s, append(args[s], "--config-dir", folder)...)
			if _, err := os.Stat(filepath.Join(folder, "zz-gtunnel.cnf")); err != nil {
				t.Error(err)
			}
			p.noChange(s, args[s]...)
		}
		for _, s := range both {
			p.restart(s)
		}
		for _, s := range both {
			p.noChange(s, append(args[s], "--config-dir", filepath.Join(s.Dir, "other.d"))...)
			p.noChange(s, args[s]...)
			if files, err := os.ReadDir(s.ConfigDir); err != nil || len(files) > 0 {
				t.Errorf("%s: in the directory that was not named: %v, %v", s.Name, files, err)
			}
		}
		if v := p.value(p.master, "SELECT @@GLOBAL."+keep); v == "1" {
			t.Errorf("%s=%s after the restart", keep, v)
		}
		if v := p.value(p.slave, "SELECT CONCAT(@@GLOBAL.server_id, @@read_only + 0)"); v != "21" {
			t.Errorf("server_id and read_only of the slave are %s after the restart", v)
		}
		p.sql(p.master, "INSERT INTO iam.t VALUES (1)")
		p.replicates()
	})
}

// editState changes the state as an older run, or one that was cut off, has
// left it.
func (p *pair) editState(key string, value any) {
	p.t.Helper()
	path := filepath.Join(p.folder, "state", "replication.json")
	content, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(content, &state); err != nil {
		p.t.Fatal(err)
	}
	state[key] = value
	if content, err = json.Marshal(state); err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestStaleState: what the state says is no longer so. No data is dropped that
// was not given up, and an old copy is not taken for a whole one.
func TestStaleState(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms,iam")...)
		p.must(p.slave, p.setupSlaveArgs()...)
		seedAgain := func() {
			t.Helper()
			p.must(p.master, p.setupMasterArgs("--seed-again")...)
		}
		const dataThere = "there is a database voms already, with 1 tables"

		// The replication was reset by hand, and the slave written to.
		p.onSlave("STOP SLAVE", "RESET SLAVE ALL")
		p.sql(p.slave, "SET GLOBAL read_only=0", "INSERT INTO voms.t VALUES (77, 'by hand')")
		p.unchanged(p.slave, 1, dataThere, p.setupSlaveArgs()...)
		seedAgain()
		p.unchanged(p.slave, 1, dataThere, p.setupSlaveArgs()...)
		p.unchanged(p.slave, 1, dataThere, p.setupSlaveArgs("--replace-databases", "iam")...)
		if n := p.value(p.slave, "SELECT COUNT(*) FROM voms.t WHERE id = 77"); n != "1" {
			t.Fatal("the row written by hand has gone")
		}
		// And the databases dropped.
		p.dropOnSlave("voms", "iam")
		p.must(p.slave, p.setupSlaveArgs()...)
		p.replicates()
		p.must(p.slave, p.compareArgs()...)

		// A run was cut off after the copy, and then the copy was dropped.
		cutAfterCopy := func() {
			t.Helper()
			p.onSlave("STOP SLAVE", "RESET SLAVE ALL")
			p.sql(p.slave, "SET GLOBAL read_only=0")
			p.editState("stage", "seeded")
		}
		seedAgain()
		p.must(p.slave, p.setupSlaveArgs("--reseed", "--replace-databases", "voms,iam")...)
		cutAfterCopy()
		p.dropOnSlave("voms")
		p.refused(p.slave, 1, "setup-master --seed-again", p.setupSlaveArgs()...)
		seedAgain()
		p.must(p.slave, p.setupSlaveArgs("--replace-databases", "iam")...)

		// Or written to: the comparison finds it.
		cutAfterCopy()
		p.sql(p.slave, "INSERT INTO iam.t VALUES (88)")
		p.refused(p.slave, 1, "the data differs from the master's", p.setupSlaveArgs()...)
		p.refused(p.slave, 1, "the data differs from the master's", p.setupSlaveArgs()...)
		seedAgain()
		p.unchanged(p.slave, 1, "there is a database iam already", p.setupSlaveArgs("--reseed", "--replace-databases", "voms")...)
		p.must(p.slave, p.setupSlaveArgs("--reseed", "--replace-databases", "voms,iam")...)

		// Or the master's binary log was begun anew, and is longer by now than
		// where the copy ends.
		cutAfterCopy()
		p.sql(p.master, inWordsOf(kind, "RESET MASTER"),
			"INSERT INTO voms.t WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) SELECT i, REPEAT('x', 100) FROM n")
		p.refused(p.slave, 1, dataThere, p.setupSlaveArgs()...)

		seedAgain()
		anew := p.setupSlaveArgs("--reseed", "--replace-databases", "voms,iam")
		if kind.IsMySQL() { // whose GTIDs the slave must forget
			p.unchanged(p.slave, 1, "it knows transactions of the master that the master does not have any more", anew...)
			p.onSlave("RESET MASTER")
		}
		p.must(p.slave, anew...)
		p.replicates()

		// A slave that is set up is told so, and how to go on.
		p.onSlave("STOP SLAVE IO_THREAD")
		p.sql(p.master, inWordsOf(kind, "RESET MASTER"), "INSERT INTO voms.t VALUES (99, 'anew')")
		p.onSlave("START SLAVE IO_THREAD")
		p.waitStatus("1236")
		out := p.refused(p.slave, 1, "1236", p.setupSlaveArgs()...)
		if !strings.Contains(out, "--reseed") {
			t.Errorf("it does not say how to copy anew:\n%s", out)
		}
	})
}

// TestKillMaster kills setup-master at ten moments of its work, on a master
// without accounts and on one whose passwords are replaced. The next run
// completes it, and the passwords of its hand-over are those of the accounts.
func TestKillMaster(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		random := rand.New(rand.NewPCG(3, 4))
		users := []string{"db_rep", "gtunnel_monitor", "gtunnel_seed"}
		for _, sequence := range []struct {
			args   []string
			before func(i int)
		}{
			{p.setupMasterArgs("--databases", "voms,iam"), func(int) {
				for _, user := range users {
					p.sql(p.master, "DROP USER IF EXISTS "+user+"@'127.0.0.1'")
				}
				p.sql(p.master, "DROP PROCEDURE IF EXISTS mysql.gtunnel_drop_seed")
				_ = os.Remove(p.handOver()) // there may be none
			}},
			{p.setupMasterArgs("--databases", "voms,iam", "--new-passwords"), func(i int) {
				if i%2 == 0 {
					_ = os.Remove(p.handOver())
					return
				}
				for _, user := range users { // the hand-over file is stale
					p.sql(p.master, "ALTER USER "+user+"@'127.0.0.1' IDENTIFIED BY 'by hand'")
				}
			}},
		} {
			sequence.before(0)
			begun := time.Now()
			p.must(p.master, sequence.args...)
			whole := time.Since(begun)
			const moments = 10
			for i := range moments {
				sequence.before(i)
				cmd := p.command(p.master, sequence.args...)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				after := time.Duration((float64(i) + random.Float64()) / moments * float64(whole))
				time.Sleep(after)
				_ = cmd.Process.Kill() // it may have ended
				_ = cmd.Wait()
				if out, code := p.run(p.master, sequence.args...); code != 0 {
					t.Fatalf("killed after %v, and then exit code %d:\n%s", after, code, out)
				}
				p.handOverWorks()
				if t.Failed() {
					t.Fatalf("killed after %v", after)
				}
			}
			p.must(p.slave, p.setupSlaveArgs()...)
			p.loginAgain()
			if !strings.Contains(strings.Join(sequence.args, " "), "--new-passwords") {
				p.replicates()
				p.must(p.master, p.setupMasterArgs("--seed-again")...)
				continue
			}
			p.waitStatus("1045")
			p.must(p.slave, p.setupSlaveArgs()...)
			p.replicates()
		}
		// At its last moment: the account has its rights, but not yet the
		// procedure that drops it.
		p.must(p.master, p.setupMasterArgs("--seed-again")...)
		p.sql(p.master, "DROP PROCEDURE mysql.gtunnel_drop_seed")
		p.must(p.master, p.setupMasterArgs()...)
		p.handOverWorks()
		p.noSecrets()
	})
}

// handOverWorks logs in to the master with each password of the hand-over.
func (p *pair) handOverWorks() {
	p.t.Helper()
	content, err := os.ReadFile(p.handOver())
	if err != nil {
		p.t.Fatal(err)
	}
	passwords := handOverPasswords(p.t, content)
	for user, password := range passwords {
		db, err := p.master.Open(user, password)
		if err == nil {
			err = db.PingContext(p.t.Context())
			db.Close()
		}
		if err != nil {
			p.t.Errorf("the password of %s in the hand-over: %v", user, err)
		}
	}
	const mayDrop = "SELECT COUNT(*) FROM mysql.procs_priv WHERE user = 'gtunnel_seed' AND routine_name = 'gtunnel_drop_seed'"
	if len(passwords) != 3 || p.value(p.master, mayDrop) != "1" {
		p.t.Errorf("%d passwords, or the seeding account cannot drop itself", len(passwords))
	}
}

// TestInterrupted ends setup-slave in the middle of a copy by the signals of a
// terminal and a service manager, and by the loss of the tunnel. It says what
// is left, leaves nothing running, and the next run copies from the beginning.
func TestInterrupted(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind)
		if err := servertest.Bulk(t.Context(), p.master.DB, "bulk", 50e6); err != nil {
			t.Fatal(err)
		}
		p.sql(p.slave, "SET GLOBAL event_scheduler=ON")
		p.must(p.master, p.setupMasterArgs("--databases", "bulk")...)
		for _, way := range []struct {
			name  string
			words string
			end   func(*os.Process)
		}{
			{"SIGINT", "interrupt", func(process *os.Process) { _ = process.Signal(syscall.SIGINT) }},
			{"SIGTERM", "terminated", func(process *os.Process) { _ = process.Signal(syscall.SIGTERM) }},
			{"SIGHUP", "hangup", func(process *os.Process) { _ = process.Signal(syscall.SIGHUP) }},
			{"the loss of the tunnel", "failed", func(*os.Process) { p.stopClient() }},
		} {
			said := &wordWait{text: "% of about", seen: make(chan struct{})}
			cmd := p.command(p.slave, p.setupSlaveArgs("--max-rate", "6M")...)
			cmd.Stdout, cmd.Stderr = said, said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			select {
			case <-said.seen:
			case <-time.After(databasePatience):
				t.Fatalf("no copy:\n%s", said)
			}
			time.Sleep(time.Second) // some rows come
			way.end(cmd.Process)
			begun := time.Now()
			_ = cmd.Wait() // the exit code says it
			p.printed.WriteString(said.String())
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("%s: it takes %v to end", way.name, took)
			}
			if code := cmd.ProcessState.ExitCode(); code != 1 {
				t.Errorf("%s: exit code %d", way.name, code)
			}
			for _, want := range []string{way.words, "the slave has no replication and no whole copy; the same command again copies from the beginning"} {
				if !strings.Contains(said.String(), want) {
					t.Errorf("%s: %q is missing in what it says:\n%s", way.name, want, said)
				}
			}
			if left := processesOf(t, p.folder); left != "" {
				t.Errorf("%s: it has left %s", way.name, left)
			}
			if strings.Contains(p.fingerprint(p.slave), "a slave") {
				t.Errorf("%s: the slave has a replication", way.name)
			}
			if n := p.value(p.slave, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'bulk'"); n == "0" {
				t.Errorf("%s: it came before the copy", way.name)
			}
		}
		p.client, _ = p.site.startClient(p.serverAddress, "--accept", p.end)
		out := p.must(p.slave, p.setupSlaveArgs()...)
		if !strings.Contains(out, "compare the data of both") {
			t.Errorf("it does not compare:\n%s", out)
		}
		for i := range 4 {
			p.waitSlave(fmt.Sprintf("SELECT COUNT(*) FROM bulk.sbtest%d", i+1))
		}
		if got := p.value(p.slave, "SELECT CONCAT(@@event_scheduler, @@read_only + 0)"); got != "ON1" {
			t.Errorf("event_scheduler and read_only are %s", got)
		}
		p.noSecrets()
	})
}

// processesOf lists what runs with a folder as TMPDIR.
func processesOf(t *testing.T, folder string) string {
	t.Helper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range environments {
		content, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(content, []byte("TMPDIR="+folder+"\x00")) {
			continue // it has ended meanwhile, or is another's
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		found = append(found, string(bytes.ReplaceAll(command, []byte{0}, []byte(" "))))
	}
	return strings.Join(found, ", ")
}

// TestSetupEmpty: two commands on two servers with nothing but the name of a
// database.
func TestSetupEmpty(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, "CREATE DATABASE voms")
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		p.must(p.slave, p.setupSlaveArgs()...)
		p.noChange(p.master, p.setupMasterArgs()...)
		p.noChange(p.slave, p.setupSlaveArgs()...)
		p.sql(p.master, "CREATE TABLE voms.t (id INT PRIMARY KEY, words VARCHAR(100))", "INSERT INTO voms.t VALUES (1, 'one')")
		p.waitSlave("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'voms'")
		p.replicates()
		p.must(p.slave, p.compareArgs()...)
	})
}

package main_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// killAfter starts gtunnel on the host of a server, kills it after a time, and
// gives how it has ended.
func (p *pair) killAfter(after time.Duration, s *servertest.Server, args ...string) error {
	p.t.Helper()
	cmd := p.command(s, args...)
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	time.Sleep(after)      // the moment of the kill is what is tried
	_ = cmd.Process.Kill() // it may have ended
	return cmd.Wait()
}

// TestKill kills setup-slave at twenty moments of its work, which the families share. The next run
// completes what it left, and both ends are equal.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kind, kind, twoDatabases...)
			p.sql(p.master, "CREATE EVENT voms.e ON SCHEDULE EVERY 1 DAY DO DELETE FROM voms.t WHERE id < 0",
				"CREATE VIEW voms.v AS SELECT id FROM voms.t", "SET GLOBAL event_scheduler=ON")
			p.sql(p.slave, "SET GLOBAL event_scheduler=ON")
			p.must(p.master, p.setupMasterArgs("--databases", "voms,iam")...)
			begun := time.Now()
			p.must(p.slave, p.setupSlaveArgs()...)
			whole := time.Since(begun)
			random := rand.New(rand.NewPCG(1, 2))
			const moments = 20
			for _, i := range shared(kind, upTo(moments)) {
				p.must(p.master, p.setupMasterArgs("--databases", "voms,iam", "--seed-again")...)
				p.sql(p.master, "REPLACE INTO voms.t SELECT id + 7, REPEAT('x', 90) FROM voms.t")
				again := p.setupSlaveArgs("--reseed", "--replace-databases", "voms,iam")
				// One in each twentieth of the time that the work takes.
				after := time.Duration((float64(i) + random.Float64()) / moments * float64(whole))
				killed := p.killAfter(after, p.slave, again...)
				if out, code := p.run(p.slave, p.setupSlaveArgs("--replace-databases", "voms,iam")...); code != 0 {
					t.Fatalf("killed after %v (%v), and then exit code %d:\n%s", after, killed, code, out)
				}
				p.sql(p.master, "INSERT INTO iam.t (id) SELECT COALESCE(MAX(id), 0) + 1 FROM iam.t")
				p.waitSlave("SELECT COUNT(*) FROM iam.t")
				out := p.must(p.slave, p.compareArgs()...)
				if !strings.Contains(out, "equal") {
					t.Fatalf("killed after %v; compare says:\n%s", after, out)
				}
				if got := p.value(p.slave, "SELECT @@event_scheduler"); got != "ON" {
					t.Fatalf("killed after %v: the event scheduler is %s, and was ON", after, got)
				}
				if got := p.value(p.slave, "SELECT @@read_only"); got != "1" {
					t.Fatalf("killed after %v: the slave is writable", after)
				}
			}
			p.noSecrets()
		})
	}
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
				after := time.Duration((float64(i) + random.Float64()) / moments * float64(whole))
				_ = p.killAfter(after, p.master, sequence.args...) // it may have ended before
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
			p.replicates() // by the new password, which the slave was given
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
	const mayDrop = "SELECT COUNT(*) FROM mysql.procs_priv WHERE user = 'gtunnel_seed' AND routine_name = " +
		"'gtunnel_drop_seed'"
	if len(passwords) != 3 || p.value(p.master, mayDrop) != "1" {
		p.t.Errorf("%d passwords, or the seeding account cannot drop itself", len(passwords))
	}
}

// newBulkPair is a pair whose master is ready, with a database that startCopy takes
// ten seconds to copy.
func newBulkPair(t *testing.T, kind servertest.Kind) *pair {
	t.Helper()
	p := newPair(t, kind, kind)
	if err := servertest.Bulk(t.Context(), p.master.DB, "bulk", 10e6); err != nil {
		t.Fatal(err)
	}
	p.must(p.master, p.setupMasterArgs("--databases", "bulk")...)
	return p
}

// startCopy starts setup-slave, slowly, and waits until the copy has begun: until a
// table has come.
func (p *pair) startCopy() (cmd *exec.Cmd, said *wordWait) {
	p.t.Helper()
	// What an earlier copy has left is dropped before it says so.
	cmd, said = p.startUntil("% of about", p.slave, p.setupSlaveArgs("--max-rate", "1M")...)
	p.waitValue(p.slave, "SELECT COUNT(*) > 0 FROM information_schema.tables WHERE table_schema = 'bulk'", "1")
	return cmd, said
}

// TestInterrupted ends setup-slave in the middle of a copy by the signals of a
// terminal and a service manager, and by the loss of the tunnel. It says what
// is left, leaves nothing running, and the next run goes on.
func TestInterrupted(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newBulkPair(t, kind)
		p.sql(p.slave, "SET GLOBAL event_scheduler=ON")
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
			cmd, said := p.startCopy()
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
			for _, want := range []string{
				way.words, "the slave has no replication and no whole copy; " +
					"the same command again keeps the tables that are whole, and copies the others",
			} {
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

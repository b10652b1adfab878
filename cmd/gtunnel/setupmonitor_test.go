package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestCutOffBeforeTheMonitorFile ends a setup by an administrator's login when the
// slave runs and nobody but the run has known the passwords. The next one comes
// to the same end: there is a login that status and compare can use.
func TestCutOffBeforeTheMonitorFile(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		args := p.setupSlaveArgs(append(p.administrator(), "--databases", "voms,iam")...)
		monitor := filepath.Join(p.folder, "master.cnf")
		for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
			var said bytes.Buffer
			cmd := p.command(p.slave, args...)
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for end, state := time.Now().Add(databasePatience), []byte(nil); !bytes.Contains(
				state, []byte(`"stage": "running"`),
			); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("the slave is not started; the state is %s", state)
				}
				state, _ = os.ReadFile(filepath.Join(p.stateDir(), "replication.json")) // there is none at first
			}
			_ = cmd.Process.Signal(signal) // it waits or compares
			_ = cmd.Wait()                 // so does the exit code
			if _, err := os.Stat(monitor); err == nil {
				t.Fatalf("it was not cut off before it wrote %s:\n%s", monitor, &said)
			}

			p.must(p.slave, args...)
			p.replicates()
			p.must(p.slave, p.statusArgs()...)
			p.must(p.slave, p.compareArgs()...)
			if n := p.value(p.master, "SELECT COUNT(*) FROM mysql.user WHERE user = 'gtunnel_seed'"); n != "0" {
				t.Error("the seeding account is still there")
			}
			p.noChange(p.slave, args...)

			p.forgetSlave()
			p.sql(p.master, "DROP USER db_rep@'127.0.0.1', gtunnel_monitor@'127.0.0.1'")
			if err := os.Remove(monitor); err != nil {
				t.Fatal(err)
			}
		}
	})
}

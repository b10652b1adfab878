package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// killContent is what is compared and repaired. The slave stands while voms.log,
// which has no transactions, is compared.
var killContent = []string{
	"CREATE DATABASE voms", "CREATE TABLE voms.usr (id INT AUTO_INCREMENT PRIMARY KEY, dn VARCHAR(100))",
	"INSERT INTO voms.usr (dn) VALUES ('/CN=1'), ('/CN=2')",
	"CREATE TABLE voms.roles (id INT PRIMARY KEY, role VARCHAR(100))", "INSERT INTO voms.roles VALUES (1, 'admin')",
	"CREATE USER dba@'127.0.0.1' IDENTIFIED BY 'the dba''s own'", "GRANT ALL ON *.* TO dba@'127.0.0.1'",
}

// newKillPair is a pair that replicates, and the command that repairs voms.usr.
func newKillPair(t *testing.T, kind servertest.Kind) (p *pair, repair []string) {
	t.Helper()
	p = newPair(t, kind, kind, killContent...)
	for range 14 { // 32768 rows
		p.sql(p.master, "INSERT INTO voms.usr (dn) SELECT CONCAT('/DC=org/CN=', REPEAT('x', 70)) FROM voms.usr")
	}
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	p.must(p.slave, p.setupSlaveArgs()...)
	p.sql(p.master, "CREATE TABLE voms.log (id INT PRIMARY KEY, line VARCHAR(100)) ENGINE=MyISAM",
		"INSERT INTO voms.log SELECT * FROM voms.usr")
	p.waitSlave("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'voms'")
	p.waitSlave("SELECT COUNT(*) FROM voms.log")
	password := filepath.Join(p.folder, "password")
	if err := os.WriteFile(password, []byte("the dba's own\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p,
		p.compareArgs("--repair-table", "voms.usr", "--master-user", "dba", "--master-password-file", password, "--yes")
}

// TestRepairKill kills compare and its --repair-table at eight moments of each, or at
// four, while the master is written to. The status says what a kill has left, and the
// same command again ends it.
func TestRepairKill(t *testing.T) {
	t.Parallel()
	for _, kind := range usualKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p, repair := newKillPair(t, kind)
			stop := p.updateUsers()
			defer stop()
			for name, args := range map[string][]string{"compare": p.compareArgs(), "repair": repair} {
				begun := time.Now()
				p.must(p.slave, args...)
				whole := time.Since(begun)
				random := rand.New(rand.NewPCG(1, 2))
				const moments = 8
				these := oneOf(2, []int{0, 3, 1, 2, 4, 7, 5, 6}, 0)
				left := 0 // kills that the status tells of
				for _, i := range these {
					// One in each eighth of the time that the work takes, and every
					// other when the slave stands.
					after := time.Duration((float64(i) + random.Float64()) / moments * float64(whole))
					moment := fmt.Sprintf("%s killed after %v", name, after)
					cmd := p.command(p.slave, args...)
					if err := cmd.Start(); err != nil {
						t.Fatal(err)
					}
					if i%2 == 0 {
						time.Sleep(after)
					} else {
						moment = name + " killed while the slave stood"
						p.waitStopped(whole)
						time.Sleep(after / moments)
					}
					_ = cmd.Process.Kill() // it may have ended
					_ = cmd.Wait()         // it was killed
					if p.saysCutOff(moment) {
						left++
					}
					if out, code := p.run(p.slave, args...); code != 0 || !strings.Contains(out, "equal at") {
						t.Fatalf("%s, and then exit code %d:\n%s\nthe slave says %v", moment, code, out, p.slaveStatus())
					}
					if out := p.traces(); out != "" {
						t.Fatalf("%s, and the next run has left %s", moment, out)
					}
				}
				t.Logf("%s: %v whole; the status told of %d kills of %d", name, whole.Round(time.Millisecond), left, len(these))
				if left == 0 {
					t.Errorf("no kill of %s has left anything", name)
				}
			}
			p.killRepairRows()
			stop()
			p.waitSlave("SELECT MAX(role) FROM voms.roles")
			if out := p.must(p.slave, p.compareArgs()...); !strings.Contains(out, "3 of 3 tables equal") {
				t.Errorf("compare says:\n%s", out)
			}
			p.noSecrets()
		})
	}
}

// updateUsers writes to the master until stop.
func (p *pair) updateUsers() (stop func()) {
	ctx, cancel := context.WithCancel(p.t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			for _, statement := range []string{
				fmt.Sprintf("UPDATE voms.usr SET dn = 'written %d' WHERE id = 1 + %d MOD 20000", n, n*7),
				fmt.Sprintf("UPDATE voms.roles SET role = '%08d'", n),
			} {
				if _, err := p.master.DB.ExecContext(context.WithoutCancel(ctx), statement); err != nil {
					p.t.Errorf("%s: %v", statement, err)
					return
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	return func() { cancel(); writing.Wait() }
}

// waitStopped waits until the slave's SQL thread is stopped, or for a time.
func (p *pair) waitStopped(patience time.Duration) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if p.slaveStatus()["Slave_SQL_Running"] == "No" {
			return
		}
	}
}

// slaveStatus is SHOW SLAVE STATUS by column, by the old names.
func (p *pair) slaveStatus() map[string]string {
	p.t.Helper()
	show := "SHOW SLAVE STATUS"
	if p.slave.Kind.IsMySQL() {
		show = "SHOW REPLICA STATUS"
	}
	status := queryRow(p.t, p.slave.DB, show)
	for column, value := range status {
		status[strings.NewReplacer("Replica_", "Slave_", "Source", "Master").Replace(column)] = value
	}
	return status
}

// traces are what a run has left on the slave; empty if all is as it should be.
func (p *pair) traces() string {
	p.t.Helper()
	var left []string
	status := p.slaveStatus()
	for column, want := range map[string]string{
		"Slave_SQL_Running": "Yes", "Replicate_Wild_Ignore_Table": "", "Until_Condition": "None",
	} {
		if got := status[column]; got != want {
			left = append(left, column+"="+got)
		}
	}
	if status["Slave_IO_Running"] == "No" {
		left = append(left, "Slave_IO_Running=No")
	}
	variables := []string{"read_only"}
	if p.slave.Kind.IsMySQL() {
		variables = append(variables, "super_read_only")
	}
	for _, name := range variables {
		if got := p.value(p.slave, "SELECT @@"+name); got != "1" {
			left = append(left, name+"="+got)
		}
	}
	// Of compare and repair: what is unfinished.
	notes, err := filepath.Glob(filepath.Join(p.stateDir(), "[cr]*[er]-[0-9]*.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Join(append(left, notes...), ", ")
}

// saysCutOff wants the status to tell of a run that was killed if it has left
// anything on the slave.
func (p *pair) saysCutOff(moment string) bool {
	p.t.Helper()
	// The server notices after a moment that the run has gone.
	p.waitValue(p.slave, "SELECT IS_USED_LOCK('gtunnel.replication')", "")
	// And it goes on for a moment with what it was told last.
	out, code := p.status()
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end) && !strings.Contains(out, "was cut off") &&
		p.slaveStatus()["Slave_SQL_Running"] == "No"; {
		out, code = p.status()
	}
	if strings.Contains(out, "was cut off") {
		if code != 1 || !strings.Contains(out, "gtunnel replication compare") {
			p.t.Errorf("%s, and then status ends with %d, and says:\n%s", moment, code, out)
		}
		return true
	}
	// A note of a comparison that does not hold the slave is of no account.
	_ = os.Remove(filepath.Join(p.stateDir(), "compare-"+p.serverID(p.slave)+".json"))
	if left := p.traces(); left != "" {
		p.t.Errorf("%s, which has left %s, and status says nothing of it:\n%s", moment, left, out)
	}
	return false
}

// TestRepairKillRestart kills a repair, and then the slave's server restarts,
// which loses the filter that leaves the table out.
func TestRepairKillRestart(t *testing.T) {
	t.Parallel()
	for _, kind := range usualKinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p, repair := newKillPair(t, kind)
			p.spoil()
			cmd := p.holdRepair(repair)
			p.restart(p.slave) // under a repair that goes on
			err := cmd.Wait()
			if out, code := p.status(); err == nil || code != 1 || !strings.Contains(out, "was cut off") {
				t.Errorf("the repair ends with %v, and then status with %d:\n%s", err, code, out)
			}
			p.must(p.slave, repair...)

			p.spoil()
			cmd = p.holdRepair(repair)
			out, _ := p.status()
			if !strings.Contains(out, "works on the slave") {
				t.Errorf("while the repair runs, status says:\n%s", out)
			}
			_ = cmd.Process.Kill() // it has not ended
			_ = cmd.Wait()         // it was killed
			p.saysCutOff("a repair")
			p.refused(p.slave, 1, "was cut off", p.compareArgs()...)
			p.restart(p.slave)
			if got := p.slaveStatus()["Replicate_Wild_Ignore_Table"]; got != "" {
				t.Fatalf("the filter is there after a restart: %s", got)
			}
			out, code := p.status()
			if code != 1 || !strings.Contains(out, "was cut off") || !strings.Contains(out, "--repair-table voms.usr") {
				t.Errorf("after the restart, status ends with %d:\n%s", code, out)
			}
			p.refused(p.slave, 1, "voms.usr", p.compareArgs()...)
			p.refused(p.slave, 1, "was cut off", p.setupSlaveArgs()...)
			other := slices.Clone(repair)
			other[slices.Index(other, "voms.usr")] = "voms.roles"
			p.refused(p.slave, 1, "was cut off", other...)
			p.must(p.slave, repair...)
			if left := p.traces(); left != "" {
				t.Errorf("the repair has left %s", left)
			}
			p.must(p.slave, p.compareArgs()...)
			if out := p.must(p.slave, p.setupSlaveArgs()...); !strings.Contains(out, "no change") {
				t.Errorf("setup-slave says:\n%s", out)
			}
		})
	}
}

// spoil makes voms.usr another table on the slave.
func (p *pair) spoil() {
	p.t.Helper()
	if p.slave.Kind.IsMySQL() {
		p.sql(p.slave, "SET GLOBAL super_read_only=OFF")
		defer p.sql(p.slave, "SET GLOBAL super_read_only=ON")
	}
	p.sql(p.slave, "UPDATE voms.usr SET dn = 'mine' WHERE id = 1")
}

// holdRepair starts a repair of voms.usr, which then waits for a lock at the
// position of the copy.
func (p *pair) holdRepair(args []string) *exec.Cmd {
	p.t.Helper()
	lock, err := p.slave.DB.Conn(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { lock.Close() })
	if _, err := lock.ExecContext(p.t.Context(), "LOCK TABLES voms.usr READ"); err != nil {
		p.t.Fatal(err)
	}
	cmd := p.command(p.slave, args...)
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	pairs.WaitFor(p.t, databasePatience, "repair that has come to the copy", func() (string, bool) {
		s := p.slaveStatus()
		return fmt.Sprint(s), s["Slave_SQL_Running"] == "No" && s["Until_Condition"] != "None"
	})
	return cmd
}

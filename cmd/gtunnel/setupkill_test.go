package main_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestKill kills setup-slave at twenty moments of its work. The next run
// completes what it left, and both ends are equal.
func TestKill(t *testing.T) {
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kind, kind, twoDatabases...)
			p.sql(p.master, "CREATE EVENT voms.e ON SCHEDULE EVERY 1 DAY DO DELETE FROM voms.t WHERE id < 0", "CREATE VIEW voms.v AS SELECT id FROM voms.t", "SET GLOBAL event_scheduler=ON")
			p.sql(p.slave, "SET GLOBAL event_scheduler=ON")
			p.must(p.master, p.setupMasterArgs("--databases", "voms,iam")...)
			begun := time.Now()
			p.must(p.slave, p.setupSlaveArgs()...)
			whole := time.Since(begun)
			random := rand.New(rand.NewPCG(1, 2))
			const moments = 20
			for i := range moments {
				p.must(p.master, p.setupMasterArgs("--databases", "voms,iam", "--seed-again")...)
				p.sql(p.master, "REPLACE INTO voms.t SELECT id + 7, REPEAT('x', 90) FROM voms.t")
				again := p.setupSlaveArgs("--reseed", "--replace-databases", "voms,iam")
				cmd := p.command(p.slave, again...)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				// One in each twentieth of the time that the work takes.
				after := time.Duration((float64(i) + random.Float64()) / moments * float64(whole))
				time.Sleep(after)
				_ = cmd.Process.Kill() // it may have ended
				killed := cmd.Wait()
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

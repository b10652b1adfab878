package main_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestCrashOfSlave kills a slave under load, again and again. By GTID, and by file and
// position on MySQL, it goes on and is equal. By file and position on MariaDB it may not,
// which was said before.
func TestCrashOfSlave(t *testing.T) {
	t.Parallel()
	const unsafe = "apply its last change once more"
	for name, kind := range map[string]servertest.Kind{
		"mariadb": servertest.MariaDB, "mysql": servertest.MySQL97, "mariadb by position": servertest.MariaDB,
		"mysql by position": servertest.MySQL97,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, kind, kind, twoDatabases...)
			onMySQL := name == "mysql by position"
			if onMySQL {
				p.withoutGTIDs()
			}
			p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
			p.must(p.slave, p.setupSlaveArgs()...)
			byPosition := name == "mariadb by position"
			if byPosition {
				p.onSlave("STOP SLAVE", "CHANGE MASTER TO MASTER_USE_GTID=no", "START SLAVE")
				p.editState("by_gtid", false)
				if out := p.must(p.slave, p.setupSlaveArgs()...); !strings.Contains(out, unsafe) ||
					!strings.Contains(out, "sync_relay_log_info = 1") {
					t.Errorf("of a slave by file and position it says:\n%s", out)
				}
			}
			p.noChange(p.slave, p.setupSlaveArgs()...)
			out, _ := p.status()
			// On MySQL its restart ends what it warns of.
			if said := strings.Contains(out, "by file and position, "); said != byPosition && !onMySQL {
				t.Errorf("status says:\n%s", out)
			}
			const byGTID = "SELECT auto_position FROM performance_schema.replication_connection_configuration"
			if onMySQL && p.value(p.slave, byGTID) != "0" {
				t.Error("it does not follow by file and position")
			}
			stop := p.load()
			defer stop() // also where the test ends early
			for range 2 {
				p.waitMore()
				p.slave.Kill()
				ctx, cancel := context.WithTimeout(t.Context(), databasePatience)
				err := p.slave.Start(ctx)
				cancel()
				if err != nil {
					t.Fatal(err)
				}
			}
			stop()
			if onMySQL && p.value(p.slave, "SELECT @@relay_log_recovery") != "1" {
				t.Error("relay_log_recovery is OFF")
			}
			if byPosition {
				if out, _ := p.status(); strings.Contains(out, "1062") {
					t.Logf("it has stopped, as was said before:\n%s", out)
					return
				}
			}
			p.waitSlave("SELECT COUNT(*) FROM voms.t")
			p.must(p.slave, p.compareArgs()...)
			p.noChange(p.slave, p.setupSlaveArgs()...)
		})
	}
}

// withoutGTIDs has both MySQL servers do without GTIDs, also after a restart.
func (p *pair) withoutGTIDs() {
	p.t.Helper()
	for _, s := range []*servertest.Server{p.master, p.slave} {
		for _, mode := range []string{"ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF"} {
			p.sql(s, "SET PERSIST gtid_mode="+mode)
		}
	}
}

// load writes on the master until stop is called.
func (p *pair) load() (stop func()) {
	var stopped atomic.Bool
	var writing sync.WaitGroup
	writing.Go(func() {
		for !stopped.Load() {
			_, err := p.master.DB.ExecContext(p.t.Context(), "INSERT INTO voms.t (id) SELECT MAX(id) + 1 FROM voms.t AS already")
			if err != nil {
				p.t.Error(err)
				return
			}
		}
	})
	return func() {
		stopped.Store(true)
		writing.Wait()
	}
}

// waitMore waits until the slave has applied more than it has now.
func (p *pair) waitMore() {
	p.t.Helper()
	p.waitValue(p.slave, "SELECT COUNT(*) > "+p.value(p.slave, "SELECT COUNT(*) + 20 FROM voms.t")+" FROM voms.t", "1")
}

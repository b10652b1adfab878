package main_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestRelayLogIsKept: what a slave has received and its master has purged since is not
// thrown away by a setup that goes on with it, whichever of its threads run.
func TestRelayLogIsKept(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		p.must(p.slave, p.setupSlaveArgs()...)

		// The SQL thread is stopped, and an option was changed.
		p.onSlave("STOP SLAVE", "CHANGE MASTER TO MASTER_CONNECT_RETRY=600", "START SLAVE")
		p.receives(t)
		if out := p.must(p.slave, p.setupSlaveArgs()...); !strings.Contains(out, "is applied before") {
			t.Errorf("it does not say that the relay log is applied:\n%s", out)
		}
		p.waitSlave("SELECT MAX(id) FROM voms.t")
		p.replicates()
		p.noChange(p.slave, p.setupSlaveArgs()...)

		// Both are stopped, so that the master cannot be asked again.
		p.onSlave("STOP SLAVE", "CHANGE MASTER TO MASTER_CONNECT_RETRY=600", "START SLAVE")
		p.receives(t)
		p.onSlave("STOP SLAVE IO_THREAD")
		if !kind.IsMySQL() { // where a start deletes it
			if out, _ := p.status(); !strings.Contains(out, "a start deletes what it has received") {
				t.Errorf("status says:\n%s", out)
			}
			out := p.unchanged(p.slave, 1, "they would be lost", p.setupSlaveArgs()...)
			_, cure, _ := strings.Cut(out, "and on the slave: ")
			cure, _, _ = strings.Cut(cure, "; then run this again")
			apply, goOn, found := strings.Cut(cure, "; and when SHOW SLAVE STATUS says that it has read all relay log: ")
			if !found {
				t.Fatalf("no cure in\n%s", out)
			}
			p.onSlave(strings.Split(apply, "; ")...)
			p.waitSlave("SELECT MAX(id) FROM voms.t")
			p.onSlave(strings.Split(goOn, "; ")...)
		}
		p.must(p.slave, p.setupSlaveArgs()...)
		p.replicates()
		p.noChange(p.slave, p.setupSlaveArgs()...)
	})
}

// receives has the slave receive a row that it does not apply and that its master purges
// then.
func (p *pair) receives(t *testing.T) {
	t.Helper()
	p.onSlave("STOP SLAVE SQL_THREAD")
	p.sql(p.master, "INSERT INTO voms.t SELECT MAX(id) + 1, 'received' FROM voms.t", "FLUSH BINARY LOGS")
	logs := (&pairs.Server{Server: p.master}).Values(t, "SHOW BINARY LOGS")
	last := logs[len(logs)-1]
	pairs.WaitUntil(t, "reading of "+last, func() (string, bool) {
		out, _ := p.run(p.slave, append(p.statusArgs(), "--json")...)
		_, read, _ := strings.Cut(out, `"read": `)
		file, _, _ := strings.Cut(read, "}")
		return out, strings.Contains(file, last)
	})
	pairs.WaitUntil(t, "purge to "+last, func() (string, bool) { // not of what is still being sent
		p.sql(p.master, "PURGE BINARY LOGS TO '"+last+"'")
		logs := (&pairs.Server{Server: p.master}).Values(t, "SHOW BINARY LOGS")
		return strings.Join(logs, ", "), logs[0] == last
	})
}

package main_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// newPositionHosts are two hosts whose slave follows by file and position: of MySQL's, whose
// servers give no GTIDs, and of MariaDB's, whose connection does not go by them.
func newPositionHosts(t testing.TB, kind servertest.Kind) *twoHosts {
	t.Helper()
	var flags []string
	if kind.IsMySQL() {
		flags = []string{"--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"}
	}
	p := newTwoHostsOf(t, kind, [2][]string{flags, flags})
	p.byPosition(p.a)
	p.a.startGuard()
	p.b.startGuard()
	many := failovertest.Database + ".many"
	p.A.Exec("CREATE TABLE "+many+" (id INT PRIMARY KEY)",
		"CREATE TABLE "+failovertest.Database+".large (id INT PRIMARY KEY, filling VARCHAR(1000))",
		"INSERT INTO "+many+" SELECT * FROM (WITH RECURSIVE n (i) AS"+
			" (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000) SELECT i FROM n) AS numbers",
		"INSERT INTO "+many+" SELECT a.id * 1000 + b.id FROM "+many+" AS a JOIN "+many+" AS b WHERE a.id <= 15")
	return p
}

// prepare prepares a statement as a transaction of two phases on the first host.
func (p *twoHosts) prepare(statement string) {
	p.t.Helper()
	p.A.Exec("XA START 'two phases'", statement, "XA END 'two phases'", "XA PREPARE 'two phases'")
}

// byPosition lets the slave of a master go by file and position, as far as that is another way.
func (p *twoHosts) byPosition(master *pairHost) {
	p.t.Helper()
	if p.Kind.IsMySQL() {
		if mode := master.Value("SELECT @@GLOBAL.gtid_mode"); mode != "OFF" {
			p.t.Fatalf("gtid_mode is %s", mode)
		}
		return
	}
	p.Sync(master.Host)
	master.peer.Exec("STOP SLAVE", "CHANGE MASTER TO MASTER_USE_GTID=no", "START SLAVE")
}

// tear loses the master while its slave receives a large transaction, of which it has a part.
func (p *twoHosts) tear(master *pairHost) {
	t, slave := p.t, master.peer
	t.Helper()
	// Slower than a transaction of 16 MB for some seconds.
	if out, err := exec.CommandContext(t.Context(), "tc", "-netns", master.space.name, "qdisc", "replace", "dev", "eth0",
		"root", "tbf", "rate", "16mbit", "burst", "64kb", "latency", "400ms").CombinedOutput(); err != nil {
		t.Fatalf("tc: %v: %s", err, out)
	}
	before := slave.relayBytes()
	master.Exec("INSERT INTO " + failovertest.Database + ".large SELECT id, REPEAT('x', 1000) FROM " +
		failovertest.Database + ".many")
	waitUntil(t, "a part of the transaction", func() bool { return slave.relayBytes() > before+1<<20 })
	master.powerCut()
	if slave.relayBytes() > before+15<<20 {
		t.Fatal("all of the transaction has come")
	}
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "tc", "-netns", master.space.name, "qdisc", "del",
		"dev", "eth0", "root").CombinedOutput()
	if err != nil {
		t.Fatalf("tc: %v: %s", err, out)
	}
}

// relayBytes is how much the slave has in its relay log.
func (h *pairHost) relayBytes() uint64 {
	h.t.Helper()
	s := h.Own()
	status, err := s.SlaveStatus(h.t.Context(), s.DB)
	if err != nil || status == nil {
		h.t.Fatalf("%s: no status of a slave: %v", h.Name, err)
	}
	return status.Read.Offset
}

// TestPositions has a pair that goes by file and position switch over and back, lose its
// master in the middle of a transaction, with another one that is prepared, and take the old
// master back by a new copy, and another time by its history.
func TestPositions(t *testing.T) {
	t.Parallel()
	kinds := failovertest.Kinds[1:] // MySQL's, which have no other way without GTIDs
	if allFamilies() {
		kinds = failovertest.Kinds
	}
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := newPositionHosts(t, kind)
			w := p.Write()
			w.WaitFor(p.A)
			p.b.again("switchover", "--yes")
			w.WaitFor(p.B)
			p.a.again("switchover", "--yes")
			p.settled(p.a, w)
			p.byPosition(p.a)

			w = p.Write()
			w.WaitFor(p.A)
			p.prepare("INSERT INTO " + failovertest.Table + " VALUES (-1, 'prepared', NOW(6))")
			p.B.Wait("SELECT COUNT(*) > 0 FROM information_schema.innodb_trx WHERE trx_rows_modified > 0", "1")
			p.tear(p.a)
			lost := lostMaster{received: p.b.ReceivedRows()}
			out, _ := p.b.try("promote", "--dry-run")
			if !strings.Contains(out, "prepared by XA") || !strings.Contains(out, "two phases") {
				t.Errorf("promote does not list what is prepared:\n%s", out)
			}
			out = p.b.must("promote", "--fenced", p.A.Name, "--lose-at-most", "any", "--yes")
			if took := besideWaits(t, out); took > 45*time.Second { // a stop that waits for the rest of it takes a minute
				t.Errorf("promote took %v beside the waits:\n%s", took, out)
			}
			w.WaitFor(p.B)
			if missing := p.B.Missing(lost.received); len(missing) > 0 {
				t.Errorf("%s lacks %v, which it had received", p.B.Name, missing)
			}
			p.B.Exec("XA ROLLBACK 'two phases'")
			if n := p.B.Value("SELECT COUNT(*) FROM " + failovertest.Database + ".large"); n != "0" {
				t.Errorf("%s rows of a transaction that was not received whole", n)
			}
			p.a.boot()
			p.a.refuses("prepared XA transactions", "rejoin", "--yes", "--replace-databases", failovertest.Database)
			p.A.Exec("SET SESSION sql_log_bin=0", "XA ROLLBACK 'two phases'")
			refused := p.a.refuses("only a new copy", "rejoin", "--yes")
			if !strings.Contains(refused, "--replace-databases "+failovertest.Database) {
				t.Errorf("rejoin says:\n%s", refused)
			}
			p.a.again("rejoin", "--yes", "--replace-databases", failovertest.Database)
			p.settled(p.b, w)
			p.loseNothing()
		})
	}
}

// loseNothing loses the second host, the master, when the first has all of it: the way back is
// by history.
func (p *twoHosts) loseNothing() {
	t := p.t
	t.Helper()
	p.byPosition(p.b)
	w := p.Write()
	w.WaitFor(p.B)
	w.Stop()
	p.Sync(p.B)
	lost := p.loseMaster(p.b)
	w = p.Write()
	p.promote(p.a, lost, w)
	p.b.boot()
	if out := p.rejoin(p.b, "rejoin by position"); strings.Contains(out, "new copy") {
		t.Errorf("rejoin makes a new copy:\n%s", out)
	}
	p.settled(p.a, w)
}

package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// stopped does something while the master is stopped.
func (p *pair) stopped(do func(data string)) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), databasePatience)
	defer cancel()
	if err := p.master.Stop(ctx); err != nil {
		p.t.Fatal(err)
	}
	do(p.master.DataDir())
	if err := p.master.Start(ctx); err != nil {
		p.t.Fatal(err)
	}
}

// copyFolder copies a folder with its owners.
func (p *pair) copyFolder(from, to string) {
	p.t.Helper()
	if err := os.RemoveAll(to); err != nil {
		p.t.Fatal(err)
	}
	if out, err := exec.CommandContext(p.t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
}

// others writes rows on the master, from a number on, and waits until the slave has the
// last.
func (p *pair) others(from, n int) {
	p.t.Helper()
	for i := range n {
		p.sql(p.master, fmt.Sprintf("INSERT INTO voms.t VALUES (%d, REPEAT('x', %d))", from+i, from/10))
	}
	p.loginAgain()
	p.waitValue(p.slave, "SELECT MAX(id) FROM voms.t", fmt.Sprint(from+n-1))
}

// TestRestoredMaster: a master that came back from an older copy and has gone on since
// has changes by the names of those that the slave has and it has lost. The slave works,
// and is not said to be well before the data was compared.
func TestRestoredMaster(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		boss := p.administrator()
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		p.must(p.slave, p.setupSlaveArgs()...)
		p.noChange(p.slave, p.setupSlaveArgs()...)
		older := p.master.DataDir() + ".older"
		restore := func(data string) { p.copyFolder(older, data) }
		repair := func() {
			t.Helper()
			out := p.refused(p.slave, 1, "the data differs from the master's", p.setupSlaveArgs()...)
			if !strings.Contains(out, "compare the data") {
				t.Errorf("it does not compare:\n%s", out)
			}
			p.must(p.slave, append(p.compareArgs("--repair-table", "voms.t", "--yes"), boss...)...)
			p.must(p.slave, p.setupSlaveArgs()...)
			p.noChange(p.slave, p.setupSlaveArgs()...)
		}
		p.stopped(func(data string) { p.copyFolder(data, older) })
		p.others(100, 5)

		// Nothing was noted of what is lost: only a comparison tells.
		p.stopped(restore)
		p.others(200, 9)
		p.waitStatus("ok: ")
		repair()

		// It was noted.
		p.waitStatus("ok: ")
		p.stopped(restore)
		p.others(300, 15)
		p.waitStatus("it was restored from an older copy")
		if out, code := p.status(); code != 1 || !strings.Contains(out, "compares the data; if it differs") {
			t.Errorf("exit code %d:\n%s", code, out)
		}
		repair()
		if out, code := p.status(); code != 0 {
			t.Errorf("exit code %d:\n%s", code, out)
		}
	})
}

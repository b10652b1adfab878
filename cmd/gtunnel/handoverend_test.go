package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestHandOverRemoved: the end of setup-slave says how to remove the hand-over file, and
// removes it on this host if it is told to, which --yes alone does not.
func TestHandOverRemoved(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MariaDB, servertest.MariaDB, "CREATE DATABASE voms")
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	there := func() bool {
		_, err := os.Stat(p.handOver())
		return err == nil
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	out := p.must(p.slave, p.setupSlaveArgs()...)
	for _, want := range []string{
		"  on this host:  rm " + p.handOver() + "\n", "  on " + host, ":  rm /var/lib/gtunnel/hand-over.json\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the end lacks %q:\n%s", want, out)
		}
	}
	if !there() {
		t.Fatal("--yes has removed the hand-over file")
	}

	s := sit(t, 80, p.command(p.slave, withoutYes(p.setupSlaveArgs())...))
	s.types("n\n", "Remove it on this host now? [y]es, [n]o: ")
	s.ends(0)
	if !there() {
		t.Error("the hand-over file is gone, in spite of the no")
	}
	content, err := os.ReadFile(p.handOver())
	if err != nil {
		t.Fatal(err)
	}
	s = sit(t, 80, p.command(p.slave, withoutYes(p.setupSlaveArgs())...))
	s.types("y\n", "now? [y]es, [n]o: ")
	s.sees(filepath.Base(p.handOver()) + " is removed")
	s.ends(0)
	if there() {
		t.Error("the hand-over file is there, in spite of the yes")
	}
	// Nothing else has changed, and nothing is to be done.
	if out := p.must(p.slave, p.setupSlaveArgs()...); !strings.Contains(out, "no change: this slave replicates (ok") {
		t.Errorf("after the hand-over file was removed:\n%s", out)
	}
	p.refused(p.slave, 2, "there is no "+p.handOver(), p.setupSlaveArgs("--reseed")...)
	p.sql(p.slave, "STOP SLAVE")
	p.refused(p.slave, 2, "gtunnel replication status", p.setupSlaveArgs()...)
	p.sql(p.slave, "START SLAVE")
	if err := os.WriteFile(p.handOver(), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := p.must(p.slave, p.setupSlaveArgs("--remove-hand-over")...); !strings.Contains(out, "is removed") || there() {
		t.Errorf("--remove-hand-over:\n%s", out)
	}
}

package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
	"github.com/gtunnel/gtunnel/replication/term"
)

// vomsContent is what the servers of these tests begin with.
var vomsContent = []string{
	"CREATE DATABASE voms", "CREATE TABLE voms.t (id INT PRIMARY KEY, words VARCHAR(100))",
	"INSERT INTO voms.t VALUES (1, 'one')",
}

// upToRestart runs a command again after a restart of the server that it asks for.
func (c *couple) upToRestart(s *servertest.Server, args ...string) string {
	c.t.Helper()
	out, code := c.run(s, args...)
	if code == 1 && strings.Contains(out, "the server must be restarted") {
		c.restart(s)
		return out + c.must(s, args...)
	}
	if code != 0 {
		c.t.Fatalf("exit code %d of gtunnel %s:\n%s", code, strings.Join(args, " "), out)
	}
	return out
}

// note reads the note of a host.
func (h *coupleHost) note() term.Note {
	h.c.t.Helper()
	content, err := os.ReadFile(filepath.Join(h.folder, "state", term.FileName))
	var note term.Note
	if err == nil {
		err = json.Unmarshal(content, &note)
	}
	if err != nil {
		h.c.t.Fatal(err)
	}
	return note
}

// TestSetupPair makes a pair with two commands, and finds nothing to do for them any more.
func TestSetupPair(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		c := newCouple(t, kind, vomsContent...)
		out := c.upToRestart(c.master, c.setupMaster("--databases", "voms")...)
		if !strings.Contains(out, "systemctl enable --now gtunnel gtunnel-guard") {
			t.Errorf("setup-master says:\n%s", out)
		}
		if c.value(c.master, "SELECT @@read_only") != "0" {
			t.Error("setup-master has made the master read-only")
		}
		c.upToRestart(c.slave, c.setupSlave()...)
		c.replicates()
		c.noChange(c.master, c.setupMaster()...)
		c.noChange(c.slave, c.setupSlave()...)
		c.isReady()
		c.isPair()
		c.startsAsSlave()
		// Without the hand-over file nothing is to be done, either.
		if err := os.Remove(c.handOver()); err != nil {
			t.Fatal(err)
		}
		c.noChange(c.master, c.setupMaster()...)
		c.noChange(c.slave, c.setupSlave()...)
	})
}

// startsAsSlave does after a restart what the guards of the two hosts do.
func (c *couple) startsAsSlave() {
	c.t.Helper()
	c.sql(c.master, "SET GLOBAL read_only=0")
	c.onSlave("START SLAVE")
	c.waitStatus("ok: ")
}

// status is that of the slave.
func (c *couple) waitStatus(words string) {
	c.t.Helper()
	h := c.hosts[1]
	pairs.WaitFor(c.t, databasePatience, "status with "+words, func() (string, bool) {
		out, _ := c.run(h.server, h.status()...)
		return out, strings.Contains(out, words)
	})
}

// status is the command on a host.
func (h *coupleHost) status() []string {
	return []string{
		"replication", "status", "--socket", h.server.Socket, "--user", h.server.User, "--master", "127.0.0.1:" + h.port,
		"--master-defaults-file", filepath.Join(h.folder, "master.cnf"), "--state-dir", filepath.Join(h.folder, "state"),
	}
}

// check is the command on a host.
func (h *coupleHost) check() []string {
	return append([]string{"replication", "check"}, h.files()...)
}

// isReady checks the pair on both hosts before a failover, with what is missing brought
// about and mended as the check says.
func (c *couple) isReady() {
	t := c.t
	t.Helper()
	for _, h := range c.hosts {
		out, code := c.run(h.server, h.check()...)
		if code != 1 || !strings.Contains(out, "no guard runs") {
			t.Errorf("%s: without guards the check gives %d:\n%s", h.name, code, out)
		}
	}
	for _, h := range c.hosts {
		t.Log(c.run(h.server, h.check()...))
	}
	c.sql(c.master, "SET SESSION sql_log_bin=0")
}

// isPair looks at both hosts: their notes, rows, settings and logins.
func (c *couple) isPair() {
	t := c.t
	t.Helper()
	a, b := c.hosts[0].note(), c.hosts[1].note()
	if !a.Term.Same(b.Term) || a.Term.Number != 1 || a.Term.Master != "server1.domain.one" || a.HostID == b.HostID ||
		a.Name != "server1.domain.one" || b.Name != "server2.domain.two" || b.Databases[0] != "voms" {
		t.Errorf("the notes: %+v and %+v", a, b)
	}
	for i, h := range c.hosts {
		var r term.Record
		if err := json.Unmarshal([]byte(c.value(h.server, "SELECT record FROM gtunnel.pair")), &r); err != nil ||
			!r.Term.Same(a.Term) || r.HostID != []term.Note{a, b}[i].HostID {
			t.Errorf("%s: the row: %+v, %v", h.name, r, err)
		}
		for _, file := range []string{"master.cnf", "replication.cnf"} {
			content, err := os.ReadFile(filepath.Join(h.folder, file))
			if err != nil || !strings.Contains(string(content), "port = "+h.port) {
				t.Errorf("%s: %s: %v", h.name, file, err)
			}
		}
	}
	for _, h := range c.hosts { // as it starts, in whatever role
		c.restart(h.server)
		if c.value(h.server, "SELECT @@read_only") != "1" {
			t.Errorf("%s: not read-only after a restart", h.name)
		}
		for _, name := range []string{"sync_binlog", "innodb_flush_log_at_trx_commit", "log_bin"} {
			if c.value(h.server, "SELECT @@"+name) != "1" {
				t.Errorf("%s: %s is not 1", h.name, name)
			}
		}
		updates := strings.ToLower(inWordsOf(h.server.Kind, "log_SLAVE_updates"))
		if c.value(h.server, "SELECT @@"+updates) != "1" {
			t.Errorf("%s: %s is not 1", h.name, updates)
		}
	}
}

// TestSetupPairLater makes a pair of a master and a slave that were set up without one, by
// the same two commands and without a new copy.
func TestSetupPairLater(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		c := newCouple(t, kind, vomsContent...)
		none := filepath.Join(t.TempDir(), "none.toml")
		if err := os.WriteFile(none, []byte("[tunnel.one]\nrole = \"server\"\nallow_all = true\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		end := "127.0.0.1:" + c.hosts[1].port
		c.must(c.master, c.setupMaster("--databases", "voms", "--config", none)...)
		c.must(c.slave, c.setupSlave("--config", none, "--master", end)...)
		c.replicates()
		out := c.upToRestart(c.master, c.setupMaster()...)
		out += c.upToRestart(c.slave, c.setupSlave()...)
		if strings.Contains(out, "copy voms") {
			t.Errorf("there was a new copy:\n%s", out)
		}
		c.replicates()
		c.noChange(c.master, c.setupMaster()...)
		c.noChange(c.slave, c.setupSlave()...)
		c.isPair()
		// The databases beside those of the pair are agreed to once.
		c.startsAsSlave()
		c.sql(c.master, "CREATE DATABASE beside")
		c.refused(c.master, 1, "it has databases beside those of the pair: beside", c.setupMaster()...)
		c.must(c.master, c.setupMaster("--other-databases", "beside")...)
		c.noChange(c.master, c.setupMaster()...)
		// Each command is for the host that it is for.
		c.refused(c.slave, 1, "server1.domain.one is the master of this pair, by the term 1",
			append([]string{"replication", "setup-master", "--databases", "voms", "--yes"}, c.hosts[1].files()...)...)
		c.refused(c.slave, 2, "is not for a pair", c.setupSlave("--master-user", "boss", "--databases", "voms")...)
	})
}

// TestSetupPairGTIDs turns the GTIDs of a master and its running slave on, by turns and
// while they run.
func TestSetupPairGTIDs(t *testing.T) {
	t.Parallel()
	off := []string{"--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"}
	c := newCoupleWith(t, servertest.MySQL97, off, vomsContent...)
	out := c.must(c.master, c.setupMaster("--databases", "voms")...)
	out += c.must(c.slave, c.setupSlave()...)
	const without = "gtid_mode is OFF: after a promotion the old master comes back by a new copy only"
	if n := strings.Count(out, without); n != 2 {
		t.Errorf("%d warnings of no GTIDs, want 2:\n%s", n, out)
	}
	modes := func(master, slave string) {
		t.Helper()
		a, b := c.value(c.master, "SELECT @@gtid_mode"), c.value(c.slave, "SELECT @@gtid_mode")
		if a != master || b != slave {
			t.Fatalf("gtid_mode is %s and %s, want %s and %s", a, b, master, slave)
		}
		c.replicates()
	}
	modes("OFF", "OFF")
	c.checksGTIDs("on server1.domain.one: gtunnel replication setup-master --turn-gtids-on; then on server2.domain.two: " +
		"gtunnel replication setup-slave --turn-gtids-on; then both once more")
	out = c.must(c.master, c.setupMaster("--turn-gtids-on")...)
	if !strings.Contains(out, "is not known to take GTIDs yet") {
		t.Errorf("it says:\n%s", out)
	}
	modes("OFF", "OFF")
	c.must(c.slave, c.setupSlave("--turn-gtids-on")...)
	modes("OFF", "ON_PERMISSIVE")
	c.must(c.master, c.setupMaster("--turn-gtids-on")...)
	modes("ON", "ON_PERMISSIVE")
	c.must(c.slave, c.setupSlave("--turn-gtids-on")...)
	modes("ON", "ON")
	c.checksGTIDs("")
	const auto = "SELECT auto_position FROM performance_schema.replication_connection_configuration"
	if c.value(c.slave, auto) != "1" {
		t.Error("the slave does not follow by GTID")
	}
	c.noChange(c.master, c.setupMaster("--turn-gtids-on")...)
	c.noChange(c.slave, c.setupSlave("--turn-gtids-on")...)
	c.noChange(c.master, c.setupMaster()...)
	c.noChange(c.slave, c.setupSlave()...)
}

// checksGTIDs holds what the check on either host says of GTIDs that are off, and of what turns
// them on; nothing, if that is empty.
func (c *couple) checksGTIDs(cure string) {
	c.t.Helper()
	for _, h := range c.hosts {
		out, _ := c.run(h.server, h.check()...)
		out = strings.Join(strings.Fields(out), " ")
		if strings.Contains(out, "after a promotion the old master rejoins by a new copy") != (cure != "") ||
			!strings.Contains(out, cure) {
			c.t.Errorf("the check on %s says:\n%s", h.name, out)
		}
	}
}

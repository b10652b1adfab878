package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestRoleOfDropIn: gtunnel's option file follows the role of its server, which has what
// it needs after a restart: as a slave, as a slave that is a master too, and as a master
// that was a slave.
func TestRoleOfDropIn(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		p.must(p.slave, p.setupSlaveArgs()...)
		second := []string{
			"replication", "setup-master", "--socket", p.slave.Socket, "--user", p.slave.User,
			"--hand-over", filepath.Join(p.folder, "second.json"), "--databases", "voms", "--yes",
		}

		// A slave that is a master too goes on as a slave.
		if kind.IsMySQL() {
			p.refused(p.slave, 1, "super_read_only=1 after it", second...)
			p.sql(p.slave, "SET GLOBAL super_read_only=0")
		}
		p.must(p.slave, second...)
		if kind.IsMySQL() {
			p.sql(p.slave, "SET GLOBAL super_read_only=1")
		}
		p.keeps("server_id = "+p.serverID(p.slave), "read_only = ON", "voms.%")
		p.restart(p.slave)
		if out, code := p.status(); code != 0 {
			t.Errorf("status ends with %d:\n%s", code, out)
		}
		p.replicates()
		p.noChange(p.slave, p.setupSlaveArgs()...)

		// One that is only stopped may go on, and is told how not to.
		p.onSlave("STOP SLAVE")
		p.sql(p.slave, "SET GLOBAL read_only=0")
		if out := p.must(p.slave, second...); !strings.Contains(out, "takes a slave's settings out") {
			t.Errorf("of a slave that is stopped it says:\n%s", out)
		}
		p.keeps("server_id = "+p.serverID(p.slave), "read_only = ON", "voms.%")

		// Promoted, it is the master after a restart, too.
		p.onSlave("RESET SLAVE ALL")
		if kind.IsMySQL() {
			p.sql(p.slave, "SET PERSIST_ONLY read_only=ON", "SET PERSIST_ONLY super_read_only=ON")
		}
		if out := p.must(p.slave, "replication", "check", "--role", "master", "--socket", p.slave.Socket,
			"--user", p.slave.User, "--databases", "voms"); !strings.Contains(out, "its next restart brings settings of one") {
			t.Errorf("check says:\n%s", out)
		}
		if out := p.must(p.slave, second...); !strings.Contains(out, "must not be read-only") {
			t.Errorf("of a slave that is none any more it says:\n%s", out)
		}
		p.keeps("server_id = " + p.serverID(p.slave))
		p.noChange(p.slave, second...)
		p.restart(p.slave)
		const what = "SELECT CONCAT(@@read_only + 0, ' ', @@server_id)"
		if got := p.value(p.slave, what); got != "0 "+p.serverID(p.slave) {
			t.Errorf("after its restart the new master has the read_only and server_id %s", got)
		}
		p.noChange(p.slave, second...)
	})
}

// keeps looks whether the option file of the slave has some words, and of the settings
// of a slave no others.
func (p *pair) keeps(words ...string) {
	p.t.Helper()
	content, err := os.ReadFile(filepath.Join(p.slave.ConfigDir, optionfile.DropInName))
	if err != nil {
		p.t.Fatal(err)
	}
	all := strings.Join(words, "\n")
	for _, word := range []string{"server_id = " + p.serverID(p.slave), "read_only = ON", "voms.%"} {
		if strings.Contains(string(content), word) != strings.Contains(all, word) {
			p.t.Errorf("want %q in the option file, which is\n%s", words, content)
		}
	}
}

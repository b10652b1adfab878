package main_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// replaceMaster puts a new host in the place of the master: with the same
// server_id, rows of its own, and a binary log with more transactions at every
// place. It is set up, and its hand-over file is taken to the slave.
func (p *pair) replaceMaster() {
	p.t.Helper()
	p.master = startDatabase(p.t, p.master.Kind, servertest.Options{Name: "new master", ServerID: 1})
	p.sql(p.master, twoDatabases...)
	p.sql(p.master, "UPDATE voms.t SET words = 'of the new master'")
	for range 200 {
		p.sql(p.master, "INSERT INTO iam.t SELECT COUNT(*) FROM iam.t AS already")
	}
	p.stopClient()
	p.server, p.serverAddress = p.site.startServer(p.master.Address())
	p.client, _ = p.site.startClient(p.serverAddress, "--accept", p.end)
	if err := os.Remove(p.handOver()); err != nil {
		p.t.Fatal(err)
	}
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
}

// TestReplacedMaster: a new master in the place of the old one is not followed
// with the old one's data. A new hand-over of the same one is.
func TestReplacedMaster(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		p.must(p.slave, p.setupSlaveArgs()...)

		// The hand-over has been removed, as it should be.
		if err := os.Remove(p.handOver()); err != nil {
			t.Fatal(err)
		}
		p.must(p.master, p.setupMasterArgs("--databases", "voms", "--new-passwords")...)
		p.loginAgain()
		p.waitStatus("1045")
		if out := p.must(p.slave, p.setupSlaveArgs()...); strings.Contains(out, "compare the data") {
			t.Errorf("it takes the master for another one:\n%s", out)
		}
		// What is not replicated moves the slave on as well: a state that does not
		// say of which master the copy is is held against the binary log.
		p.sql(p.master, "INSERT INTO voms.t VALUES (3, REPEAT('x', 100))", "INSERT INTO iam.t VALUES (1)",
			"CREATE TABLE iam.u (id INT PRIMARY KEY)", "DROP TABLE iam.u")
		p.replicates()
		p.sql(p.master, "CREATE TABLE iam.v (id INT PRIMARY KEY)")
		p.editState("master_server_mark", "")
		p.editState("master_server_uuid", "")
		p.noChange(p.slave, p.setupSlaveArgs()...)
		before := p.value(p.slave, "SELECT GROUP_CONCAT(id, words ORDER BY id) FROM voms.t")

		p.replaceMaster()
		p.waitStatus("1045")
		const refused = "is not the one whose databases the slave has"
		p.unchanged(p.slave, 1, refused, p.setupSlaveArgs()...)
		if !kind.IsMySQL() {
			mark := handOverMark(t, p.handOver())
			p.editState("master_server_mark", "of the old one")
			p.unchanged(p.slave, 1, refused, p.setupSlaveArgs()...)
			if made := p.value(p.master,
				"SELECT routine_comment FROM information_schema.routines WHERE routine_name = "+
					"'gtunnel_drop_seed'"); mark == "" || !strings.HasSuffix(made, mark) {
				t.Errorf("the hand-over has the mark %q, the server %q", mark, made)
			}
		}
		if after := p.value(p.slave, "SELECT GROUP_CONCAT(id, words ORDER BY id) FROM voms.t"); after != before {
			t.Errorf("the slave's rows were %s, and are %s", before, after)
		}
		p.must(p.slave, p.setupSlaveArgs("--reseed", "--replace-databases", "voms")...)
		p.replicates()
		p.noChange(p.slave, p.setupSlaveArgs()...)
		p.givesPasswordInTime()
	})
}

// handOverMark is the mark of the server in a hand-over file.
func handOverMark(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Mark string `json:"server_mark"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	return file.Mark
}

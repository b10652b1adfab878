package main_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// editState changes the state as an older run, or one that was cut off, has
// left it.
func (p *pair) editState(key string, value any) {
	p.t.Helper()
	path := filepath.Join(p.folder, "state", "replication.json")
	content, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	var state map[string]any
	if err := json.Unmarshal(content, &state); err != nil {
		p.t.Fatal(err)
	}
	state[key] = value
	if content, err = json.Marshal(state); err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// seedAgain gives the master the seeding account again.
func (p *pair) seedAgain() {
	p.t.Helper()
	p.must(p.master, p.setupMasterArgs("--seed-again")...)
}

// cutAfterCopy leaves the slave as if a run was cut off after the copy.
func (p *pair) cutAfterCopy() {
	p.t.Helper()
	p.onSlave("STOP SLAVE", "RESET SLAVE ALL")
	p.sql(p.slave, "SET GLOBAL read_only=0")
	p.editState("stage", "seeded")
}

// TestStaleState: what the state says is no longer so. No data is dropped that
// was not given up, and an old copy is not taken for a whole one.
func TestStaleState(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms,iam")...)
		p.must(p.slave, p.setupSlaveArgs()...)
		const dataThere = "there is a database voms already, with 1 table of"

		// The replication was reset by hand, and the slave written to.
		p.onSlave("STOP SLAVE", "RESET SLAVE ALL")
		p.sql(p.slave, "SET GLOBAL read_only=0", "INSERT INTO voms.t VALUES (77, 'by hand')")
		p.unchanged(p.slave, 1, dataThere, p.setupSlaveArgs()...)
		p.seedAgain()
		p.unchanged(p.slave, 1, dataThere, p.setupSlaveArgs()...)
		p.unchanged(p.slave, 1, dataThere, p.setupSlaveArgs("--replace-databases", "iam")...)
		if n := p.value(p.slave, "SELECT COUNT(*) FROM voms.t WHERE id = 77"); n != "1" {
			t.Fatal("the row written by hand has gone")
		}
		// And the databases dropped.
		p.dropOnSlave("voms", "iam")
		p.must(p.slave, p.setupSlaveArgs()...)
		p.replicates()
		p.must(p.slave, p.compareArgs()...)

		// A run was cut off after the copy, and then the copy was dropped.
		p.seedAgain()
		p.must(p.slave, p.setupSlaveArgs("--reseed", "--replace-databases", "voms,iam")...)
		p.cutAfterCopy()
		p.dropOnSlave("voms")
		p.refused(p.slave, 1, "setup-master --seed-again", p.setupSlaveArgs()...)
		p.seedAgain()
		p.must(p.slave, p.setupSlaveArgs("--replace-databases", "iam")...)

		// Or written to: the comparison finds it.
		p.cutAfterCopy()
		p.sql(p.slave, "INSERT INTO iam.t VALUES (88)")
		p.refused(p.slave, 1, "the data differs from the master's", p.setupSlaveArgs()...)
		p.refused(p.slave, 1, "the data differs from the master's", p.setupSlaveArgs()...)
		p.seedAgain()
		p.unchanged(p.slave, 1, "there is a database iam already",
			p.setupSlaveArgs("--reseed", "--replace-databases", "voms")...)
		p.must(p.slave, p.setupSlaveArgs("--reseed", "--replace-databases", "voms,iam")...)

		// Or the master's binary log was begun anew, and is longer by now than
		// where the copy ends.
		p.cutAfterCopy()
		p.sql(p.master, inWordsOf(kind, "RESET MASTER"),
			"INSERT INTO voms.t WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) SELECT i, "+
				"REPEAT('x', 100) FROM n")
		p.refused(p.slave, 1, dataThere, p.setupSlaveArgs()...)

		p.seedAgain()
		anew := p.setupSlaveArgs("--reseed", "--replace-databases", "voms,iam")
		if kind.IsMySQL() { // whose GTIDs the slave must forget
			p.unchanged(p.slave, 1, "it knows transactions of the master that the master does not have any more", anew...)
			p.onSlave("RESET MASTER")
		}
		p.must(p.slave, anew...)
		p.replicates()

		p.toldOfOtherLog()
	})
}

// toldOfOtherLog begins the master's binary log anew under a slave that is set up, which is
// told so, and how to go on.
func (p *pair) toldOfOtherLog() {
	p.t.Helper()
	p.onSlave("STOP SLAVE IO_THREAD")
	p.sql(p.master, inWordsOf(p.slave.Kind, "RESET MASTER"), "INSERT INTO voms.t VALUES (99, 'anew')")
	p.onSlave("START SLAVE IO_THREAD")
	p.waitStatus("1236")
	out := p.refused(p.slave, 1, "1236", p.setupSlaveArgs()...)
	if !strings.Contains(out, "--reseed") {
		p.t.Errorf("it does not say how to copy anew:\n%s", out)
	}
}

// TestCutOffSeed kills a seed, and looks whose databases the next run takes for
// what it has left: not those of another server, nor of another time.
func TestCutOffSeed(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newBulkPair(t, kind)
		cmd, _ := p.startCopy()
		_ = cmd.Process.Kill() // it copies
		_ = cmd.Wait()         // so does the exit code
		left, err := os.ReadFile(filepath.Join(p.stateDir(), "replication.json"))
		if err != nil || !bytes.Contains(left, []byte(`"stage": "seeding"`)) {
			t.Fatalf("%v: the state is %s", err, left)
		}
		restore := func() {
			if err := os.WriteFile(filepath.Join(p.stateDir(), "replication.json"), left, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		const asks = "there is a database bulk already"

		// Another server of this host, with the same state.
		q := p.secondSlave(3)
		q.takeHandOver(p)
		q.sql(q.slave, "CREATE DATABASE bulk", "CREATE TABLE bulk.own (id INT PRIMARY KEY)")
		same := q.setupSlaveArgs("--state-dir", p.stateDir())
		q.unchanged(q.slave, 1, asks, same...)
		p.editState("stage", "seeded")
		p.editState("master_server_id", 1)
		p.editState("start", map[string]any{"file": strings.Split(p.position(p.master), ":")[0], "offset": 4})
		q.unchanged(q.slave, 1, asks, same...)

		// A state of before it said whose it is.
		restore()
		p.editState("slave", "")
		p.unchanged(p.slave, 1, asks, p.setupSlaveArgs()...)

		// As if the database had been there before the copy, or been made later.
		for key, by := range map[string]time.Duration{"begun_from": time.Hour, "begun_until": -time.Hour} {
			restore()
			p.editState(key, time.Now().Add(by).UTC())
			p.unchanged(p.slave, 1, asks, p.setupSlaveArgs()...)
		}
		restore()
		p.must(p.slave, p.setupSlaveArgs()...)
		p.noChange(p.slave, p.setupSlaveArgs()...)
		if done, err := os.ReadFile(filepath.Join(p.stateDir(), "replication.json")); err != nil ||
			bytes.Contains(done, []byte("begun")) {
			t.Errorf("%v: the state is still %s", err, done)
		}
	})
}

// TestOwnAccounts: by an administrator's login, a setup that was cut off has new
// passwords made without being told only if no other slave can have the old ones.
func TestOwnAccounts(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		boss := append(p.administrator(), "--databases", "voms,iam")
		p.must(p.master, p.setupMasterArgs("--databases", "voms,iam")...)
		p.must(p.slave, p.setupSlaveArgs()...)
		q := p.secondSlave(3)
		q.takeHandOver(p)
		p.must(p.master, p.setupMasterArgs("--seed-again")...)
		q.must(q.slave, q.setupSlaveArgs()...)

		// As if the second's copy, by the hand-over, had been cut off.
		q.onSlave("STOP SLAVE", "RESET SLAVE ALL")
		q.editState("stage", "seeding")
		out := q.unchanged(q.slave, 1, "its password is not known here", q.setupSlaveArgs(boss...)...)
		if !strings.Contains(out, "--new-passwords") {
			t.Errorf("it does not say what to do:\n%s", out)
		}
		p.loginAgain()
		p.replicates()

		// The passwords are its own from here on.
		q.refused(q.slave, 1, "there is a database voms already", q.setupSlaveArgs(append(boss, "--new-passwords")...)...)
		q.must(q.slave, q.setupSlaveArgs(append(boss, "--replace-databases", "voms,iam")...)...)
		q.replicates()

		// And of others' too once it is done.
		q.onSlave("STOP SLAVE", "RESET SLAVE ALL")
		q.refused(q.slave, 1, "its password is not known here", q.setupSlaveArgs(boss...)...)
	})
}

// TestCatchUpElsewhere: a slave whose position the master's binary log does not
// have, because that was begun anew, has not caught up. (One of MariaDB goes on by
// its GTID.)
func TestCatchUpElsewhere(t *testing.T) {
	p := newPair(t, servertest.MySQL97, servertest.MySQL97, twoDatabases...)
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	p.sql(p.master, "FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
	p.must(p.slave, p.setupSlaveArgs()...)
	p.sql(p.master, "RESET BINARY LOGS AND GTIDS")
	p.waitStatus("1236")
	p.editState("stage", "running")
	out := p.refused(p.slave, 1, "--reseed", p.setupSlaveArgs()...)
	if strings.Count(out, "compare the data of both") > 1 {
		t.Errorf("it goes on to compare:\n%s", out)
	}
}

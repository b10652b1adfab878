package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// TestCutOffSeed kills a seed, and looks whose databases the next run takes for
// what it has left: not those of another server, nor of another time.
func TestCutOffSeed(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind)
		if err := servertest.Bulk(t.Context(), p.master.DB, "bulk", 5e6); err != nil {
			t.Fatal(err)
		}
		p.must(p.master, p.setupMasterArgs("--databases", "bulk")...)
		said := &wordWait{text: "% of about", seen: make(chan struct{})}
		cmd := p.command(p.slave, p.setupSlaveArgs("--max-rate", "1M")...)
		cmd.Stdout, cmd.Stderr = said, said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-said.seen:
		case <-time.After(databasePatience):
			t.Fatalf("no copy:\n%s", said)
		}
		p.waitValue(p.slave, "SELECT COUNT(*) > 0 FROM information_schema.tables WHERE table_schema = 'bulk'", "1")
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
		if done, err := os.ReadFile(filepath.Join(p.stateDir(), "replication.json")); err != nil || bytes.Contains(done, []byte("begun")) {
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

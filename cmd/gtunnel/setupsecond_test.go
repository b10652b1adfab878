package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// secondSlave is another slave of the master: a pair whose host has a server,
// an end of the tunnel and files of its own.
func (p *pair) secondSlave(serverID int) *pair {
	p.t.Helper()
	q := &pair{
		t: p.t, site: p.site, folder: p.t.TempDir(), master: p.master, server: p.server, serverAddress: p.serverAddress,
	}
	q.slave = startDatabase(p.t, p.slave.Kind, servertest.Options{Name: "second slave", ServerID: serverID})
	q.client, q.end = p.site.startClient(p.serverAddress)
	return q
}

// takeHandOver takes the hand-over file of another host.
func (p *pair) takeHandOver(from *pair) {
	p.t.Helper()
	content, err := os.ReadFile(from.handOver())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.handOver(), content, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// forgetSlave takes back by hand what a setup has made of the slave.
func (p *pair) forgetSlave() {
	p.t.Helper()
	p.onSlave("STOP SLAVE", "RESET SLAVE ALL")
	p.dropOnSlave("voms", "iam")
	if err := os.RemoveAll(filepath.Join(p.folder, "state")); err != nil {
		p.t.Fatal(err)
	}
}

// serverID is the server_id of a server.
func (p *pair) serverID(s *servertest.Server) string { return p.value(s, "SELECT @@GLOBAL.server_id") }

// TestSecondSlave gives a master another slave, and new passwords.
func TestSecondSlave(t *testing.T) {
	eachFamily(t, func(t *testing.T, kind servertest.Kind) {
		p := newPair(t, kind, kind, twoDatabases...)
		boss := append(p.administrator(), "--databases", "voms,iam")
		p.must(p.master, p.setupMasterArgs("--databases", "voms,iam")...)
		p.must(p.slave, p.setupSlaveArgs()...)

		// By the same hand-over. It has the id that the first has been given.
		id, err := strconv.Atoi(p.serverID(p.slave))
		if err != nil || id <= 2 {
			t.Fatalf("the first slave has the server_id %d: %v", id, err)
		}
		q := p.secondSlave(id)
		q.takeHandOver(p)
		q.refused(q.slave, 1, "setup-master --seed-again", q.setupSlaveArgs()...)
		p.must(p.master, p.setupMasterArgs("--seed-again")...)
		q.must(q.slave, q.setupSlaveArgs()...)
		if id := q.serverID(q.slave); id == "1" || id == p.serverID(p.slave) {
			t.Errorf("the second slave has the server_id %s", id)
		}
		for _, host := range []*pair{p, q} {
			host.loginAgain()
			host.replicates()
			host.must(host.slave, host.compareArgs()...)
			host.noChange(host.slave, host.setupSlaveArgs()...)
		}
		p.noChange(p.master, p.setupMasterArgs()...)
		q.noSecrets()

		// By an administrator's login on the master.
		q.forgetSlave()
		out := q.refused(q.slave, 1, "its password is not known here", q.setupSlaveArgs(boss...)...)
		if !strings.Contains(out, "--new-passwords") {
			t.Errorf("it does not say what to do:\n%s", out)
		}
		p.loginAgain()
		p.replicates()
		q.must(q.slave, q.setupSlaveArgs(append(boss, "--new-passwords")...)...)
		q.loginAgain()
		q.replicates()

		p.takesNewPasswords(boss)

		// One hand-over serves both. The one that the master has is stale.
		q.loginAgain()
		q.waitStatus("1045")
		p.refused(p.master, 1, "the server refuses the password", p.setupMasterArgs()...)
		p.must(p.master, p.setupMasterArgs("--new-passwords")...)
		q.takeHandOver(p)
		p.loginAgain()
		for _, host := range []*pair{p, q} {
			host.waitStatus("1045")
			host.must(host.slave, host.setupSlaveArgs()...)
			host.replicates()
			host.must(host.slave, host.compareArgs()...)
			host.noChange(host.slave, host.setupSlaveArgs()...)
		}
		p.noChange(p.master, p.setupMasterArgs()...)
		p.noSecrets()
	})
}

// takesNewPasswords finds that the first slave is refused when it logs in again, as is its
// hand-over, and gives it new passwords by an administrator's login.
func (p *pair) takesNewPasswords(boss []string) {
	p.t.Helper()
	p.loginAgain()
	p.waitStatus("1045")
	out := p.refused(p.slave, 1, "Access denied", p.setupSlaveArgs()...)
	if !strings.Contains(out, "setup-master --new-passwords") {
		p.t.Errorf("it does not say what to do:\n%s", out)
	}
	p.refused(p.slave, 1, "the password of 'db_rep'@'127.0.0.1' is not known here", p.setupSlaveArgs(boss...)...)
	p.must(p.slave, p.setupSlaveArgs(append(boss, "--new-passwords")...)...)
	p.loginAgain()
	p.replicates()
	if n := p.value(p.master, "SELECT COUNT(*) FROM mysql.user WHERE user = 'gtunnel_seed'"); n != "0" {
		p.t.Error("the seeding account is still there")
	}
}

// TestOtherChannel: a slave of MySQL goes on following its other master, all
// of it; one of MariaDB cannot, and is refused.
func TestOtherChannel(t *testing.T) {
	t.Parallel()
	t.Run("mysql", followsOtherChannel)
	t.Run("mariadb", refusesOtherChannel)
}

// followsOtherChannel sets up a slave of MySQL beside its other master.
func followsOtherChannel(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MySQL97, servertest.MySQL97, twoDatabases...)
	// It has the id that the slave would be given.
	other := &pair{
		t: t, master: startDatabase(t, servertest.MySQL97, servertest.Options{Name: "other master", ServerID: 2}),
		slave: p.slave,
	}
	other.sql(other.master, "CREATE USER other@'127.0.0.1' IDENTIFIED BY 'x'",
		"GRANT REPLICATION SLAVE ON *.* TO other@'127.0.0.1'",
		"CREATE DATABASE others", "CREATE TABLE others.t (id INT PRIMARY KEY)", "CREATE TABLE others.secret (id INT "+
			"PRIMARY KEY)")
	filter := "[mysqld]\nreplicate-wild-ignore-table=other:others.secret\n"
	if err := os.WriteFile(filepath.Join(p.slave.ConfigDir, "other.cnf"), []byte(filter), 0o644); err != nil {
		t.Fatal(err)
	}
	p.sql(p.slave, fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, "+
		"SOURCE_USER='other', SOURCE_PASSWORD='x', GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1 FOR CHANNEL 'other'",
		other.master.Port),
		"CHANGE REPLICATION FILTER REPLICATE_WILD_IGNORE_TABLE=('others.secret') FOR CHANNEL "+
			"'other'", "START REPLICA FOR CHANNEL 'other'")
	written := 0
	follows := func() {
		t.Helper()
		written++
		other.sql(other.master, fmt.Sprintf("CREATE DATABASE more%d", written),
			fmt.Sprintf("INSERT INTO others.secret VALUES (%d)", written),
			fmt.Sprintf("INSERT INTO others.t VALUES (%d)", written))
		other.waitSlave("SELECT GROUP_CONCAT(schema_name ORDER BY schema_name) FROM information_schema.schemata WHERE " +
			"schema_name LIKE 'more%'")
		other.waitSlave("SELECT MAX(id) FROM others.t")
		if n := p.value(p.slave,
			"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'others' AND table_name = "+
				"'secret'"); n != "0" {
			t.Error("the other channel has lost its filter")
		}
	}
	follows()
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	out := p.must(p.slave, p.setupSlaveArgs()...)
	if !strings.Contains(out, "by the channel other") {
		t.Errorf("the other channel is not named:\n%s", out)
	}
	ours := func() {
		t.Helper()
		p.sql(p.master, "INSERT INTO iam.t SELECT COUNT(*) FROM iam.t AS already")
		p.replicates()
		if n := p.value(p.slave, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'iam'"); n != "0" {
			t.Error("a database that was not named has come too")
		}
	}
	ours()
	// by the new server_id
	p.sql(p.slave, "STOP REPLICA IO_THREAD FOR CHANNEL 'other'", "START REPLICA IO_THREAD FOR CHANNEL 'other'")
	follows()
	p.noChange(p.slave, p.setupSlaveArgs()...)
	p.restart(p.slave)
	ours()
	follows()
	p.noChange(p.slave, p.setupSlaveArgs()...)
}

// refusesOtherChannel sets up no slave of MariaDB that has another master.
func refusesOtherChannel(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MariaDB, servertest.MariaDB, twoDatabases...)
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	p.sql(p.slave, "CHANGE MASTER 'other' TO MASTER_HOST='127.0.0.9', MASTER_USER='x', MASTER_PASSWORD='y'")
	p.unchanged(p.slave, 1, "it also follows 127.0.0.9:3306 by other", p.setupSlaveArgs()...)
}

package main_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// innerTunnel are the flags with which setup-slave dials the master's gtunnel
// itself.
func (p *pair) innerTunnel(end string) []string {
	return append([]string{"--connect", p.serverAddress, "--capath", p.site.capath, "--master", end},
		p.site.client.flags()...)
}

// TestSetupConnect sets a slave up before the service runs on its host, and by
// the administrator's login alone; the service then goes on.
func TestSetupConnect(t *testing.T) {
	t.Parallel()
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MySQL97} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p := &pair{t: t, site: newSite(t), folder: t.TempDir()}
			p.master = startDatabase(t, kind, servertest.Options{Name: "master", ServerID: 1})
			p.slave = startDatabase(t, kind, servertest.Options{Name: "slave", ServerID: 2})
			p.server, p.serverAddress = p.site.startServer(p.master.Address())
			p.sql(p.master, twoDatabases...)
			boss := append(p.administrator(), "--databases", "voms")
			p.end = freeAddress(t)
			args := p.setupSlaveArgs(append(p.innerTunnel(p.end), boss...)...)

			before := p.fingerprint(p.master) + p.fingerprint(p.slave)
			out := p.must(p.slave, append(args, "--dry-run")...)
			if !strings.Contains(out, "CREATE USER") || p.fingerprint(p.master)+p.fingerprint(p.slave) != before {
				t.Errorf("the dry run has changed something, or says too little:\n%s", out)
			}
			p.refused(p.slave, 2, "no loopback address", append(slices.Clip(args), "--master", "192.0.2.1:3307")...)
			out = p.must(p.slave, args...)
			if !strings.Contains(out, "start the service") {
				t.Errorf("it does not say that the tunnel ends:\n%s", out)
			}
			if strings.Contains(p.printed.String(), "the boss") {
				t.Error("the administrator's password was printed")
			}
			// The service takes the same end.
			p.client, _ = p.site.startClient(p.serverAddress, "--accept", p.end)
			p.sql(p.master, "INSERT INTO voms.t VALUES (3, 'by the service')")
			p.waitSlave("SELECT GROUP_CONCAT(words ORDER BY id) FROM voms.t")
			p.noChange(p.slave, p.setupSlaveArgs(boss...)...)
			p.refused(p.slave, 1, "leave --connect out", args...)
		})
	}
}

// TestTraps goes through the eight traps of a replication that is set up by
// hand, on servers where they are:
//
//  1. MySQL 8.4 and later give up after ten retries.
//  2. caching_sha2_password needs the master's public key once its cache is cold.
//  3. A slave of MariaDB 11 refuses a master without TLS.
//  4. RESET SLAVE ALL leaves options of an earlier CHANGE MASTER (MariaDB).
//  5. SET PASSWORD = 'text' takes the text for a hash (MariaDB).
//  6. GRANT ... IDENTIFIED BY and other old statements are gone (MySQL).
//  7. replicate-do-db loses statements that name a table of another database.
//  8. An account with all privileges writes in spite of read_only.
func TestTraps(t *testing.T) {
	t.Parallel()
	t.Run("1: the tunnel is down for longer than MySQL's ten retries", trapRetries)
	t.Run("2: the master's cache of passwords is cold", trapColdCache)
	t.Run("3: the master has no TLS", trapMasterWithoutTLS)
	t.Run("4: an earlier CHANGE MASTER has left its options", trapOptionsLeft)
	t.Run("5: a password looks like a hash", trapPasswordLikeHash)
	t.Run("6: the old statements are gone", trapOldStatements)
	t.Run("7: a statement names a table of another database", trapOtherDatabase)
	t.Run("8: an account with all privileges writes on the slave", trapAllPrivileges)
}

// trapRetries: the tunnel is down for longer than MySQL's ten retries.
func trapRetries(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MySQL97, servertest.MySQL97, twoDatabases...)
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	p.must(p.slave, p.setupSlaveArgs()...)
	// The retries, of which MySQL makes ten where it is not told, come each
	// second now, and more than ten of them fail.
	p.sql(p.slave, "STOP REPLICA IO_THREAD", "CHANGE REPLICATION SOURCE TO SOURCE_CONNECT_RETRY=1",
		"START REPLICA IO_THREAD")
	p.stopClient()
	p.sql(p.master, "INSERT INTO voms.t VALUES (3, 'meanwhile')")
	p.waitAttempts(12)
	p.client, _ = p.site.startClient(p.serverAddress, "--accept", p.end)
	p.waitSlave("SELECT GROUP_CONCAT(words ORDER BY id) FROM voms.t")
}

// trapColdCache: the master's cache of passwords is cold.
func trapColdCache(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MySQL97, servertest.MySQL97, twoDatabases...)
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	p.must(p.slave, p.setupSlaveArgs()...)
	p.restart(p.master)
	p.loginAgain()
	p.sql(p.master, "INSERT INTO voms.t VALUES (3, 'after the restart')")
	p.waitSlave("SELECT GROUP_CONCAT(words ORDER BY id) FROM voms.t")
	out, code := p.status()
	if code != 0 {
		t.Errorf("status says:\n%s", out)
	}
}

// trapMasterWithoutTLS: the master has no TLS.
func trapMasterWithoutTLS(t *testing.T) {
	t.Parallel()
	master := startDatabase(t, servertest.MariaDB118,
		servertest.Options{Name: "master", ServerID: 1, Flags: []string{"--skip-ssl"}})
	p := newPairOf(t, master, servertest.MariaDB118, twoDatabases...)
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	// By hand it is refused.
	p.sql(p.master, "CREATE USER hand@'127.0.0.1' IDENTIFIED BY 'x'",
		"GRANT REPLICATION SLAVE ON *.* TO hand@'127.0.0.1'")
	p.sql(p.slave,
		fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='hand', MASTER_PASSWORD='x'",
			p.master.Port), "SET GLOBAL server_id=5", "START SLAVE")
	p.waitValue(p.slave, "SELECT last_io_errno FROM information_schema.slave_status", "2026")
	p.sql(p.slave, "STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL server_id=1")
	p.must(p.slave, p.setupSlaveArgs()...)
	p.replicates()
}

// trapOptionsLeft: an earlier CHANGE MASTER has left its options.
func trapOptionsLeft(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MariaDB118, servertest.MariaDB118, twoDatabases...)
	p.sql(p.slave,
		"CHANGE MASTER TO MASTER_HOST='127.0.0.9', MASTER_USER='x', MASTER_PASSWORD='y', MASTER_SSL=1, "+
			"MASTER_SSL_VERIFY_SERVER_CERT=1, MASTER_CONNECT_RETRY=7, MASTER_DELAY=100, IGNORE_SERVER_IDS=(1), "+
			"MASTER_HEARTBEAT_PERIOD=1000", "RESET SLAVE ALL")
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	p.must(p.slave, p.setupSlaveArgs()...)
	p.sql(p.master, "INSERT INTO voms.t VALUES (3, 'at once')")
	p.waitSlave("SELECT GROUP_CONCAT(words ORDER BY id) FROM voms.t")
}

// trapPasswordLikeHash: a password looks like a hash.
func trapPasswordLikeHash(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MariaDB105, servertest.MariaDB105, twoDatabases...)
	p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
	// The accounts are made anew by passwords of 16 hexadecimal digits, as
	// hashes of the old format have.
	content, err := os.ReadFile(p.handOver())
	if err != nil {
		t.Fatal(err)
	}
	for user, password := range handOverPasswords(t, content) {
		p.sql(p.master, "DROP USER "+user+"@'127.0.0.1'")
		content = bytes.Replace(content, []byte(password), fmt.Appendf(nil, "%016x", len(user)), 1)
	}
	if err := os.WriteFile(p.handOver(), content, 0o600); err != nil {
		t.Fatal(err)
	}
	p.must(p.master, p.setupMasterArgs()...)
	p.handOverWorks()
	p.must(p.slave, p.setupSlaveArgs()...)
	p.replicates()
}

// trapOldStatements: the old statements are gone.
func trapOldStatements(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MySQL97, servertest.MySQL97, twoDatabases...)
	for _, old := range []string{
		"GRANT SELECT ON voms.* TO x@localhost IDENTIFIED BY 'x'", "SLAVE START", "START SLAVE",
		"CHANGE MASTER TO MASTER_HOST='x'", "SHOW SLAVE STATUS", "SHOW MASTER STATUS", "RESET MASTER",
	} {
		if _, err := p.slave.DB.ExecContext(t.Context(), old); err == nil || !strings.Contains(err.Error(), "1064") {
			t.Errorf("%s: %v, want 1064", old, err)
		}
	}
	out := p.must(p.master, p.setupMasterArgs("--databases", "voms")...) + p.must(p.slave, p.setupSlaveArgs()...)
	old := regexp.MustCompile(`SQL +(GRANT .* IDENTIFIED|SLAVE|(START|STOP|RESET) SLAVE|CHANGE MASTER).*`)
	if found := old.FindString(out); found != "" {
		t.Errorf("the plan has an old statement: %s", found)
	}
	p.replicates()
}

// trapOtherDatabase: a statement names a table of another database.
func trapOtherDatabase(t *testing.T) {
	t.Parallel()
	p := newPair(t, servertest.MariaDB, servertest.MariaDB, "CREATE DATABASE `DB_1`", "CREATE DATABASE `DBx1`",
		"CREATE TABLE `DB_1`.t (id INT PRIMARY KEY, words VARCHAR(100))", "CREATE TABLE `DBx1`.t (id INT PRIMARY KEY)",
		"INSERT INTO `DB_1`.t VALUES (1, 'one')")
	p.must(p.master, p.setupMasterArgs("--databases", "DB_1")...)
	p.must(p.slave, p.setupSlaveArgs()...)
	conn, err := p.master.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range []string{
		"SET SESSION binlog_format=STATEMENT", "USE `DBx1`", "INSERT INTO t VALUES (1)",
		"UPDATE `DB_1`.t SET words = 'crossed'", "USE `DB_1`", "INSERT INTO `DBx1`.t VALUES (2)",
		"INSERT INTO t VALUES (2, 'last')",
	} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	p.waitSlave("SELECT GROUP_CONCAT(words ORDER BY id) FROM `DB_1`.t")
	if n := p.value(p.slave, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'DBx1'"); n != "0" {
		t.Error("a database whose name is only alike has come too")
	}
}

// trapAllPrivileges: an account with all privileges writes on the slave.
func trapAllPrivileges(t *testing.T) {
	t.Parallel()
	for _, kind := range []servertest.Kind{servertest.MariaDB, servertest.MySQL97} {
		p := newPair(t, kind, kind, twoDatabases...)
		p.must(p.master, p.setupMasterArgs("--databases", "voms")...)
		p.sql(p.slave, "CREATE USER admin@'127.0.0.1' IDENTIFIED BY 'x'", "GRANT ALL PRIVILEGES ON *.* TO admin@'127.0.0.1'")
		p.must(p.slave, p.setupSlaveArgs()...)
		_, err := p.slave.DB.ExecContext(t.Context(), "INSERT INTO voms.t VALUES (99, 'mine')")
		out, _ := p.status()
		if kind.IsMySQL() {
			if err == nil {
				t.Error("root can write on MySQL's slave")
			}
		} else if !strings.Contains(out, "admin") {
			t.Errorf("status does not name the account that can write:\n%s", out)
		}
	}
}

// status is gtunnel replication status on the slave.
func (p *pair) status() (out string, code int) {
	p.t.Helper()
	return p.run(p.slave, p.statusArgs()...)
}

func (p *pair) statusArgs() []string {
	return []string{
		"replication", "status", "--socket", p.slave.Socket, "--user", p.slave.User,
		"--master-defaults-file", filepath.Join(p.folder, "master.cnf"), "--master", p.end, "--state-dir", p.stateDir(),
	}
}

// stopClient ends the slave's end of the tunnel at once.
func (p *pair) stopClient() {
	p.t.Helper()
	p.client.signal(syscall.SIGKILL)
	p.client.waitExit()
}

// waitAttempts listens where the tunnel was until the slave has tried so often.
func (p *pair) waitAttempts(n int) {
	p.t.Helper()
	listener, err := net.Listen("tcp", p.end)
	if err != nil {
		p.t.Fatal(err)
	}
	defer listener.Close()
	for range n {
		if err := listener.(*net.TCPListener).SetDeadline(time.Now().Add(databasePatience)); err != nil {
			p.t.Fatal(err)
		}
		conn, err := listener.Accept()
		if err != nil {
			p.t.Fatal(err)
		}
		conn.Close()
	}
}

package main_test

import (
	"crypto/rand"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestRevokedSlave revokes the certificate of a slave while it replicates: the
// master's end closes the session and says why, and so does the slave's MariaDB
// in its way. When the slave has a new certificate, the replication goes on;
// nothing is started again.
func TestRevokedSlave(t *testing.T) {
	master := startMariaDB(t, "master", 1)
	slave := startMariaDB(t, "slave", 2, "--read-only", "--slave-net-timeout=60")
	s := newSite(t)
	s.revoke(identity{}) // a list, and nothing on it
	server, serverAddress := s.startServer(master.Address(), "--crl", "require", "--reload-interval", "0s")
	client, clientAddress := s.startClient(serverAddress, "--reload-interval", "100ms")
	replicate(t, master, slave, clientAddress)

	const count = "SELECT COUNT(*) FROM site.users"
	const sum = "SELECT BIT_XOR(CRC32(CONCAT(id, ' ', name))) FROM site.users"
	master.do("CREATE DATABASE site",
		"CREATE TABLE site.users (id INT AUTO_INCREMENT PRIMARY KEY, name CHAR(40)) ENGINE=InnoDB")
	insert := func() { master.do("INSERT INTO site.users (name) SELECT SHA1(RAND()) FROM site.seq_1_to_1000") }
	insert()
	slave.waitReplicating()
	slave.waitValue("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='site'", "1")
	slave.waitValue(count, "1000")
	session := replicationSession(t, server)

	s.revoke(s.client)
	server.signal(syscall.SIGHUP)
	mustEndRevoked(t, server, session)
	// The slave tries again each second, and is refused each time.
	if again := server.waitMessage("peer refused"); again.field("code") != "revoked" {
		t.Errorf("the next attempt ended: %s", again.text)
	}
	slave.wait("lost connection", func() (string, bool) {
		status := slave.slaveStatus()
		return status["Slave_IO_Running"] + " " + status["Last_IO_Error"],
			status["Slave_IO_Running"] == "Connecting" && status["Last_IO_Errno"] != "0"
	})
	t.Logf("the slave says: %s", slave.slaveStatus()["Last_IO_Error"])
	insert()
	if got := slave.text(count); got != "1000" {
		t.Errorf("the slave has %s rows, although it is revoked", got)
	}

	before := len(client.logged())
	s.renew(s.client, "client.test", certstest.Options{})
	client.waitMore(before, "certificate changed") // by itself
	slave.waitReplicating()
	slave.waitValue(count, "2000")
	if a, b := master.text(sum), slave.text(sum); a != b || a == "0" {
		t.Errorf("the master's rows have the sum %s, the slave's %s", a, b)
	}
	for _, p := range []*program{server, client} {
		select {
		case <-p.done:
			t.Errorf("%s has ended", p.name)
		default:
		}
	}
}

// mustEndRevoked waits until the server has ended a session, and looks at why.
func mustEndRevoked(t *testing.T, server *program, session string) {
	t.Helper()
	refused := server.waitMessage("peer no longer accepted")
	for field, want := range map[string]string{
		"conn": session, "code": "revoked", "dn": "/CN=client.test", "reason": "it is revoked since", "file": ".r0",
		"cure": "new certificate",
	} {
		if got := refused.field(field); !strings.Contains(got, want) {
			t.Errorf("the session was closed with the %s %q, want %q", field, got, want)
		}
	}
	closed := server.waitLine("the end of the session", 0, func(l logLine) bool {
		return l.field("message") == "closed" && l.field("conn") == session
	})
	if !strings.Contains(closed.field("reason"), "revoked") {
		t.Errorf("the session ended: %s", closed.text)
	}
}

// replicate makes the account and starts the slave through the tunnel.
func replicate(t *testing.T, master, slave *mariadb, through string) {
	t.Helper()
	_, port, err := net.SplitHostPort(through)
	if err != nil {
		t.Fatal(err)
	}
	password := rand.Text()
	master.do("CREATE USER 'db_rep'@'127.0.0.1' IDENTIFIED BY '"+password+"'",
		"GRANT REPLICATION SLAVE ON *.* TO 'db_rep'@'127.0.0.1'")
	slave.do("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT="+port+", MASTER_USER='db_rep', MASTER_PASSWORD='"+
		password+"'"+
		", MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=10, MASTER_USE_GTID=slave_pos, MASTER_SSL=0, "+
		"MASTER_SSL_VERIFY_SERVER_CERT=0",
		"START SLAVE")
	slave.waitReplicating()
}

// replicationSession is the connection by which the slave replicates: the one
// that was logged as connected last.
func replicationSession(t *testing.T, server *program) string {
	t.Helper()
	id := ""
	for _, l := range server.logged() {
		if l.field("message") == "connected" {
			id = l.field("conn")
		}
	}
	if id == "" {
		t.Fatal("nothing is connected")
	}
	return id
}

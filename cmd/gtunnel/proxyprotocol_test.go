package main_test

import (
	"database/sql"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// slaveAddress is where the slave's host is in these tests.
const slaveAddress = "127.0.0.9"

// sendFrom passes connections on to a server from an address of loopback, as if the
// host that connects had it, until the test ends; it gives where it listens.
func sendFrom(t *testing.T, source, to string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		_, _ = to.Close(), from.Close()
	}
	running.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}).DialContext(t.Context(), "tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			running.Go(func() { pass(near, far) })
			running.Go(func() { pass(far, near) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// proxiedPair is a pair whose gtunnel server tells its target where the slave is.
func proxiedPair(t *testing.T, master *servertest.Server) *pair {
	t.Helper()
	p := &pair{t: t, site: newSite(t), folder: t.TempDir(), master: master}
	p.server, p.serverAddress = p.site.startServer(master.Address(), "--proxy-protocol")
	p.client, p.end = p.site.startClient(sendFrom(t, slaveAddress, p.serverAddress), "--server-name", "server.test")
	return p
}

// TestProxyProtocolToMariaDB replicates through a tunnel that tells the master where the
// slave is: the master shows the slave's address. Its accounts are then for that address,
// so setup-slave says why its own are of no use; and so does the server, also where
// MariaDB does not take the header.
func TestProxyProtocolToMariaDB(t *testing.T) {
	master := startMariaDB(t, "master", 1, "--proxy-protocol-networks=127.0.0.1")
	slave := startMariaDB(t, "slave", 2)
	p := proxiedPair(t, master.Server)
	p.slave = slave.Server
	master.do("CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY)",
		"CREATE USER ops@'"+slaveAddress+"' IDENTIFIED BY 'p'", "GRANT REPLICATION SLAVE ON *.* TO ops@'"+slaveAddress+"'")

	if out, code := p.run(p.master, p.setupMasterArgs("--databases", "app")...); code != 0 {
		t.Fatalf("setup-master: %d\n%s", code, out)
	}
	out, code := p.run(p.slave, p.setupSlaveArgs()...)
	if code != 1 || !strings.Contains(out, "'"+slaveAddress+"'") ||
		!strings.Contains(out, "hint: on the master remove proxy_protocol, or --proxy-protocol, from the tunnel of the ") {
		t.Errorf("setup-slave: %d\n%s", code, out)
	}
	p.server.wantCode(0, "target-refused", slaveAddress, "an account must be for the address of the peer")

	_, port, _ := net.SplitHostPort(p.end)
	slave.do("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT="+port+", MASTER_USER='ops', MASTER_PASSWORD='p', "+
		"MASTER_CONNECT_RETRY=1, MASTER_USE_GTID=slave_pos", "START SLAVE")
	slave.waitReplicating()
	master.do("INSERT INTO app.t VALUES (7)")
	slave.waitValue("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='app'", "1")
	slave.waitValue("SELECT MAX(id) FROM app.t", "7")
	host, from, _ := net.SplitHostPort(master.text(
		"SELECT host FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"))
	if number, _ := strconv.Atoi(from); host != slaveAddress || number == 0 {
		t.Errorf("the master shows the slave at %s, port %s", host, from)
	}

	before := len(p.server.logged())
	master.do("SET GLOBAL proxy_protocol_networks=''")
	slave.do("STOP SLAVE", "START SLAVE")
	p.server.wantCode(before, "target-refused", "Proxy header is not accepted", "proxy_protocol_networks=127.0.0.1")
	before = len(p.server.logged())
	master.do("SET GLOBAL proxy_protocol_networks='127.0.0.1'")
	slave.waitReplicating()
	for _, line := range p.server.logged()[before:] {
		if line.field("code") == "target-refused" && strings.Contains(line.text, "Access denied") {
			t.Errorf("a login that succeeds is refused: %s", line.text)
		}
	}
}

// TestProxyProtocolToMySQL: MySQL takes the header for a broken packet, and the server
// says what to do.
func TestProxyProtocolToMySQL(t *testing.T) {
	p := proxiedPair(t, startDatabase(t, servertest.MySQL97, servertest.Options{Name: "master", ServerID: 1}))
	p.sql(p.master, "CREATE USER ops@127.0.0.1 IDENTIFIED BY 'p'") // without one it says so, and reads nothing
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr = "ops", "p", "tcp", p.end
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	if err := db.PingContext(t.Context()); err == nil {
		t.Error("the login succeeds")
	}
	p.server.wantCode(0, "target-refused", "Got packets out of order", "remove proxy-protocol: MySQL does not know")
}

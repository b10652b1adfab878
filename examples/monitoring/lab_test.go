package monitoring_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// patience bounds the waits, on a machine that has much else to do.
const patience = 2 * time.Minute

// TestMain finds Prometheus where .ci/servers has unpacked it, too.
func TestMain(m *testing.M) {
	servers := cmp.Or(os.Getenv("GTUNNEL_SERVERS"), "/var/cache/gtunnel")
	path := os.Getenv("PATH") + string(os.PathListSeparator) + filepath.Join(servers, "prometheus/usr/bin")
	if err := os.Setenv("PATH", path); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// require skips the test where a program is missing, except in continuous integration.
func require(t *testing.T, programs ...string) {
	t.Helper()
	t.Attr("needs", strings.Join(programs, ", "))
	if testing.Short() {
		t.Skip("left out by -short: needs " + strings.Join(programs, " and "))
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: .ci/install prometheus mariadb", program)
		}
		t.Skipf("%s is missing: .ci/install prometheus mariadb", program)
	}
}

// lab is a slave that follows its master through a tunnel, and what watches both.
type lab struct {
	t                   *testing.T
	folder, gtunnel     string
	tunnelPort, watcher string // of the endpoints for Prometheus
	entrance            string // the port of the client's plain end
	door                string // the port of the server's TLS end
	master, slave       *servertest.Server
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{
		t: t, folder: t.TempDir(), tunnelPort: freePort(t), watcher: freePort(t), entrance: freePort(t), door: freePort(t),
	}
	l.gtunnel = filepath.Join(l.folder, "gtunnel")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", l.gtunnel,
		"github.com/gtunnel/gtunnel/cmd/gtunnel").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	l.startServers()
	l.startTunnels()
	l.replicate()
	l.compare()
	l.start(l.gtunnel, append([]string{"replication", "monitor", "--interval", "1s", "--admin", "127.0.0.1:" + l.watcher},
		l.logins()...)...)
	return l
}

func (l *lab) startServers() {
	l.t.Helper()
	databases, err := servertest.NewLab()
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { databases.Close() })
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	for i, at := range []**servertest.Server{&l.master, &l.slave} {
		*at, err = databases.Start(ctx, servertest.MariaDB, servertest.Options{ServerID: i + 1})
		if missing, ok := errors.AsType[*servertest.MissingError](err); ok && os.Getenv("CI") == "" {
			l.t.Skipf("%v: %s", missing, missing.Hint())
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

// startTunnels starts both ends, in one process.
func (l *lab) startTunnels() {
	l.t.Helper()
	ca, err := certstest.NewCA("Test CA", certstest.Options{})
	if err != nil {
		l.t.Fatal(err)
	}
	capath := filepath.Join(l.folder, "certificates")
	if err := certstest.WriteCApath(capath, ca); err != nil {
		l.t.Fatal(err)
	}
	host, err := ca.NewHost("server1.domain.one", certstest.Options{})
	if err != nil {
		l.t.Fatal(err)
	}
	cert, key, err := host.Write(filepath.Join(l.folder, "host"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("gtunnel.toml", fmt.Sprintf(`[tls]
cert = %q
key = %q
capath = %q
[admin]
address = "127.0.0.1:%s"
[tunnel.master]
role = "server"
accept = "127.0.0.1:%s"
connect = %q
allow_host = ["server1.domain.one"]
[tunnel.slave]
role = "client"
accept = "127.0.0.1:%s"
connect = "127.0.0.1:%[5]s"
server_name = "server1.domain.one"
`, cert, key, capath, l.tunnelPort, l.door, l.master.Address(), l.entrance), 0o600)
	l.start(l.gtunnel, "run", "--config", filepath.Join(l.folder, "gtunnel.toml"))
	l.waitPort(l.entrance)
}

func (l *lab) replicate() {
	l.t.Helper()
	l.write("my.cnf", fmt.Sprintf("[client]\nsocket=%s\nuser=%s\n", l.slave.Socket, l.slave.User), 0o600)
	l.write("master.cnf", "[client]\nport="+l.entrance+"\nuser=admin\npassword=pw\n", 0o600)
	l.sql(l.master, "CREATE USER admin@'127.0.0.1' IDENTIFIED BY 'pw'",
		"GRANT ALL PRIVILEGES ON *.* TO admin@'127.0.0.1' WITH GRANT OPTION",
		"CREATE DATABASE voms", "CREATE TABLE voms.t (a INT PRIMARY KEY)", "INSERT INTO voms.t VALUES (1), (2)")
	l.sql(l.slave, "SET GLOBAL replicate_wild_do_table='voms.%'",
		"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT="+l.entrance+", MASTER_USER='admin', MASTER_PASSWORD='pw', "+
			"MASTER_LOG_FILE='mysql-bin.000001', MASTER_LOG_POS=4, MASTER_HEARTBEAT_PERIOD=1", "START SLAVE")
	l.until("rows on the slave", func() (string, bool) {
		n := 0
		err := l.slave.DB.QueryRowContext(l.t.Context(), "SELECT COUNT(*) FROM voms.t").Scan(&n)
		return fmt.Sprint(n, err), n == 2
	})
}

// compare is what gtunnel-compare.service does.
func (l *lab) compare() {
	l.t.Helper()
	out, err := exec.CommandContext(l.t.Context(), l.gtunnel,
		append([]string{"replication", "compare"}, l.logins()...)...).CombinedOutput()
	if err != nil {
		l.t.Fatalf("compare: %v\n%s", err, out)
	}
}

// logins are the flags for what has its usual place on a host of its own.
func (l *lab) logins() []string {
	return []string{
		"--defaults-file", filepath.Join(l.folder, "my.cnf"), "--master-defaults-file", filepath.Join(l.folder, "master.cnf"),
		"--state-dir", filepath.Join(l.folder, "state"),
	}
}

// start runs a program until the test ends.
func (l *lab) start(program string, args ...string) {
	l.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+filepath.Join(l.folder, "run"))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if l.t.Failed() {
			l.t.Logf("%s: %s", filepath.Base(program), said.String())
		}
	})
}

func (l *lab) write(name, text string, mode os.FileMode) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.folder, name), []byte(text), mode); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) sql(server *servertest.Server, statements ...string) {
	l.t.Helper()
	for _, statement := range statements {
		if _, err := server.DB.ExecContext(l.t.Context(), statement); err != nil {
			l.t.Fatalf("%s: %v", statement, err)
		}
	}
}

func (l *lab) until(what string, is func() (string, bool)) {
	l.t.Helper()
	pairs.WaitFor(l.t, patience, what, is)
}

func (l *lab) waitPort(port string) {
	l.t.Helper()
	l.until("listener at "+port, func() (string, bool) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return err.Error(), false
		}
		conn.Close()
		return "", true
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// databasePatience bounds the waits for MariaDB, which is slow to install and
// to start on a loaded machine.
const databasePatience = 3 * time.Minute

// mariadb is a running MariaDB server of this test.
type mariadb struct {
	t    *testing.T
	name string
	port string // of 127.0.0.1
	db   *sql.DB
}

// startMariaDB installs and runs a server that can be master and slave until
// the test ends.
func startMariaDB(t *testing.T, name string, id int, flags ...string) *mariadb {
	t.Helper()
	install, server := findMariaDB(t, "mariadb-install-db"), findMariaDB(t, "mariadbd")
	// The socket's path must be short (unix(7)), and the user mysql must get
	// to its folder.
	parent, err := os.MkdirTemp("", "gtunnel-mariadb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o711); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(parent, name)
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	account := databaseAccount(t, folder)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	data, socket := filepath.Join(folder, "data"), filepath.Join(folder, "sock")

	ctx, cancel := context.WithTimeout(t.Context(), databasePatience)
	defer cancel()
	installing := exec.CommandContext(ctx, install, "--no-defaults", "--datadir="+data, "--skip-test-db", "--skip-name-resolve",
		"--auth-root-authentication-method=socket", "--auth-root-socket-user="+me.Username)
	installing.SysProcAttr = &syscall.SysProcAttr{Credential: account}
	installing.Dir, installing.Env = folder, append(os.Environ(), "TMPDIR="+folder)
	if out, err := installing.CombinedOutput(); err != nil {
		t.Fatalf("%s: mariadb-install-db: %v: %s", name, err, out)
	}

	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(server, append([]string{
		"--no-defaults", "--datadir=" + data, "--socket=" + socket, "--pid-file=" + filepath.Join(folder, "pid"),
		"--bind-address=127.0.0.1", "--port=" + port, "--skip-name-resolve", "--server-id=" + strconv.Itoa(id),
		"--log-bin=" + name + "-bin", "--relay-log=" + name + "-relay", "--binlog-format=ROW", "--log-slave-updates",
		"--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M",
	}, flags...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account}
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "TMPDIR="+folder)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the cleanup kills it
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // nothing of it is kept
		<-ended
		if t.Failed() {
			t.Logf("%s: %s", name, log.String())
		}
	})

	config := mysql.NewConfig()
	config.Net, config.Addr, config.User = "unix", socket, me.Username // proven by the socket
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	m := &mariadb{t: t, name: name, port: port, db: sql.OpenDB(connector)}
	t.Cleanup(func() { m.db.Close() })
	m.wait("its first answer", func() (string, bool) {
		select {
		case <-ended:
			t.Fatalf("%s has ended", name)
		default:
		}
		err := m.db.PingContext(t.Context())
		return "it says: " + errorText(err), err == nil
	})
	return m
}

func errorText(err error) string {
	if err == nil {
		return "nothing"
	}
	return err.Error()
}

// findMariaDB looks for a program of MariaDB in PATH and where servers are.
func findMariaDB(t *testing.T, program string) string {
	t.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program, "/usr/local/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal(program + " is missing: .ci/install mariadb")
	}
	t.Skip(program + " is not installed (.ci/install mariadb)")
	return ""
}

// databaseAccount is the user that MariaDB runs as, who gets the folder: mysql
// if we are root, as whom it refuses to run, otherwise we (nil).
func databaseAccount(t *testing.T, folder string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := user.Lookup("mysql")
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(folder, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// wait waits until something of the server is so. state says how it is
// meanwhile.
func (m *mariadb) wait(what string, is func() (state string, ok bool)) {
	m.t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(databasePatience)
	for {
		state, ok := is()
		if ok {
			return
		}
		select {
		case <-ticker.C:
		case <-timeout:
			m.t.Fatalf("%s: no %s: %s", m.name, what, state)
		}
	}
}

// do executes statements.
func (m *mariadb) do(statements ...string) {
	m.t.Helper()
	for _, statement := range statements {
		if _, err := m.db.ExecContext(m.t.Context(), statement); err != nil {
			m.t.Fatalf("%s: %s: %v", m.name, statement, err)
		}
	}
}

// text is the one value that a query gives.
func (m *mariadb) text(query string) string {
	m.t.Helper()
	var value sql.NullString
	if err := m.db.QueryRowContext(m.t.Context(), query).Scan(&value); err != nil {
		m.t.Fatalf("%s: %s: %v", m.name, query, err)
	}
	return value.String
}

// slaveStatus is SHOW SLAVE STATUS by column.
func (m *mariadb) slaveStatus() map[string]string {
	m.t.Helper()
	rows, err := m.db.QueryContext(m.t.Context(), "SHOW SLAVE STATUS")
	if err != nil {
		m.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		m.t.Fatal(err)
	}
	if !rows.Next() {
		m.t.Fatalf("%s: SHOW SLAVE STATUS is empty: %v", m.name, rows.Err())
	}
	values, targets := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		m.t.Fatal(err)
	}
	status := make(map[string]string)
	for i, column := range columns {
		status[column] = values[i].String
	}
	return status
}

// waitReplicating waits until both threads of the slave run.
func (m *mariadb) waitReplicating() {
	m.t.Helper()
	m.wait("running replication", func() (string, bool) {
		s := m.slaveStatus()
		state := s["Slave_IO_Running"] + ", " + s["Slave_SQL_Running"] + ": " + s["Last_IO_Error"] + s["Last_SQL_Error"]
		return state, s["Slave_IO_Running"] == "Yes" && s["Slave_SQL_Running"] == "Yes"
	})
}

// waitValue waits until a query gives a value.
func (m *mariadb) waitValue(query, want string) {
	m.t.Helper()
	m.wait(want+" from "+query, func() (string, bool) {
		got := m.text(query)
		return "it is " + got, got == want
	})
}

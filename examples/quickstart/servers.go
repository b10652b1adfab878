package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/go-sql-driver/mysql"
)

// server is the MariaDB server of a host.
type server struct {
	*process

	id     int    // server_id
	dir    string // its data, socket and log; owned by the user that runs it
	socket string
	port   int
	db     *sql.DB // as the person who runs us, by the socket
}

// installServer makes the tables of a new server in dir/mysql.
func (d *demo) installServer(ctx context.Context, h *host) error {
	install, err := findProgram("mariadb-install-db")
	if err != nil {
		return err
	}
	account, err := databaseUser()
	if err != nil {
		return err
	}
	me, err := user.Current()
	if err != nil {
		return err
	}
	s := h.server
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		return err
	}
	if account != nil {
		if err := os.Chown(s.dir, int(account.Uid), int(account.Gid)); err != nil {
			return err
		}
	}
	p, err := d.start("the "+h.role+"'s mariadb-install-db", account, s.dir, filepath.Join(h.dir, "mariadb-install-db.log"),
		install, "--no-defaults", "--datadir="+s.data(),
		"--auth-root-authentication-method=socket", "--auth-root-socket-user="+me.Username,
		"--skip-test-db", "--skip-name-resolve")
	if err != nil {
		return err
	}
	return p.finish(ctx)
}

// startServer starts the host's server, made by installServer, with the
// settings that replication wants, and waits until it answers.
func (d *demo) startServer(ctx context.Context, h *host) error {
	mariadbd, err := findProgram("mariadbd")
	if err != nil {
		return err
	}
	account, err := databaseUser()
	if err != nil {
		return err
	}
	me, err := user.Current()
	if err != nil {
		return err
	}
	s := h.server
	argv := []string{
		mariadbd, "--no-defaults",
		"--datadir=" + s.data(), "--socket=" + s.socket, "--pid-file=" + filepath.Join(s.dir, "mysqld.pid"),
		"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(s.port), "--skip-name-resolve",
		"--server-id=" + strconv.Itoa(s.id),
		"--log-bin=" + h.role + "-bin", "--relay-log=" + h.role + "-relay",
		"--binlog-format=ROW", "--log-slave-updates", "--slave-net-timeout=60",
		"--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M",
	}
	if h.role == "slave" {
		argv = append(argv, "--read-only")
	}
	if s.process, err = d.start("the "+h.role+"'s mariadbd", account, s.dir, filepath.Join(h.dir, "mysqld.log"), argv...); err != nil {
		return err
	}
	config := mysql.NewConfig()
	config.Net, config.Addr = "unix", s.socket
	config.User = me.Username // proven by the socket, without a password
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	s.db = sql.OpenDB(connector)
	return until(ctx, "log in to "+s.name, s.db.PingContext, s.process)
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// startServers makes and starts both servers at once.
func (d *demo) startServers(ctx context.Context) error {
	if err := d.each(func(h *host) error { return d.installServer(ctx, h) }); err != nil {
		return err
	}
	if err := d.each(func(h *host) error { return d.startServer(ctx, h) }); err != nil {
		return err
	}
	var version string
	if err := d.master.server.db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return involving(fmt.Errorf("ask the master for its version: %w", err), d.master.server.process)
	}
	d.report.note("MariaDB %s; both listen on 127.0.0.1 only.", version)
	return nil
}

// each does something for both hosts at once and returns the errors.
func (d *demo) each(do func(*host) error) error {
	var group sync.WaitGroup
	var errs [2]error
	for i, h := range []*host{d.master, d.slave} {
		group.Go(func() { errs[i] = do(h) })
	}
	group.Wait()
	return errors.Join(errs[:]...)
}

// databaseUser is the user that MariaDB runs as: mysql if we are root (it
// refuses to run as root), else we (nil).
func databaseUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("mysql")
	if err != nil {
		return nil, &hintError{err, "run .ci/install mariadb, or: useradd --system mysql"}
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the user mysql: %w", err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the user mysql: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// findProgram looks for a program in PATH and where servers' programs are.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", &hintError{err, "run .ci/install mariadb, or install MariaDB's server and client"}
}

package servertest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Options are what a server is told. The zero value of each is sound.
type Options struct {
	Name     string   // of its logs, in messages; the kind if empty
	ServerID int      // server_id; 0: the server's own default
	Port     int      // of 127.0.0.1; 0: a free one
	Flags    []string // more arguments of the server
	NoLog    bool     // no binary log
}

// Server is a running server. DB may be used concurrently; Restart, Stop and
// Kill by one goroutine at a time.
type Server struct {
	Kind   Kind
	Name   string
	Dir    string // its own folder
	Socket string
	Port   int // of 127.0.0.1
	User   string
	DB     *sql.DB // as the administrator User, by the socket

	// ConfigDir is a folder of option files, which the server reads at its
	// start.
	ConfigDir string

	lab  *Lab
	args []string

	mu     sync.Mutex
	cmd    *exec.Cmd
	ended  chan struct{}
	output bytes.Buffer
}

// Start makes and starts a server, and waits until it answers. The server can
// be a master and a slave, and logs rows.
func (l *Lab) Start(ctx context.Context, kind Kind, o Options) (*Server, error) {
	program := "mariadbd"
	if kind.IsMySQL() {
		program = "mysqld"
	}
	path, err := kind.Find(program)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(l.dir, "")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if l.account != nil {
		if err := os.Chown(dir, int(l.account.Uid), int(l.account.Gid)); err != nil {
			return nil, err
		}
	}
	s := &Server{
		Kind: kind, Name: o.Name, Dir: dir, Socket: filepath.Join(dir, "sock"), Port: o.Port, User: "root",
		ConfigDir: filepath.Join(dir, "conf.d"), lab: l,
	}
	if s.Name == "" {
		s.Name = string(kind)
	}
	if !kind.IsMySQL() {
		s.User = l.me
	}
	if s.Port == 0 {
		if s.Port, err = freePort(ctx); err != nil {
			return nil, err
		}
	}
	if err := l.copyData(ctx, kind, dir, s.DataDir()); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	if err := s.writeOptions(o); err != nil {
		return nil, err
	}
	s.args = append([]string{path, "--defaults-file=" + s.OptionFile()}, o.Flags...)
	if err := s.openDB(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.servers = append(l.servers, s)
	l.mu.Unlock()
	return s, s.start(ctx)
}

// DataDir is the server's data directory.
func (s *Server) DataDir() string { return filepath.Join(s.Dir, "data") }

// OptionFile is the server's main option file. It includes ConfigDir.
func (s *Server) OptionFile() string { return filepath.Join(s.Dir, "my.cnf") }

// writeOptions writes the option file: small buffers, and what replication
// needs.
func (s *Server) writeOptions(o Options) error {
	if err := os.Mkdir(s.ConfigDir, 0o755); err != nil {
		return err
	}
	lines := []string{
		"datadir=" + s.DataDir(), "socket=" + s.Socket, "pid-file=" + filepath.Join(s.Dir, "pid"),
		"bind-address=127.0.0.1", "port=" + strconv.Itoa(s.Port), "skip-name-resolve",
		"relay-log=relay-bin", "innodb-buffer-pool-size=32M",
	}
	if o.ServerID != 0 {
		lines = append(lines, "server-id="+strconv.Itoa(o.ServerID))
	}
	switch {
	case !o.NoLog:
		lines = append(lines, "log-bin=mysql-bin", "binlog-format=ROW")
	case s.Kind.IsMySQL():
		lines = append(lines, "skip-log-bin")
	}
	if s.Kind.IsMySQL() {
		lines = append(lines, "mysqlx=OFF", "secure-file-priv=NULL", "innodb-redo-log-capacity=16M", "performance-schema=ON")
	} else {
		lines = append(lines, "innodb-log-file-size=16M", "tmpdir="+s.Dir, "log-slave-updates")
	}
	text := "[mysqld]\n" + strings.Join(lines, "\n") + "\n!includedir " + s.ConfigDir + "\n"
	return os.WriteFile(s.OptionFile(), []byte(text), 0o644)
}

// openDB makes the administrator's pool of connections.
func (s *Server) openDB() (err error) {
	s.DB, err = open("unix", s.Socket, s.User, "")
	return err
}

// Open makes a pool of connections by TCP. The caller closes it.
func (s *Server) Open(user, password string) (*sql.DB, error) {
	return open("tcp", s.Address(), user, password)
}

// Address is 127.0.0.1 with the port.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

func open(network, address, user, password string) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.Passwd = network, address, user, password
	config.Logger = &mysql.NopLogger{}
	config.MultiStatements = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// freePort finds a port of 127.0.0.1 at which nobody listens.
func freePort(ctx context.Context) (int, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

// start starts the process and waits until it answers, or ends.
func (s *Server) start(ctx context.Context) error {
	cmd := exec.Command(s.args[0], s.args[1:]...) //nolint:noctx // it outlives ctx, until Stop or Kill
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.lab.account, Setpgid: true}
	cmd.Dir, cmd.Env = s.Dir, append(os.Environ(), "TMPDIR="+s.Dir)
	cmd.Stdout, cmd.Stderr = (*lockedOutput)(s), (*lockedOutput)(s)
	if err := cmd.Start(); err != nil {
		return err
	}
	s.mu.Lock()
	s.cmd, s.ended = cmd, make(chan struct{})
	ended := s.ended
	s.mu.Unlock()
	go func() {
		_ = cmd.Wait() // its log says why
		close(ended)
	}()
	for {
		err := s.DB.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("%s has ended: %s", s.Name, s.Log())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not answer: %w", s.Name, err), ctx.Err(), errors.New(s.Log()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// lockedOutput collects what a server prints.
type lockedOutput Server

func (o *lockedOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.output.Write(p)
}

// Log is what the server has printed so far.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.String()
}

// Ended is closed when the process has ended.
func (s *Server) Ended() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// Stop ends the server in order, and waits for that.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not stop: %w", s.Name, ctx.Err())
	}
}

// Kill ends the server as a crash would, and waits for that.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

// Restart stops the server and starts it again: it reads its option files.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	return s.start(ctx)
}

// Start starts a server again after Stop or Kill.
func (s *Server) Start(ctx context.Context) error { return s.start(ctx) }

// close kills the server and forgets its connections.
func (s *Server) close() {
	if s.ended != nil {
		s.Kill()
	}
	_ = s.DB.Close() // there is nobody to tell
}

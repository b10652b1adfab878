package servertest

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Options are what a server is told. The zero value of each is sound.
type Options struct {
	Name     string   // in messages; the kind if empty
	Dir      string   // its own folder, to be made; empty: one of the Lab
	ServerID int      // server_id; 0: the server's own default
	Port     int      // of 127.0.0.1; 0: a free one
	Flags    []string // more arguments of the server
	NoLog    bool     // no binary log

	// Within calls start, which starts the server's process, in the thread that it is
	// called in; a process is in the network namespace of the thread that starts it. nil:
	// start is called as it is.
	Within func(start func() error) error
}

// Server is a running server. DB may be used concurrently; Start, Restart, Stop,
// Kill and Close by one goroutine at a time.
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

	lab    *Lab
	args   []string
	within func(start func() error) error
	cmd    *exec.Cmd
	ended  chan struct{} // closed when cmd has ended; nil if it never started
}

// Start makes and starts a server, and waits until it answers. The server can
// be a master and a slave, and logs rows. It runs until its Close or the Lab's.
func (l *Lab) Start(ctx context.Context, kind Kind, o Options) (*Server, error) {
	s, err := l.install(ctx, kind, o)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.servers[s] = true
	l.mu.Unlock()
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// install makes a server that does not run yet.
func (l *Lab) install(ctx context.Context, kind Kind, o Options) (_ *Server, err error) {
	program := "mariadbd"
	if kind.IsMySQL() {
		program = "mysqld"
	}
	path, err := kind.Find(program)
	if err != nil {
		return nil, err
	}
	s := &Server{Kind: kind, Name: cmp.Or(o.Name, string(kind)), Port: o.Port, User: "root", lab: l, within: o.Within}
	if s.within == nil {
		s.within = func(start func() error) error { return start() }
	}
	if !kind.IsMySQL() {
		s.User = l.me
	}
	if s.Dir, err = l.newFolder(o.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", s.Name, errors.Join(err, os.RemoveAll(s.Dir)))
		}
	}()
	s.Socket, s.ConfigDir = filepath.Join(s.Dir, "mysqld.sock"), filepath.Join(s.Dir, "conf.d")
	if len(s.Socket) > maxSocket {
		return nil, &hintError{
			error: fmt.Errorf("the path of a socket is too long: %s", s.Socket), hint: "set TMPDIR to a shorter directory",
		}
	}
	if s.Port == 0 {
		if s.Port, err = freePort(ctx); err != nil {
			return nil, err
		}
	}
	if err := l.copyData(ctx, kind, s.Dir, s.DataDir()); err != nil {
		return nil, err
	}
	if err := s.writeOptions(o); err != nil {
		return nil, err
	}
	s.args = append([]string{path, "--defaults-file=" + s.OptionFile()}, o.Flags...)
	s.DB, err = open("unix", s.Socket, s.User, "")
	return s, err
}

// maxSocket is the greatest length of a socket's path (unix(7)).
const maxSocket = 107

// Command is the server's command line.
func (s *Server) Command() []string { return slices.Clone(s.args) }

// PID is the process id of the server that Start has started last.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// LogFile is the file that everything the server prints goes to.
func (s *Server) LogFile() string { return filepath.Join(s.Dir, "mysqld.log") }

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
		lines = append(lines, "mysqlx=OFF", "secure-file-priv=NULL", "innodb-redo-log-capacity=16M", "table-open-cache=400",
			"table-definition-cache=400")
	} else {
		lines = append(lines, "innodb-log-file-size=16M", "tmpdir="+s.Dir, "log-slave-updates")
	}
	text := "[mysqld]\n" + strings.Join(lines, "\n") + "\n!includedir " + s.ConfigDir + "\n"
	return os.WriteFile(s.OptionFile(), []byte(text), 0o644)
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

// heldPorts keep the ports of this process's servers from those of others', also while a
// server is not up.
var heldPorts struct {
	sync.Mutex

	by []net.Listener // each at an abstract address with a port's number, for as long as the process lives
}

// freePort finds a port of 127.0.0.1 at which nobody listens, and which no other process that
// runs servers has. It is below those that the kernel gives to outgoing connections (from
// 32768), which could take it while the server is not up.
func freePort(ctx context.Context) (port int, err error) {
	for range 20 {
		port = 10000 + rand.IntN(22000) //nolint:gosec // it is no secret
		var held, listener net.Listener
		held, err = new(net.ListenConfig).Listen(ctx, "unix", fmt.Sprintf("@gtunnel-servertest-%d", port))
		if err != nil {
			continue
		}
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			heldPorts.Lock()
			defer heldPorts.Unlock()
			heldPorts.by = append(heldPorts.by, held)
			return port, listener.Close()
		}
		_ = held.Close() // the next one is tried
	}
	return 0, err
}

// Start starts the server again after Stop or Kill, and waits until it answers.
// It lives on when ctx ends.
func (s *Server) Start(ctx context.Context) error {
	log, err := os.OpenFile(s.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has its own
	cmd := s.lab.command(context.WithoutCancel(ctx), s.Dir, s.args[0], s.args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	started, ended := make(chan error), make(chan struct{})
	go s.run(cmd, started, ended)
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", s.Name, err)
	}
	s.cmd, s.ended = cmd, ended
	return s.answer(ctx)
}

// run starts a program, says so, and waits for its end, all in one thread,
// because the program dies with the thread that started it.
func (s *Server) run(cmd *exec.Cmd, started chan<- error, ended chan<- struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := s.within(cmd.Start)
	started <- err
	if err == nil {
		_ = cmd.Wait() // its log says why
		close(ended)
	}
}

// answer waits until the server answers, or ends.
func (s *Server) answer(ctx context.Context) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := s.DB.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("%s has ended; the end of its log:\n%s", s.Name, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w: %w; the end of its log:\n%s", s.Name, context.Cause(ctx), err, s.Log())
		case <-ticker.C:
		}
	}
}

// Log is the end of what the server has printed.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.LogFile())
	if err != nil {
		return err.Error()
	}
	const enough = 8 << 10
	return string(text[max(0, len(text)-enough):])
}

// Ended is closed when the process that Start has started last has ended.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Stop ends the server in order, and waits for that.
func (s *Server) Stop(ctx context.Context) error {
	if s.Kind.IsMySQL() {
		_ = s.endDumps(ctx) // without it, it takes longer
	}
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

// endDumps ends the sessions of slaves. MySQL waits for them when it stops, and they
// notice that with their next heartbeat, ten seconds later.
func (s *Server) endDumps(ctx context.Context) error {
	conn, err := s.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer discard(conn)
	ids, err := column(ctx, conn, "SELECT id FROM performance_schema.processlist WHERE command LIKE 'Binlog Dump%'")
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := do(ctx, conn, "KILL "+id); err != nil {
			return err
		}
	}
	return nil
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
	return s.Start(ctx)
}

// Close kills the server and removes its folder.
func (s *Server) Close() error {
	if s.ended != nil {
		s.Kill()
	}
	s.lab.mu.Lock()
	delete(s.lab.servers, s)
	s.lab.mu.Unlock()
	_ = s.DB.Close() // its connections are broken
	return os.RemoveAll(s.Dir)
}

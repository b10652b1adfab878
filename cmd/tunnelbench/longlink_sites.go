package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// farSites are a master and a slave with a line between them, and gtunnel and
// stunnel over it.
type farSites struct {
	*longlink

	bench         *bench
	folder        string
	shape         lineShape
	lines         []*delayLine
	ends          []*process
	master, slave *servertest.Server
	tunnel        string // gtunnel's end on the slave
	states        int    // folders of a slave's state given out
}

// cross makes both sites, as long as work takes.
func (l *longlink) cross(
	ctx context.Context, b *bench, lab *servertest.Lab, shape lineShape, work func(context.Context, *farSites) error,
) (err error) {
	f := &farSites{longlink: l, bench: b, shape: shape}
	if f.folder, err = os.MkdirTemp(b.folder, "sites-"); err != nil {
		return fmt.Errorf("a folder for the sites: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer func() { err = errors.Join(err, f.close()) }()
	defer cancel()
	const memory = "--innodb-buffer-pool-size=256M" // as a small site has it
	for i, s := range []struct {
		name string
		to   **servertest.Server
	}{{"master", &f.master}, {"slave", &f.slave}} {
		options := servertest.Options{Name: s.name, ServerID: i + 1, Flags: []string{memory}}
		if *s.to, err = lab.Start(ctx, l.kind, options); err != nil {
			return err
		}
	}
	if f.tunnel, err = f.startTunnel(ctx, l.gtunnel); err != nil {
		return err
	}
	bare, err := f.startTunnel(ctx, l.stunnel)
	if err != nil {
		return err
	}
	if err := f.writeLogins(bare); err != nil {
		return err
	}
	return work(ctx, f)
}

func (f *farSites) close() error {
	var failures []error
	for _, end := range f.ends {
		failures = append(failures, end.stop())
	}
	for _, line := range f.lines {
		line.close()
	}
	for _, server := range []*servertest.Server{f.slave, f.master} {
		if server != nil {
			failures = append(failures, server.Close())
		}
	}
	return errors.Join(append(failures, os.RemoveAll(f.folder))...)
}

// startTunnel starts both ends of a tunnel to the master with a line between
// them, and gives the address of the near end.
func (f *farSites) startTunnel(ctx context.Context, i installed) (string, error) {
	site := f.bench.sites[certstest.RSA]
	o := pairOptions{site: site, folder: filepath.Join(f.folder, i.name), most: 100}
	if err := os.Mkdir(o.folder, 0o700); err != nil {
		return "", err
	}
	start := func(e end) (string, error) {
		p, _, e, err := f.bench.startEnd(ctx, i, o, e)
		if p != nil {
			f.ends = append(f.ends, p)
		}
		return e.accept, err
	}
	server, err := start(end{connect: f.master.Address(), identity: site.server})
	if err != nil {
		return "", err
	}
	line, err := f.newLine(ctx, server)
	if err != nil {
		return "", err
	}
	return start(end{client: true, connect: line, identity: site.client})
}

// newLine gives the near end of a line of the shape to an address. All share
// what the shape carries: only one is used at a time.
func (f *farSites) newLine(ctx context.Context, to string) (string, error) {
	line, err := newDelayLine(ctx, f.shape, to)
	if err != nil {
		return "", err
	}
	f.lines = append(f.lines, line)
	return line.address, nil
}

// The account of the bare tools on the master.
const bareName = "bare"

// writeLogins writes the option files for the servers' own tools: of the master through
// stunnel, and of both servers by their sockets.
func (f *farSites) writeLogins(stunnel string) error {
	host, port, _ := strings.Cut(stunnel, ":")
	bare := fmt.Sprintf("[client]\nprotocol=tcp\nhost=%s\nport=%s\nuser=%s\npassword=%s\n", host, port, bareName, bareName)
	if f.kind.IsMySQL() {
		bare += "get-server-public-key\n"
	}
	logins := map[string]string{"bare": bare}
	for _, s := range []*servertest.Server{f.master, f.slave} {
		logins[s.Name] = fmt.Sprintf("[client]\nsocket=%s\nuser=%s\n", s.Socket, s.User)
	}
	for name, text := range logins {
		if err := os.WriteFile(f.optionFile(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (f *farSites) optionFile(name string) string { return filepath.Join(f.folder, name+".cnf") }

// tools are the servers' own programs that dump and load.
func (f *farSites) tools() (dump, client string) {
	if f.kind.IsMySQL() {
		return "mysqldump", "mysql"
	}
	return "mariadb-dump", "mariadb"
}

const farDatabase = "far"

func (f *farSites) dumpFlags() string {
	position := "--master-data=2"
	if f.kind.IsMySQL() {
		position = "--source-data=2 --set-gtid-purged=OFF"
	}
	return "--single-transaction --routines --triggers --events " + position + " --databases " + farDatabase
}

func (f *farSites) gtunnelCommand(name string, args []string) []string {
	return append([]string{f.gtunnel.path, "replication", name}, args...)
}

func (f *farSites) masterFlags() []string {
	return []string{
		"--socket", f.master.Socket, "--user", f.master.User, "--hand-over", filepath.Join(f.folder, "hand-over.json"),
	}
}

func (f *farSites) setupMaster(more ...string) []string {
	return f.gtunnelCommand("setup-master", append(append(f.masterFlags(), "--databases", farDatabase, "--config-dir",
		f.master.ConfigDir, "--state-dir", filepath.Join(f.folder, "master-state"), "--yes"), more...))
}

func (f *farSites) setupSlave(more ...string) []string {
	return f.gtunnelCommand("setup-slave", append(append(f.slaveFlags(), "--hand-over",
		filepath.Join(f.folder, "hand-over.json"), "--config-dir", f.slave.ConfigDir, "--monitor-file",
		f.optionFile("monitor")), more...))
}

// slaveFlags are what each command on the slave needs here; on a real one they need none.
func (f *farSites) slaveFlags() []string {
	return []string{
		"--socket", f.slave.Socket, "--user", f.slave.User, "--master", f.tunnel, "--state-dir",
		filepath.Join(f.folder, fmt.Sprintf("slave-state-%d", f.states)),
	}
}

// look is a command that looks at the replication.
func (f *farSites) look(name string) []string {
	return f.gtunnelCommand(name, append(f.slaveFlags(), "--master-defaults-file", f.optionFile("monitor")))
}

// replication and watched are runs of gtunnel as steps.
func (f *farSites) replication(argv []string) func(context.Context) error {
	return func(ctx context.Context) error { return f.run(ctx, command{argv: argv}) }
}

func (f *farSites) watched(argv []string) func(context.Context, *stepClock) error {
	return func(ctx context.Context, clock *stepClock) error {
		return f.run(ctx, command{argv: argv, hear: clock.hear})
	}
}

// command is a program with what it reads and who hears its lines.
type command struct {
	argv          []string
	stdin, stdout *os.File                         // nil: nothing; what run hears
	hear          func(line string, now time.Time) // may be nil
}

// run runs a command until it ends or ctx does. What it printed last is in the error.
func (f *farSites) run(ctx context.Context, c command) error {
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Env = f.folder, append(os.Environ(), "PATH="+f.kind.Path(), "HOME="+f.folder, "TMPDIR="+f.folder)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	output := &lineWriter{hear: c.hear}
	cmd.Stdout, cmd.Stderr = output, output
	if c.stdin != nil {
		cmd.Stdin = c.stdin
	}
	if c.stdout != nil {
		cmd.Stdout = c.stdout
	}
	if err := f.bench.starter.do(cmd.Start); err != nil {
		return fmt.Errorf("start %s: %w", c.argv[0], err)
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w; it printed: %s", filepath.Base(c.argv[0]), err, output.tail())
	}
	return nil
}

// lineWriter has whole lines heard, and keeps what came last.
type lineWriter struct {
	hear func(line string, now time.Time) // may be nil
	text []byte
	said int // bytes of text that were heard
}

// Write takes a part of the output.
func (w *lineWriter) Write(p []byte) (int, error) {
	now := time.Now()
	w.text = append(w.text, p...)
	for {
		end := bytes.IndexByte(w.text[w.said:], '\n')
		if end < 0 {
			break
		}
		if w.hear != nil {
			w.hear(string(w.text[w.said:w.said+end]), now)
		}
		w.said += end + 1
	}
	const kept = 4 << 10
	if drop := min(w.said, len(w.text)-kept); drop > kept {
		w.text, w.said = w.text[drop:], w.said-drop
	}
	return len(p), nil
}

// tail is the end of the output in one line.
func (w *lineWriter) tail() string {
	lines := strings.Split(strings.TrimSpace(string(w.text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], " | ")
}

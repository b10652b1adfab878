package seed

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// process is a running tool in a process group of its own, so that a wrapper's
// children end with it. Its owner calls stop, however it ends.
type process struct {
	tool   *tool
	login  server.Login
	cmd    *exec.Cmd
	stderr lastText
	ended  chan struct{}          // closed when it has been waited for
	err    error                  // how it ended; read after ended
	hung   atomic.Pointer[string] // why it was stopped; nil: it was not, see watchHang
}

// killDelay is how long a tool has to end itself.
const killDelay = 3 * time.Second

// startTool starts a tool that logs in. It closes stdin and stdout, which may
// be nil, in this process.
func startTool(t *tool, login server.Login, args []string, stdin, stdout *os.File) (*process, error) {
	defer closeFiles(stdin, stdout)
	options, err := t.optionFile(login)
	if err != nil {
		return nil, err
	}
	defer closeFiles(options)
	p := &process{tool: t, login: login, ended: make(chan struct{})}
	args = append([]string{"--defaults-file=" + optionFileName}, args...)
	p.cmd = exec.Command(t.path, args...) //nolint:noctx // its group is ended by stop
	p.cmd.Env = append(toolEnvironment(), t.environment...)
	p.cmd.ExtraFiles = []*os.File{options}
	if stdin != nil {
		p.cmd.Stdin = stdin
	}
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	p.cmd.Stderr = &p.stderr
	// Should this process be killed, the tools must not work on.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = killDelay // for children that keep stderr open
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", t.path, err)
	}
	go p.wait()
	return p, nil
}

func (p *process) wait() {
	p.err = p.cmd.Wait()
	close(p.ended)
}

// stop ends the process if it still runs, and waits for it.
func (p *process) stop() {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		select {
		case <-p.ended:
			return
		default:
		}
		// The group exists until it has been waited for.
		_ = syscall.Kill(-p.cmd.Process.Pid, signal)
		select {
		case <-p.ended:
		case <-time.After(killDelay):
		}
	}
	<-p.ended
}

// failure says in the tool's own words why it has ended; nil if it has ended
// well. It waits for the end.
func (p *process) failure(on finding.Role) error {
	<-p.ended
	if err := p.hangs(on); err != nil {
		return err
	}
	if p.err == nil {
		return nil
	}
	words := p.said()
	if words == "" {
		words = p.err.Error()
	}
	failed := finding.New(on, "tool-failed", "", "%s failed: %s",
		p.tool.name(), strings.TrimPrefix(words, p.tool.name()+": "))
	if number := toolError.FindStringSubmatch(words); number != nil {
		n, _ := strconv.Atoi(number[1]) // digits
		failed.Cure = cureOfTool(n, on)
	}
	return failed
}

// cureOfTool is finding.CureOf for an error that a tool tells: one that loads
// reaches the server of this host without the tunnel, and while a slave is copied there is no
// replication to be started.
func cureOfTool(number int, on finding.Role) string {
	switch {
	case number == 1153:
		return "a dump writes a BLOB in twice its bytes, and no server takes more than 1G at once:" +
			" copy larger rows by --method clone, or by hand;" +
			" of smaller ones: may the login SET GLOBAL max_allowed_packet?"
	case on == finding.Slave && number >= 2000 && number < 3000: // of the connection
		return "does the server of this host run? Its error log says why it has ended the connection"
	}
	return strings.TrimSuffix(finding.CureOf(number, on), "; then: START SLAVE")
}

// toolError is the number of a server's error in a tool's words.
var toolError = regexp.MustCompile(`(?:ERROR|[Ee]rror:) (\d{4})\b`)

// said is what the tool has written to its standard error, without warnings
// and without its password.
func (p *process) said() string {
	var lines []string
	for line := range strings.Lines(p.stderr.String()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "Warning:") && !strings.Contains(line, ": [Warning] ") {
			lines = append(lines, line)
		}
	}
	said := strings.Join(lines, "; ")
	if password := p.login.Password.Reveal(); password != "" {
		said = strings.ReplaceAll(said, password, finding.Stars)
	}
	return said
}

// lastText keeps the end of what is written to it.
type lastText struct {
	mu   sync.Mutex
	text []byte
}

// mostSaid is how much of a tool's words is kept, in bytes.
const mostSaid = 4096

// Write never fails.
func (l *lastText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	if cut := len(l.text) - mostSaid; cut > 0 {
		l.text = append(l.text[:0], l.text[cut:]...)
	}
	return len(b), nil
}

// String is what is kept.
func (l *lastText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// widePipe makes a pipe that holds much, so that a tool and this process need
// not take turns in small steps.
func widePipe() (read, write *os.File, err error) {
	read, write, err = os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	// An unprivileged user may have less, which is slower and right too.
	if raw, err := write.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
	}
	return read, write, nil
}

// closeFiles closes files that have nothing left to tell; nil ones too.
func closeFiles(files ...*os.File) {
	for _, file := range files {
		if file != nil {
			_ = file.Close()
		}
	}
}

// isBrokenPipe reports whether the reader of a pipe has gone.
func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

package main_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait of these tests: long enough for a loaded
// machine.
const patience = 30 * time.Second

// built is the program under test.
var built struct {
	once   sync.Once
	folder string
	err    error
}

// binary builds the program once for all tests and gives its path.
func binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.folder, built.err = os.MkdirTemp("", "gtunnel-test-"); built.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(built.folder, "gtunnel"), ".").CombinedOutput()
		if err != nil {
			built.err = errors.New("go build: " + string(out))
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.folder, "gtunnel")
}

func removeBinary() {
	if built.folder != "" {
		os.RemoveAll(built.folder)
	}
}

// program is a running gtunnel and what it has logged so far.
type program struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed at its end

	mu      sync.Mutex
	lines   []logLine
	grown   chan struct{} // closed and replaced when lines grow
	exitErr error
}

// logLine is one line of the log: its fields, or the text if it is no JSON.
type logLine struct {
	text   string
	fields map[string]any
}

// field is the field's text; lists are joined by a space.
func (l logLine) field(name string) string {
	switch v := l.fields[name].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		text, _ := json.Marshal(v)
		return string(text)
	}
}

// start runs gtunnel with JSON logs until the test ends. env is added to the
// environment.
func start(t testing.TB, name string, env []string, args ...string) *program {
	t.Helper()
	return startIn(t, name, nil, env, args...)
}

// startIn is start behind a wrapper: a command line that ends by executing
// its arguments.
func startIn(t testing.TB, name string, wrapper, env []string, args ...string) *program {
	t.Helper()
	return startWith(t, name, nil, wrapper, env, args...)
}

// startWith is startIn with files, which it has from descriptor 3 on.
func startWith(t testing.TB, name string, files []*os.File, wrapper, env []string, args ...string) *program {
	t.Helper()
	line := slices.Concat(wrapper, []string{binary(t)}, args)
	p := &program{
		t: t, name: name, cmd: exec.Command(line[0], line[1:]...), done: make(chan struct{}), grown: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.ExtraFiles = files
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(pipe)
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		for _, l := range p.logged() {
			if strings.Contains(l.text, "panic:") || strings.Contains(l.text, "DATA RACE") {
				t.Errorf("%s crashed: %s", name, l.text)
			}
			if t.Failed() {
				t.Logf("%s: %s", name, l.text)
			}
		}
	})
	return p
}

func (p *program) read(pipe io.Reader) {
	scanner := bufio.NewScanner(pipe)
	for scanner.Scan() {
		line := logLine{text: scanner.Text()}
		if err := json.Unmarshal(scanner.Bytes(), &line.fields); err != nil {
			line.fields = nil // an error that ended the program, in plain text
		}
		p.mu.Lock()
		p.lines = append(p.lines, line)
		close(p.grown)
		p.grown = make(chan struct{})
		p.mu.Unlock()
	}
	err := p.cmd.Wait()
	p.mu.Lock()
	p.exitErr = err
	p.mu.Unlock()
	close(p.done)
}

// logged gives the lines of the log so far.
func (p *program) logged() []logLine {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// waitLine waits for a line of the log that matches, counted from the line
// number from.
func (p *program) waitLine(what string, from int, match func(logLine) bool) logLine {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		lines, grown := p.lines, p.grown
		p.mu.Unlock()
		for _, line := range lines[min(from, len(lines)):] {
			if match(line) {
				return line
			}
		}
		select {
		case <-grown:
		case <-p.done:
			select {
			case <-grown: // the last lines
				continue
			default:
			}
			p.t.Fatalf("%s ended (%v) without logging %s", p.name, p.exitErr, what)
		case <-deadline:
			p.t.Fatalf("%s did not log %s", p.name, what)
		}
	}
}

// waitMessage waits for a log line with the message.
func (p *program) waitMessage(message string) logLine {
	p.t.Helper()
	return p.waitLine(message, 0, func(l logLine) bool { return l.field("message") == message })
}

// waitListening waits until the tunnel accepts connections and gives its
// address.
func (p *program) waitListening() string {
	p.t.Helper()
	return p.waitMessage("listening").field("accept")
}

// waitExit waits for the end and gives the exit code.
func (p *program) waitExit() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s did not end", p.name)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

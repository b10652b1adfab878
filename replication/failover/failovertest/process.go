package failovertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/replication/failover"
)

// Program is what a process on a host does. What it returns it prints, and ends with 1.
type Program func(ctx context.Context, h failover.Host, out io.Writer, args []string) error

// Programs are by name. There is always "guard".
type Programs map[string]Program

// The variables of the environment of a process.
const (
	programVariable = "GTUNNEL_FAILOVERTEST_PROGRAM"
	hostVariable    = "GTUNNEL_FAILOVERTEST_HOST"
)

// Main is for a package's TestMain: it runs the tests, or the Program that Start has
// started this process for, and gives the exit code.
func Main(m *testing.M, programs Programs) int {
	if name := os.Getenv(programVariable); name != "" {
		return runProgram(name, programs)
	}
	code := m.Run()
	if l, err := lab(); err == nil {
		_ = l.Close() // only temporary files are left
	}
	return code
}

func runProgram(name string, programs Programs) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM) //nolint:forbidigo // it is a main
	defer stop()
	program := programs[name]
	if program == nil && name == "guard" {
		program = guard
	}
	var on spec
	err := json.Unmarshal([]byte(os.Getenv(hostVariable)), &on)
	switch {
	case program == nil:
		err = fmt.Errorf("no program %s was given to Main", name)
	case err == nil:
		host := on.host()
		host.Tell = func(e failover.Event) { _, _ = fmt.Fprintln(os.Stdout, name+":", e.Name, e.Fields) }
		err = program(ctx, host, os.Stdout, os.Args[1:])
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, name+":", err)
		return 1
	}
	return 0
}

// guard is the Program of a guard.
func guard(ctx context.Context, h failover.Host, _ io.Writer, _ []string) error {
	return (&failover.Guard{Host: h}).Run(ctx)
}

// Process is a running Program. Its methods are for one goroutine.
type Process struct {
	cmd   *exec.Cmd
	out   lines
	ended chan struct{}
	err   error
}

// Start runs a Program on the host, in a process of its own that ends with the test.
func (h *Host) Start(program string, args ...string) *Process {
	h.t.Helper()
	text, err := json.Marshal(h.spec())
	if err != nil {
		h.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	ctx := context.WithoutCancel(h.t.Context())
	p := &Process{cmd: exec.CommandContext(ctx, self, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), programVariable+"="+program, hostVariable+"="+string(text))
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	h.procs = append(h.procs, p)
	return p
}

// Kill ends the process as a crash does.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended
	<-p.ended
}

// Stop ends it in order.
func (p *Process) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	return p.Wait()
}

// Wait waits for its end. The error is that of another exit code than 0, with what it
// has printed.
func (p *Process) Wait() error {
	<-p.ended
	if p.err != nil {
		return fmt.Errorf("%w: %s", p.err, p.Output())
	}
	return nil
}

// Ended is closed at its end.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Output is what it has printed so far.
func (p *Process) Output() string { return p.out.String() }

// lines is what a process prints. Its methods may be called concurrently.
type lines struct {
	mu   sync.Mutex
	text []byte
}

// Write adds to it.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// endProcesses kills what runs on the host.
func (h *Host) endProcesses() {
	h.StopGuard()
	for _, p := range h.procs {
		p.Kill()
		if h.t.Failed() {
			h.t.Logf("a process on %s printed:\n%s", h.Name, p.Output())
		}
	}
	h.procs = nil
}

// runningGuard is a guard in the test's process.
type runningGuard struct {
	stop func()
	done chan struct{}
}

// StartGuard runs a guard in the test's process, until StopGuard, PowerCut or the test's
// end. What it tells is logged.
func (h *Host) StartGuard() {
	h.t.Helper()
	if h.guard != nil {
		h.t.Fatalf("the guard of %s runs", h.Name)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.t.Context()))
	g := &failover.Guard{Host: h.Failover()}
	g.Looked = func(failover.Round) { h.looks.Add(1) }
	g.Tell = func(e failover.Event) { h.t.Logf("guard of %s: %s %v", h.Name, e.Name, e.Fields) }
	h.guard = &runningGuard{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(h.guard.done)
		if err := g.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			h.t.Errorf("guard of %s: %v", h.Name, err)
		}
	}()
}

// Looks is how many looks the guards that StartGuard has started have ended.
func (h *Host) Looks() int64 { return h.looks.Load() }

// StopGuard ends the guard that StartGuard has started.
func (h *Host) StopGuard() {
	if h.guard == nil {
		return
	}
	h.guard.stop()
	<-h.guard.done
	h.guard = nil
}

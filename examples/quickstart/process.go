package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// patience is how long a step waits for one thing to happen. Everything
	// takes a fraction of it, even on a busy machine.
	patience = time.Minute
	// grace is how long a process may take to end by itself.
	grace = 10 * time.Second
	// tailLines is how much of a log is shown when a step fails.
	tailLines = 15
)

// errTooLong is why a step gives up when its patience ends.
var errTooLong = errors.New("it took too long")

// process is a running program.
type process struct {
	name string          // for people, such as "the slave's gtunnel"
	log  string          // the file that its output goes to
	cmd  *exec.Cmd       // nil if it is not ours to stop
	done <-chan struct{} // closed when it has ended
}

// command prepares a program whose output goes to log. It has a
// process group of its own, so that Ctrl-C at the terminal reaches us alone and
// we stop things in order; and the kernel kills it when we are killed.
//
// The kernel does so when the thread that started it ends, which in a Go
// program only a locked goroutine's thread does.
func command(dir string, log io.Writer, argv []string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // ended by stop, in order
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	// Through a pipe, so that Wait returns when the program's own children,
	// which may still write into our directory, have ended too.
	output := struct{ io.Writer }{Writer: log}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// start starts a program in dir and notes its command line in the file commands.
func (d *demo) start(name, dir, log string, argv ...string) (*process, error) {
	if err := d.noteCommand(name, argv); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	cmd, done := command(dir, file, argv), make(chan struct{})
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), file.Close())
	}
	go wait(cmd, file, done)
	p := &process{name: name, log: log, cmd: cmd, done: done}
	d.processes = append(d.processes, p)
	return p, nil
}

// noteCommand appends a command line to the file commands, for a shell.
func (d *demo) noteCommand(name string, argv []string) error {
	d.mu.Lock() // both hosts' servers start at once
	defer d.mu.Unlock()
	file, err := os.OpenFile(filepath.Join(d.dir, "commands"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	// A line for each flag with its value.
	line := strings.ReplaceAll(strings.Join(argv, " "), " --", " \\\n    --")
	_, err = fmt.Fprintf(file, "# %s\n%s\n\n", name, line)
	return errors.Join(err, file.Close())
}

// wait waits for a process, closes its log and then done.
func wait(cmd *exec.Cmd, log io.Closer, done chan<- struct{}) {
	_ = errors.Join(cmd.Wait(), log.Close()) // cmd keeps how it ended
	close(done)
}

// state says how the process ended, as far as that is known.
func (p *process) state() string {
	if p.cmd == nil {
		return "its log says why"
	}
	return p.cmd.ProcessState.String()
}

// stop asks the process to end, and kills it after a while. It returns when it
// has ended.
func (p *process) stop(ctx context.Context) {
	select {
	case <-p.done:
		return
	default:
	}
	// The error can only be that it has ended meanwhile.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

// until waits for check to succeed, trying again and again. It gives up when
// ctx ends, when one of the processes ends, or when its patience does, and then
// says why check failed last.
func until(ctx context.Context, what string, check func(context.Context) error, involved ...*process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errTooLong)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	var last error
	for {
		for _, p := range involved {
			select {
			case <-p.done:
				return involving(fmt.Errorf("%s: %s ended: %s", what, p.name, p.state()), p)
			default:
			}
		}
		err := check(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err // and not that the last attempt was cut short
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return involving(fmt.Errorf("%s: %w: %w", what, context.Cause(ctx), last), involved...)
		}
	}
}

// processError is an error with the ends of the logs that may explain it; the
// logs themselves are gone when it is read.
type processError struct {
	err  error
	logs string
}

func (e *processError) Error() string { return e.err.Error() }

func (e *processError) Unwrap() error { return e.err }

// involving adds the ends of the logs of the processes to an error.
func involving(err error, involved ...*process) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var logs strings.Builder
	for _, p := range involved {
		fmt.Fprintf(&logs, "the last lines of the log of %s:\n%s", p.name, tail(p.log))
	}
	return &processError{err: err, logs: logs.String()}
}

// tail gives the last lines of a file, indented, or why there are none.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("    %v\n", err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "    (it is empty)\n"
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	return "    " + strings.Join(lines, "\n    ") + "\n"
}

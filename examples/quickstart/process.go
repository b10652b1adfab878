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

// process is a running program of ours.
type process struct {
	name string // for people, such as "the slave's gtunnel"
	log  string // the file that its output goes to
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; valid when done is closed
}

// command prepares a program whose output goes to log. It has a
// process group of its own, so that Ctrl-C at the terminal reaches us alone and
// we stop things in order; and the kernel kills it when we are killed.
//
// The kernel does so when the thread that started it ends, which in a Go
// program only a locked goroutine's thread does; and it forgets it if the
// program changes its user, so a server is started as the user that it runs
// as.
func command(user *syscall.Credential, dir string, log io.Writer, argv []string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // ended by stop, in order
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	// Through a pipe, so that Wait returns when the program's own children,
	// which may still write into our directory, have ended too.
	output := struct{ io.Writer }{log}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true,
		Pdeathsig:  syscall.SIGKILL,
		Credential: user,
	}
	return cmd
}

// start starts a program in dir as user (nil: ourselves) and notes its command
// line in the file commands. The caller stops it.
func (d *demo) start(name string, user *syscall.Credential, dir, log string, argv ...string) (*process, error) {
	d.mu.Lock() // both hosts' servers start at once
	defer d.mu.Unlock()
	if err := d.noteCommand(name, argv); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	p := &process{name: name, log: log, cmd: command(user, dir, file, argv), done: make(chan struct{})}
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), file.Close())
	}
	go p.wait(file)
	d.processes = append(d.processes, p)
	return p, nil
}

// noteCommand appends a command line to the file commands, for a shell.
func (d *demo) noteCommand(name string, argv []string) error {
	file, err := os.OpenFile(filepath.Join(d.dir, "commands"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	// A line for each flag with its value.
	line := strings.ReplaceAll(strings.Join(argv, " "), " --", " \\\n    --")
	_, err = fmt.Fprintf(file, "# %s\n%s\n\n", name, line)
	return errors.Join(err, file.Close())
}

// wait waits for the process and closes its log.
func (p *process) wait(log io.Closer) {
	p.err = errors.Join(p.cmd.Wait(), log.Close())
	close(p.done)
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

// finish waits for a program that ends by itself and fails if it does not
// succeed.
func (p *process) finish(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		// Nothing that it writes is wanted any more: end its children too.
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		return ctx.Err()
	}
	if p.err != nil {
		return involving(fmt.Errorf("%s: %w", p.name, p.err), p)
	}
	return nil
}

// until waits for check to succeed, trying again and again. It gives up when
// ctx ends, when one of the processes ends, or when its patience does, and then
// says why check failed last.
func until(ctx context.Context, what string, check func(context.Context) error, involved ...*process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it took too long"))
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	var last error
	for {
		for _, p := range involved {
			select {
			case <-p.done:
				return involving(fmt.Errorf("%s: %s ended: %v", what, p.name, p.cmd.ProcessState), p)
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
	return &processError{err, logs.String()}
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

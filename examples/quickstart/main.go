// Command quickstart shows gtunnel at its main job, on one machine: it makes a
// grid CA with two host certificates, starts a master and a slave MariaDB
// server with two gtunnel processes between them, sets the replication up with
// gtunnel's commands, proves that the rows went through the tunnel, and cleans
// up.
//
//	go run ./examples/quickstart [--gtunnel bin/gtunnel] [--keep]
//
// It needs Linux, a gtunnel binary and MariaDB's server and client programs.
// It listens on loopback addresses only, at free ports, and keeps everything
// in one temporary directory. It exits 0 if both servers hold the same rows at
// the end, 1 if a step fails, 2 for wrong usage, 130 if it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	// Whatever happens, the children end and the directory goes.
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	// A reader of our output that goes away is an interruption too. The signal itself also comes
	// from a connection that a server has ended: the write fails, which is enough.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	m := &Main{Stdout: &output{w: os.Stdout, gone: cancel}, Stderr: os.Stderr}
	switch err := m.ParseFlags(os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case err != nil:
		os.Exit(2)
	}
	switch err := m.Run(ctx); {
	case errors.Is(err, context.Canceled):
		os.Exit(130)
	case err != nil:
		os.Exit(1)
	}
}

// output writes to w, and tells when nobody reads that any more.
type output struct {
	w    io.Writer
	gone func()
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		o.gone()
	}
	return n, err
}

// Main is the program. Set the fields, or call ParseFlags, then call Run once.
type Main struct {
	Gtunnel string // path of the gtunnel binary
	Keep    bool   // leave everything running after the last step, until ctx ends
	TempDir string // where the program's directory is made; empty: os.TempDir()

	Stdout io.Writer // the story
	Stderr io.Writer // what went wrong
}

// ParseFlags sets the fields from the command line. It prints its errors.
func (m *Main) ParseFlags(args []string) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(m.Stderr)
	flags.StringVar(&m.Gtunnel, "gtunnel", "bin/gtunnel", "the gtunnel `binary`")
	flags.BoolVar(&m.Keep, "keep", false, "leave everything running until Ctrl-C")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", flags.Arg(0))
		fmt.Fprintf(m.Stderr, "quickstart: %v\nhint: go run ./examples/quickstart --help\n", err)
		return err
	}
	return nil
}

// Run tells the story, and returns when everything that it started has ended
// and its directory is gone. The error is printed already; it wraps
// context.Canceled if ctx ended first. In the time after the last step, with
// Keep, the end of ctx is no error.
func (m *Main) Run(ctx context.Context) error {
	report := &report{w: m.Stdout}
	err := m.run(ctx, report)
	if err == nil {
		return nil
	}
	report.interrupt()
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(m.Stderr, "quickstart: interrupted; everything is stopped and removed")
		return err
	}
	fmt.Fprintf(m.Stderr, "quickstart: %v\n", err)
	if tails, ok := errors.AsType[*processError](err); ok {
		fmt.Fprint(m.Stderr, tails.logs)
	}
	if hinting, ok := errors.AsType[hinter](err); ok {
		fmt.Fprintf(m.Stderr, "hint: %s\n", hinting.Hint())
	}
	return err
}

func (m *Main) run(ctx context.Context, report *report) (err error) {
	binary, err := filepath.Abs(m.Gtunnel)
	if err != nil {
		return err
	}
	if info, err := os.Stat(binary); err != nil || info.IsDir() || info.Mode().Perm()&0o111 == 0 {
		return &hintError{
			err:  fmt.Errorf("%s is no program", m.Gtunnel),
			hint: "run `make build`, or name the binary with --gtunnel",
		}
	}
	d, err := newDemo(ctx, m.TempDir, binary, report)
	if err != nil {
		return err
	}
	defer func() {
		// What is being cleaned up is no longer the interrupted work.
		err = errors.Join(err, d.close(context.WithoutCancel(ctx)))
	}()
	if err := d.tell(ctx); err != nil {
		return err
	}
	if !m.Keep {
		d.end()
		return nil
	}
	d.explain()
	<-ctx.Done()
	return nil
}

// hinter is an error that has the next step for the person who reads it.
type hinter interface {
	error
	Hint() string
}

// hintError is an error with the next step for the person who reads it.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }

func (e *hintError) Unwrap() error { return e.err }

func (e *hintError) Hint() string { return e.hint }

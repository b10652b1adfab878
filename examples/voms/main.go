// Command voms shows gtunnel at the job for which it was made, on one machine: a VOMS server
// whose users get proxies from another site when its own site is lost. It makes three hosts of
// namespaces, with real programs and their files in the usual places: a grid CA of Globus, two
// hosts with MariaDB, gtunnel and VOMS, and a user's machine; and it runs the very commands of
// the page README.md beside it.
//
//	go run ./examples/voms [--gtunnel bin/gtunnel]
//
// It needs Linux, root, and what `.ci/install mariadb voms` installs. It uses no port and no
// address of this machine, and keeps everything in one temporary directory. It exits 0 if all
// that it checks is so, 1 if a step fails, 2 for wrong usage, 130 if it is interrupted.
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
	"slices"
	"syscall"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	m := &Main{Stdout: os.Stdout, Stderr: os.Stderr}
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

// Main is the program. Set the fields, or call ParseFlags, then call Run once.
type Main struct {
	Gtunnel string // path of the gtunnel binary
	TempDir string // where the program's directory is made; empty: os.TempDir()

	Stdout io.Writer // the story
	Stderr io.Writer // what went wrong
}

// ParseFlags sets the fields from the command line. It prints its errors.
func (m *Main) ParseFlags(args []string) error {
	flags := flag.NewFlagSet("voms", flag.ContinueOnError)
	flags.SetOutput(m.Stderr)
	flags.StringVar(&m.Gtunnel, "gtunnel", "bin/gtunnel", "the gtunnel `binary`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		err := fmt.Errorf("unexpected argument %q", flags.Arg(0))
		fmt.Fprintf(m.Stderr, "voms: %v\nhint: go run ./examples/voms --help\n", err)
		return err
	}
	return nil
}

// Run tells the story, and returns when everything that it started has ended and its directory
// is gone. The error is printed already; it wraps context.Canceled if ctx ended first.
func (m *Main) Run(ctx context.Context) error {
	report := &report{w: m.Stdout}
	err := m.run(ctx, report)
	if err == nil {
		return nil
	}
	report.interrupt()
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(m.Stderr, "voms: interrupted; everything is stopped and removed")
		return err
	}
	fmt.Fprintf(m.Stderr, "voms: %v\n", err)
	if hinting, ok := errors.AsType[*hintError](err); ok {
		fmt.Fprintf(m.Stderr, "hint: %s\n", hinting.hint)
	}
	return err
}

func (m *Main) run(ctx context.Context, report *report) (err error) {
	if err := needs(m.Gtunnel); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(m.TempDir, "gtunnel-voms-")
	if err != nil {
		return err
	}
	s := &site{dir: dir, report: report}
	defer func() {
		s.kill()
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	// The users of the hosts must get through to their directories.
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	if err := s.make(ctx, m.Gtunnel); err != nil {
		return err
	}
	return s.tell(ctx)
}

// needs says what is missing on this machine for the story, with a hint.
func needs(gtunnel string) error {
	if os.Geteuid() != 0 {
		return &hintError{errors.New("hosts of namespaces are made by root only"), "run it as root"}
	}
	if info, err := os.Stat(gtunnel); err != nil || info.IsDir() || info.Mode().Perm()&0o111 == 0 {
		return &hintError{fmt.Errorf("%s is no program", gtunnel), "run `make build`, or name the binary with --gtunnel"}
	}
	for _, program := range []string{
		"mariadbd", "mariadb-install-db", "voms", "voms-proxy-init", "grid-ca-create", "grid-cert-request", "ip", "nft",
	} {
		found := slices.ContainsFunc([]string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"}, func(folder string) bool {
			_, err := os.Stat(filepath.Join(folder, program))
			return err == nil
		})
		if !found {
			return &hintError{fmt.Errorf("%s is not installed", program), ".ci/install mariadb voms"}
		}
	}
	return nil
}

// hintError is an error with the next step for the person who reads it.
type hintError struct {
	err  error
	hint string
}

func (e *hintError) Error() string { return e.err.Error() }

func (e *hintError) Unwrap() error { return e.err }

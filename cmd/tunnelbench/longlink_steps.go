package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// The steps of gtunnel, as the report names them.
const (
	stepDryRun  = "setup-slave --dry-run"
	stepCopy    = "copy through the tunnel"
	stepSeed    = "copy by dump piped to --seed -"
	stepWhole   = "all of that setup-slave"
	stepAgain   = "second setup-slave, no change"
	stepCompare = "compare"
	stepStatus  = "status"
	stepThin    = "setup-slave with its comparison"
)

// manyTables sets a replication of many small tables up, which asks many
// questions.
func (f *farSites) manyTables(ctx context.Context, r *longlinkResult) error {
	if err := f.fillTables(ctx); err != nil {
		return err
	}
	tool, client := f.tools()
	piped, err := f.time(ctx, tool+" | "+client+" through stunnel", f.bareCopy(""))
	if err != nil {
		return err
	}
	carried, err := f.time(ctx, tool+" there, carry the file, load", f.carryFile)
	if err != nil {
		return err
	}
	if err := f.clearSlave(ctx); err != nil {
		return err
	}
	if _, err := f.time(ctx, "setup-master", f.replication(f.setupMaster())); err != nil {
		return err
	}
	if err := f.step(ctx, r, stepDryRun, f.replication(f.setupSlave("--dry-run"))); err != nil {
		return err
	}
	if err := f.copyStep(ctx, r, stepCopy, f.watched(f.setupSlave("--yes")), piped); err != nil {
		return err
	}
	for _, s := range []struct {
		name string
		argv []string
	}{{stepCompare, f.look("compare")}, {stepAgain, f.setupSlave("--yes")}, {stepStatus, f.look("status")}} {
		if err := f.step(ctx, r, s.name, f.replication(s.argv)); err != nil {
			return err
		}
	}
	for _, method := range f.methods {
		if err := f.seedAgain(ctx); err != nil {
			return err
		}
		run := f.watched(f.setupSlave("--yes", "--method", method))
		if err := f.copyStep(ctx, r, "copy by --method "+method, run); err != nil {
			return err
		}
	}
	if err := f.seedAgain(ctx); err != nil {
		return err
	}
	return f.copyStep(ctx, r, stepSeed, f.pipedDump, carried)
}

// thinLine copies one table over a line that is the bottleneck.
func (f *farSites) thinLine(ctx context.Context, r *longlinkResult) error {
	if err := f.fillBulk(ctx); err != nil {
		return err
	}
	tool, client := f.tools()
	plain, err := f.time(ctx, tool+" | "+client+" through stunnel", f.bareCopy(""))
	if err != nil {
		return err
	}
	compression := "--compress"
	if f.kind.IsMySQL() {
		compression = "--compression-algorithms=zstd"
	}
	compressed, err := f.time(ctx, "the same with "+compression, f.bareCopy(compression))
	if err != nil {
		return err
	}
	if err := f.clearSlave(ctx); err != nil {
		return err
	}
	if _, err := f.time(ctx, "setup-master", f.replication(f.setupMaster())); err != nil {
		return err
	}
	return f.step(ctx, r, stepThin, f.replication(f.setupSlave("--yes")), plain, compressed)
}

// time runs a step, and gives its time under its name.
func (f *farSites) time(ctx context.Context, name string, run func(context.Context) error) (timed, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.limit, fmt.Errorf("it takes longer than %s (--limit)", f.limit))
	defer cancel()
	begun := time.Now()
	if err := run(ctx); err != nil {
		return timed{}, fmt.Errorf("%s: %w", name, err)
	}
	t := timed{Name: name, Seconds: time.Since(begun).Seconds()}
	f.bench.note("%s  %-50s %7.2f s\n", f.shape, name, t.Seconds)
	return t, nil
}

// step is time of a step of gtunnel, which the report shows beside those of
// the bare tools.
func (f *farSites) step(
	ctx context.Context, r *longlinkResult, name string, run func(context.Context) error, bare ...timed,
) error {
	t, err := f.time(ctx, name, run)
	if err == nil {
		r.add(f.shape, t, f.reachOf(name, f.shape), bare...)
	}
	return err
}

// copyStep is step for a run of setup-slave, of which the copy alone counts;
// the whole has the next line.
func (f *farSites) copyStep(
	ctx context.Context, r *longlinkResult, name string, run func(context.Context, *stepClock) error, bare ...timed,
) error {
	clock := &stepClock{}
	whole, err := f.time(ctx, stepWhole, func(ctx context.Context) error { return run(ctx, clock) })
	if err != nil {
		return err
	}
	took, err := clock.copyTime()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f.bench.note("%s  %-50s %7.2f s\n", f.shape, name, took.Seconds())
	r.add(f.shape, timed{Name: name, Seconds: took.Seconds()}, f.reachOf(name, f.shape), bare...)
	r.add(f.shape, whole, reach{})
	return nil
}

// stepClock hears when setup-slave begins its steps, which it says line by
// line; the same lines of its plan come before.
type stepClock struct {
	begun map[string]time.Time
}

var stepLine = regexp.MustCompile(`^\s*\d+\. (?:slave|master): (.*)`)

// hear takes a line of output.
func (c *stepClock) hear(line string, now time.Time) {
	if match := stepLine.FindStringSubmatch(line); match != nil {
		if c.begun == nil {
			c.begun = map[string]time.Time{}
		}
		c.begun[match[1]] = now
	}
}

// copyTime is the time from the beginning of the copy to that of the step after it.
func (c *stepClock) copyTime() (time.Duration, error) {
	var begun, next time.Time
	for what, at := range c.begun {
		if strings.HasPrefix(what, "copy ") || strings.HasPrefix(what, "load ") {
			begun = at
		}
	}
	for _, at := range c.begun {
		if !begun.IsZero() && at.After(begun) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if next.IsZero() {
		return 0, errors.New("setup-slave did not say when it copied, or what it did then")
	}
	return next.Sub(begun), nil
}

// bareCopy dumps through stunnel and loads meanwhile, as an administrator would.
func (f *farSites) bareCopy(more string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := f.clearSlave(ctx); err != nil {
			return err
		}
		tool, client := f.tools()
		line := fmt.Sprintf("%s --defaults-file=%s %s %s | %s --defaults-file=%s", tool, f.optionFile("bare"), f.dumpFlags(),
			more, client, f.optionFile("slave"))
		return f.run(ctx, command{argv: []string{"bash", "-o", "pipefail", "-c", line}})
	}
}

// carryFile dumps on the master, carries the file over the line and loads it.
func (f *farSites) carryFile(ctx context.Context) error {
	if err := f.clearSlave(ctx); err != nil {
		return err
	}
	tool, client := f.tools()
	there, here := filepath.Join(f.folder, "there.sql"), filepath.Join(f.folder, "here.sql")
	line := fmt.Sprintf("%s --defaults-file=%s %s > %s", tool, f.optionFile("master"), f.dumpFlags(), there)
	if err := f.run(ctx, command{argv: []string{"bash", "-c", line}}); err != nil {
		return err
	}
	if err := f.carry(ctx, there, here); err != nil {
		return err
	}
	line = fmt.Sprintf("%s --defaults-file=%s < %s", client, f.optionFile("slave"), here)
	return f.run(ctx, command{argv: []string{"bash", "-c", line}})
}

// carry copies a file over the line.
func (f *farSites) carry(ctx context.Context, from, to string) error {
	near, far, err := f.wire(ctx)
	if err != nil {
		return err
	}
	defer near.Close() //nolint:errcheck // all has come, or an error says more
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // read only
	sink, err := os.Create(to)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := io.Copy(far, source)
		sent <- errors.Join(err, far.Close())
	}()
	_, err = io.Copy(sink, near)
	return errors.Join(err, <-sent, sink.Close())
}

// pipedDump is gtunnel replication dump on the master, over the line into
// setup-slave --seed -, as through ssh, whose own round trips at its beginning are not in it.
func (f *farSites) pipedDump(ctx context.Context, clock *stepClock) error {
	near, far, err := f.wire(ctx)
	if err != nil {
		return err
	}
	in, err := near.File()
	if err != nil {
		return err
	}
	out, err := far.File()
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, _ = near.Close(), far.Close() // the files are what is used
	dumped := make(chan error, 1)
	go func() {
		err := f.run(ctx, command{argv: f.gtunnelCommand("dump", f.masterFlags()), stdout: out})
		dumped <- errors.Join(err, out.Close())
	}()
	err = f.run(ctx, command{argv: f.setupSlave("--yes", "--seed", "-"), stdin: in, hear: clock.hear})
	return errors.Join(err, in.Close(), <-dumped)
}

// wire is a connection over the line: its ends at the slave and at the master.
func (f *farSites) wire(ctx context.Context) (near, far *net.TCPConn, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer listener.Close() //nolint:errcheck // one connection is enough
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	line, err := f.newLine(ctx, listener.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	if far, err = dial(ctx, line, f.limit); err != nil {
		return nil, nil, err
	}
	conn, err := listener.Accept()
	if err != nil {
		return nil, nil, errors.Join(err, far.Close())
	}
	return conn.(*net.TCPConn), far, nil
}

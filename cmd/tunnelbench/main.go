// Command tunnelbench measures tunnels side by side on loopback: gtunnel,
// stunnel, ghostunnel, haproxy and nginx, each as a real pair of processes with
// mutual verification, the same certificates, TLS 1.3 and the same cipher
// suite; and, to see what the machine allows, a relay pair that does not
// encrypt and no tunnel at all.
//
// A run goes in rounds. In each round every measure visits every pair, and the
// order rotates, so that what disturbs the machine disturbs all alike; a ratio
// divides two values of the same round. Clients and the target of the
// connections are one process, this one, apart from the pairs; all data are
// compared with what was sent. Every process that was started is ended, however
// the run ends.
//
//	tunnelbench --rounds 7 --json=result.json --plot result.svg
//	tunnelbench --measure bulk,conns --pairs gtunnel,stunnel --scale quick
//	tunnelbench --from result.json --markdown -
//
// tunnelbench hostile attacks their servers instead, and tells whom they let
// in meanwhile.
//
//	tunnelbench hostile --attack four,hellos --pairs gtunnel
//
// tunnelbench longlink sets a replication up over a long line and over a thin
// one, and times its steps beside the servers' own tools through stunnel.
//
//	tunnelbench longlink --rtt 1ms,60ms,200ms --method dump
//
// tunnelbench line, as root, joins two network namespaces by a line of packets with a
// delay, a rate and a queue, and measures over it what one stream carries, and how late
// an event is beside it.
//
//	tunnelbench line --rtt 30ms --mbit 20 --queue 400ms --congestion reno
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "tunnelbench: %v\n", err)
	if h, ok := errors.AsType[*hintError](err); ok {
		fmt.Fprintf(os.Stderr, "hint: %s\n", h.hint)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		os.Exit(2)
	}
	os.Exit(1)
}

// hintError adds the next step to an error.
type hintError struct {
	error
	hint string
}

func (e *hintError) Unwrap() error { return e.error }

func withHint(err error, hint string) error { return &hintError{error: err, hint: hint} }

// usageError is a command line that cannot be meant.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// options are the command line.
type options struct {
	measures, pairs      []string
	rounds               int
	base, scale          string
	streams, idle        []int
	install, require     bool
	json, markdown, plot string // files; "-" is stdout
	from                 string
	named                map[string]string // programs by the name of the pair
}

// What one run may take.
const (
	maxRounds      = 100
	maxConnections = 10000
)

func parseOptions(args []string, stderr io.Writer) (options, error) {
	o := options{named: map[string]string{}}
	flags := pflag.NewFlagSet("tunnelbench", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetOutput(stderr)
	flags.StringSliceVar(&o.measures, "measure", nil, "what to measure, separated by commas (default all)")
	flags.StringSliceVar(&o.pairs, "pairs", nil, "which pairs, separated by commas (default all)")
	flags.IntVar(&o.rounds, "rounds", 0, "how often (default 7, or 3 with --scale quick)")
	flags.StringVar(&o.base, "base", "", "the pair that the others are compared with (default stunnel)")
	flags.StringVar(&o.scale, "scale", "full", "full, or quick to see that it works")
	flags.IntSliceVar(&o.streams, "streams", nil, "connections at once of bulk (default 1,4,16)")
	flags.IntSliceVar(&o.idle, "idle", nil, "idle connections of memory (default 1000,5000)")
	flags.BoolVar(&o.install, "install", false, "install the pairs that are missing (Debian, as root)")
	flags.BoolVar(&o.require, "require", false, "fail if a pair is missing, instead of leaving it out")
	flags.StringVar(&o.json, "json", "", "write all values as JSON (--json=FILE; alone: to stdout, instead of text)")
	flags.Lookup("json").NoOptDefVal = "-"
	flags.StringVar(&o.markdown, "markdown", "", "write the main figures as a Markdown table")
	flags.StringVar(&o.plot, "plot", "", "write a plot of the main figures (SVG)")
	flags.StringVar(&o.from, "from", "", "report an earlier run's JSON file, measure nothing")
	gtunnel := flags.String("gtunnel", "", "the gtunnel to measure (default bin/gtunnel, then PATH)")
	ghostunnel := flags.String("ghostunnel", "", "the ghostunnel to measure (default bin/ghostunnel, then PATH)")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: tunnelbench [flags]\n       tunnelbench hostile [flags]\n"+
			"       tunnelbench longlink [flags]\n       tunnelbench line [flags]\n\n%s\npairs:    %s\nmeasures:\n",
			flags.FlagUsages(), strings.Join(peerNames(allPeers()), ", "))
		for _, m := range allMeasures() {
			fmt.Fprintf(stderr, "  %-8s %s\n", m.name, m.about)
		}
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.named["gtunnel"], o.named["ghostunnel"] = *gtunnel, *ghostunnel
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected %q: tunnelbench takes flags only", flags.Arg(0))
	case o.rounds < 0 || o.rounds > maxRounds || o.rounds == 0 && flags.Changed("rounds"):
		return o, fmt.Errorf("--rounds %d: 1 to %d", o.rounds, maxRounds)
	}
	for _, n := range slices.Concat(o.streams, o.idle) {
		if n < 1 || n > maxConnections {
			return o, fmt.Errorf("%d connections: 1 to %d", n, maxConnections)
		}
	}
	toStdout := 0
	for _, file := range []string{o.json, o.markdown, o.plot} {
		if file == "-" {
			toStdout++
		}
	}
	if toStdout > 1 {
		return o, errors.New("only one of --json, --markdown and --plot may go to stdout")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "relay" { // an end of the relay pair
		if len(args) != 3 {
			return &usageError{error: errors.New("usage: tunnelbench relay ACCEPT CONNECT")}
		}
		return relay(ctx, args[1], args[2])
	}
	if len(args) > 0 && args[0] == "hostile" {
		return runHostile(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 && args[0] == "line" {
		return runLine(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 && args[0] == "longlink" {
		return runLonglink(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 && args[0] == "attack" { // the flood of a hostile run
		return runAttack(ctx, args[1:])
	}
	o, err := parseOptions(args, stderr)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return &usageError{error: withHint(err, "tunnelbench --help")}
	}
	if o.from != "" {
		text, err := os.ReadFile(o.from)
		if err != nil {
			return fmt.Errorf("read the run: %w", err)
		}
		r, err := readResult(text)
		if err != nil {
			return fmt.Errorf("%s: %w", o.from, err)
		}
		return o.report(r, stdout)
	}
	b, err := o.prepare(ctx, stderr)
	if err != nil {
		return err
	}
	r, err := b.measureAll(ctx)
	if r != nil && r.Rounds > 0 {
		err = errors.Join(err, o.report(r, stdout))
	}
	return err
}

// measureAll opens the bench, runs and closes it.
func (b *bench) measureAll(ctx context.Context) (r *result, err error) {
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	return b.run(ctx)
}

// prepare turns the command line into a bench: what is wrong or missing is
// said before anything starts.
func (o options) prepare(ctx context.Context, stderr io.Writer) (*bench, error) {
	b := &bench{rounds: o.rounds, progress: stderr}
	var err error
	if b.scale, err = findScale(o.scale); err != nil {
		return nil, &usageError{error: err}
	}
	if len(o.streams) > 0 {
		b.scale.Streams = o.streams
	}
	if len(o.idle) > 0 {
		b.scale.Idle = o.idle
	}
	if b.rounds == 0 {
		b.rounds = b.scale.Rounds
	}
	if b.measures, err = selectMeasures(o.measures); err != nil {
		return nil, &usageError{error: err}
	}
	wanted, err := selectPeers(o.pairs)
	if err != nil {
		return nil, &usageError{error: err}
	}
	if o.install {
		err := install(ctx, wanted, stderr)
		if ctx.Err() != nil || err != nil && o.require {
			return nil, err
		}
		if err != nil {
			fmt.Fprintf(stderr, "not installed: %v\n", err)
		}
	}
	found, missing, err := findPeers(ctx, wanted, o.named)
	if err != nil {
		return nil, err
	}
	for _, m := range missing {
		if o.require {
			return nil, withHint(m, m.cure)
		}
		fmt.Fprintf(stderr, "left out: %s\nhint: %s\n", m, m.cure)
	}
	if len(found) == 0 {
		return nil, errors.New("no pair is left to measure")
	}
	b.peers = found
	b.base, err = chooseBase(o.base, found)
	return b, err
}

// install gets the wanted pairs with what the source tree has for it. A step
// that fails does not keep the others from being tried.
func install(ctx context.Context, wanted []peer, stderr io.Writer) error {
	names := peerNames(wanted)
	steps := []struct {
		pairs   []string
		command []string
		cgo     bool
	}{
		{
			pairs:   []string{"stunnel", "ghostunnel", "haproxy", "nginx"},
			command: []string{filepath.Join(".ci", "install"), "bench"},
		},
		{
			pairs: []string{"ghostunnel"}, cgo: true, // for its PKCS #11
			command: []string{
				"go", "build", "-trimpath", "-modfile=.ci/ghostunnel.mod", "-o", "bin/ghostunnel",
				"github.com/ghostunnel/ghostunnel",
			},
		},
	}
	var failures []error
	for _, step := range steps {
		if !slices.ContainsFunc(step.pairs, func(name string) bool { return slices.Contains(names, name) }) {
			continue
		}
		cmd := exec.CommandContext(ctx, step.command[0], step.command[1:]...)
		cmd.Stdout, cmd.Stderr = stderr, stderr
		if step.cgo {
			cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
		}
		if err := cmd.Run(); err != nil {
			failures = append(failures, withHint(fmt.Errorf("%s: %w", strings.Join(step.command, " "), err),
				"--install works from the top of the source tree; without it, what is missing is left out"))
		}
	}
	return errors.Join(failures...)
}

// report writes what was asked for: text, unless JSON, Markdown or the plot
// takes stdout.
func (o options) report(r *result, stdout io.Writer) error {
	outputs := []struct {
		file  string
		write func(io.Writer) error
	}{{file: o.json, write: r.writeJSON}, {file: o.markdown, write: r.writeMarkdown}, {file: o.plot, write: r.writePlot}}
	text := true
	for _, output := range outputs {
		switch output.file {
		case "":
		case "-":
			text = false
			if err := output.write(stdout); err != nil {
				return err
			}
		default:
			if err := writeFile(output.file, output.write); err != nil {
				return err
			}
		}
	}
	if !text {
		return nil
	}
	return r.writeText(stdout)
}

func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return errors.Join(write(file), file.Close())
}

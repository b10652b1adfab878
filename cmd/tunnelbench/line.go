package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// lineRun measures pairs over a packetLine: how much one stream carries, and
// how late an event is alone and beside that stream.
type lineRun struct {
	shape      lineShape
	queue      time.Duration
	congestion string // of both hosts; empty: the system's
	limit      int    // megabits a second that the stream's reader takes, as --max-rate does; 0: all
	warm       time.Duration
	during     time.Duration
	rounds     int
	pairs      []installed
}

const (
	// lineEvent is the time between two events.
	lineEvent = 20 * time.Millisecond
	// lineLimit ends a connection of a run that nobody ends.
	lineLimit = 5 * time.Minute
)

// lineMetrics are what a run gives.
func lineMetrics() []metric {
	return []metric{
		{Name: "line.bulk", Title: "one stream", Unit: "MB/s", Better: more, Main: true},
		{Name: "line.alone", Title: "an event alone, median", Unit: "ms", Better: less, Main: true},
		{Name: "line.beside", Title: "an event beside that stream, median", Unit: "ms", Better: less, Main: true},
		{
			Name: "line.beside.p99", Title: "an event beside that stream, 99th percentile", Unit: "ms", Better: less,
			Main: true,
		},
		{
			Name: "line.added", Title: "what the stream adds to an event's median, in round trips", Unit: "round trips",
			Better: less, Main: true,
		},
		{Name: "line.lost", Title: "packets that the line's queue did not hold", Unit: "packets", Better: less},
	}
}

// runLine is tunnelbench line.
func runLine(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	var r lineRun
	flags := pflag.NewFlagSet("tunnelbench line", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetOutput(stderr)
	flags.DurationVar(&r.shape.RoundTrip, "rtt", 100*time.Millisecond, "the line's round trip")
	mbit := flags.Int("mbit", 1000, "its megabits a second, each way")
	flags.DurationVar(&r.queue, "queue", 100*time.Millisecond, "how long its queue lets a packet wait")
	flags.StringVar(&r.congestion, "congestion", "", "the hosts' congestion control (default the system's)")
	flags.StringSliceVar(&o.pairs, "pairs", []string{"gtunnel", "stunnel", "none"}, "which pairs, separated by commas")
	flags.IntVar(&r.rounds, "rounds", 3, "how often")
	flags.DurationVar(&r.warm, "warm", 4*time.Second, "how long a stream may grow before it counts")
	flags.DurationVar(&r.during, "time", 5*time.Second, "how long each measurement takes")
	flags.StringVar(&o.json, "json", "", "write all values as JSON (--json=FILE; alone: to stdout, instead of text)")
	flags.Lookup("json").NoOptDefVal = "-"
	flags.StringVar(&o.markdown, "markdown", "", "write a Markdown table")
	flags.IntVar(&r.limit, "stream-mbit", 0, "megabits a second that the stream's reader takes, as by --max-rate; 0: all")
	own := flags.String("own-congestion", "", "measure gtunnel once more, with this --congestion of its own")
	gtunnel := flags.String("gtunnel", "", "the gtunnel to measure (default bin/gtunnel, then PATH)")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: tunnelbench line [flags], as root\n\n%s", flags.FlagUsages())
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return nil
	case err != nil:
		return &usageError{error: withHint(err, "tunnelbench line --help")}
	case flags.NArg() > 0:
		return &usageError{error: fmt.Errorf("unexpected %q: tunnelbench line takes flags only", flags.Arg(0))}
	case *mbit < 1 || *mbit > 10000 || r.limit < 0 || r.rounds < 1 || r.rounds > maxRounds ||
		min(r.warm, r.queue, r.shape.RoundTrip) < 0 ||
		max(r.warm, r.during, r.shape.RoundTrip, r.queue) > time.Minute || r.during < time.Second:
		return &usageError{error: fmt.Errorf("--mbit 1 to 10000, --rounds 1 to %d, times to 1m, --time from 1s", maxRounds)}
	}
	r.shape.Rate = float64(*mbit) * 1e6 / 8
	wanted, err := selectPeers(o.pairs)
	if err != nil {
		return &usageError{error: err}
	}
	found, missing, err := findPeers(ctx, wanted, map[string]string{"gtunnel": *gtunnel})
	if err != nil {
		return err
	}
	for _, m := range missing {
		fmt.Fprintf(stderr, "left out: %s\nhint: %s\n", m, m.cure)
	}
	if len(found) == 0 {
		return errors.New("no pair is left to measure")
	}
	r.pairs = withControl(found, *own)
	measured, err := r.run(ctx, stderr)
	if measured == nil {
		return err
	}
	return errors.Join(err, o.report(measured, stdout))
}

// run measures each pair in each round. It gives what it has with an error, too.
func (r *lineRun) run(ctx context.Context, progress io.Writer) (measured *result, err error) {
	base := r.pairs[len(r.pairs)-1].name // that without a tunnel, if it is there
	measured = &result{
		Started: time.Now().UTC().Truncate(time.Second), Machine: describeMachine(), Base: base,
		Scale: fmt.Sprintf("line: %s, queue %s, congestion control %s", r.shape, r.queue, r.controlName()),
	}
	defer func() { measured.Seconds = time.Since(measured.Started).Seconds() }()
	for _, metric := range lineMetrics() {
		measured.Metrics = append(measured.Metrics, &metricResult{metric: metric, Pairs: map[string]*series{}})
	}
	for _, p := range r.pairs {
		measured.Pairs = append(measured.Pairs, p.info)
	}
	folder, err := os.MkdirTemp("", "tunnelbench-")
	if err != nil {
		return measured, fmt.Errorf("a folder for the run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	site, err := newSite(folder, certstest.RSA)
	if err != nil {
		return measured, err
	}
	for round := range r.rounds {
		for _, i := range rotate(r.pairs, round) {
			v, err := r.measure(ctx, site, filepath.Join(folder, fmt.Sprintf("%s-%d", i.name, round)), i)
			if err != nil {
				return measured, fmt.Errorf("%s: %w", i.name, err)
			}
			fmt.Fprintf(progress, "round %d/%d  %-8s  %.1f MB/s, event %.1f ms alone, %.1f ms beside it, %.0f packets lost\n",
				round+1, r.rounds, i.name, v["line.bulk"], v["line.alone"], v["line.beside"], v["line.lost"])
			measured.add(lineMetrics(), i.name, round, v)
		}
		measured.Rounds = round + 1
	}
	return measured, nil
}

// withControl adds a gtunnel that asks for a congestion control, if there is a name.
func withControl(pairs []installed, name string) []installed {
	if name == "" || pairs[0].name != "gtunnel" {
		return pairs
	}
	own := pairs[0]
	own.name = "gtunnel-" + name
	own.info.Name = own.name
	own.arguments = func(e end) ([]string, error) {
		args, err := gtunnelArguments(e)
		return append(args, "--congestion", name), err
	}
	return slices.Insert(slices.Clone(pairs), 1, own)
}

// controlName is the congestion control of the hosts.
func (r *lineRun) controlName() string {
	if r.congestion != "" {
		return r.congestion
	}
	name, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	if err != nil {
		return "of the system"
	}
	return string(name[:len(name)-1])
}

// measure makes a line with a pair over it, and measures that.
func (r *lineRun) measure(ctx context.Context, site *site, folder string, i installed) (v values, err error) {
	ctx, cancel := context.WithTimeout(ctx, lineLimit)
	defer cancel()
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	l, err := newPacketLine(r.shape, r.queue, r.congestion)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	b := &bench{starter: l.master.starter, port: firstPort}
	if err := l.master.do(func() (err error) {
		b.backend, err = newBackend(ctx, "0.0.0.0:0")
		return err
	}); err != nil {
		return nil, err
	}
	defer b.backend.close()
	port := b.backend.port()
	p := &pair{address: net.JoinHostPort(masterIP, port), backend: b.backend}
	defer func() { err = errors.Join(err, p.stopEnds()) }()
	if err := b.startEnds(ctx, p, i, pairOptions{site: site, folder: folder, most: 100, line: l}); err != nil {
		return nil, err
	}
	if v, err = r.measurePair(ctx, l, p); err != nil {
		return nil, p.explain(err)
	}
	v["line.lost"] = float64(l.dropped.Load())
	return v, nil
}

// measurePair has events alone, then a stream, then events beside it.
func (r *lineRun) measurePair(ctx context.Context, l *packetLine, p *pair) (values, error) {
	events := func() ([]time.Duration, error) {
		conn, err := l.dial(ctx, p.address, lineLimit)
		if err != nil {
			return nil, err
		}
		defer conn.Close() //nolint:errcheck // all have come, or an error says more
		if err := ping(conn, 1); err != nil {
			return nil, err
		}
		return receiveTrickle(conn, trickleSize, int(r.during/lineEvent), lineEvent)
	}
	alone, err := events()
	if err != nil {
		return nil, err
	}
	conn, err := l.dial(ctx, p.address, lineLimit)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, pair: p, flow: p.backend.newFlow()}
	defer s.close()
	s.flow.rate = float64(r.limit) * 1e6 / 8
	if err := errors.Join(ping(conn, s.flow.number), s.flow.start(conn, false), sleep(ctx, r.warm)); err != nil {
		return nil, err
	}
	rate, err := s.rate(ctx, r.during)
	if err != nil {
		return nil, err
	}
	beside, err := events()
	if err != nil {
		return nil, err
	}
	v := values{
		"line.bulk": rate / 1e6, "line.alone": milliseconds(percentile(alone, 0.5)),
		"line.beside":     milliseconds(percentile(slices.Clone(beside), 0.5)),
		"line.beside.p99": milliseconds(percentile(beside, 0.99)),
	}
	v["line.added"] = (v["line.beside"] - v["line.alone"]) / milliseconds(r.shape.RoundTrip)
	return v, nil
}

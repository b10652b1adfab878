package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/replication/servertest"
)

// longlink sets a replication up over a long line, through real tunnels between
// real servers, and times each step beside what people do without gtunnel: the
// servers' own tools through stunnel. Its line is a delayLine.
type longlink struct {
	kind       servertest.Kind
	roundTrips []time.Duration
	tables     int
	rows       int      // of each table
	methods    []string // of copying, beside the preset
	thin       lineShape
	thinRows   int           // 0: no thin line
	limit      time.Duration // of a step

	gtunnel, stunnel installed
}

// The case that the reach is for.
const (
	reachTrip     = 60 * time.Millisecond
	reachTables   = 100
	reachRows     = 200
	thinTrip      = 30 * time.Millisecond
	thinMbit      = 20
	reachThinRows = 300000
)

// reach is how many seconds a step may take at most, and should.
type reach struct{ most, aim float64 }

// reaches are for MariaDB, by the names of the steps; of MySQL it may take mysqlShare.
var reaches = map[string]reach{
	stepDryRun:  {most: 2.5, aim: 1.5},
	stepCopy:    {most: 25, aim: 12},
	stepSeed:    {most: 3, aim: 2},
	stepCompare: {most: 4, aim: 2},
	stepAgain:   {most: 1.5, aim: 1},
	stepStatus:  {most: 0.7, aim: 0.5},
	stepThin:    {most: 16, aim: 13},
}

const mysqlShare = 1.5

// reachOf is the reach of a step, where the case is the one that it is for.
func (l *longlink) reachOf(step string, shape lineShape) reach {
	thin := lineShape{RoundTrip: thinTrip, Rate: thinMbit * 1e6 / 8}
	itsCase := shape.RoundTrip == reachTrip && l.tables == reachTables && l.rows == reachRows
	if step == stepThin {
		itsCase = shape == thin && l.thinRows == reachThinRows
	}
	r := reaches[step]
	switch {
	case !itsCase:
		return reach{}
	case l.kind.IsMySQL():
		return reach{most: r.most * mysqlShare, aim: r.aim * mysqlShare}
	}
	return r
}

// longlinkOptions are the command line.
type longlinkOptions struct {
	longlink

	json, markdown bool
	named          string // the gtunnel
}

func parseLonglink(args []string, stderr io.Writer) (o longlinkOptions, err error) {
	flags := pflag.NewFlagSet("tunnelbench longlink", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetOutput(stderr)
	flags.DurationSliceVar(&o.roundTrips, "rtt", []time.Duration{reachTrip}, "round trips of the long line, by commas")
	kind := flags.String("server", string(servertest.MariaDB), "the servers: "+kindNames())
	flags.IntVar(&o.tables, "tables", reachTables, "tables on the master")
	flags.IntVar(&o.rows, "rows", reachRows, "rows of each")
	flags.StringSliceVar(&o.methods, "method", nil, "copy by these methods, too, by commas")
	thin := flags.Int("thin-mbit", thinMbit, "megabits a second of the thin line")
	flags.DurationVar(&o.thin.RoundTrip, "thin-rtt", thinTrip, "its round trip")
	flags.IntVar(&o.thinRows, "thin-rows", reachThinRows, "rows that are copied over it; 0: it is left out")
	flags.DurationVar(&o.limit, "limit", 10*time.Minute, "how long a step may take")
	flags.BoolVar(&o.json, "json", false, "write JSON")
	flags.BoolVar(&o.markdown, "markdown", false, "write a Markdown table")
	flags.StringVar(&o.named, "gtunnel", "", "the gtunnel to measure (default bin/gtunnel, then PATH)")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: tunnelbench longlink [flags]\n\n%s", flags.FlagUsages())
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.kind, o.thin.Rate = servertest.Kind(*kind), float64(*thin)*1e6/8
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected %q: tunnelbench longlink takes flags only", flags.Arg(0))
	case !slices.Contains(servertest.Kinds(), o.kind):
		return o, fmt.Errorf("--server %s: there are %s", *kind, kindNames())
	case o.tables < 1 || o.tables > 10000 || o.rows < 1 || o.rows > mostRows:
		return o, fmt.Errorf("--tables %d --rows %d: 1 to 10000 tables of 1 to %d rows", o.tables, o.rows, mostRows)
	case o.thinRows < 0 || o.thinRows > mostRows:
		return o, fmt.Errorf("--thin-rows %d: 0 to %d", o.thinRows, mostRows)
	case *thin < 1 || *thin > 10000:
		return o, fmt.Errorf("--thin-mbit %d: 1 to 10000", *thin)
	case o.json && o.markdown:
		return o, errors.New("only one of --json and --markdown")
	}
	for _, d := range append(slices.Clone(o.roundTrips), o.thin.RoundTrip) {
		if d < 0 || d > 5*time.Second {
			return o, fmt.Errorf("a round trip of %s: 0s to 5s", d)
		}
	}
	return o, nil
}

func kindNames() string {
	var names []string
	for _, kind := range servertest.Kinds() {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}

// runLonglink is tunnelbench longlink.
func runLonglink(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseLonglink(args, stderr)
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	if err != nil {
		return &usageError{error: withHint(err, "tunnelbench longlink --help")}
	}
	pairs, err := selectPeers([]string{"gtunnel", "stunnel"})
	if err != nil {
		return err
	}
	found, missing, err := findPeers(ctx, pairs, map[string]string{"gtunnel": o.named})
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return withHint(missing[0], missing[0].cure)
	}
	o.gtunnel, o.stunnel = found[0], found[1]
	r, err := o.run(ctx, stderr)
	if r == nil {
		return err
	}
	write := r.writeText
	switch {
	case o.json:
		write = r.writeJSON
	case o.markdown:
		write = r.writeMarkdown
	}
	return errors.Join(err, write(stdout))
}

// run takes each line in turn. It gives what it has with an error, too.
func (l *longlink) run(ctx context.Context, progress io.Writer) (r *longlinkResult, err error) {
	b := &bench{scale: allScales()[1], progress: progress}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	lab, err := servertest.NewLab()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lab.Close()) }()
	r = l.newResult()
	for _, roundTrip := range l.roundTrips {
		shape := lineShape{RoundTrip: roundTrip}
		err := l.cross(ctx, b, lab, shape, func(ctx context.Context, f *farSites) error { return f.manyTables(ctx, r) })
		if err != nil {
			return r, fmt.Errorf("%s: %w", shape, err)
		}
	}
	if l.thinRows == 0 {
		return r, nil
	}
	err = l.cross(ctx, b, lab, l.thin, func(ctx context.Context, f *farSites) error { return f.thinLine(ctx, r) })
	if err != nil {
		return r, fmt.Errorf("%s: %w", l.thin, err)
	}
	return r, nil
}

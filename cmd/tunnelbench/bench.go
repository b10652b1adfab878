package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// bench measures pairs. Use it from one goroutine, and close it.
type bench struct {
	scale    scale
	rounds   int
	base     string
	measures []measure
	peers    []installed
	progress io.Writer // a line for each measurement

	folder  string
	sites   map[certstest.KeyType]*site
	backend *backend
	starter *starter
	port    int // given out last
}

// open makes what all measurements share: certificates, the backend, the
// thread that starts processes.
func (b *bench) open(ctx context.Context) (err error) {
	if err := raiseFileLimit(uint64(2*b.scale.most() + 500)); err != nil { //nolint:gosec // thousands
		return err
	}
	if b.folder, err = os.MkdirTemp("", "tunnelbench-"); err != nil {
		return fmt.Errorf("a folder for the run: %w", err)
	}
	b.starter = newStarter()
	if b.sites, err = newSites(b.folder); err != nil {
		return err
	}
	// Where in the range of ports a run begins differs from run to run.
	b.port = firstPort + os.Getpid()%(lastPort-firstPort)
	b.backend, err = newBackend(ctx, "127.0.0.1:0")
	return err
}

func (b *bench) close() error {
	if b.starter != nil {
		b.starter.close()
	}
	if b.backend != nil {
		b.backend.close()
	}
	return os.RemoveAll(b.folder)
}

// raiseFileLimit lets this process, and what it starts, open as many files as
// the system allows. The bench holds both ends of each connection.
func raiseFileLimit(needed uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("the limit of open files: %w", err)
	}
	if limit.Max < needed {
		return withHint(fmt.Errorf("at most %d files may be open, the run needs %d", limit.Max, needed),
			fmt.Sprintf("ulimit -n %d, or --scale quick", needed))
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	return nil
}

// run checks every pair and then measures, round by round. It returns what it
// has with an error, too.
func (b *bench) run(ctx context.Context) (*result, error) {
	r := &result{
		Started: time.Now().UTC().Truncate(time.Second), Machine: describeMachine(),
		Scale: b.scale.Name, Base: b.base, Metrics: b.newMetrics(),
	}
	defer func() { r.Seconds = time.Since(r.Started).Seconds() }()
	for i := range b.peers {
		p := &b.peers[i]
		if !p.plain {
			b.note("check  %-10s ", p.name)
			checked, err := b.prove(ctx, *p)
			if ctx.Err() != nil {
				return r, context.Cause(ctx)
			}
			if err != nil {
				b.note("%v\n", err)
				return r, fmt.Errorf("%s does not do what is compared: %w", p.name, err)
			}
			b.note("%s\n", checked)
			p.info.Checked = checked
		}
		r.Pairs = append(r.Pairs, p.info)
	}
	for round := range b.rounds {
		for n, m := range b.measures {
			if m.name == "memory" && round >= b.scale.MemoryRounds {
				continue
			}
			for _, p := range rotate(b.peers, round+n) {
				start := time.Now()
				v, err := m.run(ctx, b, p)
				if ctx.Err() != nil {
					return r, context.Cause(ctx)
				}
				b.note("round %d/%d  %-7s  %-10s  %5.1f s  %s\n", round+1, b.rounds, m.name, p.name, time.Since(start).Seconds(),
					m.headline(b.scale, v))
				r.add(m.metrics(b.scale), p.name, round, v)
				if err != nil {
					b.note("%v\n", err)
					r.Failures = append(r.Failures, fmt.Sprintf("round %d, %s, %s: %v", round+1, m.name, p.name, err))
				}
			}
		}
		r.Rounds = round + 1
	}
	if len(r.Failures) > 0 {
		return r, errFailures
	}
	return r, nil
}

// errFailures says that a report has gaps.
var errFailures = errors.New("some measurements failed; the report lists them")

func (b *bench) note(format string, values ...any) {
	fmt.Fprintf(b.progress, format, values...)
}

func (b *bench) newMetrics() []*metricResult {
	var all []*metricResult
	for _, m := range b.measures {
		for _, metric := range m.metrics(b.scale) {
			all = append(all, &metricResult{metric: metric, Pairs: map[string]*series{}})
		}
	}
	return all
}

// headline is the first figures of a measurement, for the progress.
func (m measure) headline(s scale, v values) string {
	var words []string
	for _, metric := range m.metrics(s) {
		if value, ok := v[metric.Name]; ok && len(words) < 3 {
			words = append(words, fmt.Sprintf("%s %s %s", metric.Name, formatValue(value), metric.Unit))
		}
	}
	return strings.Join(words, ", ")
}

// findPeers finds the programs of the wanted pairs; those that are missing are
// told apart.
func findPeers(
	ctx context.Context, wanted []peer, named map[string]string,
) (found []installed, missing []*missingError, err error) {
	for _, p := range wanted {
		i, err := p.find(ctx, named[p.name])
		if gone, ok := errors.AsType[*missingError](err); ok {
			missing = append(missing, gone)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		found = append(found, i)
	}
	return found, missing, nil
}

// chooseBase is the pair that the others are divided by: the one that was
// asked for, or else the first of these that is there.
func chooseBase(asked string, found []installed) (string, error) {
	there := func(name string) bool {
		return slices.ContainsFunc(found, func(i installed) bool { return i.name == name })
	}
	if asked != "" {
		if !there(asked) {
			return "", withHint(fmt.Errorf("the base %s is not among the pairs", asked), "add it to --pairs, or install it")
		}
		return asked, nil
	}
	for _, name := range []string{"stunnel", "relay", "none"} {
		if there(name) {
			return name, nil
		}
	}
	return found[0].name, nil
}

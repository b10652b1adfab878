package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// measure is one kind of measurement. It gives one value a round and pair for
// each of its metrics; a pair without processes has none for what they cost.
type measure struct {
	name    string
	about   string
	metrics func(scale) []metric
	run     func(context.Context, *bench, installed) (values, error)
}

// values are the results of one round by the names of the metrics.
type values map[string]float64

// metric is one figure.
type metric struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Unit   string `json:"unit"`
	Better string `json:"better"` // more or less
	Main   bool   `json:"main"`   // shown in the plot and in the Markdown table
}

// What is good.
const (
	more = "more"
	less = "less"
)

func allMeasures() []measure {
	return []measure{
		{name: "bulk", about: "MB/s down and up, and CPU seconds per GB", metrics: bulkMetrics, run: measureBulk},
		{name: "conns", about: "new connections per second, and CPU each", metrics: connsMetrics, run: measureConns},
		{name: "memory", about: "memory per connection, idle and after traffic", metrics: memoryMetrics, run: measureMemory},
		{name: "rtt", about: "round trips of 64 B, 1 KB and 16 KB", metrics: rttMetrics, run: measureRTT},
		{name: "trickle", about: "CPU and delay of 500 B each millisecond", metrics: trickleMetrics, run: measureTrickle},
		{name: "start", about: "start-up time and binary size", metrics: startMetrics, run: measureStart},
	}
}

// selectMeasures picks the named measures in their own order; none named: all.
func selectMeasures(names []string) ([]measure, error) {
	all := allMeasures()
	known := make([]string, 0, len(all))
	for _, m := range all {
		known = append(known, m.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no measure is called %q: there are %s", name, strings.Join(known, ", "))
		}
	}
	if len(names) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(all, func(m measure) bool { return !slices.Contains(names, m.name) }), nil
}

// scale is how much is done in a round. Every count and time is bounded.
type scale struct {
	Name         string
	Rounds       int // unless --rounds says otherwise
	Streams      []int
	BulkWarm     time.Duration // before the clock of a transfer runs
	BulkTime     time.Duration
	MessageSizes []int
	MessageTime  time.Duration
	MessageCount int // at most, for each size
	Workers      []int
	ConnsTime    time.Duration
	ConnsCount   int // at most, for each number of workers
	Idle         []int
	MemoryRounds int // at most: what takes minutes and varies little
	Later        time.Duration
	Settle       time.Duration // before memory is read
	TrickleCount int           // messages
}

func allScales() []scale {
	full := scale{
		Name: "full", Rounds: 7,
		Streams: []int{1, 4, 16}, BulkWarm: 500 * time.Millisecond, BulkTime: 2 * time.Second,
		MessageSizes: []int{64, 1 << 10, 16 << 10}, MessageTime: 1500 * time.Millisecond, MessageCount: 20000,
		Workers: []int{1, 16}, ConnsTime: 2 * time.Second, ConnsCount: 8000,
		Idle: []int{1000, 5000}, MemoryRounds: 3, Later: 10 * time.Second, Settle: time.Second,
		TrickleCount: 3000,
	}
	quick := full
	quick.Name, quick.Rounds = "quick", 3
	quick.Streams, quick.Workers = []int{1, 4}, []int{1, 4}
	quick.BulkWarm, quick.BulkTime = 50*time.Millisecond, 200*time.Millisecond
	quick.MessageTime, quick.MessageCount = 200*time.Millisecond, 1000
	quick.ConnsTime, quick.ConnsCount = 200*time.Millisecond, 400
	quick.Idle, quick.MemoryRounds = []int{20, 50}, 1
	quick.Later, quick.Settle = 500*time.Millisecond, 50*time.Millisecond
	quick.TrickleCount = 300
	return []scale{full, quick}
}

func findScale(name string) (scale, error) {
	for _, s := range allScales() {
		if s.Name == name {
			return s, nil
		}
	}
	return scale{}, fmt.Errorf("--scale %s: it is quick or full", name)
}

// most is the number of connections that a pair must bear at once.
func (s scale) most() int {
	return max(slices.Max(s.Idle), slices.Max(s.Streams), slices.Max(s.Workers)) + 100
}

// withPair starts a pair for as long as use takes: every measurement has fresh
// processes, so that none inherits what another left behind.
func (b *bench) withPair(
	ctx context.Context, i installed, kind certstest.KeyType, use func(context.Context, *pair) error,
) (err error) {
	folder, err := os.MkdirTemp(b.folder, i.name+"-")
	if err != nil {
		return fmt.Errorf("a folder for %s: %w", i.name, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	p, err := b.startPair(ctx, i, pairOptions{site: b.sites[kind], folder: folder, most: b.scale.most()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := use(ctx, p); err != nil {
		return p.explain(err)
	}
	return nil
}

// newSites makes the certificates of both kinds of keys.
func newSites(folder string) (map[certstest.KeyType]*site, error) {
	sites := map[certstest.KeyType]*site{}
	for _, kind := range []certstest.KeyType{certstest.RSA, certstest.ECDSA} {
		s, err := newSite(filepath.Join(folder, string(kind)), kind)
		if err != nil {
			return nil, err
		}
		sites[kind] = s
	}
	return sites, nil
}

// sleep waits, or returns the reason why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// sizeName is a number of bytes in words, such as 16 KB.
func sizeName(n int) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%d KB", n>>10)
}

// plural is "1 connection", "4 connections".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

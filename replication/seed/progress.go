package seed

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Phase is what a seed is doing.
type Phase string

// The phases of a seed, in order.
const (
	PhaseReceive Phase = "receive" // a dump from elsewhere, before anything else
	PhaseVerify  Phase = "verify"  // that it is whole

	PhaseStart Phase = "start" // until the coordinates are known
	PhaseCopy  Phase = "copy"
	PhaseLoad  Phase = "load" // all has been read, and the slave works on the rest
	PhaseEnd   Phase = "end"  // what follows the rows: events
)

// Progress is how far a seed has come.
type Progress struct {
	Phase          Phase         `json:"phase"`
	Table          string        `json:"table,omitempty"` // "database.table" that is being copied
	Bytes          uint64        `json:"bytes"`           // of the dump, so far
	EstimatedBytes uint64        `json:"estimated_bytes"` // of the whole dump; it follows what is seen. 0: unknown
	Rate           float64       `json:"rate"`            // bytes a second, of late
	Left           time.Duration `json:"left"`            // 0: unknown
}

// Share is how much is done, from 0 to 1.
func (p Progress) Share() float64 {
	if p.EstimatedBytes == 0 {
		return 0
	}
	return min(1, float64(p.Bytes)/float64(p.EstimatedBytes))
}

// progressEvery is how often progress is told.
const progressEvery = 500 * time.Millisecond

// meter counts what passes. One goroutine counts, another reads.
type meter struct {
	sizes map[string]uint64 // the tables' sizes, by the server's estimate
	total uint64            // of all
	exact uint64            // of the dump, if that is there already; then no sizes are known

	phase atomic.Pointer[Phase]
	bytes atomic.Uint64
	table atomic.Pointer[tableBegin]

	samples []sample                 // of the reader
	parts   atomic.Pointer[[]*meter] // of dumps that are made at once, which count what passes; nil: there are none
}

// tableBegin is a table with what had passed when it began.
type tableBegin struct {
	name  string
	bytes uint64 // of the dump
	sizes uint64 // of the tables before it
}

// sample is the count at one moment.
type sample struct {
	at    time.Time
	bytes uint64
}

// rateWindow is the time over which the rate is taken.
const rateWindow = 10 * time.Second

// newMeter makes the meter of a dump of tables.
func newMeter(sizes map[string]uint64) *meter {
	m := &meter{sizes: sizes}
	for _, size := range sizes {
		m.total += size
	}
	m.enter(PhaseStart)
	m.table.Store(&tableBegin{})
	return m
}

func (m *meter) enter(phase Phase) { m.phase.Store(&phase) }

// begin notes that a table begins at this point of the dump. Text in a routine
// may look like one that does not exist.
func (m *meter) begin(name string) {
	before := m.table.Load()
	if _, exists := m.sizes[name]; !exists && m.exact == 0 || before.name == name {
		return
	}
	m.table.Store(&tableBegin{name: name, bytes: m.bytes.Load(), sizes: before.sizes + m.sizes[before.name]})
}

// show tells the progress, if somebody wants to know, until end.
func (m *meter) show(ctx context.Context, to func(Progress)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var told sync.WaitGroup
	if to != nil {
		told.Go(func() { m.tell(ctx, to) })
	}
	return func() { cancel(); told.Wait() }
}

// tell hands the progress on until ctx ends.
func (m *meter) tell(ctx context.Context, to func(Progress)) {
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			to(m.progress(time.Now()))
			return
		case now := <-ticker.C:
			to(m.progress(now))
		}
	}
}

// progress is how far the dump is at a time.
func (m *meter) progress(now time.Time) Progress {
	if parts := m.parts.Load(); parts != nil {
		return m.sum(now, *parts)
	}
	table := m.table.Load()
	p := Progress{Phase: *m.phase.Load(), Table: table.name, Bytes: m.bytes.Load()}
	m.samples = append(m.samples, sample{at: now, bytes: p.Bytes})
	for len(m.samples) > 2 && now.Sub(m.samples[1].at) >= rateWindow {
		m.samples = m.samples[1:]
	}
	if first := m.samples[0]; now.After(first.at) {
		p.Rate = float64(p.Bytes-first.bytes) / now.Sub(first.at).Seconds()
	}
	switch {
	case p.Phase == PhaseLoad || p.Phase == PhaseEnd:
		p.EstimatedBytes = p.Bytes
		return p
	case m.exact > 0:
		p.EstimatedBytes = max(m.exact, p.Bytes)
		if p.Rate > 0 {
			p.Left = time.Duration(float64(p.EstimatedBytes-p.Bytes) / p.Rate * float64(time.Second))
		}
		return p
	case m.total == 0:
		return p
	}
	// A dump is larger or smaller than its tables: the finished ones tell by
	// how much, once they are not few.
	scale := 1.0
	if table.sizes >= 1<<20 {
		scale = float64(table.bytes) / float64(table.sizes)
	}
	left := scale*float64(m.sizes[table.name]) - float64(p.Bytes-table.bytes)
	left = max(left, 0) + scale*float64(m.total-min(m.total, table.sizes+m.sizes[table.name]))
	p.EstimatedBytes = p.Bytes + uint64(left)
	if p.Rate > 0 {
		p.Left = time.Duration(left / p.Rate * float64(time.Second))
	}
	return p
}

// sum is how far several dumps are together. The table is one of those that are copied.
func (m *meter) sum(now time.Time, parts []*meter) Progress {
	all := Progress{Phase: *m.phase.Load()}
	for _, part := range parts {
		p := part.progress(now)
		all.Bytes += p.Bytes
		all.EstimatedBytes += max(p.EstimatedBytes, p.Bytes)
		all.Rate += p.Rate
		if p.Phase == PhaseStart || all.Table == "" {
			all.Table = p.Table
		}
	}
	if all.Rate > 0 {
		all.Left = time.Duration(float64(all.EstimatedBytes-all.Bytes) / all.Rate * float64(time.Second))
	}
	return all
}

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

const (
	memoryWorkers = 16              // that open connections and move data at once
	memoryBlob    = 1 << 20         // what each connection moves
	memoryLimit   = 5 * time.Minute // for all connections of one pair
)

func memoryMetrics(s scale) (metrics []metric) {
	add := func(name, title string, main bool) {
		metrics = append(
			metrics,
			metric{Name: name + ".client", Title: title + ", client end", Unit: "KB a connection", Better: less, Main: main},
			metric{Name: name + ".server", Title: title + ", server end", Unit: "KB a connection", Better: less, Main: main},
		)
	}
	for i, count := range s.Idle {
		add(fmt.Sprintf("memory.%d", count), fmt.Sprintf("memory, %d idle", count), i == 0)
	}
	add("memory.after", fmt.Sprintf("memory, %d after 1 MB each", s.Idle[0]), true)
	add("memory.later", fmt.Sprintf("memory, %d, %v later", s.Idle[0], s.Later), false)
	return metrics
}

func measureMemory(ctx context.Context, b *bench, i installed) (values, error) {
	v := values{}
	if i.program == "" {
		return v, nil
	}
	for n, count := range b.scale.Idle {
		err := b.withPair(ctx, i, certstest.RSA, func(ctx context.Context, p *pair) error {
			return memoryOf(ctx, p, count, n == 0, b.scale, v)
		})
		if err != nil {
			return v, fmt.Errorf("memory.%d: %w", count, err)
		}
	}
	return v, nil
}

// memoryOf measures a fresh pair with count connections: idle and, if moved is
// wanted, after each has moved data and again later.
func memoryOf(ctx context.Context, p *pair, count int, moved bool, s scale, v values) error {
	before, err := p.memory(ctx, s.Settle)
	if err != nil {
		return err
	}
	note := func(name string, wait time.Duration) error {
		now, err := p.memory(ctx, wait)
		if err != nil {
			return err
		}
		v[name+".client"] = float64(now.client-before.client) / 1024 / float64(count)
		v[name+".server"] = float64(now.server-before.server) / 1024 / float64(count)
		return nil
	}
	conns, err := openAll(ctx, p, count, memoryLimit)
	defer closeAll(conns)
	if err != nil {
		return err
	}
	if err := note(fmt.Sprintf("memory.%d", count), s.Settle); err != nil || !moved {
		return err
	}
	err = parallel(ctx, memoryWorkers, count, func(_ context.Context, number int) error {
		return fetch(conns[number], memoryBlob)
	})
	if err != nil {
		return err
	}
	if err := note("memory.after", s.Settle/10); err != nil {
		return err
	}
	return note("memory.later", s.Later)
}

// footprint is the memory of both ends in bytes.
type footprint struct{ client, server int64 }

// memory is the memory of both ends after a while.
func (p *pair) memory(ctx context.Context, wait time.Duration) (f footprint, err error) {
	if err := sleep(ctx, wait); err != nil {
		return f, err
	}
	if f.client, err = p.client.memory(); err != nil {
		return f, err
	}
	f.server, err = p.server.memory()
	return f, err
}

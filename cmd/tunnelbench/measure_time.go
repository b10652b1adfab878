package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func rttMetrics(s scale) (metrics []metric) {
	for i, size := range s.MessageSizes {
		name, title := fmt.Sprintf("rtt.%d", size), "round trip of "+sizeName(size)
		metrics = append(
			metrics,
			metric{Name: name + ".p50", Title: title + ", median", Unit: "us", Better: less, Main: i == 0},
			metric{Name: name + ".p99", Title: title + ", 99th percentile", Unit: "us", Better: less},
		)
	}
	return metrics
}

func measureRTT(ctx context.Context, b *bench, i installed) (values, error) {
	v := values{}
	err := b.withPair(ctx, i, certstest.RSA, func(ctx context.Context, p *pair) error {
		for _, size := range b.scale.MessageSizes {
			name := fmt.Sprintf("rtt.%d", size)
			conn, err := dial(ctx, p.address, patience)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			times, err := roundTrips(conn, size, b.scale.MessageCount, b.scale.MessageTime)
			_ = conn.Close() // all messages are back, or err says more
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			v[name+".p50"] = microseconds(percentile(times, 0.5))
			v[name+".p99"] = microseconds(percentile(times, 0.99))
		}
		return nil
	})
	return v, err
}

// trickleSize is the length of an event in a quiet stream of replication.
const trickleSize = 500

func trickleMetrics(scale) []metric {
	return []metric{
		{"trickle.cpu", "trickle of 500 B each ms, CPU of both ends", "%", less, true},
		{"trickle.cpu.client", "trickle, CPU of the client end", "%", less, false},
		{"trickle.cpu.server", "trickle, CPU of the server end", "%", less, false},
		{"trickle.p50", "trickle, delay, median", "us", less, false},
		{"trickle.p99", "trickle, delay, 99th percentile", "us", less, false},
	}
}

func measureTrickle(ctx context.Context, b *bench, i installed) (values, error) {
	v := values{}
	err := b.withPair(ctx, i, certstest.RSA, func(ctx context.Context, p *pair) error {
		count := b.scale.TrickleCount
		conn, err := dial(ctx, p.address, patience+time.Duration(count)*trickleInterval)
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // all messages have come, or an error says more
		if err := ping(conn, 1); err != nil {
			return err
		}
		start := time.Now()
		before, err := p.usage()
		if err != nil {
			return err
		}
		delays, err := receiveTrickle(conn, trickleSize, count)
		if err != nil {
			return err
		}
		after, err := p.usage()
		if err != nil {
			return err
		}
		if p.client != nil {
			used, percent := after.since(before), 100/time.Since(start).Seconds()
			v["trickle.cpu"] = used.sum().Seconds() * percent
			v["trickle.cpu.client"] = used.client.Seconds() * percent
			v["trickle.cpu.server"] = used.server.Seconds() * percent
		}
		delays = delays[len(delays)/10:]
		v["trickle.p50"] = microseconds(percentile(delays, 0.5))
		v["trickle.p99"] = microseconds(percentile(delays, 0.99))
		return nil
	})
	return v, err
}

func startMetrics(scale) []metric {
	return []metric{
		{"start.client", "start-up of the client end until it listens", "ms", less, false},
		{"start.server", "start-up of the server end until it listens", "ms", less, false},
		{"start.first", "first exchange through a new pair, with the handshake", "ms", less, false},
		{"start.binary", "size of the binary", "MB", less, false},
		{"start.loaded", "size of the binary and of its shared libraries", "MB", less, false},
	}
}

func measureStart(ctx context.Context, b *bench, i installed) (values, error) {
	v := values{}
	err := b.withPair(ctx, i, certstest.RSA, func(_ context.Context, p *pair) error {
		v["start.first"] = milliseconds(p.firstTrip)
		if p.client == nil {
			return nil
		}
		v["start.client"], v["start.server"] = milliseconds(p.clientStart), milliseconds(p.serverStart)
		info, err := os.Stat(i.path)
		if err != nil {
			return fmt.Errorf("the size of the binary: %w", err)
		}
		loaded, err := p.server.loaded()
		if err != nil {
			return err
		}
		v["start.binary"], v["start.loaded"] = float64(info.Size())/1e6, float64(loaded)/1e6
		return nil
	})
	return v, err
}

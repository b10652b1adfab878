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
		{Name: "trickle.cpu", Title: "trickle of 500 B each ms, CPU of both ends", Unit: "%", Better: less, Main: true},
		{Name: "trickle.cpu.client", Title: "trickle, CPU of the client end", Unit: "%", Better: less, Main: false},
		{Name: "trickle.cpu.server", Title: "trickle, CPU of the server end", Unit: "%", Better: less, Main: false},
		{Name: "trickle.p50", Title: "trickle, delay, median", Unit: "us", Better: less, Main: false},
		{Name: "trickle.p99", Title: "trickle, delay, 99th percentile", Unit: "us", Better: less, Main: false},
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
		delays, err := receiveTrickle(conn, trickleSize, count, trickleInterval)
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
		{Name: "start.client", Title: "start-up of the client end until it listens", Unit: "ms", Better: less, Main: false},
		{Name: "start.server", Title: "start-up of the server end until it listens", Unit: "ms", Better: less, Main: false},
		{
			Name: "start.first", Title: "first exchange through a new pair, with the handshake", Unit: "ms", Better: less,
			Main: false,
		},
		{Name: "start.binary", Title: "size of the binary", Unit: "MB", Better: less, Main: false},
		{
			Name: "start.loaded", Title: "size of the binary and of its shared libraries", Unit: "MB", Better: less,
			Main: false,
		},
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
		bytes, err := p.server.loaded()
		if err != nil {
			return err
		}
		v["start.binary"], v["start.loaded"] = float64(info.Size())/1e6, float64(bytes)/1e6
		return nil
	})
	return v, err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// The directions of a transfer: down is from the server's side to the
// client's, as replication flows.
var directions = []string{"down", "up"}

func bulkName(direction string, streams int) string {
	return fmt.Sprintf("bulk.%s.%d", direction, streams)
}

func bulkMetrics(s scale) (metrics []metric) {
	for _, direction := range directions {
		for i, streams := range s.Streams {
			first, last := i == 0, i == len(s.Streams)-1
			name := bulkName(direction, streams)
			title := "bulk " + direction + ", " + plural(streams, "connection")
			metrics = append(
				metrics,
				metric{Name: name, Title: title, Unit: "MB/s", Better: more, Main: direction == "down" && (first || last)},
				metric{
					Name: name + ".cpu", Title: title + ", CPU of both ends", Unit: "s/GB", Better: less,
					Main: direction == "down" && (first || last),
				},
				metric{Name: name + ".cpu.client", Title: title + ", CPU of the client end", Unit: "s/GB", Better: less},
				metric{Name: name + ".cpu.server", Title: title + ", CPU of the server end", Unit: "s/GB", Better: less},
				metric{Name: name + ".cpu.bench", Title: title + ", CPU of this program", Unit: "s/GB", Better: less},
			)
		}
	}
	return metrics
}

func measureBulk(ctx context.Context, b *bench, i installed) (values, error) {
	v := values{}
	err := b.withPair(ctx, i, certstest.RSA, func(ctx context.Context, p *pair) error {
		for _, direction := range directions {
			for _, streams := range b.scale.Streams {
				name := bulkName(direction, streams)
				bytes, took, used, err := transfer(ctx, p, direction == "up", streams, b.scale)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				v[name] = float64(bytes) / took.Seconds() / 1e6
				gigabytes := float64(bytes) / 1e9
				v[name+".cpu.bench"] = used.bench.Seconds() / gigabytes
				if p.client != nil {
					v[name+".cpu"] = used.sum().Seconds() / gigabytes
					v[name+".cpu.client"] = used.client.Seconds() / gigabytes
					v[name+".cpu.server"] = used.server.Seconds() / gigabytes
				}
			}
		}
		return nil
	})
	return v, err
}

// drainLimit is how long what fills the buffers on the way may take to arrive
// once a transfer has been stopped: dozens of megabytes a connection.
const drainLimit = 2 * time.Minute

// transfer moves data over some connections at once and says how many bytes
// arrived in the time after the warm-up, and what that cost. All data are
// compared, those of the warm-up and of the end included.
func transfer(
	ctx context.Context, p *pair, up bool, streams int, s scale,
) (arrived int64, took time.Duration, used usage, err error) {
	limit := s.BulkWarm + s.BulkTime + drainLimit
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errors.New("the transfer does not end"))
	defer cancel()
	flows := make([]*flow, 0, streams)
	for range streams {
		conn, err := dial(ctx, p.address, limit)
		if err != nil {
			return 0, 0, used, err
		}
		defer conn.Close() //nolint:errcheck // all has arrived, or an error says more
		f := p.backend.newFlow()
		defer p.backend.forget(f)
		flows = append(flows, f)
		if err := ping(conn, f.number); err != nil { // the handshake comes before the clock
			return 0, 0, used, err
		}
		if err := f.start(conn, up); err != nil {
			return 0, 0, used, err
		}
	}
	if err := sleep(ctx, s.BulkWarm); err != nil {
		return 0, 0, used, err
	}
	bytesBefore, start := received(flows), time.Now()
	before, err := p.usage()
	if err != nil {
		return 0, 0, used, err
	}
	if err := sleep(ctx, s.BulkTime); err != nil {
		return 0, 0, used, err
	}
	bytesAfter, took := received(flows), time.Since(start)
	after, err := p.usage()
	if err != nil {
		return 0, 0, used, err
	}
	for _, f := range flows {
		f.stopping.Store(true)
	}
	for _, f := range flows {
		select {
		case err := <-f.ended:
			if err != nil {
				return 0, 0, used, err
			}
		case <-ctx.Done():
			return 0, 0, used, context.Cause(ctx)
		}
	}
	if bytesAfter == bytesBefore {
		return 0, 0, used, errors.New("nothing arrived")
	}
	return bytesAfter - bytesBefore, took, after.since(before), nil
}

// start begins a flow over conn; the caller closes conn, which ends it.
func (f *flow) start(conn net.Conn, up bool) error {
	verb := byte(askFlow)
	if up {
		verb = askSink
	}
	if _, err := conn.Write(request{verb: verb, number: f.number}.bytes()); err != nil {
		return fmt.Errorf("send a request: %w", err)
	}
	if up {
		go func() { _ = f.send(conn) }() // the receiver misses what could not be sent
	} else {
		go func() { _ = f.receive(conn) }() // which tells f.ended
	}
	return nil
}

func received(flows []*flow) (sum int64) {
	for _, f := range flows {
		sum += f.received.Load()
	}
	return sum
}

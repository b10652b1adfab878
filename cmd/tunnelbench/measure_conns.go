package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

var keyKinds = []certstest.KeyType{certstest.RSA, certstest.ECDSA}

func connsName(kind certstest.KeyType, workers int) string {
	return fmt.Sprintf("conns.%s.%d", kind, workers)
}

func connsMetrics(s scale) (metrics []metric) {
	for _, kind := range keyKinds {
		for i, workers := range s.Workers {
			name := connsName(kind, workers)
			title := fmt.Sprintf("new connections, %s, %s",
				map[certstest.KeyType]string{certstest.RSA: "RSA", certstest.ECDSA: "ECDSA"}[kind], plural(workers, "worker"))
			main := kind == certstest.RSA && i == len(s.Workers)-1
			metrics = append(
				metrics,
				metric{Name: name, Title: title, Unit: "1/s", Better: more, Main: main},
				metric{Name: name + ".cpu", Title: title + ", CPU of both ends", Unit: "ms each", Better: less, Main: main},
				metric{Name: name + ".cpu.client", Title: title + ", CPU of the client end", Unit: "ms each", Better: less},
				metric{Name: name + ".cpu.server", Title: title + ", CPU of the server end", Unit: "ms each", Better: less},
			)
		}
	}
	return metrics
}

func measureConns(ctx context.Context, b *bench, i installed) (values, error) {
	v := values{}
	for _, kind := range keyKinds {
		for _, workers := range b.scale.Workers {
			name := connsName(kind, workers)
			err := b.withPair(ctx, i, kind, func(ctx context.Context, p *pair) error {
				return countConns(ctx, p, workers, b.scale, name, v)
			})
			if err != nil {
				return v, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return v, nil
}

// countConns opens connections one after the other in each worker, exchanges a
// request over each, and closes it. The pair's own way of resuming sessions is
// at work, as it would be on a site.
func countConns(ctx context.Context, p *pair, workers int, s scale, name string, v values) error {
	before, err := p.usage()
	if err != nil {
		return err
	}
	start := time.Now()
	count := atomic.Int64{}
	err = parallel(ctx, workers, s.ConnsCount, func(ctx context.Context, number int) error {
		if time.Since(start) > s.ConnsTime && number >= 2*workers {
			return errEnough
		}
		conn, err := dial(ctx, p.address, patience)
		if err != nil {
			return err
		}
		defer conn.Close()                                 //nolint:errcheck // nothing is under way
		if err := ping(conn, uint64(number)); err != nil { //nolint:gosec // counts up
			return err
		}
		count.Add(1)
		return nil
	})
	took := time.Since(start)
	if err != nil {
		return err
	}
	if err := sleep(ctx, s.Settle/10); err != nil { // the last connections end
		return err
	}
	after, err := p.usage()
	if err != nil {
		return err
	}
	n := float64(count.Load())
	v[name] = n / took.Seconds()
	if p.client != nil {
		used := after.since(before)
		v[name+".cpu"] = milliseconds(used.sum()) / n
		v[name+".cpu.client"] = milliseconds(used.client) / n
		v[name+".cpu.server"] = milliseconds(used.server) / n
	}
	return nil
}

// errEnough ends parallel early, and well.
var errEnough = errors.New("enough")

// parallel calls do for the numbers below count from some workers, until one
// fails; errEnough ends its worker only.
func parallel(ctx context.Context, workers, count int, do func(ctx context.Context, number int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for ctx.Err() == nil {
				number := int(next.Add(1)) - 1
				if number >= count {
					return
				}
				err := do(ctx, number)
				if errors.Is(err, errEnough) {
					return
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// openAll opens count connections and keeps them; the caller closes what it
// gets, with an error too.
func openAll(ctx context.Context, p *pair, count int, limit time.Duration) ([]*net.TCPConn, error) {
	conns := make([]*net.TCPConn, count)
	err := parallel(ctx, memoryWorkers, count, func(ctx context.Context, number int) error {
		conn, err := dial(ctx, p.address, limit)
		if err != nil {
			return err
		}
		conns[number] = conn
		return ping(conn, uint64(number)) //nolint:gosec // counts up
	})
	return conns, err
}

func closeAll(conns []*net.TCPConn) {
	for _, conn := range conns {
		if conn != nil {
			_ = conn.Close() // idle
		}
	}
}

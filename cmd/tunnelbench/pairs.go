package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// startLimit is how long a process may take until it listens, and a pair
// until it passes data.
const startLimit = 20 * time.Second

// pair is a running tunnel: a client end before a server end before the
// backend. For the pair without processes both ends are nil.
type pair struct {
	address string // of the client end
	tls     string // of the server end
	backend *backend
	client  *process
	server  *process

	clientStart, serverStart time.Duration // until they listened
	firstTrip                time.Duration // the first exchange, with a handshake in it
	cancel                   context.CancelFunc
	stopped                  chan error
}

// pairOptions say how a pair is started.
type pairOptions struct {
	site   *site
	folder string      // for its files; made by the caller
	most   int         // connections at once
	line   *packetLine // between the ends; nil: loopback
}

// startPair starts both ends and waits until data pass. The pair ends with ctx
// or stop, and must be stopped.
func (b *bench) startPair(ctx context.Context, i installed, o pairOptions) (*pair, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &pair{address: b.backend.address(), backend: b.backend, cancel: cancel, stopped: make(chan error, 1)}
	if err := b.startEnds(ctx, p, i, o); err != nil {
		cancel()
		return nil, errors.Join(err, p.stopEnds())
	}
	go func() {
		<-ctx.Done()
		p.stopped <- p.stopEnds()
	}()
	if err := p.firstExchange(ctx); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (b *bench) startEnds(ctx context.Context, p *pair, i installed, o pairOptions) (err error) {
	if i.program == "" {
		return nil
	}
	server := end{connect: b.backend.address(), identity: o.site.server}
	if p.server, p.serverStart, server, err = b.startEnd(ctx, i, o, server); err != nil {
		return err
	}
	p.tls = server.accept
	client := end{client: true, connect: server.accept, identity: o.site.client}
	if p.client, p.clientStart, client, err = b.startEnd(ctx, i, o, client); err != nil {
		return err
	}
	p.address = client.accept
	return nil
}

// startEnd starts one end at a free port and waits until it listens.
func (b *bench) startEnd(ctx context.Context, i installed, o pairOptions, e end) (*process, time.Duration, end, error) {
	fail := func(p *process, err error) (*process, time.Duration, end, error) {
		return p, 0, e, fmt.Errorf("%s: %w", i.name, err)
	}
	e.cafile, e.capath, e.most = o.site.cafile, o.site.capath, o.most
	e.folder = filepath.Join(o.folder, e.role())
	if err := os.Mkdir(e.folder, 0o700); err != nil {
		return fail(nil, err)
	}
	port, err := b.freePort(ctx)
	if err != nil {
		return fail(nil, err)
	}
	ip, starter := "127.0.0.1", b.starter
	if o.line != nil {
		ip, starter = o.line.place(e.client)
	}
	e.accept = net.JoinHostPort(ip, strconv.Itoa(port))
	args, err := i.arguments(e)
	if err != nil {
		return fail(nil, err)
	}
	start := time.Now()
	p, err := starter.start(i.name+" "+e.role(), filepath.Join(e.folder, "output"), i.death, i.path, args...)
	if err != nil {
		return fail(nil, err)
	}
	if err := p.waitListening(ctx, port); err != nil {
		return fail(p, err)
	}
	return p, time.Since(start), e, nil
}

// waitListening looks at the kernel's table: a connection to find out would
// be one that the program has to handle.
func (p *process) waitListening(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	poll := time.NewTicker(200 * time.Microsecond)
	defer poll.Stop()
	for {
		if open, err := listens(p.pid, port); open || err != nil {
			return err
		}
		select {
		case <-p.done:
			return p.failed("ended")
		case <-ctx.Done():
			return p.failed("does not listen: " + context.Cause(ctx).Error())
		case <-poll.C:
		}
	}
}

// listens reports whether a port is open on the host on which a process runs; not if it
// has ended.
func listens(pid, port int) (bool, error) {
	table, err := os.Open(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for open ports: %w", err)
	}
	defer table.Close() //nolint:errcheck // read only
	return isListening(table, port)
}

// The ports for the ends lie below those that the kernel gives to outgoing
// connections, which could take one between freePort and its use.
const firstPort, lastPort = 12000, 31999

// freePort is a port of 127.0.0.1 that nothing has, and that was not given
// out before: what is left of its connections lingers.
func (b *bench) freePort(ctx context.Context) (int, error) {
	for range lastPort - firstPort {
		b.port++
		if b.port < firstPort || b.port > lastPort {
			b.port = firstPort
		}
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)))
		if err == nil {
			return b.port, listener.Close()
		}
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
	}
	return 0, fmt.Errorf("no port from %d to %d is free", firstPort, lastPort)
}

// firstExchange tries until data pass.
func (p *pair) firstExchange(ctx context.Context) error {
	for deadline := time.Now().Add(startLimit); ; {
		start := time.Now()
		err := p.exchange(ctx)
		if err == nil {
			p.firstTrip = time.Since(start)
			return nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return p.explain(fmt.Errorf("no data pass: %w", err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// exchange sends a request over a new connection.
func (p *pair) exchange(ctx context.Context) error {
	conn, err := dial(ctx, p.address, startLimit)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is under way
	return ping(conn, 1)
}

// explain adds to an error what the two ends printed.
func (p *pair) explain(err error) error {
	for _, process := range []*process{p.client, p.server} {
		if process != nil {
			err = errors.Join(err, process.failed("the end of its output"))
		}
	}
	return err
}

// stop ends both processes and waits until nothing of them is left.
func (p *pair) stop() error {
	p.cancel()
	return <-p.stopped
}

func (p *pair) stopEnds() error {
	var failures []error
	for _, process := range []*process{p.client, p.server} {
		if process != nil {
			failures = append(failures, process.stop())
		}
	}
	return errors.Join(failures...)
}

// usage is the CPU time of both ends, and of this program, up to now.
type usage struct{ client, server, bench time.Duration }

func (p *pair) usage() (u usage, err error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now); err != nil {
		return u, fmt.Errorf("CPU time of this program: %w", err)
	}
	u.bench = time.Duration(now.Nano())
	if p.client == nil {
		return u, nil
	}
	if u.client, err = p.client.cpu(); err != nil {
		return u, err
	}
	u.server, err = p.server.cpu()
	return u, err
}

func (u usage) since(before usage) usage {
	return usage{client: u.client - before.client, server: u.server - before.server, bench: u.bench - before.bench}
}

// sum is what the pair used.
func (u usage) sum() time.Duration { return u.client + u.server }

package seed

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/gtunnel/gtunnel/replication/server"
)

// relay is the way of a seed to the master that is held to a rate: the tools, and the server
// that becomes a clone, connect to it instead of to the tunnel. It limits what comes from the
// master by all connections together, as it passes there, compressed or not. What they ask
// passes at once.
type relay struct {
	listener net.Listener
	to       server.Login // of the master, by TCP
	limiter  *rate.Limiter
	passed   atomic.Uint64 // bytes from the master

	ctx     context.Context //nolint:containedctx // its life: its end closes every connection
	end     context.CancelFunc
	running sync.WaitGroup
}

// relayBuffer is how many bytes pass at once: few, so that a slow rate is an even one, and no
// server takes the way for lost (net_write_timeout).
const relayBuffer = 16 << 10

// newRelay begins to relay. The caller stops it.
func newRelay(ctx context.Context, to server.Login, maxRate uint64) (*relay, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(server.Loopback, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen on this host for --max-rate: %w", err)
	}
	r := &relay{listener: listener, to: to, limiter: newLimiter(maxRate)}
	r.ctx, r.end = context.WithCancel(ctx)
	context.AfterFunc(r.ctx, func() { _ = listener.Close() }) // which ends accept
	r.running.Go(r.accept)
	return r, nil
}

// stop closes the relay with all of its connections, and waits for their end.
func (r *relay) stop() {
	r.end()
	r.running.Wait()
}

// login is how the master is reached by the relay.
func (r *relay) login() server.Login {
	login := r.to
	login.Network, login.Address = "tcp", r.listener.Addr().String()
	return login
}

func (r *relay) accept() {
	for {
		conn, err := r.listener.Accept()
		switch {
		case err == nil:
			r.running.Go(func() { r.carry(conn) }) // which closes it
		case r.ctx.Err() != nil:
			return
		default: // such as too many open files
			_ = server.Pause(r.ctx, progressEvery) // its end is that of the listener
		}
	}
}

// carry connects one connection with the master, until either side ends.
func (r *relay) carry(tool net.Conn) {
	ctx, end := context.WithCancel(r.ctx)
	defer end()
	defer closeAtEnd(ctx, tool)()
	dialer := net.Dialer{Timeout: server.ConnectTimeout}
	master, err := dialer.DialContext(ctx, r.to.Network, r.to.Address)
	if err != nil {
		return // the tool finds its connection closed, and says so
	}
	defer closeAtEnd(ctx, master)()
	r.running.Go(func() {
		defer end()
		pass(tool, master, nil)
	})
	pass(master, tool, func(n int) error {
		r.passed.Add(uint64(n)) //nolint:gosec // not negative
		return mayPass(ctx, r.limiter, n)
	})
}

// closeAtEnd closes a connection when ctx ends, or by what it returns.
func closeAtEnd(ctx context.Context, conn net.Conn) func() {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return func() {
		if stop() {
			_ = conn.Close()
		}
	}
}

// pass carries bytes until an end: of one side, or of the patience of may.
func pass(from, to net.Conn, may func(int) error) {
	buffer := make([]byte, relayBuffer)
	for {
		n, err := from.Read(buffer)
		if n > 0 && may != nil && may(n) != nil {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold makes the tools' way to the master one that is held to MaxRate, if there is one,
// until end.
func (s *Seed) hold(ctx context.Context) (end func(), err error) {
	if s.MaxRate == 0 {
		return func() {}, nil
	}
	if s.relay, err = newRelay(ctx, s.Master.Login, s.MaxRate); err != nil {
		return nil, err
	}
	return func() {
		s.relay.stop()
		s.passed, s.relay = s.relay.passed.Load(), nil
	}, nil
}

// login is as whom, and where, a tool logs in to one of the seed's servers.
func (s *Seed) login(end *server.Server) server.Login {
	if s.relay != nil && end == s.Master {
		return s.relay.login()
	}
	return end.Login
}

package failovertest

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Direction is one of a Link's.
type Direction int

// The directions, which can be added.
const (
	Out  Direction = 1 << iota // from the host that dials
	Back                       // to it
	Both = Out | Back
)

// Link is the way by which one host dials the other: a relay for its server, and one
// for its gtunnel, which only says that it lives. Its methods may be called
// concurrently.
type Link struct {
	port   int    // of 127.0.0.1, where the other host's server is reached
	tunnel string // the address where its gtunnel is

	mu     sync.Mutex
	cut    bool
	silent Direction
	change chan struct{} // closed at the next change
	conns  map[*relayed]bool
}

// relayed is one connection through a Link.
type relayed struct{ near, far net.Conn }

// reset ends both sides as a broken way does.
func (r *relayed) reset() {
	for _, conn := range []net.Conn{r.near, r.far} {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // without more bytes
			_ = tcp.Close()
		}
	}
}

// newLink makes a link to the addresses of the other host's server and gtunnel. It ends
// with the test.
func newLink(t testing.TB, server, tunnel string) *Link {
	t.Helper()
	l := &Link{change: make(chan struct{}), conns: map[*relayed]bool{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	servers, port := listen(t)
	tunnels, tunnelPort := listen(t)
	l.port, l.tunnel = port, net.JoinHostPort("127.0.0.1", strconv.Itoa(tunnelPort))
	running.Go(func() { l.accept(ctx, &running, servers, server) })
	running.Go(func() { l.accept(ctx, &running, tunnels, tunnel) })
	t.Cleanup(func() {
		cancel()
		_, _ = servers.Close(), tunnels.Close()
		l.Cut()
		running.Wait()
	})
	return l
}

// listen listens at a free port of loopback.
func listen(t testing.TB) (listener net.Listener, port int) {
	t.Helper()
	tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	address, _ := tcp.Addr().(*net.TCPAddr) // always
	return tcp, address.Port
}

// Cut resets all connections, and each new one.
func (l *Link) Cut() { l.set(true, 0) }

// Silence keeps all bytes that go in a direction, until Restore.
func (l *Link) Silence(d Direction) { l.set(false, d) }

// Restore makes the link whole. What was kept is delivered.
func (l *Link) Restore() { l.set(false, 0) }

func (l *Link) set(cut bool, silent Direction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.silent = cut, silent
	close(l.change)
	l.change = make(chan struct{})
	if cut {
		for r := range l.conns {
			r.reset()
		}
	}
}

// passes waits until bytes may go in a direction.
func (l *Link) passes(ctx context.Context, d Direction) error {
	for {
		l.mu.Lock()
		cut, silent, change := l.cut, l.silent, l.change
		l.mu.Unlock()
		if cut {
			return net.ErrClosed
		}
		if silent&d == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-change:
		}
	}
}

// accept relays each connection to a target until the listener is closed.
func (l *Link) accept(ctx context.Context, running *sync.WaitGroup, listener net.Listener, target string) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		running.Go(func() { l.relay(ctx, near, target) })
	}
}

// relay dials the target as soon as the way to it is open, and copies in both directions.
func (l *Link) relay(ctx context.Context, near net.Conn, target string) {
	r := &relayed{near: near}
	if err := l.passes(ctx, Out); err != nil {
		r.reset()
		return
	}
	far, err := new(net.Dialer).DialContext(ctx, "tcp", target)
	if err != nil {
		r.reset()
		return
	}
	r.far = far
	l.mu.Lock()
	if l.cut || ctx.Err() != nil {
		r.reset()
		l.mu.Unlock()
		return
	}
	l.conns[r] = true
	l.mu.Unlock()
	defer func() { _, _ = near.Close(), far.Close() }()
	var copying sync.WaitGroup
	copying.Go(func() { l.copy(ctx, r, far, near, Out) })
	copying.Go(func() { l.copy(ctx, r, near, far, Back) })
	copying.Wait()
	l.mu.Lock()
	delete(l.conns, r)
	l.mu.Unlock()
}

// copy copies in a direction until an end, which it passes on.
func (l *Link) copy(ctx context.Context, r *relayed, to, from net.Conn, d Direction) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if l.passes(ctx, d) != nil {
			r.reset()
			return
		}
		if _, writeErr := to.Write(buffer[:n]); writeErr != nil {
			err = writeErr
		}
		if errors.Is(err, io.EOF) {
			if tcp, ok := to.(*net.TCPConn); ok {
				_ = tcp.CloseWrite() // it may be closed
			}
			return
		}
		if err != nil {
			r.reset()
			return
		}
	}
}

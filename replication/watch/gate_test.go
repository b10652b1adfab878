package watch_test

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// gate stands for the tunnel: it carries connections from a port of this host to
// a server, and can fail in the ways in which a tunnel does.
type gate struct {
	t      *testing.T
	target string
	port   int

	mu       sync.Mutex
	flows    *sync.Cond // on mu: frozen has changed
	listener net.Listener
	refuses  bool
	frozen   bool
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

// newGate opens a gate that ends with the test.
func newGate(t *testing.T, target string) *gate {
	t.Helper()
	g := &gate{t: t, target: target, conns: map[net.Conn]bool{}}
	g.flows = sync.NewCond(&g.mu)
	g.open()
	t.Cleanup(func() {
		g.shut()
		g.wg.Wait()
	})
	return g
}

// open carries connections again.
func (g *gate) open() {
	g.t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuses, g.frozen = false, false
	g.flows.Broadcast()
	if g.listener != nil {
		return
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(g.port)))
	if err != nil {
		g.t.Fatal(err)
	}
	g.listener, g.port = listener, listener.Addr().(*net.TCPAddr).Port
	g.wg.Add(1)
	go g.accept(listener)
}

// shut is a tunnel that does not run.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		g.listener.Close()
		g.listener = nil
	}
	g.closeConns()
}

// refuse is a tunnel whose far end takes no connection.
func (g *gate) refuse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuses = true
	g.closeConns()
}

// freeze is a link that is dead without anybody knowing.
func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen = true
}

func (g *gate) closeConns() {
	g.frozen = false
	g.flows.Broadcast()
	for conn := range g.conns {
		conn.Close()
	}
	clear(g.conns)
}

func (g *gate) accept(listener net.Listener) {
	defer g.wg.Done()
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", g.target)
		g.mu.Lock()
		if err != nil || g.refuses || g.listener != listener {
			g.mu.Unlock()
			near.Close()
			if err == nil {
				far.Close()
			}
			continue
		}
		g.conns[near], g.conns[far] = true, true
		g.mu.Unlock()
		g.wg.Add(2)
		go g.carry(near, far)
		go g.carry(far, near)
	}
}

// carry copies one way until either end closes.
func (g *gate) carry(to io.WriteCloser, from io.Reader) {
	defer g.wg.Done()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		g.mu.Lock()
		for g.frozen {
			g.flows.Wait()
		}
		g.mu.Unlock()
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

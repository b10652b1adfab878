package tunnel_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// script is what one end of a connection does.
type script []func(testing.TB, *net.TCPConn)

func (s script) play(t testing.TB, conn *net.TCPConn) {
	t.Helper()
	for _, step := range s {
		step(t, conn)
	}
}

// write is a step that sends a text.
func write(text string) func(testing.TB, *net.TCPConn) {
	return func(t testing.TB, conn *net.TCPConn) {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Error(err)
		}
	}
}

// read is a step that wants to receive a text.
func read(text string) func(testing.TB, *net.TCPConn) {
	return func(t testing.TB, conn *net.TCPConn) {
		got := make([]byte, len(text))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
			t.Errorf("read %q, %v, want %q", got, err, text)
		}
	}
}

// end is a step that ends what is sent.
func end(t testing.TB, conn *net.TCPConn) {
	t.Helper()
	if err := conn.CloseWrite(); err != nil {
		t.Error(err)
	}
}

// readEnd is a step that wants the other end to have ended.
func readEnd(t testing.TB, conn *net.TCPConn) {
	t.Helper()
	if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
		t.Errorf("read %q, %v, want the end", got, err)
	}
}

// TestHalfClose ends the directions in every order and at every point.
func TestHalfClose(t *testing.T) {
	for name, test := range map[string]struct{ client, backend script }{
		"both at once":                {script{end, readEnd}, script{end, readEnd}},
		"client first":                {script{end, readEnd}, script{readEnd, end}},
		"backend first":               {script{readEnd, end}, script{end, readEnd}},
		"client before the greeting":  {script{end, read("hello"), readEnd}, script{readEnd, write("hello"), end}},
		"backend before the question": {script{readEnd, write("hello"), end}, script{end, read("hello"), readEnd}},
		"client after its question": {
			script{write("a?"), end, read("b!"), readEnd},
			script{read("a?"), readEnd, write("b!"), end},
		},
		"backend after its greeting": {
			script{read("b!"), readEnd, write("a?"), end},
			script{write("b!"), end, read("a?"), readEnd},
		},
		"client in a conversation": {
			script{read("1"), write("2"), read("3"), end, read("4"), readEnd},
			script{write("1"), read("2"), write("3"), readEnd, write("4"), end},
		},
		"backend in a conversation": {
			script{write("1"), read("2"), readEnd, write("3"), end},
			script{read("1"), write("2"), end, read("3"), readEnd},
		},
		"both with words on their way": {
			script{write("1"), end, read("2"), readEnd},
			script{write("2"), end, read("1"), readEnd},
		},
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan struct{})
			server, client := startPair(t, backend(t, func(conn *net.TCPConn) {
				test.backend.play(t, conn)
				close(done)
			}))
			test.client.play(t, dial(t, client.Addr()))
			receive(t, "the end of the backend", done)
			for _, r := range []*running{server, client} {
				r.entry(t, "closed", "reason", "both sides ended")
			}
		})
	}
}

// TestBothEndAtOnce ends many sessions at both ends in the same moment: neither
// may take the other's orderly end for a reset.
func TestBothEndAtOnce(t *testing.T) {
	target, conns := held(t)
	_, client := startPair(t, target, quiet)
	rounds := 1500
	if testing.Short() {
		rounds = 150
	}
	for range rounds {
		near := dial(t, client.Addr())
		if _, err := near.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		far := receive(t, "a connection at the backend", conns)
		var ends sync.WaitGroup
		for _, conn := range []*net.TCPConn{near, far} {
			ends.Go(func() {
				if err := conn.CloseWrite(); err != nil {
					t.Error(err)
				}
				if _, err := io.Copy(io.Discard, conn); err != nil {
					t.Error(err)
				}
				conn.Close()
			})
		}
		ends.Wait()
		if t.Failed() {
			return
		}
	}
}

func TestResetIsPassedOn(t *testing.T) {
	t.Run("from the client", func(t *testing.T) {
		target, conns := held(t)
		server, client := startPair(t, target)
		conn := dial(t, client.Addr())
		far := receive(t, "a connection at the backend", conns)
		exchangeAcross(t, conn, far)
		abort(t, conn)
		expectReset(t, far)
		client.entry(t, "closed", "reason", "local side reset the connection")
		server.entry(t, "closed", "reason", "peer reset the connection")
	})
	t.Run("from the backend", func(t *testing.T) {
		target, conns := held(t)
		server, client := startPair(t, target)
		conn := dial(t, client.Addr())
		far := receive(t, "a connection at the backend", conns)
		exchangeAcross(t, conn, far)
		abort(t, far)
		expectReset(t, conn)
		client.entry(t, "closed", "reason", "peer reset the connection")
		server.entry(t, "closed", "reason", "target reset the connection")
	})
	t.Run("from the backend after the client has ended", func(t *testing.T) {
		target, conns := held(t)
		_, client := startPair(t, target)
		conn := dial(t, client.Addr())
		far := receive(t, "a connection at the backend", conns)
		exchangeAcross(t, conn, far)
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, far)
		abort(t, far)
		expectReset(t, conn)
	})
}

// exchangeAcross says something from one side to the other and back.
func exchangeAcross(t testing.TB, near, far net.Conn) {
	t.Helper()
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		if _, err := io.WriteString(pair[0], "hello"); err != nil {
			t.Fatal(err)
		}
		expect(t, pair[1], "hello")
	}
}

// abort closes a connection by a reset.
func abort(t testing.TB, conn *net.TCPConn) {
	t.Helper()
	if err := errors.Join(conn.SetLinger(0), conn.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestLastWords is a MySQL server that refuses a host: it writes its error
// and closes without reading. The error must arrive, and then a reset.
func TestLastWords(t *testing.T) {
	const words = "Host '127.0.0.1' is blocked because of many connection errors"
	_, client := startPair(t, backend(t, func(conn *net.TCPConn) {
		var first [1]byte
		if _, err := io.ReadFull(conn, first[:]); err != nil {
			return
		}
		_, _ = io.WriteString(conn, words)
	}))
	conn := dial(t, client.Addr())
	written := make(chan error, 1)
	go func() {
		for {
			if _, err := conn.Write(make([]byte, 1000)); err != nil {
				written <- err
				return
			}
		}
	}()
	got, err := io.ReadAll(conn)
	if string(got) != words {
		t.Errorf("got %q, want %q", got, words)
	}
	// The kernel tells of a reset once, to whoever asks first.
	if err = errors.Join(err, receive(t, "the writer fails", written)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the connection ended with %v, want a reset", err)
	}
}

// cutter is a TCP proxy that can end connections without the end of TLS.
type cutter struct {
	net.Listener
	target string

	mu    sync.Mutex
	conns []*net.TCPConn
	wg    sync.WaitGroup
}

func newCutter(t testing.TB, target string) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: listener, target: target}
	c.wg.Go(c.serve)
	t.Cleanup(func() {
		listener.Close()
		c.cut()
		c.wg.Wait()
	})
	return c
}

func (c *cutter) serve() {
	for {
		near, err := c.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.target)
		if err != nil {
			near.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, near.(*net.TCPConn), far.(*net.TCPConn))
		c.mu.Unlock()
		c.wg.Go(func() { _, _ = io.Copy(near, far) })
		c.wg.Go(func() { _, _ = io.Copy(far, near) })
	}
}

// cut ends the sending side of every connection in order for TCP.
func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.CloseWrite()
	}
}

// TestTruncation ends the TCP connection between the ends in order, but
// without close_notify: an attacker can do that. It must not look like an end.
func TestTruncation(t *testing.T) {
	p := newPKI(t)
	target, conns := held(t)
	server := start(t, p.serverConfig(t, target))
	proxy := newCutter(t, server.Addr().String())
	client := start(t, p.clientConfig(t, proxy.Addr().String()))
	conn := dial(t, client.Addr())
	far := receive(t, "a connection at the backend", conns)
	exchangeAcross(t, conn, far)
	proxy.cut()
	expectReset(t, conn)
	expectReset(t, far)
	for _, r := range []*running{server, client} {
		r.entry(t, "closed", "reason", "without the end of TLS")
	}
}

// TestSlowReaderIsNotSilent: a reader that stops for longer than a silence
// may last, while data is on its way to it, loses neither the data nor its
// connection: not when the sender has ended, and not when it waits.
func TestSlowReaderIsNotSilent(t *testing.T) {
	const silence = time.Second // in which a busy machine has moved something
	for name, change := range map[string]func(*tunnel.Timeouts){
		"half-closed": func(timeouts *tunnel.Timeouts) { timeouts.HalfClose = silence },
		"idle":        func(timeouts *tunnel.Timeouts) { timeouts.Idle = silence },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, conns := held(t)
			_, client := startPair(t, target, func(server, client *tunnel.Config) {
				change(&server.Timeouts)
				change(&client.Timeouts)
			})
			reader := dial(t, client.Addr())
			writer := receive(t, "connection at the target", conns)
			const size = 24 << 20 // more than all sockets and buffers on the way hold
			var writing sync.WaitGroup
			defer writing.Wait()
			writing.Go(func() {
				if _, err := writer.Write(make([]byte, size)); err != nil {
					t.Errorf("write: %v", err)
				}
				if err := writer.CloseWrite(); err != nil {
					t.Errorf("half-close: %v", err)
				}
			})
			for got, piece := 0, int64(size/4); got < size; got += int(piece) {
				time.Sleep(2 * silence) // this reader is at something else
				if n, err := io.CopyN(io.Discard, reader, piece); err != nil {
					t.Fatalf("read: %v after %d bytes", err, got+int(n))
				}
			}
		})
	}
}

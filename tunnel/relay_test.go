package tunnel_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// pattern is a stream of size bytes whose every 8 KiB block is another one.
type pattern struct {
	size, offset int64
	block        [8 << 10]byte
}

func newPattern(seed byte, size int64) *pattern {
	p := &pattern{size: size}
	generator := rand.NewChaCha8([32]byte{seed})
	_, _ = generator.Read(p.block[:]) // never fails
	return p
}

func (p *pattern) Read(buffer []byte) (int, error) {
	if p.offset == p.size {
		return 0, io.EOF
	}
	start := p.offset % int64(len(p.block))
	if start == 0 {
		binary.BigEndian.PutUint64(p.block[:], uint64(p.offset))
	}
	n := copy(buffer, p.block[start:])
	n = int(min(int64(n), p.size-p.offset))
	p.offset += int64(n)
	return n, nil
}

// sum reads r to its end.
func sum(r io.Reader) (size int64, checksum uint32, err error) {
	hash := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	size, err = io.CopyBuffer(hash, struct{ io.Reader }{r}, make([]byte, 128<<10))
	return size, hash.Sum32(), err
}

func send(conn io.Writer, p *pattern) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{conn}, p, make([]byte, 128<<10))
	return err
}

// TestBothWaysAtOnce moves 1 GB each way at once (less under -short and the
// race detector), then ends one direction and moves as much in the other.
func TestBothWaysAtOnce(t *testing.T) {
	size := int64(1 << 30)
	if testing.Short() || raceDetector {
		size = 64 << 20
	}
	for _, clientEndsFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("client ends first %t", clientEndsFirst), func(t *testing.T) {
			// One side sends size bytes and ends. The other sends size
			// bytes, waits for that end, and sends size bytes more.
			side := func(conn *net.TCPConn, seed byte, first bool) error {
				var group sync.WaitGroup
				var sent error
				ended := make(chan struct{})
				group.Go(func() {
					if sent = send(conn, newPattern(seed, size)); sent != nil {
						return
					}
					if !first {
						<-ended
						sent = send(conn, newPattern(seed+1, size))
					}
					sent = errors.Join(sent, conn.CloseWrite())
				})
				want := io.Reader(newPattern(3-seed, size))
				if first {
					want = io.MultiReader(want, newPattern(4-seed, size))
				}
				gotSize, gotSum, err := sum(conn)
				close(ended)
				group.Wait()
				wantSize, wantSum, _ := sum(want)
				if gotSize != wantSize || gotSum != wantSum {
					err = errors.Join(err, fmt.Errorf("got %d bytes with sum %x, want %d with %x", gotSize, gotSum, wantSize, wantSum))
				}
				return errors.Join(err, sent)
			}
			deadline := time.Now().Add(10 * time.Minute)
			result := make(chan error, 1)
			target := backend(t, func(conn *net.TCPConn) {
				_ = conn.SetDeadline(deadline)
				result <- side(conn, 2, !clientEndsFirst)
			})
			server, client := startPair(t, target)
			conn := dial(t, client.Addr())
			_ = conn.SetDeadline(deadline)
			if err := side(conn, 1, clientEndsFirst); err != nil {
				t.Errorf("client: %v", err)
			}
			if err := <-result; err != nil {
				t.Errorf("backend: %v", err)
			}
			for _, r := range []*running{server, client} {
				r.entry(t, "closed", "reason", "both sides ended")
			}
			s, c := server.Status(), client.Status()
			if s.BytesFromPeer != c.BytesToPeer || s.BytesToPeer != c.BytesFromPeer || s.BytesFromPeer+s.BytesToPeer != uint64(3*size) {
				t.Errorf("the ends count %d, %d and %d, %d bytes, want %d in all",
					s.BytesFromPeer, s.BytesToPeer, c.BytesToPeer, c.BytesFromPeer, 3*size)
			}
		})
	}
}

// TestHalfClose ends the directions in every order and at every point.
func TestHalfClose(t *testing.T) {
	write := func(text string) func(testing.TB, *net.TCPConn) {
		return func(t testing.TB, conn *net.TCPConn) {
			if _, err := io.WriteString(conn, text); err != nil {
				t.Error(err)
			}
		}
	}
	read := func(text string) func(testing.TB, *net.TCPConn) {
		return func(t testing.TB, conn *net.TCPConn) {
			got := make([]byte, len(text))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
				t.Errorf("read %q, %v, want %q", got, err, text)
			}
		}
	}
	end := func(t testing.TB, conn *net.TCPConn) {
		if err := conn.CloseWrite(); err != nil {
			t.Error(err)
		}
	}
	readEnd := func(t testing.TB, conn *net.TCPConn) {
		if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
			t.Errorf("read %q, %v, want the end", got, err)
		}
	}
	type script []func(testing.TB, *net.TCPConn)
	for name, test := range map[string]struct{ client, backend script }{
		"both at once":                 {script{end, readEnd}, script{end, readEnd}},
		"client first":                 {script{end, readEnd}, script{readEnd, end}},
		"backend first":                {script{readEnd, end}, script{end, readEnd}},
		"client before the greeting":   {script{end, read("hello"), readEnd}, script{readEnd, write("hello"), end}},
		"backend before the question":  {script{readEnd, write("hello"), end}, script{end, read("hello"), readEnd}},
		"client after its question":    {script{write("a?"), end, read("b!"), readEnd}, script{read("a?"), readEnd, write("b!"), end}},
		"backend after its greeting":   {script{read("b!"), readEnd, write("a?"), end}, script{write("b!"), end, read("a?"), readEnd}},
		"client in a conversation":     {script{read("1"), write("2"), read("3"), end, read("4"), readEnd}, script{write("1"), read("2"), write("3"), readEnd, write("4"), end}},
		"backend in a conversation":    {script{write("1"), read("2"), readEnd, write("3"), end}, script{read("1"), write("2"), end, read("3"), readEnd}},
		"both with words on their way": {script{write("1"), end, read("2"), readEnd}, script{write("2"), end, read("1"), readEnd}},
	} {
		t.Run(name, func(t *testing.T) {
			play := func(conn *net.TCPConn, steps script) {
				for _, step := range steps {
					step(t, conn)
				}
			}
			done := make(chan struct{})
			server, client := startPair(t, backend(t, func(conn *net.TCPConn) {
				play(conn, test.backend)
				close(done)
			}))
			play(dial(t, client.Addr()), test.client)
			receive(t, "the end of the backend", done)
			for _, r := range []*running{server, client} {
				r.entry(t, "closed", "reason", "both sides ended")
			}
		})
	}
}

func TestRandomSizes(t *testing.T) {
	const seed, total = 42, 8 << 20
	_, client := startPair(t, backend(t, echo))
	conn := dial(t, client.Addr())
	generator := rand.New(rand.NewPCG(seed, 0))
	sent := make(chan error, 1)
	go func() {
		data := make([]byte, 100<<10)
		stream := newPattern(7, total)
		for {
			n, err := io.ReadFull(stream, data[:1+generator.IntN(len(data))])
			if n == 0 {
				sent <- conn.CloseWrite()
				return
			}
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				sent <- err
				return
			}
			if _, err := conn.Write(data[:n]); err != nil {
				sent <- err
				return
			}
		}
	}()
	size, checksum, err := sum(conn)
	if err != nil {
		t.Error(err)
	}
	if err := receive(t, "the last write", sent); err != nil {
		t.Error(err)
	}
	if wantSize, wantSum, _ := sum(newPattern(7, total)); size != wantSize || checksum != wantSum {
		t.Errorf("got %d bytes with sum %x, want %d with %x (seed %d)", size, checksum, wantSize, wantSum, seed)
	}
}

// TestOneByteWrites wants every byte to arrive without a further one.
func TestOneByteWrites(t *testing.T) {
	_, client := startPair(t, backend(t, echo))
	conn := dial(t, client.Addr())
	for i := range 1000 {
		exchange(t, conn, string(rune('a'+i%26)))
	}
}

// TestServerSpeaksFirst is MySQL's way: the client waits for a greeting.
func TestServerSpeaksFirst(t *testing.T) {
	server, client := startPair(t, backend(t, func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, "greeting")
		echo(conn)
	}))
	conn := dial(t, client.Addr())
	expect(t, conn, "greeting")
	exchange(t, conn, "login")
	conn.Close()
	for _, r := range []*running{server, client} {
		connected := r.entry(t, "connected")
		if verified := r.entry(t, "peer verified"); verified["conn"] != connected["conn"] {
			t.Errorf("one connection has the ids %v and %v", verified["conn"], connected["conn"])
		}
		closed := r.entry(t, "closed", "conn", connected["conn"].(string))
		if closed["bytes_from_peer"].(uint64)+closed["bytes_to_peer"].(uint64) != 18 {
			t.Errorf("the closing line counts %v", closed)
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
	go func() {
		for {
			if _, err := conn.Write(make([]byte, 1000)); err != nil {
				return
			}
		}
	}()
	if got := expectReset(t, conn); got != words {
		t.Errorf("got %q, want %q", got, words)
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

// TestSlowReader stops reading: the tunnel must stop too, and hold little.
func TestSlowReader(t *testing.T) {
	const size = 256 << 20
	server, client := startPair(t, backend(t, func(conn *net.TCPConn) {
		_ = send(conn, newPattern(1, size))
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}))
	conn := dial(t, client.Addr())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)

	var carried uint64
	unchanged := 0
	eventually(t, "the tunnel waits for the reader", func() bool {
		now := server.Status().BytesToPeer
		if unchanged++; now != carried || now == 0 {
			carried, unchanged = now, 0
		}
		return unchanged == 250
	})
	runtime.GC()
	runtime.ReadMemStats(&after)
	if carried >= size/2 {
		t.Errorf("%d bytes were carried to a reader that does not read", carried)
	}
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes for one connection", grown)
	}
	if got, checksum, err := sum(io.LimitReader(conn, size)); err != nil {
		t.Errorf("after %d bytes: %v", got, err)
	} else if _, want, _ := sum(newPattern(1, size)); checksum != want {
		t.Errorf("sum %x, want %x", checksum, want)
	}
}

// TestReaderThatWaits does not read for longer than TCP_USER_TIMEOUT, as a
// slave does that waits for relay_log_space_limit. The connection must live.
func TestReaderThatWaits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	const size, userTimeout = 64 << 20, 2 * time.Second
	p := newPKI(t)
	short := func(tun *tunnel.Tunnel) { tun.SetUserTimeout(userTimeout) }
	server := start(t, p.serverConfig(t, backend(t, func(conn *net.TCPConn) {
		_ = send(conn, newPattern(1, size))
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	})), short)
	client := start(t, p.clientConfig(t, server.Addr().String()), short)
	conn := dial(t, client.Addr())
	expect(t, conn, "\x00")
	<-time.After(3 * userTimeout)
	want := newPattern(1, size)
	expectByte := make([]byte, 1)
	_, _ = io.ReadFull(want, expectByte)
	got, checksum, err := sum(conn)
	if wantSize, wantSum, _ := sum(want); err != nil || got != wantSize || checksum != wantSum {
		t.Errorf("got %d bytes with sum %x, %v, want %d with %x", got, checksum, err, wantSize, wantSum)
	}
}

// TestDeadLinesOfTLS is about crypto/tls, which gives close_notify five
// seconds: a reader may be slower.
func TestWireIgnoresWriteDeadlines(t *testing.T) {
	target := backend(t, echo)
	conn, err := net.Dial("tcp", target)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w, err := tunnel.NewCarryingWire(conn)
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := w.SetWriteDeadline(past); err != nil {
		t.Fatal(err)
	}
	exchange(t, w, "hello")
	if err := w.SetDeadline(past); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err != nil {
		t.Errorf("a write deadline counts: %v", err)
	}
	if _, err := w.Read(make([]byte, 1)); err == nil {
		t.Error("a read deadline does not count")
	}
}

// TestPlainDataThatResemblesTLS passes what is not quite a ClientHello.
func TestPlainDataThatResemblesTLS(t *testing.T) {
	_, client := startPair(t, backend(t, echo))
	for _, data := range []string{
		"\x16", "\x16\x03", "\x16\x03\x01\x00\xa0", "\x16\x03\x05\x00\xa0\x01", "\x16\x02\x01\x00\xa0\x01",
		"\x16\x03\x01\x00\xa0\x02", "\x17\x03\x03\x00\xa0\x01", "x\x16\x03\x01\x00\xa0\x01",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"\x16\x03\x00\x01\x85\xa6\xff\x01", // a MySQL handshake response of 790 bytes
	} {
		conn := dial(t, client.Addr())
		exchange(t, conn, data)
		exchange(t, conn, "\x16\x03\x01\x00\xa0\x01")
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestUnixSockets runs both plain ends on unix sockets.
func TestUnixSockets(t *testing.T) {
	dir := t.TempDir()
	listener, err := net.Listen("unix", dir+"/mysqld.sock")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	}()
	defer func() {
		listener.Close()
		<-served
	}()
	server, client := startPair(t, "unix:"+dir+"/mysqld.sock", func(_, client *tunnel.Config) {
		client.Accept = address(t, "unix:"+dir+"/gtunnel.sock")
	})
	conn, err := net.Dial("unix", dir+"/gtunnel.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	exchange(t, conn, "hello")
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	expectEnd(t, conn)
	server.entry(t, "connected", "target", "unix:"+dir)
	for _, r := range []*running{server, client} {
		r.entry(t, "closed", "reason", "both sides ended")
	}
}

// TestIPv6 runs the whole way over IPv6.
func TestIPv6(t *testing.T) {
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		missing(t, "no IPv6 on loopback: "+err.Error())
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	}()
	defer func() {
		listener.Close()
		<-served
	}()
	_, client := startPair(t, listener.Addr().String(), func(server, client *tunnel.Config) {
		server.Accept, client.Accept = address(t, "[::1]:0"), address(t, "[::1]:0")
	})
	if !strings.HasPrefix(client.Addr().String(), "[::1]:") {
		t.Fatalf("the client listens at %s", client.Addr())
	}
	conn := dial(t, client.Addr())
	exchange(t, conn, "hello")
	conn.Close()
}

// TestManyAtOnce runs connections of all sorts side by side.
func TestManyAtOnce(t *testing.T) {
	_, client := startPair(t, backend(t, echo))
	var failures atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			conn, err := net.Dial("tcp", client.Addr().String())
			if err != nil {
				failures.Add(1)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			data := bytes.Repeat([]byte{byte(i)}, 1+i*1000)
			got := make([]byte, len(data))
			for range 5 {
				if _, err := conn.Write(data); err != nil {
					failures.Add(1)
					return
				}
				if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, data) {
					failures.Add(1)
					return
				}
			}
			if i%4 == 0 {
				_ = conn.(*net.TCPConn).SetLinger(0)
			}
		})
	}
	wg.Wait()
	if n := failures.Load(); n > 0 {
		t.Errorf("%d of 40 connections failed", n)
	}
	eventually(t, "all sessions are gone", func() bool { return len(client.Status().Sessions) == 0 })
}

// TestSocketOptions reads back what Tune has set.
func TestSocketOptions(t *testing.T) {
	conn, err := net.Dial("tcp", backend(t, echo))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := tunnel.Tune(conn); err != nil {
		t.Fatal(err)
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for name, option := range map[string][3]int{
		"SO_KEEPALIVE":     {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
		"TCP_KEEPIDLE":     {syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 60},
		"TCP_KEEPINTVL":    {syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL, 15},
		"TCP_KEEPCNT":      {syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT, 4},
		"TCP_USER_TIMEOUT": {syscall.IPPROTO_TCP, 18, 120000},
		"TCP_NODELAY":      {syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1},
	} {
		if err := raw.Control(func(fd uintptr) {
			got, err := syscall.GetsockoptInt(int(fd), option[0], option[1])
			if err != nil || got != option[2] {
				t.Errorf("%s is %d, %v, want %d", name, got, err, option[2])
			}
		}); err != nil {
			t.Error(err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tunnel.Tune(conn); err == nil {
		t.Error("Tune of a closed connection succeeds")
	}
}

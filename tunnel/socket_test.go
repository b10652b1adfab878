package tunnel_test

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// TestReaderThatWaits does not read for longer than TCP_USER_TIMEOUT, as a
// slave does that waits for relay_log_space_limit. The connection must live.
func TestReaderThatWaits(t *testing.T) {
	t.Parallel()
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

// TestWireIgnoresWriteDeadlines is about crypto/tls, which gives close_notify
// five seconds: a reader may be slower.
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

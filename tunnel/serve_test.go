package tunnel_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// TestDrain stops a tunnel with a connection open: it goes on, no further
// one is accepted, and Serve returns when it has ended.
func TestDrain(t *testing.T) {
	server, client := startPair(t, backend(t, echo))
	conn := dial(t, client.Addr())
	exchange(t, conn, "before")
	client.stop()
	server.stop()
	for _, r := range []*running{server, client} {
		eventually(t, "no further connection is accepted", func() bool {
			further, err := net.Dial("tcp", r.Addr().String())
			if err == nil {
				further.Close()
			}
			return err != nil
		})
	}
	exchange(t, conn, "while it drains")
	for _, r := range []*running{server, client} {
		select {
		case <-r.served:
			t.Error("Serve has returned with a connection open")
		default:
		}
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	expectEnd(t, conn)
	for _, r := range []*running{server, client} {
		if err := r.wait(t); err != nil {
			t.Errorf("Serve returns %v", err)
		}
	}
}

// TestDrainEnds closes what is left when the time is over.
func TestDrainEnds(t *testing.T) {
	_, client := startPair(t, backend(t, echo), func(_, client *tunnel.Config) {
		client.Timeouts.Drain = 20 * time.Millisecond
	})
	conn := dial(t, client.Addr())
	exchange(t, conn, "before")
	client.stop()
	expectReset(t, conn)
	if err := client.wait(t); err != nil {
		t.Errorf("Serve returns %v", err)
	}
	client.entry(t, "closed", "reason", "time to drain is over")
}

// TestStopGivesUpOpening stops tunnels while a peer is silent and a target
// does not answer.
func TestStopGivesUpOpening(t *testing.T) {
	server, client := startPair(t, hanging(t))
	dial(t, server.Addr())
	waiting := dial(t, client.Addr())
	eventually(t, "one peer is silent, and one target dialled", func() bool {
		status := server.Status()
		return status.HandshakesPending == 1 && len(status.Sessions) == 1
	})
	server.stop()
	if err := server.wait(t); err != nil {
		t.Errorf("Serve returns %v", err)
	}
	expectReset(t, waiting)
	if n := len(server.Status().Refused); n != 0 {
		t.Errorf("the status counts %v", server.Status().Refused)
	}
}

func TestCloseEndsAtOnce(t *testing.T) {
	server, client := startPair(t, backend(t, echo))
	conn := dial(t, client.Addr())
	exchange(t, conn, "before")
	dial(t, server.Addr())
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	expectReset(t, conn)
	if err := server.wait(t); err != nil {
		t.Errorf("Serve returns %v", err)
	}
	if err := server.Close(); err != nil {
		t.Errorf("a second Close gives %v", err)
	}
}

// TestOrderOfCalls uses a tunnel in the wrong order.
func TestOrderOfCalls(t *testing.T) {
	p := newPKI(t)
	tun, err := tunnel.New(p.serverConfig(t, "127.0.0.1:3306"))
	if err != nil {
		t.Fatal(err)
	}
	if tun.Addr() != nil {
		t.Errorf("Addr before Listen is %v", tun.Addr())
	}
	if err := tun.Serve(t.Context()); err == nil {
		t.Error("Serve without Listen succeeds")
	}
	if err := tun.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := tun.Listen(t.Context()); err == nil {
		t.Error("a second Listen succeeds")
	}
	if err := tun.Close(); err != nil {
		t.Error(err)
	}
	if err := tun.Serve(t.Context()); err != nil {
		t.Errorf("Serve after Close gives %v", err)
	}
	if err := tun.Serve(t.Context()); err == nil {
		t.Error("a second Serve succeeds")
	}
	closed, err := tunnel.New(p.serverConfig(t, "127.0.0.1:3306"))
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Error(err)
	}
	if err := closed.Listen(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Listen after Close gives %v", err)
	}
}

func TestIdle(t *testing.T) {
	server, client := startPair(t, backend(t, echo), func(server, _ *tunnel.Config) {
		server.Timeouts.Idle = 100 * time.Millisecond
	})
	conn := dial(t, client.Addr())
	expectReset(t, conn)
	server.entry(t, "closed", "reason", "idle for 100ms")
}

// TestHalfClosedAndSilent ends a connection whose other half only waits, but
// not one whose other half moves data.
func TestHalfClosedAndSilent(t *testing.T) {
	const bound = 300 * time.Millisecond
	target, conns := held(t)
	server, client := startPair(t, target, func(server, _ *tunnel.Config) { server.Timeouts.HalfClose = bound })
	conn := dial(t, client.Addr())
	far := receive(t, "a connection at the backend", conns)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	ticker := time.NewTicker(bound / 10)
	defer ticker.Stop()
	for range 30 { // three times the bound
		<-ticker.C
		if _, err := io.WriteString(far, "x"); err != nil {
			t.Fatal(err)
		}
		expect(t, conn, "x")
	}
	expectReset(t, conn)
	server.entry(t, "closed", "reason", "one side had ended and the other was silent for 300ms")
}

// TestStillOpen writes a line about a long-lived connection now and then.
func TestStillOpen(t *testing.T) {
	p := newPKI(t)
	often := func(tun *tunnel.Tunnel) { tun.SetReportEvery(20 * time.Millisecond) }
	server := start(t, p.serverConfig(t, backend(t, echo)), often)
	client := start(t, p.clientConfig(t, server.Addr().String()))
	exchange(t, dial(t, client.Addr()), "hello")
	eventually(t, "two lines", func() bool { return server.logs.FilterMessage("still open").Len() >= 2 })
	line := server.entry(t, "still open", "dn", "CN="+clientHost)
	if line["bytes_from_peer"] != uint64(5) || line["conn"] == nil {
		t.Errorf("the line says %v", line)
	}
}

// TestLocalhost dials 127.0.0.1 where the address says localhost or nothing.
func TestLocalhost(t *testing.T) {
	_, port, err := net.SplitHostPort(backend(t, func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, conn.RemoteAddr().(*net.TCPAddr).IP.String())
	}))
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{port, "localhost:" + port, "LocalHost.:" + port} {
		_, client := startPair(t, target)
		if got := expectEnd(t, dialAndEnd(t, client)); got != "127.0.0.1" {
			t.Errorf("%s: the backend is dialled from %s", target, got)
		}
	}
}

// dialAndEnd connects and ends its own direction.
func dialAndEnd(t testing.TB, r *running) net.Conn {
	t.Helper()
	conn := dial(t, r.Addr())
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	return conn
}

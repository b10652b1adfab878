package tunnel_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/tunnel"
)

// unhurried lets silent connections be.
func unhurried(server *tunnel.Tunnel) { server.SetFirstByteTime(patience) }

// TestHandshakeLimits: one that waits gives way to a new one, is told so, and
// others get in all the while.
func TestHandshakeLimits(t *testing.T) {
	p := newPKI(t)
	config := p.serverConfig(t, backend(t, echo))
	config.Limits = tunnel.Limits{Handshakes: 5, HandshakesPerSource: 3}
	server := start(t, config, unhurried)
	client := start(t, p.clientConfig(t, server.Addr().String()))
	pending := func(n int) {
		t.Helper()
		eventually(t, "the handshakes are counted", func() bool { return server.Status().HandshakesPending == n })
	}
	var silent []net.Conn
	for range 3 {
		silent = append(silent, from(t, "127.0.0.2", server.Addr()))
	}
	pending(3)
	silent = append(silent, from(t, "127.0.0.2", server.Addr()))
	if got := expectEnd(t, silent[0]); got != string(certs.BusyAlert()) {
		t.Errorf("the oldest gets %q, want an alert", got)
	}
	server.entry(t, "connection refused", "code", string(tunnel.CodeTooManyFromSource), "reason",
		"max-handshakes-per-source")
	pending(3)

	exchange(t, dial(t, client.Addr()), "another source gets in")

	silent = append(silent, from(t, "127.0.0.3", server.Addr()), from(t, "127.0.0.3", server.Addr()))
	pending(5)
	exchange(t, dial(t, client.Addr()), "a source that was verified before gets in")
	server.entry(t, "connection refused", "code", string(tunnel.CodeTooManyHandshakes), "reason", "max-handshakes allows")
	silent = append(silent, from(t, "127.0.0.4", server.Addr()), from(t, "127.0.0.5", server.Addr()))
	pending(5)

	for _, conn := range silent {
		conn.Close()
	}
	pending(0)
	exchange(t, dial(t, client.Addr()), "there is room again")
}

// TestSilentProgramsOfThePeer fills all places of the peer's own address.
func TestSilentProgramsOfThePeer(t *testing.T) {
	p := newPKI(t)
	config := p.serverConfig(t, backend(t, echo))
	config.Limits = tunnel.Limits{Handshakes: 40, HandshakesPerSource: 20}
	server := start(t, config, unhurried)
	client := start(t, p.clientConfig(t, server.Addr().String()))
	for i := range 25 {
		for range 20 {
			dial(t, server.Addr())
		}
		exchange(t, dial(t, client.Addr()), fmt.Sprintf("peer %d gets in", i))
	}
}

// TestRefusedPeersHoldNoTurn: peers that are refused, and do not go, keep no
// other from its handshake.
func TestRefusedPeersHoldNoTurn(t *testing.T) {
	server, client := startPair(t, backend(t, echo))
	begun := time.Now()
	var wg sync.WaitGroup
	for range 60 { // each is waited for for a second
		conn := from(t, "127.0.0.2", server.Addr())
		wg.Go(func() {
			config := &tls.Config{InsecureSkipVerify: true} // without a certificate
			if err := tls.Client(conn, config).Handshake(); err != nil {
				t.Error(err) // in TLS 1.3 it hears of the refusal later
			}
		})
	}
	wg.Wait()
	exchange(t, dial(t, client.Addr()), "another peer gets in")
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("all together take %s", took)
	}
}

// TestBusyServer: a peer for which there is no place for a session is told so
// before the handshake, and says it.
func TestBusyServer(t *testing.T) {
	server, client := startPair(t, backend(t, echo), func(server, client *tunnel.Config) {
		server.Limits.Connections, client.Timeouts.Dial = 1, 300*time.Millisecond
	})
	exchange(t, dial(t, client.Addr()), "the only place")
	if got := expectEnd(t, dial(t, server.Addr())); got != string(certs.BusyAlert()) {
		t.Errorf("got %q, want an alert", got)
	}
	expectRefusal(t, client.Addr())
	server.entry(t, "connection refused", "code", string(tunnel.CodeTooManyConnections), "cure", "max-connections")
	client.entry(t, "peer refused", "code", string(certs.CodePeerBusy), "reason", "takes no connection now", "cure",
		"max-connections")
}

// TestBusyServerIsTriedAgain: a client waits for a place at a server, and the
// program behind it sees nothing of that.
func TestBusyServerIsTriedAgain(t *testing.T) {
	_, client := startPair(t, backend(t, echo), func(server, client *tunnel.Config) {
		server.Limits.Connections, client.Timeouts.Dial = 1, patience
	})
	first := dial(t, client.Addr())
	exchange(t, first, "the only place")
	second := dial(t, client.Addr())
	client.entry(t, "peer refused", "code", string(certs.CodePeerBusy))
	first.Close()
	exchange(t, second, "the place of the first")
}

// TestFarewellsAreBounded: when enough are being told why they are refused,
// others are reset.
func TestFarewellsAreBounded(t *testing.T) {
	p := newPKI(t)
	config := p.serverConfig(t, backend(t, echo))
	config.Limits.Connections = 1
	server := start(t, config, (*tunnel.Tunnel).TellNobody)
	client := start(t, p.clientConfig(t, server.Addr().String()))
	exchange(t, dial(t, client.Addr()), "the only place")
	expectRefusal(t, server.Addr())
	server.entry(t, "connection refused", "code", string(tunnel.CodeTooManyConnections))
}

// TestClientAtItsLimit: a local program that finds all places taken is reset
// at once, without a byte, and those that wait are not given up for it.
func TestClientAtItsLimit(t *testing.T) {
	p := newPKI(t)
	target, conns := held(t)
	config := p.clientConfig(t, target)
	config.Limits.Handshakes = 1
	client := start(t, config)
	waiting := dial(t, client.Addr())
	far := receive(t, "the connection of the first", conns)
	expectRefusal(t, client.Addr())
	client.entry(t, "connection refused", "code", string(tunnel.CodeTooManyHandshakes), "reason", "max-handshakes allows",
		"cure", "raise max-handshakes")
	server := tls.Server(far, p.tlsConfig(t, serverHost, tls.VersionTLS13))
	if err := server.Handshake(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(server, "hello"); err != nil {
		t.Fatal(err)
	}
	expect(t, waiting, "hello")
}

// gate is a way to a listener through which nothing comes until it is opened.
func gate(t testing.TB, to net.Addr) (way string, open func()) {
	t.Helper()
	opened := make(chan struct{})
	open = sync.OnceFunc(func() { close(opened) })
	way = backend(t, func(near *net.TCPConn) {
		far, err := net.Dial("tcp", to.String())
		if err != nil {
			t.Error(err)
			return
		}
		defer far.Close()
		_ = far.SetDeadline(time.Now().Add(patience))
		<-opened
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(far, near)
			_ = far.Close()
		}()
		_, _ = io.Copy(near, far)
		_ = near.Close()
		<-done
	})
	t.Cleanup(open) // before the end of the backend, which waits
	return way, open
}

// TestLastPlaceForTwo: of connections that were let in together, only as many
// as there are places become sessions. The others are reset and counted.
func TestLastPlaceForTwo(t *testing.T) {
	for name, limit := range map[string]func(server, client *tunnel.Config){
		"at the server": func(server, _ *tunnel.Config) { server.Limits.Connections = 1 },
		"at the client": func(_, client *tunnel.Config) { client.Limits.Connections = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPKI(t)
			serverConfig, clientConfig := p.serverConfig(t, backend(t, echo)), p.clientConfig(t)
			limit(&serverConfig, &clientConfig)
			server := start(t, serverConfig, unhurried)
			way, open := gate(t, server.Addr())
			clientConfig.Connect = []tunnel.Address{address(t, way)}
			client := start(t, clientConfig)
			full := server
			if clientConfig.Limits.Connections == 1 {
				full = client
			}
			near := []net.Conn{dial(t, client.Addr()), dial(t, client.Addr())}
			eventually(t, "both are let in at both ends", func() bool {
				return server.Status().HandshakesPending == len(near) && client.Status().HandshakesPending == len(near)
			})
			open()
			ends := make(chan error, len(near))
			for _, conn := range near {
				go func() {
					_, err := io.WriteString(conn, "hello")
					if err == nil {
						_, err = io.ReadFull(conn, make([]byte, 5))
					}
					ends <- err
				}()
			}
			served := 0
			for range near {
				if receive(t, "the end of a connection", ends) == nil {
					served++
				}
			}
			if served != 1 {
				t.Errorf("%d of 2 connections are served", served)
			}
			full.entry(t, "connection refused", "code", string(tunnel.CodeTooManyConnections), "cure", "max-connections")
			if status := full.Status(); len(status.Sessions) != 1 || status.Refused[string(tunnel.CodeTooManyConnections)] != 1 {
				t.Errorf("%d sessions, refused %v", len(status.Sessions), status.Refused)
			}
		})
	}
}

// TestNoTurnInTime: a peer for which there was no processor time until its
// deadline is not blamed for that.
func TestNoTurnInTime(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	config := p.serverConfig(t, backend(t, echo))
	config.Timeouts.Handshake = 2 * time.Second
	server := start(t, config, (*tunnel.Tunnel).HoldTurns)
	client := start(t, p.clientConfig(t, server.Addr().String()))
	expectRefusal(t, client.Addr())
	server.entry(t, "connection refused", "code", string(tunnel.CodeTooManyHandshakes), "reason", "no processor time",
		"cure", "ss -tn")
	if n := server.logs.FilterMessage("peer refused").Len(); n > 0 {
		t.Error("the peer is blamed")
	}
}

// TestBurst opens more connections of one client at once than the server lets
// one source begin: all get through.
func TestBurst(t *testing.T) {
	const connections = 600
	server, client := startPair(t, backend(t, echo))
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			conn, err := net.DialTimeout("tcp", client.Addr().String(), patience)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			text := fmt.Sprintf("connection %d", i)
			got := make([]byte, len(text))
			if _, err := io.WriteString(conn, text); err != nil {
				t.Error(err)
			} else if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
				t.Errorf("connection %d gets %q: %v", i, got, err)
			}
		})
	}
	wg.Wait()
	if n := len(server.Status().Refused) + len(client.Status().Refused); n > 0 {
		t.Errorf("refused: %v at the server, %v at the client", server.Status().Refused, client.Status().Refused)
	}
}

// TestWaitForADial: a connection that cannot even be begun says why.
func TestWaitForADial(t *testing.T) {
	p := newPKI(t)
	config := p.clientConfig(t, hanging(t))
	config.Timeouts.Dial = 300 * time.Millisecond
	client := start(t, config)
	for range 300 {
		dial(t, client.Addr())
	}
	client.entry(t, "connection refused", "code", string(tunnel.CodeTooManyHandshakes), "reason",
		"100 other connections were being opened", "cure", "the targets are slow")
}

// TestUnverifiedPeersHoldNoPlace keeps silent connections open while the only
// place for a verified one is wanted.
func TestUnverifiedPeersHoldNoPlace(t *testing.T) {
	p := newPKI(t)
	config := p.serverConfig(t, backend(t, echo))
	config.Limits.Connections = 1
	server := start(t, config, unhurried)
	clientConfig := p.clientConfig(t, server.Addr().String())
	clientConfig.Timeouts.Dial = 300 * time.Millisecond // it tries a busy server again as long
	client := start(t, clientConfig)
	for range 20 {
		dial(t, server.Addr())
	}
	eventually(t, "the silent ones are there", func() bool { return server.Status().HandshakesPending == 20 })
	first := dial(t, client.Addr())
	exchange(t, first, "the place is free")
	expectRefusal(t, client.Addr())
	server.entry(t, "connection refused", "code", string(tunnel.CodeTooManyConnections))
	first.Close()
	eventually(t, "the place is free again", func() bool { return len(server.Status().Sessions) == 0 })
	exchange(t, dial(t, client.Addr()), "and taken again")
}

// TestFlood sends nonsense in numbers: it is counted, the log stays small,
// and a peer from elsewhere gets in.
func TestFlood(t *testing.T) {
	const connections = 400
	server, client := startPair(t, backend(t, echo))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
			for range connections / 8 {
				conn, err := dialer.DialContext(t.Context(), "tcp", server.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				_ = conn.SetDeadline(time.Now().Add(patience))
				_, _ = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
			}
		})
	}
	exchange(t, dial(t, client.Addr()), "in spite of the flood")
	wg.Wait()
	eventually(t, "all are counted", func() bool {
		return server.Status().Refused["not-tls"] == connections && server.Status().HandshakesPending == 0
	})
	// The bound is 20 lines and one more each two seconds.
	if n := server.logs.FilterMessage("peer refused").Len(); n < 1 || n > 60 {
		t.Errorf("%d connections made %d lines", connections, n)
	}
}

package tunnel_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/tunnel"
)

// soon is the first delay of a test's tries.
const soon = 10 * time.Millisecond

// try runs TryEvery until it returns, or the test ends.
func (r *running) try(t *testing.T) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.TryEvery(ctx, soon)
	}()
	t.Cleanup(func() {
		cancel()
		receive(t, "the end of Try", done)
	})
	return done
}

// once wants a message of the log, at a level, one time.
func (r *running) once(t *testing.T, message string, level zapcore.Level) {
	t.Helper()
	r.entry(t, message)
	if lines := r.logs.FilterMessage(message).All(); len(lines) != 1 || lines[0].Level != level {
		t.Errorf("%q: %d lines, the first of level %s", message, len(lines), lines[0].Level)
	}
}

// listen opens an address of loopback until the test ends, and counts who
// connects.
func listen(t *testing.T, network, address string) (connections <-chan net.Conn) {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- conn
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return accepted
}

// TestTry: a client's server is reached, proven and says that it accepts the
// client; nothing connects to the target, nothing is refused or a session.
func TestTry(t *testing.T) {
	target := unused(t)
	connections := listen(t, "tcp", target)
	server, client := startPair(t, target)
	receive(t, "the end of the server's try", server.try(t))
	receive(t, "the end of the client's try", client.try(t))
	server.once(t, "target reached", zapcore.InfoLevel)
	client.once(t, "server reached and proven, and it accepts this host", zapcore.InfoLevel)
	line := client.entry(t, "server reached and proven, and it accepts this host",
		"target", server.Addr().String(), "server_name", serverHost, "address", server.Addr().String(), "dn",
		"/CN="+serverHost, "mysql", "up")
	if days, _ := line["days_left"].(int64); days < 1 {
		t.Errorf("%v days left", line["days_left"])
	}
	server.entry(t, "peer checked the tunnel: accepted", "target", "up")
	for _, r := range []*running{server, client} {
		status := r.Status()
		if len(status.Refused) > 0 || len(status.Sessions) > 0 || len(status.DialFailures) > 0 {
			t.Errorf("%+v", status)
		}
		eventually(t, "no handshake is pending", func() bool { return r.Status().HandshakesPending == 0 })
	}
	if len(connections) > 0 {
		t.Errorf("%d connections to the target", len(connections))
	}
	if lines := server.logs.FilterMessage("peer verified").Len(); lines > 0 {
		t.Error("the check counts as a connection that carries data")
	}
}

// TestTryAgain: what is not there at the start is said once, and when it comes
// that is said too.
func TestTryAgain(t *testing.T) {
	p := newPKI(t)
	target, accept := unused(t), unused(t)
	serverConfig := p.serverConfig(t, target)
	serverConfig.Accept = address(t, accept)
	client := start(t, p.clientConfig(t, accept))
	clientTried := client.try(t)
	client.entry(t, "server not reached", "reason", "connection refused", "cure", "is gtunnel server running on that host")
	eventually(t, "the client tries again", func() bool { return client.Status().DialFailures[accept] > 2 })

	server := start(t, serverConfig)
	serverTried := server.try(t)
	server.entry(t, "target not reached: connections will be refused until it is", "reason", "connection refused", "cure",
		"is mysqld running")
	eventually(t, "the server tries again", func() bool { return server.Status().DialFailures[target] > 2 })
	client.entry(t, "server reached and proven, and it accepts this host; but MySQL does not listen behind it", "cure",
		"start MySQL there")
	listen(t, "tcp", target)
	receive(t, "the end of the server's try", serverTried)
	receive(t, "the end of the client's try", clientTried)
	client.once(t, "server not reached", zapcore.WarnLevel)
	client.once(t, "server reached and proven, and it accepts this host; but MySQL does not listen behind it",
		zapcore.WarnLevel)
	client.once(t, "server reached and proven, and it accepts this host", zapcore.InfoLevel)
	server.once(t, "target not reached: connections will be refused until it is", zapcore.WarnLevel)
	server.once(t, "target reached", zapcore.InfoLevel)
}

// TestTryRefused: a server that does not let the client in, and one that the
// client does not trust.
func TestTryRefused(t *testing.T) {
	p := newPKI(t)
	server := start(t, p.serverConfig(t, unused(t)))
	config := p.clientConfig(t, server.Addr().String())
	config.Endpoint = p.endpoint(t, "other.domain.two", nil)
	refused := start(t, config)
	refused.try(t)
	refused.entry(t, "server reached, but connections will fail", "code", "peer-refused-us", "reason",
		"it does not go on: ", "cure", "log")
	server.entry(t, "peer refused", "code", "not-allowed")
	if lines := server.logs.FilterMessage("peer checked the tunnel: accepted").Len(); lines > 0 {
		t.Error("a peer that no rule names is told that it is accepted")
	}

	config = p.clientConfig(t, server.Addr().String())
	config.ServerName = "server2.domain.one"
	refusing := start(t, config)
	refusing.try(t)
	refusing.entry(t, "server reached, but connections will fail", "code", "wrong-host", "reason",
		"this host refuses it: ", "cure", "‹server-name› "+serverHost)
	if refused := refusing.Status().Refused; len(refused) > 0 {
		t.Errorf("a try counts as refused: %v", refused)
	}
}

// TestTryOfOthers: a server that does not know the protocol of checks, one that
// gives no answer, and one whose target's state nobody knows.
func TestTryOfOthers(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	config := p.tlsConfig(t, serverHost, tls.VersionTLS13)
	serve := func(config *tls.Config) string {
		return backend(t, func(conn *net.TCPConn) {
			_, _ = io.Copy(io.Discard, tls.Server(conn, config)) // until it ends
		})
	}
	other := start(t, p.clientConfig(t, serve(config)))
	receive(t, "the end of the try", other.try(t))
	other.once(t, "server reached and proven; whether it accepts this host shows at the first connection",
		zapcore.InfoLevel)

	silent := config.Clone()
	silent.NextProtos = []string{certs.CheckProtocol}
	clientConfig := p.clientConfig(t, serve(silent))
	clientConfig.Timeouts.Handshake = 2 * time.Second
	mute := start(t, clientConfig)
	mute.try(t)
	mute.entry(t, "server reached, but connections will fail", "code", string(certs.CodeSilent), "reason",
		"did not answer in time", "cure", "Look in its log")

	serverConfig := p.serverConfig(t, "198.51.100.1:3306")
	serverConfig.UnsafePlaintext = true
	server := start(t, serverConfig)
	client := start(t, p.clientConfig(t, server.Addr().String()))
	receive(t, "the end of the try", client.try(t))
	client.entry(t, "server reached and proven, and it accepts this host", "mysql", "unknown")
	server.entry(t, "peer checked the tunnel: accepted", "target", "unknown")
}

// TestTryGivenUp: what a try that was given up has met is not told.
func TestTryGivenUp(t *testing.T) {
	client := start(t, newPKI(t).clientConfig(t, hanging(t)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		client.TryEvery(ctx, soon)
	}()
	cancel()
	receive(t, "the end of the try", done)
	if lines := client.logs.FilterMessage("server not reached").Len(); lines > 0 {
		t.Errorf("%d lines of what was given up", lines)
	}
}

// TestTryPlain: what does not speak TLS is not tried again: it may be MySQL,
// which blocks hosts that do so too often.
func TestTryPlain(t *testing.T) {
	tried := make(chan bool, 16)
	mysql := backend(t, func(conn *net.TCPConn) {
		tried <- true
		_, _ = conn.Write([]byte("\x4a\x00\x00\x00\x0a11.4.2-MariaDB\x00"))
		_, _ = io.Copy(io.Discard, conn)
	})
	client := start(t, newPKI(t).clientConfig(t, mysql))
	receive(t, "the end of the try", client.try(t))
	client.entry(t, "server reached, but it has not proved itself", "code", "not-tls", "reason", "MySQL", "cure",
		"Point ‹connect› at the gtunnel server's port")
	if n := len(tried); n != 1 {
		t.Errorf("tried %d times", n)
	}
}

// TestTargetState: of a target of this host the kernel tells, also of a unix
// socket; another host's is not connected to for the sake of a peer.
func TestTargetState(t *testing.T) {
	p := newPKI(t)
	folder := t.TempDir()
	listening, socket := unused(t), filepath.Join(folder, "mysqld.sock")
	connections := listen(t, "tcp", listening)
	onSocket := listen(t, "unix", socket)
	dead := filepath.Join(folder, "dead.sock")
	for about, test := range map[string]struct {
		targets []string
		want    certs.TargetState
	}{
		"up":             {[]string{listening}, certs.TargetUp},
		"unix, up":       {[]string{"unix:" + socket}, certs.TargetUp},
		"down":           {[]string{unused(t)}, certs.TargetDown},
		"unix, down":     {[]string{"unix:" + dead}, certs.TargetDown},
		"one of two":     {[]string{unused(t), listening}, certs.TargetUp},
		"of another":     {[]string{"198.51.100.1:3306"}, certs.TargetUnknown},
		"down, another":  {[]string{unused(t), "198.51.100.1:3306"}, certs.TargetUnknown},
		"another and up": {[]string{"198.51.100.1:3306", "unix:" + socket}, certs.TargetUp},
	} {
		config := p.serverConfig(t, test.targets...)
		config.UnsafePlaintext = true
		tun, err := tunnel.New(config)
		if err != nil {
			t.Fatal(err)
		}
		if got := tun.TargetState(t.Context()); got != test.want {
			t.Errorf("%s: %q, want %q", about, got, test.want)
		}
		if n := tun.Status().DialFailures["198.51.100.1:3306"]; n > 0 {
			t.Errorf("%s: another host was dialled", about)
		}
	}
	if len(connections)+len(onSocket) > 0 {
		t.Error("a listener that the kernel knows was connected to")
	}
}

// TestIsListening: a listener of every address takes connections to loopback,
// one of another address does not, and a connection is no listener.
func TestIsListening(t *testing.T) {
	for about, test := range map[string]struct {
		network, bind, host string
		want                bool
	}{
		"itself":                 {"tcp4", "127.0.0.1", "127.0.0.1", true},
		"localhost":              {"tcp4", "127.0.0.1", "localhost", true},
		"another of loopback":    {"tcp4", "127.0.0.2", "127.0.0.1", false},
		"every IPv4 address":     {"tcp4", "0.0.0.0", "127.0.0.1", true},
		"every address":          {"tcp", "", "127.0.0.1", true},
		"every address, by IPv6": {"tcp", "", "::1", true},
		"IPv6":                   {"tcp6", "::1", "::1", true},
		"IPv6, by IPv4":          {"tcp6", "::1", "127.0.0.1", false},
	} {
		listener, err := net.Listen(test.network, net.JoinHostPort(test.bind, "0"))
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		target := tunnel.Address{Network: "tcp", Host: test.host, Port: port}
		if got := tunnel.IsListening(target); got != test.want {
			t.Errorf("%s: %v, want %v", about, got, test.want)
		}
		listener.Close()
		if tunnel.IsListening(target) {
			t.Errorf("%s: listens when it is closed", about)
		}
	}
	address, conns := held(t)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	receive(t, "a connection", conns)
	if tunnel.IsListening(tunnel.Address{Network: "tcp", Host: "127.0.0.1", Port: port(t, conn.LocalAddr())}) {
		t.Error("a connection counts as a listener")
	}
}

func port(t *testing.T, address net.Addr) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address.String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

package tunnel_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/tunnel"
)

// TestServerRefusesUs is TLS 1.3's trap: the client's handshake succeeds, and
// only its first read tells.
func TestServerRefusesUs(t *testing.T) {
	target, touched := counted(t)
	_, client := startPair(t, target, func(server, _ *tunnel.Config) {
		server.Endpoint.Policy.Access = allow(t, "other.domain.two")
	})
	expectRefusal(t, client.Addr())
	refused := client.entry(t, "peer refused", "code", string(certs.CodePeerRefusedUs))
	if refused["cure"] == "" {
		t.Errorf("no cure: %v", refused)
	}
	client.entry(t, "closed", "reason", refused["reason"].(string))
	if touched.Load() != 0 {
		t.Error("the backend was touched")
	}
	if n := client.logs.FilterMessage("connected").Len(); n != 0 {
		t.Error("the client says that it is connected")
	}
}

// TestServerThatIsAnother refuses a server that does not prove its name.
func TestServerThatIsAnother(t *testing.T) {
	target, touched := counted(t)
	server, client := startPair(t, target, func(_, client *tunnel.Config) { client.ServerName = "server1" })
	expectRefusal(t, client.Addr())
	refused := client.entry(t, "peer refused", "code", string(certs.CodeWrongHost))
	if refused["peer"] != server.Addr().String() {
		t.Errorf("the line names %v", refused["peer"])
	}
	if !strings.Contains(refused["reason"].(string), "the certificate proves "+serverHost) {
		t.Errorf("the line says %v", refused["reason"])
	}
	eventually(t, "the connection is counted",
		func() bool { return client.Status().Refused[string(tunnel.CodeNoTarget)] == 1 })
	if n := client.logs.FilterMessage("connection refused").Len(); n != 0 {
		t.Error("the same is said twice")
	}
	if touched.Load() != 0 {
		t.Error("the backend was touched")
	}
}

// TestServerNameOfAPort: a target without a host is 127.0.0.1, and must prove
// that.
func TestServerNameOfAPort(t *testing.T) {
	p := newPKI(t)
	serverConfig := p.serverConfig(t, backend(t, echo))
	serverConfig.Endpoint = p.party(t, serverHost, certstest.Options{IPs: []string{"127.0.0.1"}}, letIn(t)).Endpoint
	server := start(t, serverConfig)
	config := p.clientConfig(t, port(t, server.Addr()))
	config.ServerName = ""
	exchange(t, dial(t, start(t, config).Addr()), "hello")
	config.Connect = []tunnel.Address{address(t, port(t, start(t, p.serverConfig(t, unused(t))).Addr()))}
	client := start(t, config)
	expectRefusal(t, client.Addr())
	client.entry(t, "peer refused", "code", string(certs.CodeWrongHost), "reason", "127.0.0.1")
}

// TestServersThatFail goes from target to target until one proves itself.
func TestServersThatFail(t *testing.T) {
	p := newPKI(t)
	target, _ := counted(t)
	impostor := p.serverConfig(t, target)
	impostor.Endpoint = p.endpoint(t, "impostor.domain.one", allow(t, clientHost))
	noTLS := backend(t, func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, "J\x00\x00\x00\x0a8.0.36\x00")
		echo(conn)
	})
	unreachable := unused(t)
	client := start(t, p.clientConfig(t, unreachable, noTLS, start(t, impostor).Addr().String(),
		start(t, p.serverConfig(t, target)).Addr().String()))
	conn := dial(t, client.Addr())
	exchange(t, conn, "hello")
	client.entry(t, "peer refused", "code", string(certs.CodeNotTLS), "peer", noTLS)
	client.entry(t, "peer refused", "code", string(certs.CodeWrongHost))
	entry := client.entry(t, "targets skipped")
	if targets := entry["targets"].([]any); len(targets) != 3 ||
		!strings.Contains(targets[0].(string), unreachable+": connection refused") {
		t.Errorf("the line names %v", targets)
	} else if !strings.Contains(targets[1].(string), noTLS+": the other end is a MySQL") ||
		!strings.Contains(targets[1].(string), "(Point ‹connect› at ") ||
		strings.Contains(targets[2].(string), string(certs.CodeWrongHost)) ||
		!strings.Contains(targets[2].(string), "‹server-name› impostor.domain.one") {
		t.Errorf("what is wrong with each: %q", targets)
	}
	if status := client.Status(); status.DialFailures[unreachable] != 1 || len(status.DialFailures) != 1 {
		t.Errorf("the status counts %v", status.DialFailures)
	}
}

// TestNoServer resets the local side when no target answers.
func TestNoServer(t *testing.T) {
	p := newPKI(t)
	first, second := unused(t), unused(t)
	client := start(t, p.clientConfig(t, first, second))
	expectRefusal(t, client.Addr())
	entry := client.entry(t, "connection refused", "code", string(tunnel.CodeNoTarget))
	targets := entry["targets"].([]any)
	for i, target := range []string{first, second} {
		want := target + ": connection refused (nobody listens there, or a firewall rejects it: is gtunnel server running " +
			"on that host, with this port?)"
		if len(targets) != 2 || targets[i] != want {
			t.Errorf("the targets are %q, want %q", targets, want)
		}
	}
}

// TestTLSToThePlainPort refuses a MySQL client that insists on TLS, before
// any of it is carried.
func TestTLSToThePlainPort(t *testing.T) {
	target, conns := held(t)
	_, client := startPair(t, target)
	conn := tls.Client(dial(t, client.Addr()), &tls.Config{ServerName: serverHost})
	if err := conn.Handshake(); err == nil {
		t.Error("the handshake succeeds")
	}
	entry := client.entry(t, "connection refused", "code", string(tunnel.CodeTLSOnPlainPort))
	if !strings.Contains(entry["cure"].(string), "--ssl-mode=DISABLED") {
		t.Errorf("the cure is %q", entry["cure"])
	}
	if got := expectReset(t, receive(t, "a connection at the backend", conns)); got != "" {
		t.Errorf("the backend got %q", got)
	}
	client.entry(t, "closed", "reason", "the local side speaks TLS")
}

// TestTLSInPiecesToThePlainPort finds a hello that comes byte by byte.
func TestTLSInPiecesToThePlainPort(t *testing.T) {
	target, conns := held(t)
	_, client := startPair(t, target)
	conn := dial(t, client.Addr())
	far := receive(t, "a connection at the backend", conns)
	for _, b := range []byte("\x16\x03\x01\x00\xa0") {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		expect(t, far, string([]byte{b})) // nothing is held back
	}
	if _, err := conn.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if got := expectReset(t, far); got != "" {
		t.Errorf("the backend got %q after the hello was known", got)
	}
	expectReset(t, conn)
	client.entry(t, "connection refused", "code", string(tunnel.CodeTLSOnPlainPort))
}

// TestConnectedAtTheFirstByte wants "connected" only when the far side has
// spoken.
func TestConnectedAtTheFirstByte(t *testing.T) {
	target, conns := held(t)
	server, client := startPair(t, target)
	conn := dial(t, client.Addr())
	far := receive(t, "a connection at the backend", conns)
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	expect(t, far, "hello")
	server.entry(t, "connected")
	client.entry(t, "peer verified")
	if n := client.logs.FilterMessage("connected").Len(); n != 0 {
		t.Error("the client is connected before the far side has spoken")
	}
	if _, err := io.WriteString(far, "hello"); err != nil {
		t.Fatal(err)
	}
	expect(t, conn, "hello")
	client.entry(t, "connected", "target", server.Addr().String())
}

// TestVerifiedLine wants the DN of every depth.
func TestVerifiedLine(t *testing.T) {
	server, client := startPair(t, backend(t, echo))
	exchange(t, dial(t, client.Addr()), "hello")
	for r, host := range map[*running]string{server: clientHost, client: serverHost} {
		path := r.entry(t, "peer verified")["path"].([]any)
		want := []any{"/DC=test/DC=gtunnel/O=hosts/CN=" + host, "/DC=test/DC=gtunnel/CN=CA"}
		if len(path) != 2 || path[0] != want[0] || path[1] != want[1] {
			t.Errorf("the path is %v, want %v", path, want)
		}
	}
	if s := client.Status().Sessions; len(s) != 1 || s[0].PeerDN != "/DC=test/DC=gtunnel/O=hosts/CN="+serverHost ||
		s[0].BytesToPeer != 5 {
		t.Errorf("the sessions are %+v", s)
	}
}

package tunnel_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/tunnel"
)

// counted is a backend that counts its connections.
func counted(t testing.TB) (string, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	return backend(t, func(conn *net.TCPConn) {
		n.Add(1)
		echo(conn)
	}), &n
}

// act is what a peer does with a connection.
type act func(testing.TB, net.Conn)

// speakTLS shakes hands with certificates, or without, and reads to the end.
func (p *pki) speakTLS(certificates ...tls.Certificate) act {
	roots := x509.NewCertPool()
	roots.AddCert(p.ca.Certificate)
	return func(_ testing.TB, conn net.Conn) {
		client := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: serverHost, Certificates: certificates})
		if err := client.Handshake(); err != nil {
			return
		}
		_, _ = io.ReadAll(client)
	}
}

// certificate makes the certificate of a host for crypto/tls.
func (p *pki) certificate(t testing.TB, host string, o certstest.Options) tls.Certificate {
	t.Helper()
	h, err := p.ca.NewHost(host, o)
	if err != nil {
		t.Fatal(err)
	}
	result := tls.Certificate{PrivateKey: h.Key}
	for _, c := range h.Chain {
		result.Certificate = append(result.Certificate, c.Raw)
	}
	return result
}

// writeText writes a text and reads to the end.
func writeText(text string) act {
	return func(t testing.TB, conn net.Conn) {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Error(err)
		}
		_, _ = io.ReadAll(conn)
	}
}

// untouched is a backend that must never be touched until the test ends.
func untouched(t testing.TB) string {
	t.Helper()
	target, touched := counted(t)
	t.Cleanup(func() {
		if n := touched.Load(); n != 0 {
			t.Errorf("the backend was touched %d times", n)
		}
	})
	return target
}

// TestRefusedPeers sends all that a server must not let through. The backend
// must never be touched.
func TestRefusedPeers(t *testing.T) {
	p, foreign := newPKI(t), newNamedPKI(t, "Foreign CA")
	target := untouched(t)
	stranger := p.certificate(t, "other.domain.two", certstest.Options{})
	foreigner := foreign.certificate(t, clientHost, certstest.Options{CommonName: clientHost})
	yesterday := time.Now().Add(-24 * time.Hour)
	expired := p.certificate(t, clientHost,
		certstest.Options{NotBefore: yesterday.Add(-24 * time.Hour), NotAfter: yesterday})
	for name, test := range map[string]struct {
		code certs.Code
		act  act
	}{
		"no certificate":  {certs.CodeNoCertificate, p.speakTLS()},
		"not on the list": {certs.CodeNotAllowed, p.speakTLS(stranger)},
		"another CA":      {certs.CodeUnknownCA, p.speakTLS(foreigner)},
		"expired":         {certs.CodeExpired, p.speakTLS(expired)},
		"HTTP":            {certs.CodeNotTLS, writeText("GET / HTTP/1.1\r\nHost: a\r\n\r\n")},
		"MySQL":           {certs.CodeNotTLS, writeText("\x20\x00\x00\x01\x85\xa6\xff\x01\x00\x00\x00\x01\x2d")},
		"goes away":       {certs.CodeDisconnected, func(_ testing.TB, conn net.Conn) { conn.Close() }},
		"resets":          {certs.CodeDisconnected, func(t testing.TB, conn net.Conn) { abort(t, conn.(*net.TCPConn)) }},
		"half a handshake": {certs.CodeDisconnected, func(_ testing.TB, conn net.Conn) {
			_, _ = io.WriteString(conn, "\x16\x03\x01\x00\xa0\x01")
			conn.Close()
		}},
		"nonsense after it": {certs.CodeProtocol, writeText("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t, p.serverConfig(t, target))
			test.act(t, dial(t, server.Addr()))
			server.expectRefused(t, test.code)
		})
	}
}

// expectRefused wants a server to have refused its only peer, and nothing of it
// to be left.
func (r *running) expectRefused(t testing.TB, code certs.Code) {
	t.Helper()
	entry := r.entry(t, "peer refused", "code", string(code))
	for _, field := range []string{"conn", "peer", "reason", "cure"} {
		if text, _ := entry[field].(string); text == "" {
			t.Errorf("the line has no %s: %v", field, entry)
		}
	}
	level := zapcore.WarnLevel
	if code == certs.CodeDisconnected { // which anybody's port scan causes
		level = zapcore.InfoLevel
	}
	if line := r.logs.FilterMessage("peer refused").All()[0]; line.Level != level {
		t.Errorf("the line is of level %s, want %s", line.Level, level)
	}
	if n := r.Status().Refused[string(code)]; n != 1 {
		t.Errorf("the status counts %v", r.Status().Refused)
	}
	eventually(t, "no handshake is left", func() bool { return r.Status().HandshakesPending == 0 })
}

// TestSilentPeers: a peer has a time for its first byte and one for its
// handshake, each of its own.
func TestSilentPeers(t *testing.T) {
	p := newPKI(t)
	target := untouched(t)
	const soon = 50 * time.Millisecond
	for name, test := range map[string]struct {
		handshake, firstByte time.Duration
		says                 string
		code                 certs.Code
	}{
		"silent":           {soon, patience, "", certs.CodeSilent},
		"no first byte":    {10 * patience, soon, "", certs.CodeSilent},
		"begins and stops": {soon, patience, "\x16\x03\x01", certs.CodeTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			config := p.serverConfig(t, target)
			config.Timeouts.Handshake = test.handshake
			server := start(t, config, func(server *tunnel.Tunnel) { server.SetFirstByteTime(test.firstByte) })
			conn := dial(t, server.Addr())
			if _, err := io.WriteString(conn, test.says); err != nil {
				t.Fatal(err)
			}
			_, _ = io.ReadAll(conn)
			server.entry(t, "peer refused", "code", string(test.code))
		})
	}
	t.Run("slow after the first byte", func(t *testing.T) {
		server := start(t, p.serverConfig(t, target),
			func(server *tunnel.Tunnel) { server.SetFirstByteTime(200 * time.Millisecond) })
		conn := dial(t, server.Addr())
		if _, err := io.WriteString(conn, "\x16"); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the server ends a connection that has begun: %v", err)
		}
	})
}

// TestRefusalReachesThePeer wants the alert to arrive although the peer is
// writing: a reset would overtake it.
func TestRefusalReachesThePeer(t *testing.T) {
	p := newPKI(t)
	target, touched := counted(t)
	server := start(t, p.serverConfig(t, target))
	roots := x509.NewCertPool()
	roots.AddCert(p.ca.Certificate)
	conn := tls.Client(dial(t, server.Addr()),
		&tls.Config{RootCAs: roots, ServerName: serverHost, MinVersion: tls.VersionTLS13})
	if _, err := io.WriteString(conn, strings.Repeat("x", 10000)); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Read(make([]byte, 1))
	if err == nil || !strings.Contains(err.Error(), "remote error: tls") {
		t.Errorf("the peer reads %v, want an alert", err)
	}
	if n := touched.Load(); n != 0 {
		t.Errorf("the backend was touched %d times", n)
	}
}

func TestTargetsThatFail(t *testing.T) {
	dir := t.TempDir()
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: dir + "/dead.sock", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	for name, test := range map[string]struct{ target, reason, cure string }{
		"refuses":          {unused(t), "connection refused", "is mysqld running"},
		"hangs":            {hanging(t), "no answer within 300ms", "firewall"},
		"no such host":     {"no-such-host.invalid:3306", "", "getent hosts no-such-host.invalid"},
		"no such socket":   {"unix:" + dir + "/none.sock", "no such socket", "is mysqld running"},
		"socket of nobody": {"unix:" + dir + "/dead.sock", "connection refused", "is mysqld running"},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := startPair(t, test.target, func(server, _ *tunnel.Config) {
				server.UnsafePlaintext = true
				server.Timeouts.Dial = 300 * time.Millisecond
			})
			expectRefusal(t, client.Addr())
			entry := server.entry(t, "connection refused", "code", string(tunnel.CodeNoTarget))
			if text := entry["reason"].(string); !strings.Contains(text, test.target+" could not be reached: "+test.reason) {
				t.Errorf("the reason is %q", text)
			}
			if text := entry["cure"].(string); !strings.Contains(text, test.cure) {
				t.Errorf("the cure is %q", text)
			}
			refused := client.entry(t, "peer refused", "code", string(certs.CodeDisconnected))
			if !strings.Contains(refused["cure"].(string), "its target cannot be reached") {
				t.Errorf("the client says %v", refused)
			}
			if n := server.Status().DialFailures[server.Status().Connect[0]]; n != 1 {
				t.Errorf("the status counts %v", server.Status().DialFailures)
			}
		})
	}
	t.Run("resets", func(t *testing.T) {
		target, conns := held(t)
		server, client := startPair(t, target)
		conn := dial(t, client.Addr())
		far := receive(t, "a connection at the backend", conns)
		server.entry(t, "connected")
		abort(t, far)
		if got := expectReset(t, conn); got != "" {
			t.Errorf("got %q before the reset", got)
		}
		server.entry(t, "closed", "reason", "target reset the connection")
	})
}

// slowStarter sends its first byte alone.
type slowStarter struct {
	net.Conn
	pause time.Duration // after it
	begun bool
}

func (s *slowStarter) Write(data []byte) (int, error) {
	if s.begun {
		return s.Conn.Write(data)
	}
	s.begun = true
	if n, err := s.Conn.Write(data[:1]); err != nil {
		return n, err
	}
	time.Sleep(s.pause)
	n, err := s.Conn.Write(data[1:])
	return n + 1, err
}

// TestDeadlineOfTheFirstByteEnds: who has sent a byte in time has the time of a
// handshake for the rest.
func TestDeadlineOfTheFirstByteEnds(t *testing.T) {
	t.Parallel()
	const firstByte = 3 * time.Second
	p := newPKI(t)
	server := start(t, p.serverConfig(t, backend(t, echo)),
		func(server *tunnel.Tunnel) { server.SetFirstByteTime(firstByte) })
	conn := tls.Client(&slowStarter{Conn: dial(t, server.Addr()), pause: firstByte + time.Second},
		p.tlsConfig(t, clientHost, tls.VersionTLS13))
	exchange(t, conn, "hello")
}

// TestTargetsInOrder takes the first target that answers, and names those
// that did not.
func TestTargetsInOrder(t *testing.T) {
	first, second := unused(t), unused(t)
	good, touched := counted(t)
	last, untouched := counted(t)
	server, client := startPair(t, first, func(server, _ *tunnel.Config) {
		for _, target := range []string{second, good, last} {
			server.Connect = append(server.Connect, address(t, target))
		}
	})
	exchange(t, dial(t, client.Addr()), "hello")
	targets := fmt.Sprint(server.entry(t, "targets skipped")["targets"])
	if !strings.Contains(targets, first) || !strings.Contains(targets, second) || strings.Contains(targets, good) {
		t.Errorf("the line names %s", targets)
	}
	server.entry(t, "connected", "target", good)
	if touched.Load() != 1 || untouched.Load() != 0 {
		t.Errorf("the good target has %d connections, the one after it %d", touched.Load(), untouched.Load())
	}
	if status := server.Status(); len(status.Sessions) != 1 || status.Sessions[0].Target != good {
		t.Errorf("the sessions are %+v", status.Sessions)
	}
}

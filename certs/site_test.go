package certs_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

// tcpPair makes the two ends of a TCP connection on loopback.
func tcpPair(t testing.TB) (accepted, dialled net.Conn) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialled, err = new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close() })
	accepted, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	deadline := time.Now().Add(patience)
	for _, conn := range []net.Conn{accepted, dialled} {
		if err := conn.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	return accepted, dialled
}

// site is a grid of one CA with a server and a client.
type site struct {
	root           *certstest.CA
	store          *certs.Store
	server, client *certs.Endpoint
}

func newSite(t testing.TB) *site {
	t.Helper()
	root := must(certstest.NewCA("Root", certstest.Options{}))
	s := &site{root: root, store: openStore(t, root)}
	s.server = s.endpoint(t, must(root.NewHost("server.test", certstest.Options{})))
	s.server.Policy.Access = must(certs.NewAccess([]string{"client.test"}, nil, false))
	s.client = s.endpoint(t, must(root.NewHost("client.test", certstest.Options{})))
	return s
}

func (s *site) endpoint(t testing.TB, host *certstest.Host) *certs.Endpoint {
	return &certs.Endpoint{Store: s.store, Credential: credential(t, host)}
}

// outcome is what one end saw.
type outcome struct {
	conn   *tls.Conn
	result *certs.Result
	err    error
}

// connect runs both ends over a new TCP connection.
func (s *site) connect(t testing.TB, name string) (server, client outcome) {
	t.Helper()
	accepted, dialled := tcpPair(t)
	return s.meet(t, accepted, dialled, name)
}

// meet runs both ends. Where both succeed, they exchange a word each way: only
// then has a TLS 1.3 client heard that the server accepts it.
func (s *site) meet(t testing.TB, accepted, dialled net.Conn, name string) (server, client outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.conn, server.result, server.err = s.server.Server(ctx, accepted)
		if server.err == nil {
			_, server.err = server.conn.Write([]byte("hello"))
		}
		if server.err == nil {
			_, server.err = io.ReadFull(server.conn, make([]byte, 5))
		}
		accepted.Close()
	}()
	client.conn, client.result, client.err = s.client.Client(ctx, dialled, name)
	if client.err == nil {
		if _, err := io.ReadFull(client.conn, make([]byte, 5)); err != nil {
			client.err = certs.Explain(err)
		} else if _, err := client.conn.Write([]byte("hello")); err != nil {
			client.err = err
		}
	}
	if client.err != nil {
		dialled.Close()
	}
	<-done
	return server, client
}

// stranger is the other end of a test: plain crypto/tls, which presents
// anything and takes everything.
func stranger(version uint16, certificates ...tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates: certificates, MinVersion: version, MaxVersion: version,
		InsecureSkipVerify: true, ClientAuth: tls.RequestClientCert, // #nosec G402 -- the peer under test
	}
}

// acceptFrom runs the server against a stranger.
func (s *site) acceptFrom(t testing.TB, config *tls.Config) (ours outcome, theirs error) {
	t.Helper()
	accepted, dialled := tcpPair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ours.conn, ours.result, ours.err = s.server.Server(t.Context(), accepted)
		if ours.err == nil {
			_, ours.err = ours.conn.Write([]byte("x"))
		}
		accepted.Close()
	}()
	_, theirs = io.ReadFull(tls.Client(dialled, config), make([]byte, 1))
	<-done
	return ours, theirs
}

// dialTo runs the client against a stranger.
func (s *site) dialTo(t testing.TB, config *tls.Config) (ours outcome, theirs error) {
	t.Helper()
	accepted, dialled := tcpPair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, theirs = io.ReadFull(tls.Server(accepted, config), make([]byte, 1))
		accepted.Close()
	}()
	ours.conn, ours.result, ours.err = s.client.Client(t.Context(), dialled, "server.test")
	if ours.err == nil {
		_, ours.err = ours.conn.Write([]byte("x"))
	} else {
		dialled.Close()
	}
	<-done
	return ours, theirs
}

func checkRefused(t *testing.T, ours outcome, theirs error, code certs.Code) {
	t.Helper()
	if code == "" {
		if ours.err != nil || theirs != nil {
			t.Errorf("refused: %v; the other end: %v", ours.err, theirs)
		}
		return
	}
	wantRefusal(t, ours.err, code)
	if ours.conn != nil || ours.result != nil {
		t.Error("a connection in spite of the refusal")
	}
	if theirs == nil {
		t.Fatal("the refused end reads data")
	}
	if code == certs.CodeNoCertificate {
		// TLS 1.2 has no alert of its own for this.
		wantHandshakeError(t, certs.Explain(theirs), certs.CodePeerRefusedUs, certs.CodeProtocol, certs.CodeDisconnected)
		return
	}
	wantPeerRefusedUs(t, certs.Explain(theirs))
}

func wantPeerRefusedUs(t *testing.T, err error) {
	t.Helper()
	// A reset may overtake the alert.
	wantHandshakeError(t, err, certs.CodePeerRefusedUs, certs.CodeDisconnected)
}

func wantHandshakeError(t testing.TB, err error, codes ...certs.Code) *certs.HandshakeError {
	t.Helper()
	e, ok := errors.AsType[*certs.HandshakeError](err)
	if !ok || !slices.Contains(codes, e.Code) {
		t.Fatalf("got %v, want a handshake error with the code %v", err, codes)
	}
	if e.Reason == "" || e.Hint() == "" || e.Unwrap() == nil || strings.Contains(e.Error(), "\n") {
		t.Errorf("incomplete: %#v", e)
	}
	return e
}

func tlsCertificate(host *certstest.Host) tls.Certificate {
	c := tls.Certificate{PrivateKey: host.Key}
	for _, cert := range host.Chain {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	return c
}

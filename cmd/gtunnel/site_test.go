package main_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// site is a CA and what two hosts have of it: server.test, which is 127.0.0.1
// too, and client.test.
type site struct {
	t      testing.TB
	folder string
	ca     *certstest.CA
	capath string
	server identity
	client identity
}

// identity is a host's certificate, in files and in memory.
type identity struct{ cert, key string }

func (i identity) flags() []string { return []string{"--cert", i.cert, "--key", i.key} }

// tls loads the certificate as a peer that is not gtunnel.
func (i identity) tls(t *testing.T) tls.Certificate {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(i.cert, i.key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, folder: t.TempDir()}
	s.ca = newCA(t, "Test CA")
	s.capath = filepath.Join(s.folder, "certificates")
	if err := certstest.WriteCApath(s.capath, s.ca); err != nil {
		t.Fatal(err)
	}
	s.server = s.host(s.ca, "server.test", certstest.Options{IPs: []string{"127.0.0.1"}})
	s.client = s.host(s.ca, "client.test", certstest.Options{})
	return s
}

// in is the site in a subtest.
func (s *site) in(t *testing.T) *site {
	c := *s
	c.t = t
	return &c
}

func newCA(t testing.TB, name string) *certstest.CA {
	t.Helper()
	ca, err := certstest.NewCA(name, certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// host makes a host's certificate in a folder of its own.
func (s *site) host(ca *certstest.CA, name string, o certstest.Options) identity {
	s.t.Helper()
	host, err := ca.NewHost(name, o)
	if err != nil {
		s.t.Fatal(err)
	}
	cert, key, err := host.Write(s.t.TempDir())
	if err != nil {
		s.t.Fatal(err)
	}
	return identity{cert: cert, key: key}
}

// startServer runs gtunnel server for client.test in front of target.
func (s *site) startServer(target string, more ...string) (*program, string) {
	s.t.Helper()
	return s.startServerIn(nil, target, more...)
}

// startServerIn is startServer with the program behind a wrapper's command
// line.
func (s *site) startServerIn(wrapper []string, target string, more ...string) (*program, string) {
	s.t.Helper()
	args := append([]string{
		"server", "--accept", "127.0.0.1:0", "--connect", target, "--allow-host", "client.test",
		"--capath", s.capath, "--log-format", "json", "--log-level", "debug",
	}, s.server.flags()...)
	p := startIn(s.t, "server", wrapper, nil, append(args, more...)...)
	return p, p.waitListening()
}

// startClient runs gtunnel client to a server.
func (s *site) startClient(server string, more ...string) (*program, string) {
	s.t.Helper()
	args := append([]string{
		"client", "--accept", "127.0.0.1:0", "--connect", server,
		"--capath", s.capath, "--log-format", "json", "--log-level", "debug",
	}, s.client.flags()...)
	p := start(s.t, "client", nil, append(args, more...)...)
	return p, p.waitListening()
}

// backend is what stands for MySQL: it sends everything back.
type backend struct {
	listener net.Listener
	accepted atomic.Int64
	serving  sync.WaitGroup
}

func startBackend(t *testing.T) *backend {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{listener: listener}
	b.serving.Go(b.serve)
	t.Cleanup(func() {
		listener.Close()
		b.serving.Wait()
	})
	return b
}

func (b *backend) address() string { return b.listener.Addr().String() }

func (b *backend) serve() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			return
		}
		b.accepted.Add(1)
		b.serving.Go(func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(2 * patience))
			io.Copy(conn, conn)
		})
	}
}

// dial opens a connection that the test closes at its end.
func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn)
}

// dialToEnd opens a connection, sends text and wants the end without a byte.
// The end may overtake the opening: a reset while the connection is made.
func dialToEnd(t *testing.T, address, text string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if errors.Is(err, syscall.ECONNRESET) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, text) // fails if the end is there already
	wantEnd(t, conn)
}

// echo sends text and wants it back.
func echo(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatalf("send: %v", err)
	}
	back := make([]byte, len(text))
	if _, err := io.ReadFull(conn, back); err != nil {
		t.Fatalf("receive: %v", err)
	}
	if string(back) != text {
		t.Fatalf("got %q back, want %q", back, text)
	}
}

// wantEnd wants the connection to end without a byte.
func wantEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	n, err := conn.Read(make([]byte, 1))
	if e, ok := errors.AsType[net.Error](err); n > 0 || ok && e.Timeout() {
		t.Fatalf("the connection is open: %d bytes, %v", n, err)
	}
}

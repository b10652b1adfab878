package tunnel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/tunnel"
)

// patience bounds every wait of the tests: no test should ever come near it.
const patience = 60 * time.Second

const (
	serverHost = "server1.domain.one"
	clientHost = "client1.domain.two"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// missing ends a test that this host cannot run: it skips, and fails in CI.
func missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("CI needs this: " + reason)
	}
	t.Skip(reason)
}

// pki is a CA with the CApath that trusts it.
type pki struct {
	ca     *certstest.CA
	capath string
}

func newPKI(t testing.TB) *pki {
	t.Helper()
	return newNamedPKI(t, "CA")
}

func newNamedPKI(t testing.TB, name string) *pki {
	t.Helper()
	ca, err := certstest.NewCA(name, certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &pki{ca: ca, capath: filepath.Join(t.TempDir(), "certificates")}
	if err := certstest.WriteCApath(p.capath, ca); err != nil {
		t.Fatal(err)
	}
	return p
}

// endpoint is an end of TLS connections that proves itself as host. It lets
// in whom access names; nil: access is not judged.
func (p *pki) endpoint(t testing.TB, host string, access *certs.Access) *certs.Endpoint {
	t.Helper()
	h, err := p.ca.NewHost(host, certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, err := h.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	credential, err := certs.LoadCredential(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	store, err := certs.OpenStore(certs.StoreConfig{CApath: p.capath})
	if err != nil {
		t.Fatal(err)
	}
	return &certs.Endpoint{Store: store, Credential: credential, Policy: certs.Policy{Access: access}}
}

// allow is the access rule that lets in hosts by name.
func allow(t testing.TB, hosts ...string) *certs.Access {
	t.Helper()
	access, err := certs.NewAccess(hosts, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return access
}

func address(t testing.TB, text string) tunnel.Address {
	t.Helper()
	a, err := tunnel.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serverConfig is a server that lets clientHost in to target.
func (p *pki) serverConfig(t testing.TB, targets ...string) tunnel.Config {
	t.Helper()
	config := tunnel.Config{
		Name: "server", Role: tunnel.Server, Accept: address(t, "127.0.0.1:0"),
		Endpoint: p.endpoint(t, serverHost, allow(t, clientHost)),
		Timeouts: tunnel.Timeouts{Handshake: patience, Dial: patience},
	}
	for _, target := range targets {
		config.Connect = append(config.Connect, address(t, target))
	}
	return config
}

// clientConfig is a client of targets that prove to be serverHost.
func (p *pki) clientConfig(t testing.TB, targets ...string) tunnel.Config {
	t.Helper()
	config := p.serverConfig(t, targets...)
	config.Name, config.Role, config.ServerName = "client", tunnel.Client, serverHost
	config.Endpoint = p.endpoint(t, clientHost, nil)
	return config
}

// running is a tunnel that serves until the test ends.
type running struct {
	*tunnel.Tunnel
	logs   *observer.ObservedLogs
	stop   context.CancelFunc
	served chan struct{} // closed when Serve has returned
	err    error         // what it returned
}

// start runs a tunnel; adjust may change it before it serves.
func start(t testing.TB, config tunnel.Config, adjust ...func(*tunnel.Tunnel)) *running {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	if config.Logger == nil {
		config.Logger = zap.New(core)
	}
	tun, err := tunnel.New(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range adjust {
		change(tun)
	}
	ctx, stop := context.WithCancel(context.Background())
	if err := tun.Listen(ctx); err != nil {
		stop()
		t.Fatal(err)
	}
	r := &running{Tunnel: tun, logs: logs, stop: stop, served: make(chan struct{})}
	go func() {
		defer close(r.served)
		r.err = tun.Serve(ctx)
	}()
	t.Cleanup(func() {
		if err := tun.Close(); err != nil {
			t.Error(err)
		}
		stop()
		r.wait(t)
	})
	return r
}

// wait waits for the end of Serve and gives what it returned.
func (r *running) wait(t testing.TB) error {
	t.Helper()
	select {
	case <-r.served:
	case <-time.After(patience):
		t.Fatal("Serve does not return")
	}
	return r.err
}

// startPair runs a server in front of target, and a client of that server.
func startPair(t testing.TB, target string, change ...func(server, client *tunnel.Config)) (server, client *running) {
	t.Helper()
	p := newPKI(t)
	serverConfig, clientConfig := p.serverConfig(t, target), p.clientConfig(t)
	for _, f := range change {
		f(&serverConfig, &clientConfig)
	}
	server = start(t, serverConfig)
	if len(clientConfig.Connect) == 0 {
		clientConfig.Connect = []tunnel.Address{address(t, server.Addr().String())}
	}
	return server, start(t, clientConfig)
}

// entry waits for a log line with fields that contain these texts.
func (r *running) entry(t testing.TB, message string, fields ...string) map[string]any {
	t.Helper()
	var found map[string]any
	t.Cleanup(func() {
		if found == nil {
			for _, e := range r.logs.All() {
				t.Logf("%s %s %v", e.Level, e.Message, e.ContextMap())
			}
		}
	})
	eventually(t, "log line "+message+" "+strings.Join(fields, " "), func() bool {
		for _, e := range r.logs.FilterMessage(message).All() {
			context := e.ContextMap()
			fits := true
			for i := 0; i < len(fields); i += 2 {
				value, _ := context[fields[i]].(string)
				fits = fits && strings.Contains(value, fields[i+1])
			}
			if fits {
				found = context
				return true
			}
		}
		return false
	})
	return found
}

// eventually waits until condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	timeout := time.After(patience)
	for !condition() {
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("does not happen: %s", what)
		}
	}
}

// receive waits for a value.
func receive[T any](t testing.TB, what string, values <-chan T) T {
	t.Helper()
	select {
	case value := <-values:
		return value
	case <-time.After(patience):
		t.Fatalf("does not happen: %s", what)
		panic("unreachable")
	}
}

// backend serves connections on a free port of loopback until the test ends,
// and gives its address.
func backend(t testing.TB, handle func(conn *net.TCPConn)) string {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		wg.Wait()
	})
	return listener.Addr().String()
}

// echo sends back what comes.
func echo(conn *net.TCPConn) { _, _ = io.Copy(conn, conn) }

// held hands every connection of a backend to the test, which ends it.
func held(t testing.TB) (string, <-chan *net.TCPConn) {
	t.Helper()
	conns := make(chan *net.TCPConn, 16)
	over := make(chan struct{})
	address := backend(t, func(conn *net.TCPConn) {
		conns <- conn
		<-over
	})
	t.Cleanup(func() { close(over) })
	return address, conns
}

// hanging is an address of loopback that answers no connection.
func hanging(t testing.TB) string {
	t.Helper()
	listener, _ := tunnel.SilentListener(t, "127.0.0.1:0")
	return listener.Addr().String()
}

// unused is an address of loopback at which nobody listens.
func unused(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// dial connects to a listening tunnel until the test ends.
func dial(t testing.TB, to net.Addr) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout(to.Network(), to.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn)
}

// expectRefusal connects to a tunnel, which must reset the connection before a
// byte comes.
func expectRefusal(t testing.TB, to net.Addr) {
	t.Helper()
	expectRefusalFrom(t, "127.0.0.1", to)
}

// expectRefusalFrom does so from an address of loopback of one's own.
func expectRefusalFrom(t testing.TB, source string, to net.Addr) {
	t.Helper()
	dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", to.String())
	if errors.Is(err, syscall.ECONNRESET) {
		return // so soon that Dial sees it
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if got := expectReset(t, conn); got != "" {
		t.Errorf("got %q before the reset", got)
	}
}

// exchange writes text and reads it back.
func exchange(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	expect(t, conn, text)
}

// expect reads exactly text.
func expect(t testing.TB, conn io.Reader, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil {
		t.Fatalf("reading %q: %v", text, err)
	}
	if string(got) != text {
		t.Fatalf("read %q, want %q", got, text)
	}
}

// expectReset reads until the connection breaks, which must be by a reset,
// and gives what came before.
func expectReset(t testing.TB, conn io.Reader) string {
	t.Helper()
	got, err := io.ReadAll(conn)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the connection ended with %v after %q, want a reset", err, got)
	}
	return string(got)
}

// expectEnd reads until the connection ends in order, and gives what came
// before.
func expectEnd(t testing.TB, conn io.Reader) string {
	t.Helper()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("the connection ended with %v after %q, want an orderly end", err, got)
	}
	return string(got)
}

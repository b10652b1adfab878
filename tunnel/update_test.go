package tunnel_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// TestUpdate: a new target is for new connections, and those to one that is no
// longer listed end after the time to drain; whoever the new rules leave out is
// closed at once; a configuration that is wrong changes nothing.
func TestUpdate(t *testing.T) {
	first, firstConns := held(t)
	second, secondConns := held(t)
	p := newPKI(t)
	config := p.serverConfig(t, first)
	config.Timeouts.Drain = 200 * time.Millisecond
	server := start(t, config)
	client := start(t, p.clientConfig(t, server.Addr().String()))
	near, far := openSession(t, client, firstConns)

	bad := config
	bad.Connect = nil
	if err := server.Update(bad); errorSetting(err) != "connect" {
		t.Errorf("without a target: %v", err)
	}
	config.Connect = []tunnel.Address{address(t, first), address(t, second)}
	if err := server.Update(config); err != nil {
		t.Fatal(err)
	}
	exchangeAcross(t, near, far)
	config.Connect = config.Connect[1:]
	if err := server.Update(config); err != nil {
		t.Fatal(err)
	}
	newNear, newFar := openSession(t, client, secondConns)
	server.entry(t, "closed", "reason", "its target is no longer one of the tunnel's")
	exchangeAcross(t, newNear, newFar)

	config.Endpoint = p.endpoint(t, serverHost, allow(t, "other.domain.two"))
	if err := server.Update(config); err != nil {
		t.Fatal(err)
	}
	server.entry(t, "peer no longer accepted", "code", "not-allowed")
}

// errorSetting is what a *tunnel.ConfigError is about.
func errorSetting(err error) string {
	if e, ok := errors.AsType[*tunnel.ConfigError](err); ok {
		return e.Setting
	}
	return ""
}

// TestListenAs: a tunnel takes over the socket of another, of which nothing is
// missed any more when it is retired; and gives it back if it does not serve.
func TestListenAs(t *testing.T) {
	backend, conns := held(t)
	path := filepath.Join(t.TempDir(), "server.sock")
	p := newPKI(t)
	config := p.serverConfig(t, backend)
	config.Accept = address(t, "unix:"+path)
	old := start(t, config)
	client := start(t, p.clientConfig(t, "unix:"+path))
	near, far := openSession(t, client, conns)
	unused, err := tunnel.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := unused.ListenAs(old.Tunnel); err != nil {
		t.Fatal(err)
	}
	if err := unused.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatal("the socket is gone with a tunnel that never served")
	}
	heir, err := tunnel.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := heir.ListenAs(old.Tunnel); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- heir.Serve(ctx) }()
	old.Retire()
	eventually(t, "the old one does not accept", func() bool { return !old.Status().Accepting })
	admin := tunnel.AdminHandler(func() []*tunnel.Tunnel { return []*tunnel.Tunnel{heir, old.Tunnel} }, nil)
	for _, path := range []string{"/healthz", "/metrics"} {
		if code, body := get(t, admin, path); code != http.StatusOK {
			t.Errorf("%s: %d, %s", path, code, body)
		}
	}
	exchangeAcross(t, near, far)
	newNear, newFar := openSession(t, client, conns)
	near.Close()
	far.Close()
	if err := old.wait(t); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("unix", path); err != nil {
		t.Error("the socket is gone with the old one")
	} else {
		conn.Close()
	}
	newNear.Close()
	newFar.Close()
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there at the end")
	}
}

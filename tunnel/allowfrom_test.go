package tunnel_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

func network(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// TestAllowFrom: who comes from elsewhere is refused before anything is read,
// with a code and a cure of its own; a session whose network is taken away is
// closed, and one of another stays.
func TestAllowFrom(t *testing.T) {
	target, conns := held(t)
	p := newPKI(t)
	config := p.serverConfig(t, target)
	config.AllowFrom = []netip.Prefix{network("127.0.0.1/32"), network("2001:db8::/32")}
	server := start(t, config)
	client := start(t, p.clientConfig(t, server.Addr().String()))
	near, far := openSession(t, client, conns)

	stranger := from(t, "127.0.0.2", server.Addr())
	if got := expectReset(t, stranger); got != "" {
		t.Errorf("a stranger gets %q", got)
	}
	server.entry(t, "connection refused", "code", string(tunnel.CodeSourceNotAllowed), "reason", "127.0.0.2 is in none",
		"cure", "allow-from 127.0.0.2")
	if n := server.Status().Refused[string(tunnel.CodeSourceNotAllowed)]; n != 1 {
		t.Errorf("%d are counted", n)
	}

	config.AllowFrom = []netip.Prefix{network("127.0.0.0/31")}
	if err := server.Update(config); err != nil {
		t.Fatal(err)
	}
	exchangeAcross(t, near, far)
	config.AllowFrom = []netip.Prefix{network("127.0.0.2/32")}
	if err := server.Update(config); err != nil {
		t.Fatal(err)
	}
	server.entry(t, "peer no longer accepted", "code", string(tunnel.CodeSourceNotAllowed), "cure", "allow-from 127.0.0.1")
	expectReset(t, far)
	expectRefusal(t, client.Addr())
	if n := server.Status().SessionsRefused[string(tunnel.CodeSourceNotAllowed)]; n != 1 {
		t.Errorf("%d sessions are counted", n)
	}
}

// TestAllowFromAtTheClient: the plain end has networks too.
func TestAllowFromAtTheClient(t *testing.T) {
	server, client := startPair(t, backend(t, echo), func(_, client *tunnel.Config) {
		client.AllowFrom = []netip.Prefix{network("127.0.0.2/32")}
	})
	expectRefusal(t, client.Addr())
	client.entry(t, "connection refused", "code", string(tunnel.CodeSourceNotAllowed))
	exchange(t, from(t, "127.0.0.2", client.Addr()), "from its network")
	if n := server.Status().Accepted; n == 0 {
		t.Error("no connection of the client is at the server")
	}
}

// TestConnectionsPerPeer: a peer gets no more than its connections, while
// another has its own, and a place that it gives back is its again.
func TestConnectionsPerPeer(t *testing.T) {
	p := newPKI(t)
	config := p.serverConfig(t, backend(t, echo))
	config.Endpoint = p.endpoint(t, serverHost, allow(t, clientHost, otherHost))
	config.Limits.ConnectionsPerPeer = 2
	server := start(t, config)
	client := start(t, p.clientConfig(t, server.Addr().String()))
	otherConfig := p.clientConfig(t, server.Addr().String())
	otherConfig.Endpoint = p.endpoint(t, otherHost, nil)
	other := start(t, otherConfig)
	first, second := dial(t, client.Addr()), dial(t, client.Addr())
	exchange(t, first, "one")
	exchange(t, second, "two")
	expectRefusal(t, client.Addr())
	server.entry(t, "connection refused", "code", string(tunnel.CodeTooManyOfPeer), "dn", clientHost,
		"cure", "max-connections-per-peer")
	exchange(t, dial(t, other.Addr()), "another peer")
	first.Close()
	eventually(t, "its place is free", func() bool { return len(server.Status().Sessions) == 2 })
	exchange(t, dial(t, client.Addr()), "again")
	exchange(t, second, "still two")
}

// TestSessionAge: a session ends at its age, however busy it is, at whichever
// end has the limit, and a new one is served.
func TestSessionAge(t *testing.T) {
	target, conns := held(t)
	server, client := startPair(t, target, func(server, _ *tunnel.Config) {
		server.Timeouts.SessionAge = 200 * time.Millisecond
	})
	near, far := openSession(t, client, conns)
	eventually(t, "it has ended", func() bool {
		_, _ = near.Write([]byte("busy"))
		return server.Status().SessionsClosed["too-old"] == 1
	})
	expectReset(t, far)
	server.entry(t, "closed", "reason", "max-session-age allows, 200ms")
	openSession(t, client, conns)
}

package tunnel_test

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// TestAllowFromBehindAProxy: behind a proxy the networks are held against the address that
// it tells, not against its own, which need not be in them.
func TestAllowFromBehindAProxy(t *testing.T) {
	p := newPKI(t)
	server := proxied(t, p, func(c *tunnel.Config) {
		c.AllowFrom = []netip.Prefix{network("192.0.2.0/24"), network("2001:db8::/32")}
	})
	behind := func(from, to string) net.Addr {
		return start(t, p.clientConfig(t, proxy(t, "127.0.0.9", server.Addr(), headerOf(t, 2, from, to)))).Addr()
	}
	exchange(t, dial(t, behind("192.0.2.7:40001", "198.51.100.1:3307")), "inside")
	exchange(t, dial(t, behind("[2001:db8::7]:40001", "[2001:db8::1]:3307")), "inside, IPv6")
	for _, stranger := range []string{"198.51.100.9:40001", "127.0.0.9:1"} {
		expectRefusal(t, behind(stranger, "198.51.100.1:3307"))
		line := server.entry(t, "connection refused", "code", string(tunnel.CodeSourceNotAllowed), "from", stranger)
		if by, _ := line["proxy"].(string); !strings.HasPrefix(by, "127.0.0.9:") {
			t.Errorf("the line names no proxy: %v", line)
		}
	}
	expectRefusal(t, behind("[2001:db9::7]:40001", "[2001:db8::1]:3307"))
	if n := server.Status().Refused[string(tunnel.CodeSourceNotAllowed)]; n != 3 {
		t.Errorf("%d are counted", n)
	}
	expectReset(t, from(t, "127.0.0.10", server.Addr())) // no proxy
}

// TestProxyChecksBesideAllowFrom: a proxy that is in none of the networks looks whether the
// port is open without a line and without being counted, and gets nothing by it.
func TestProxyChecksBesideAllowFrom(t *testing.T) {
	p := newPKI(t)
	server := proxied(t, p, func(c *tunnel.Config) { c.AllowFrom = []netip.Prefix{network("192.0.2.0/24")} })
	conn := from(t, "127.0.0.9", server.Addr())
	if _, err := conn.Write(local); err != nil {
		t.Fatal(err)
	}
	expectReset(t, conn)
	expectRefusal(t, start(t, p.clientConfig(t, proxy(t, "127.0.0.9", server.Addr(), local))).Addr())
	eventually(t, "its place is free", func() bool { return server.Status().HandshakesPending == 0 })
	if status := server.Status(); len(status.Refused) != 0 || len(status.Refusals) != 0 {
		t.Errorf("refused: %v, %v", status.Refused, status.Refusals)
	}
}

// TestProxiedSessionsAreJudgedAgain: networks that are taken away close the sessions of the
// addresses that a proxy has told. A proxy that is no longer believed is a peer as any, at its
// own address.
func TestProxiedSessionsAreJudgedAgain(t *testing.T) {
	target, conns := held(t)
	p := newPKI(t)
	config := p.serverConfig(t, target)
	config.AcceptProxyFrom = []netip.Prefix{network("127.0.0.8/31")}
	config.Timeouts.Handshake = 2 * time.Second
	server := start(t, config, unhurried)
	behind := func(told string) (near, far net.Conn) {
		client := start(t, p.clientConfig(t, proxy(t, "127.0.0.9", server.Addr(), headerOf(t, 2, told, "198.51.100.1:1"))))
		return openSession(t, client, conns)
	}
	_, first := behind("192.0.2.7:40001")
	near, second := behind("198.51.100.9:40001")
	update := func(networks ...netip.Prefix) {
		t.Helper()
		config.AllowFrom = networks
		if err := server.Update(config); err != nil {
			t.Fatal(err)
		}
	}
	update(network("198.51.100.0/24"))
	server.entry(t, "peer no longer accepted", "code", string(tunnel.CodeSourceNotAllowed), "peer", "192.0.2.7:40001",
		"cure", "allow-from 192.0.2.7")
	expectReset(t, first)
	exchangeAcross(t, near, second)
	config.AcceptProxyFrom = nil
	update(network("198.51.100.0/24"))
	server.entry(t, "peer no longer accepted", "code", string(tunnel.CodeSourceNotAllowed), "peer", "198.51.100.9:40001",
		"reason", "127.0.0.9 is in none")
	expectReset(t, second)
}

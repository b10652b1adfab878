package tunnel_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/tunnel"
)

// headerOf is a header of a version, of a connection from one address to another.
func headerOf(t testing.TB, version byte, from, to string) []byte {
	t.Helper()
	text, err := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from)),
		net.TCPAddrFromAddrPort(netip.MustParseAddrPort(to))).Format()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// local is the header of a proxy that speaks for itself.
var local = append(bytes.Clone(proxyproto.SIGV2), 0x20, 0, 0, 0)

// proxy passes connections on to a server, from an address of loopback, with a header
// before their bytes, until the test ends; it gives where it listens.
func proxy(t testing.TB, source string, to net.Addr, header []byte) string {
	t.Helper()
	return backend(t, func(conn *net.TCPConn) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
		far, err := dialer.DialContext(t.Context(), "tcp", to.String())
		if err != nil {
			return
		}
		defer far.Close()
		if _, err := far.Write(header); err != nil {
			return
		}
		var up sync.WaitGroup
		up.Go(func() {
			_, _ = io.Copy(far, conn)
			_ = far.(*net.TCPConn).CloseWrite()
		})
		_, _ = io.Copy(conn, far)
		_ = conn.CloseWrite()
		up.Wait()
	})
}

// proxied is a server that believes the proxies of 127.0.0.8/31.
func proxied(t testing.TB, p *pki, change ...func(*tunnel.Config)) *running {
	t.Helper()
	config := p.serverConfig(t, backend(t, echo))
	config.AcceptProxyFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.8/31")}
	for _, f := range change {
		f(&config)
	}
	return start(t, config, unhurried)
}

// TestProxyIsBelieved: where a connection comes from is what a proxy in a named network
// says, in the session and the log, with the proxy beside it.
func TestProxyIsBelieved(t *testing.T) {
	p := newPKI(t)
	withTLVs := headerOf(t, 2, "192.0.2.7:40001", "198.51.100.1:3307")
	withTLVs = append(withTLVs, 0x04, 0, 100) // PP2_TYPE_NOOP
	withTLVs = append(withTLVs, make([]byte, 100)...)
	withTLVs[15] += 103
	for name, test := range map[string]struct {
		header []byte
		peer   string // empty: the proxy
	}{
		"version 2, IPv4": {headerOf(t, 2, "192.0.2.7:40001", "198.51.100.1:3307"), "192.0.2.7:40001"},
		"version 2, IPv6": {headerOf(t, 2, "[2001:db8::7]:40001", "[2001:db8::1]:3307"), "[2001:db8::7]:40001"},
		"version 1, IPv4": {headerOf(t, 1, "192.0.2.7:40001", "198.51.100.1:3307"), "192.0.2.7:40001"},
		"version 1, IPv6": {headerOf(t, 1, "[2001:db8::7]:40001", "[2001:db8::1]:3307"), "[2001:db8::7]:40001"},
		"more in it":      {withTLVs, "192.0.2.7:40001"},
		"itself":          {local, ""},
		"unknown":         {[]byte("PROXY UNKNOWN\r\n"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := proxied(t, p)
			client := start(t, p.clientConfig(t, proxy(t, "127.0.0.9", server.Addr(), test.header)))
			conn := dial(t, client.Addr())
			exchange(t, conn, "all bytes after the header are the peer's")
			session := server.Status().Sessions[0]
			line := server.entry(t, "peer verified", "peer", session.PeerAddress)
			if test.peer == "" {
				if !strings.HasPrefix(session.PeerAddress, "127.0.0.9:") || session.ProxyAddress != "" || line["proxy"] != nil {
					t.Errorf("the session is %+v, the line %v", session, line)
				}
				return
			}
			if session.PeerAddress != test.peer || !strings.HasPrefix(session.ProxyAddress, "127.0.0.9:") ||
				line["proxy"] != session.ProxyAddress {
				t.Errorf("the session is %+v, the line %v", session, line)
			}
		})
	}
}

// TestProxyOutsideItsNetworks: of others a header is never believed: it is no TLS.
func TestProxyOutsideItsNetworks(t *testing.T) {
	p := newPKI(t)
	server := proxied(t, p)
	header := headerOf(t, 2, "192.0.2.7:40001", "198.51.100.1:3307")
	client := start(t, p.clientConfig(t, proxy(t, "127.0.0.10", server.Addr(), header)))
	expectRefusal(t, client.Addr())
	line := server.entry(t, "peer refused", "code", string(certs.CodeNotTLS), "peer", "127.0.0.10:")
	if line["proxy"] != nil {
		t.Errorf("the line is %v", line)
	}
	exchange(t, dial(t, start(t, p.clientConfig(t, server.Addr().String())).Addr()), "without one it gets in")
}

// TestBadProxyHeaders: a connection of a proxy without a sound header is refused, and
// never gets to the handshake.
func TestBadProxyHeaders(t *testing.T) {
	v4 := headerOf(t, 2, "192.0.2.7:40001", "198.51.100.1:3307")
	datagram, version3, long, short := bytes.Clone(v4), bytes.Clone(v4), bytes.Clone(v4), bytes.Clone(v4)
	datagram[13], version3[12], long[14], short[15] = 0x12, 0x31, 0xff, 4
	for name, test := range map[string]struct {
		sent   []byte
		ends   bool // the sender ends the connection
		reason string
	}{
		"nothing":             {nil, false, "sent nothing in time"},
		"TLS":                 {[]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on"), false, "something else"},
		"a part":              {v4[:20], false, "only a part of it in time"},
		"a part of the start": {v4[:5], false, "only a part of it in time"},
		"an end within it":    {v4[:20], true, "ended the connection within it"},
		"UDP":                 {datagram, false, "not sound"},
		"another version":     {version3, false, "not sound"},
		"64 KB":               {long, false, "not sound"},
		"too little":          {short, false, "not sound"},
		"from 0.0.0.0":        {headerOf(t, 2, "0.0.0.0:1", "198.51.100.1:3307"), false, "not sound"},
		"an endless line":     {[]byte("PROXY TCP4 " + strings.Repeat("1", 200)), false, "longer than 107"},
		"no line end":         {[]byte("PROXY TCP4 192.0.2.7 1 2\n" + strings.Repeat("x", 100)), false, "longer than 107"},
		"a line of nonsense":  {[]byte("PROXY TCP4 server1 server2 x y\r\n"), false, "not sound"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := proxied(t, newPKI(t), func(c *tunnel.Config) {
				c.Connect = []tunnel.Address{address(t, untouched(t))}
				if !test.ends && strings.Contains(test.reason, "in time") {
					c.Timeouts.Handshake = 50 * time.Millisecond
				}
			})
			conn := from(t, "127.0.0.9", server.Addr())
			if _, err := conn.Write(test.sent); err != nil {
				t.Fatal(err)
			}
			if test.ends {
				_ = conn.(*net.TCPConn).CloseWrite()
			}
			line := server.entry(t, "peer refused", "code", string(tunnel.CodeBadProxyHeader), "reason", test.reason)
			if cure, _ := line["cure"].(string); !strings.Contains(cure, "send-proxy-v2") ||
				!strings.HasPrefix(line["peer"].(string), "127.0.0.9:") {
				t.Errorf("the line is %v", line)
			}
			_, _ = io.Copy(io.Discard, conn) // it is ended
			eventually(t, "its place is free", func() bool { return server.Status().HandshakesPending == 0 })
		})
	}
}

// TestProxyChecks: a proxy that only looks whether the port is open is not refused, and
// has no line.
func TestProxyChecks(t *testing.T) {
	server := proxied(t, newPKI(t), func(c *tunnel.Config) { c.Connect = []tunnel.Address{address(t, untouched(t))} })
	for _, header := range [][]byte{local, []byte("PROXY UNKNOWN\r\n"), nil} {
		conn := from(t, "127.0.0.9", server.Addr())
		if header == nil { // as haproxy's send-proxy
			header = headerOf(t, 1, conn.LocalAddr().String(), server.Addr().String())
		}
		if _, err := conn.Write(header); err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		expectEnd(t, conn)
	}
	eventually(t, "all are told of",
		func() bool { return server.logs.FilterMessage("a proxy has checked the port").Len() == 3 })
	if status := server.Status(); len(status.Refused) != 0 || len(status.Refusals) != 0 || server.Suspects() != 0 {
		t.Errorf("refused: %v, %v", status.Refused, status.Refusals)
	}
	for _, line := range server.logs.All() {
		if line.Level >= zapcore.InfoLevel && line.Message != "listening" {
			t.Errorf("there is a line: %s %v", line.Message, line.ContextMap())
		}
	}
}

// TestProxiedSourcesHaveLimitsOfTheirOwn: one peer behind a proxy cannot take the places
// of another behind it.
func TestProxiedSourcesHaveLimitsOfTheirOwn(t *testing.T) {
	p := newPKI(t)
	server := proxied(t, p, func(c *tunnel.Config) { c.Limits = tunnel.Limits{Handshakes: 20, HandshakesPerSource: 3} })
	silent := func(header []byte) {
		t.Helper()
		if _, err := from(t, "127.0.0.9", server.Addr()).Write(header); err != nil {
			t.Fatal(err)
		}
	}
	pending := func(n int) {
		t.Helper()
		eventually(t, "they have places", func() bool { return server.Status().HandshakesPending == n })
	}
	for range 5 {
		silent(nil) // the proxy itself has no limit
	}
	pending(5)
	for range 3 {
		silent(headerOf(t, 2, "192.0.2.7:40001", "198.51.100.1:3307"))
	}
	pending(8)
	silent(headerOf(t, 2, "192.0.2.7:40001", "198.51.100.1:3307"))
	line := server.entry(t, "connection refused", "code", string(tunnel.CodeTooManyFromSource), "from", "192.0.2.7:40001")
	if proxy, _ := line["proxy"].(string); !strings.HasPrefix(proxy, "127.0.0.9:") {
		t.Errorf("the line is %v", line)
	}
	silent(headerOf(t, 2, "192.0.2.8:40001", "198.51.100.1:3307"))
	pending(9)
	for range 30 {
		silent(nil)
	}
	header := headerOf(t, 2, "192.0.2.9:40001", "198.51.100.1:3307")
	exchange(t, dial(t, start(t, p.clientConfig(t, proxy(t, "127.0.0.9", server.Addr(), header))).Addr()), "one gets in")
}

// headedTarget is a target that reads a header, then echoes; it gives the headers.
func headedTarget(t testing.TB) (string, <-chan *proxyproto.Header) {
	t.Helper()
	headers := make(chan *proxyproto.Header, 1)
	return backend(t, func(conn *net.TCPConn) {
		reader := bufio.NewReader(conn)
		header, err := proxyproto.Read(reader)
		if err != nil {
			t.Error(err)
		}
		headers <- header
		_, _ = io.Copy(conn, reader)
	}), headers
}

// TestTargetIsTold: the target hears where the peer is, before any byte of it.
func TestTargetIsTold(t *testing.T) {
	p := newPKI(t)
	for name, test := range map[string]struct{ accept, through string }{
		"IPv4":                               {"127.0.0.1:0", ""},
		"IPv6":                               {"[::1]:0", ""},
		"both":                               {":0", ""},
		"unix socket":                        {"unix", ""},
		"a proxy":                            {"127.0.0.1:0", "192.0.2.7:40001"},
		"a proxy of the other version of IP": {"127.0.0.1:0", "[2001:db8::7]:40001"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, headers := headedTarget(t)
			config := p.serverConfig(t, target)
			config.ProxyProtocol = true
			if test.accept == "unix" {
				test.accept = "unix:" + t.TempDir() + "/s"
			}
			config.Accept, config.UnsafePlaintext = address(t, test.accept), true
			if test.through != "" {
				config.AcceptProxyFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")}
			}
			server := start(t, config)
			reached := strings.Replace(server.Addr().String(), "[::]", "127.0.0.1", 1)
			if config.Accept.Network == "unix" {
				reached = test.accept
			} else if test.through != "" {
				reached = proxy(t, "127.0.0.9", server.Addr(), headerOf(t, 2, test.through, test.through))
			}
			conn := dial(t, start(t, p.clientConfig(t, reached)).Addr())
			exchange(t, conn, "after the header")
			header, session := receive(t, "a header", headers), server.Status().Sessions[0]
			if config.Accept.Network == "unix" {
				if !header.Command.IsLocal() {
					t.Errorf("the header is %+v", header)
				}
				return
			}
			peer := netip.MustParseAddrPort(session.PeerAddress)
			if got := netip.MustParseAddrPort(header.SourceAddr.String()); got != peer || header.Version != 2 ||
				test.through != "" && session.PeerAddress != test.through {
				t.Errorf("the header is %+v, the session %+v", header, session)
			}
			if ip := header.DestinationAddr.(*net.TCPAddr).IP; (ip.To4() == nil) != peer.Addr().Is6() {
				t.Errorf("the destination is %s", ip)
			}
		})
	}
}

// packet is a packet of MySQL's protocol.
func packet(number byte, payload string) string {
	return string([]byte{byte(len(payload)), byte(len(payload) >> 8), 0, number}) + payload
}

// TestTargetRefuses: what a target says against the header, or against the peer's
// address, goes on to the peer, and is noted with what to do.
func TestTargetRefuses(t *testing.T) {
	const greeting = "\n5.5.5-10.11.19-MariaDB\x00\x04\x00\x00\x00[SlG^$6$\x00\xfe\xf7\x08\x02\x00\xff\x81"
	for name, test := range map[string]struct{ answer, cure string }{
		"MariaDB without the network": {
			packet(1, "\xff\x6a\x04#HY000Proxy header is not accepted from 127.0.0.1"), "proxy_protocol_networks=127.0.0.1",
		},
		"no account": {
			packet(1, "\xff\x6a\x04#HY000Host '127.0.0.9' is not allowed to connect to this MariaDB server"),
			"address of the peer",
		},
		"another account": {
			packet(2, "\xfemysql_native_password\x00salt") +
				packet(4, "\xff\x15\x04#28000Access denied for user 'u'@'127.0.0.9' (using password: YES)"), "address of the peer",
		},
		"MySQL": {packet(1, "\xff\x84\x04#08S01Got packets out of order"), "MySQL does not know"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := packet(0, greeting) + test.answer
			target := backend(t, func(conn *net.TCPConn) {
				_, _ = io.WriteString(conn, text)
				_ = conn.CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
			})
			server, client := startPair(t, target, func(server, _ *tunnel.Config) { server.ProxyProtocol = true })
			conn := dial(t, client.Addr())
			_ = conn.CloseWrite()
			if got := expectEnd(t, conn); got != text {
				t.Errorf("the peer gets %q", got)
			}
			server.entry(t, "connection refused", "code", string(tunnel.CodeTargetRefused), "cure", test.cure)
			if refusals := server.Status().Refusals; len(refusals) != 1 || !strings.Contains(refusals[0].Cure, test.cure) {
				t.Errorf("the status has %+v", refusals)
			}
			for i := range text { // wherever a piece of it ends
				if number, _ := tunnel.ReadAnswer([]byte(text[:i]), []byte(text[i:])); number == 0 {
					t.Errorf("in pieces of %d and the rest it is not found", i)
				}
			}
		})
	}
	own := packet(0, "\xff\x6a\x04Host '127.0.0.1' is not allowed to connect to this MySQL server")
	if cure := tunnel.AnswerCure(tunnel.ReadAnswer([]byte(own))); cure != "" {
		t.Errorf("a refusal that is not about the header has the cure %s", cure)
	}
	ok := packet(0, greeting) + packet(2, "\x00\x00\x00\x02\x00\x00\x00") + packet(1, "\xff\x15\x04#28000Access denied")
	if number, _ := tunnel.ReadAnswer([]byte(ok)); number != 0 {
		t.Error("an error after the login counts")
	}
}

// FuzzAnswer: whatever a target sends, it is read in pieces as in one.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(packet(0, "\n5.5.5")+packet(1, "\xff\x6a\x04#HY000Host")), 5)
	f.Add([]byte("\x16\x03\x03\xff"), 1)
	f.Add([]byte(packet(0, "\xff\x00\x00no number")), 7)
	f.Add([]byte("\x03\x00\x00\x00\xff#1"), 1)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		if len(data) > 4<<10 {
			return // more is not looked at in one piece
		}
		cut = min(max(cut, 0), len(data))
		number, message := tunnel.ReadAnswer(data)
		if n, m := tunnel.ReadAnswer(data[:cut], data[cut:]); n != number || m != message {
			t.Errorf("in one %d %q, in two %d %q", number, message, n, m)
		}
	})
}

// FuzzProxyHeader: whatever a proxy sends, as many bytes are read as the header has, never
// more than a bound; and an address that comes of it can be told to a target.
func FuzzProxyHeader(f *testing.F) {
	f.Add(headerOf(f, 2, "192.0.2.7:40001", "198.51.100.1:3307"))
	f.Add(headerOf(f, 2, "[2001:db8::7]:40001", "[2001:db8::1]:3307"))
	f.Add(headerOf(f, 1, "192.0.2.7:40001", "198.51.100.1:3307"))
	f.Add([]byte("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\nrest"))
	f.Add(local)
	f.Fuzz(func(t *testing.T, data []byte) {
		reader := bytes.NewReader(data)
		text, address, err := tunnel.ReadProxyHeader(reader)
		if read := len(data) - reader.Len(); read != len(text) || read > 16+4096 || !bytes.HasPrefix(data, text) {
			t.Fatalf("%d bytes are read, %d given", read, len(text))
		}
		if err != nil || address == nil {
			return
		}
		again, err := tunnel.FormatProxyHeader(address, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, same, err := tunnel.ReadProxyHeader(bytes.NewReader(again))
		if err != nil || same.String() != address.String() {
			t.Errorf("%s comes back as %v, %v", address, same, err)
		}
	})
}

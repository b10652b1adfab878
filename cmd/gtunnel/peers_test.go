package main_test

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
)

// wantCode waits for a log line, counted from the line number from, that
// gives code as the reason for which a connection came to nothing; the line
// must hold each of words and a cure. That of the try at the start does not
// count.
func (p *program) wantCode(from int, code string, words ...string) {
	p.t.Helper()
	line := p.waitLine("the code "+code, from, func(l logLine) bool {
		return l.field("code") == code && !strings.HasPrefix(l.field("message"), "server reached")
	})
	for _, word := range words {
		if !strings.Contains(line.text, word) {
			p.t.Errorf("%s: the log line for %s lacks %q: %s", p.name, code, word, line.text)
		}
	}
	if line.field("cure") == "" || line.field("reason") == "" {
		p.t.Errorf("%s: the log line for %s gives no reason or no cure: %s", p.name, code, line.text)
	}
}

// strangerTLS speaks TLS to a server as a peer that is not gtunnel and waits
// for the end. certificate may be nil.
func strangerTLS(t *testing.T, address string, certificate *tls.Certificate) {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true}
	if certificate != nil {
		// Whatever CAs the server names.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	conn := tls.Client(dial(t, address), config)
	conn.Write([]byte("let me in")) // in TLS 1.3 the refusal comes later
	if n, err := conn.Read(make([]byte, 1)); err == nil || n > 0 {
		t.Errorf("the server sent %d bytes to a stranger", n)
	}
}

// strangerHTTP speaks HTTP to a server.
func strangerHTTP(t *testing.T, address string) {
	t.Helper()
	conn := dial(t, address)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: server.test\r\n\r\n")
	io.Copy(io.Discard, conn)
}

// strangerStops begins a handshake and does not go on.
func strangerStops(t *testing.T, address string) {
	t.Helper()
	conn := dial(t, address)
	conn.Write([]byte{22, 3, 1, 2, 0, 1})
	io.Copy(io.Discard, conn)
}

// strangerTLS11 speaks a version of TLS that is too old.
func strangerTLS11(t *testing.T, address string) {
	t.Helper()
	conn := tls.Client(dial(t, address),
		&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err := conn.Handshake(); err == nil {
		t.Error("the server speaks TLS 1.1")
	}
}

// TestServerRefusesPeers: each kind of stranger gets its own line in the
// server's log, none reaches the target, and afterwards the right peer does.
func TestServerRefusesPeers(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	server, address := s.startServer(b.address(), "--handshake-timeout", "2s")

	day := 24 * time.Hour
	otherCA := newCA(t, "Other CA")
	peers := []struct {
		name  string
		code  string
		words []string
		act   func(t *testing.T)
	}{
		{"no certificate", "no-certificate", nil, func(t *testing.T) { strangerTLS(t, address, nil) }},
		{"another CA", "unknown-ca", []string{"/CN=client.test", "/CN=Other CA"}, func(t *testing.T) {
			c := s.host(otherCA, "client.test", certstest.Options{}).tls(t)
			strangerTLS(t, address, &c)
		}},
		{"expired", "expired", []string{"/CN=client.test"}, func(t *testing.T) {
			c := s.host(s.ca, "client.test",
				certstest.Options{NotBefore: time.Now().Add(-2 * day), NotAfter: time.Now().Add(-day)}).tls(t)
			strangerTLS(t, address, &c)
		}},
		{"not yet valid", "not-yet-valid", []string{"/CN=client.test"}, func(t *testing.T) {
			c := s.host(s.ca, "client.test", certstest.Options{NotBefore: time.Now().Add(day)}).tls(t)
			strangerTLS(t, address, &c)
		}},
		{"not on the list", "not-allowed", []string{"/CN=guest.test", "--allow-host guest.test"}, func(t *testing.T) {
			c := s.host(s.ca, "guest.test", certstest.Options{}).tls(t)
			strangerTLS(t, address, &c)
		}},
		{"HTTP", "not-tls", []string{"HTTP"}, func(t *testing.T) { strangerHTTP(t, address) }},
		{"MySQL client that waits for the greeting", "silent", []string{"MySQL"}, func(t *testing.T) {
			dialToEnd(t, address, "")
		}},
		{"gone at once", "disconnected", nil, func(t *testing.T) { dial(t, address).Close() }},
		{"half a handshake", "timeout", nil, func(t *testing.T) { strangerStops(t, address) }},
		{"TLS 1.1", "tls-protocol", nil, func(t *testing.T) { strangerTLS11(t, address) }},
	}
	for _, peer := range peers {
		t.Run(peer.name, func(t *testing.T) {
			from := len(server.logged())
			peer.act(t)
			server.wantCode(from, peer.code, peer.words...)
		})
	}
	if n := b.accepted.Load(); n != 0 {
		t.Errorf("%d connections reached the target", n)
	}
	_, clientAddress := s.startClient(address)
	echo(t, dial(t, clientAddress), "after all of them")
}

// countingServer is a TLS server with a certificate, which counts the bytes that each of
// two clients sends it.
func countingServer(t *testing.T, certificate tls.Certificate) (address string, received <-chan int64) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0",
		&tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	counts := make(chan int64, 2) // the try at the start, and the connection
	for range cap(counts) {
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				counts <- -1
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			n, _ := io.Copy(io.Discard, conn)
			counts <- n
		}()
	}
	return listener.Addr().String(), counts
}

// TestClientRefusesServers: a client that cannot trust the server says why,
// gives the server nothing, and ends the local connection.
func TestClientRefusesServers(t *testing.T) {
	s := newSite(t)
	otherCA := newCA(t, "Other CA")
	day := 24 * time.Hour
	loopback := []string{"127.0.0.1"}
	for _, far := range []struct {
		name     string
		identity identity
		more     []string
		code     string
		words    []string
	}{
		{
			"another CA", s.host(otherCA, "server.test", certstest.Options{IPs: loopback}), nil, "unknown-ca",
			[]string{"/CN=Other CA"},
		},
		{
			"expired",
			s.host(s.ca, "server.test",
				certstest.Options{IPs: loopback, NotBefore: time.Now().Add(-2 * day), NotAfter: time.Now().Add(-day)}), nil,
			"expired",
			[]string{"/CN=server.test"},
		},
		{
			"wrong name", s.host(s.ca, "server.test", certstest.Options{}), nil, "wrong-host",
			[]string{"127.0.0.1", "--server-name server.test"},
		},
		{
			"wrong --server-name", s.server,
			[]string{"--server-name", "master.test"},
			"wrong-host",
			[]string{"master.test", "--server-name server.test"},
		},
	} {
		t.Run(far.name, func(t *testing.T) {
			certificate := far.identity.tls(t)
			server, received := countingServer(t, certificate)
			client, address := s.in(t).startClient(server, far.more...)
			tried := client.waitMessage("server reached, but connections will fail")
			for _, word := range append(far.words, `"code":"`+far.code+`"`, `"reason":"this host refuses it: `+far.code+": ",
				`"cure":"`) {
				if !strings.Contains(tried.text, word) {
					t.Errorf("the try at the start lacks %q: %s", word, tried.text)
				}
			}
			dialToEnd(t, address, "secret")
			client.wantCode(0, far.code, far.words...)
			for range cap(received) {
				if n := <-received; n != 0 {
					t.Errorf("the server got %d bytes", n)
				}
			}
			select {
			case <-client.done:
				t.Error("the client ended")
			default:
			}
		})
	}
}

// TestServerRefusesClient: what a refused client says in its own log, in the
// words of the server's alert.
func TestServerRefusesClient(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	server, serverAddress := s.startServer(b.address())
	guest := s.host(s.ca, "guest.test", certstest.Options{})
	client, address := s.startClient(serverAddress, guest.flags()...)
	dialToEnd(t, address, "let me in")
	server.wantCode(0, "not-allowed", "guest.test")
	client.wantCode(0, "peer-refused-us")
	if n := b.accepted.Load(); n != 0 {
		t.Errorf("%d connections reached the target", n)
	}
}

// TestTLSToPlainPort: a program that speaks TLS to the plain end is told so
// by the log, and nothing of it reaches the target.
func TestTLSToPlainPort(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	_, serverAddress := s.startServer(b.address())
	client, address := s.startClient(serverAddress)
	conn := tls.Client(dial(t, address), &tls.Config{InsecureSkipVerify: true})
	if err := conn.Handshake(); err == nil {
		t.Error("a handshake with the plain end succeeded")
	}
	client.wantCode(0, "tls-on-plain-port", "--ssl-mode=DISABLED")
	echo(t, dial(t, address), "plain data")
}

// TestPlainClientIsNoServer: a gtunnel client that is pointed at a plain port
// says that TLS is not spoken there, and sends nothing in the clear.
func TestPlainClientIsNoServer(t *testing.T) {
	s := newSite(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	received := make(chan string, 2) // the try at the start, and the connection
	for range cap(received) {
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				received <- err.Error()
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			io.WriteString(conn, "\x4a\x00\x00\x00\x0a11.4.2-MariaDB\x00") // MySQL's greeting
			data, _ := io.ReadAll(conn)
			received <- string(data)
		}()
	}
	client, address := s.startClient(listener.Addr().String())
	dialToEnd(t, address, "secret")
	client.wantCode(0, "not-tls", "MySQL")
	for range cap(received) {
		if got := <-received; strings.Contains(got, "secret") {
			t.Errorf("the far side got %q in the clear", got)
		}
	}
}

// TestConsoleLog: the lines that a person reads have a time, a level, the
// message and the fields; ordinary errors have no stack trace.
func TestConsoleLog(t *testing.T) {
	s := newSite(t)
	expiring := s.host(s.ca, "server.test", certstest.Options{NotAfter: time.Now().Add(72 * time.Hour)})
	// A file that is no CA is a warning, not a failure.
	if err := os.WriteFile(s.capath+"/12345678.0", []byte("no certificate"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := start(t, "server", nil,
		append([]string{"server", "--accept", "127.0.0.1:0", "--allow-all", "--capath", s.capath}, expiring.flags()...)...)
	line := p.waitLine("listening", 0, func(l logLine) bool { return strings.Contains(l.text, " INFO listening {") })
	if stamp, _, _ := strings.Cut(line.text, " "); len(stamp) < len("2006-01-02T15:04:05.000Z") || stamp[10] != 'T' {
		t.Errorf("no time of ISO 8601 in %q", line.text)
	}
	warnings := map[string]bool{"certificate expires in less than 14 days: renew it now": false, "12345678.0": false}
	for _, l := range p.logged() {
		for words := range warnings {
			if strings.Contains(l.text, " WARN ") && strings.Contains(l.text, words) {
				warnings[words] = true
			}
		}
		if strings.Contains(l.text, "goroutine") || strings.Contains(l.text, ".go:") {
			t.Errorf("a stack trace in the log: %s", l.text)
		}
	}
	for words, found := range warnings {
		if !found {
			t.Errorf("no warning with %q", words)
		}
	}
}

// TestDoubtfulRules: a rule that hardly any certificate meets is warned of at
// the start, with what to write.
func TestDoubtfulRules(t *testing.T) {
	s := newSite(t)
	server, _ := s.startServer(startBackend(t).address(), "--allow-host", "server2", "--allow-host", "192.0.2.7")
	for _, want := range []string{
		`"reason":"--allow-host: server2 has no dot: `, `"reason":"--allow-host: 192.0.2.7 is an IP address: `,
	} {
		line := server.waitLine(want, 0, func(l logLine) bool { return strings.Contains(l.text, want) })
		if line.field("level") != "warn" || !strings.Contains(line.field("cure"), "gtunnel certs show") {
			t.Error(line.text)
		}
	}
	for _, line := range server.logged() {
		if line.field("message") == "an access rule may match nobody" && strings.Contains(line.text, "client.test") {
			t.Errorf("a full name is doubted: %s", line.text)
		}
	}
}

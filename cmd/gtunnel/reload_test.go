package main_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// revoke writes a list of the site's CA that revokes a host's certificate;
// nothing is revoked by the zero identity.
func (s *site) revoke(host identity) {
	s.t.Helper()
	var o certstest.CRLOptions
	if host.cert != "" {
		chain, err := certs.ReadCertificates(host.cert)
		if err != nil {
			s.t.Fatal(err)
		}
		o.Revoked = chain[:1]
	}
	if _, err := certstest.WriteCRL(s.capath, s.ca, o); err != nil {
		s.t.Fatal(err)
	}
}

// renew replaces a host's certificate and key in place.
func (s *site) renew(host identity, name string, o certstest.Options) {
	s.t.Helper()
	renewed, err := s.ca.NewHost(name, o)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, _, err := renewed.Write(filepath.Dir(host.cert)); err != nil {
		s.t.Fatal(err)
	}
}

// waitMore is waitMessage for a line after the first from ones.
func (p *program) waitMore(from int, message string) logLine {
	p.t.Helper()
	return p.waitLine(message, from, func(l logLine) bool { return l.field("message") == message })
}

// TestRevokedWhileConnected: a list that names a peer ends its open
// connection, by SIGHUP or by the poll, and it does not come back until it
// has a new certificate.
func TestRevokedWhileConnected(t *testing.T) {
	for about, test := range map[string]struct {
		interval string
		hangUp   bool
	}{
		"SIGHUP": {"0s", true},
		"poll":   {"100ms", false},
	} {
		t.Run(about, func(t *testing.T) {
			s := newSite(t)
			s.revoke(identity{})
			b := startBackend(t)
			server, address := s.startServer(b.address(), "--crl", "require", "--reload-interval", test.interval)
			client, local := s.startClient(address, "--reload-interval", "0s")
			conn := dial(t, local)
			echo(t, conn, "before")

			from := len(server.logged())
			s.revoke(s.client)
			if test.hangUp {
				server.signal(syscall.SIGHUP)
			}
			changed := server.waitMore(from, "trust changed")
			if !strings.Contains(changed.field("change"), "1 CRL renewed: /DC=test/DC=gtunnel/CN=Test CA") {
				t.Errorf("the change: %s", changed.text)
			}
			if l := server.waitMore(from, "peer no longer "+
				"accepted"); l.field("code") != "revoked" || !strings.Contains(l.text, ".r0") {
				t.Errorf("the reason: %s", l.text)
			}
			wantEnd(t, conn)
			dialToEnd(t, local, "")
			if l := server.waitMore(from, "peer refused"); l.field("code") != "revoked" {
				t.Errorf("the next connection: %s", l.text)
			}

			s.renew(s.client, "client.test", certstest.Options{})
			client.signal(syscall.SIGHUP)
			client.waitMessage("certificate changed")
			echo(t, dial(t, local), "after")
		})
	}
}

// TestCertificateRenewed: new handshakes prove themselves with the new
// certificate, and open connections go on.
func TestCertificateRenewed(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	server, address := s.startServer(b.address(), "--reload-interval", "100ms")
	_, local := s.startClient(address)
	conn := dial(t, local)
	echo(t, conn, "before")
	before := presented(t, address)

	// A bad pair does not replace the good one.
	if err := os.WriteFile(s.server.cert, []byte("nothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	failed := server.waitMessage("reload failed: the certificate stays as it was")
	if failed.field("cure") == "" || !strings.Contains(failed.field("reason"), s.server.cert) {
		t.Errorf("the failure: %s", failed.text)
	}
	if presented(t, address) != before {
		t.Error("another certificate is presented")
	}
	s.renew(s.server, "server.test", certstest.Options{IPs: []string{"127.0.0.1"}})
	server.waitMessage("certificate changed")
	if presented(t, address) == before {
		t.Error("the old certificate is still presented")
	}
	echo(t, conn, "after")
	echo(t, dial(t, local), "anew")
	n := 0
	for _, l := range server.logged() {
		if l.field("message") == failed.field("message") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the failure is told %d times, want once", n)
	}
}

// presented is the serial number that a server presents.
func presented(t *testing.T, address string) string {
	t.Helper()
	chain, err := certs.FetchChain(t.Context(), dial(t, address), "")
	if err != nil {
		t.Fatal(err)
	}
	return chain[0].SerialNumber.String()
}

// TestTrustLost: without its CAs a process goes on with those that it had,
// says so once, and again to whoever asks.
func TestTrustLost(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	server, address := s.startServer(b.address(), "--reload-interval", "0s")
	_, local := s.startClient(address)
	gone := s.capath + ".gone"
	if err := os.Rename(s.capath, gone); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		from := len(server.logged())
		server.signal(syscall.SIGHUP)
		if l := server.waitMore(from, "reload failed: the trust stays as it was"); l.field("cure") == "" {
			t.Errorf("no cure: %s", l.text)
		}
	}
	echo(t, dial(t, local), "as before")
	if err := os.Rename(gone, s.capath); err != nil {
		t.Fatal(err)
	}
	from := len(server.logged())
	server.signal(syscall.SIGHUP)
	server.waitLine("the end of a reload", from, func(l logLine) bool {
		return l.field("message") == "reload: nothing has changed" || l.field("message") == "trust changed"
	})
}

// TestReloadTellsSystemd: systemctl reload waits for the end of a reload.
func TestReloadTellsSystemd(t *testing.T) {
	s := newSite(t)
	socket := filepath.Join(t.TempDir(), "notify.sock")
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	listener.SetDeadline(time.Now().Add(patience))
	next := func(state string) string {
		t.Helper()
		buffer := make([]byte, 4096)
		n, err := listener.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		text := string(buffer[:n])
		if !strings.HasPrefix(text, state+"\n") {
			t.Fatalf("systemd is told %q, want %s", text, state)
		}
		return text
	}
	p := start(t, "server", []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=", "WATCHDOG_PID="},
		append([]string{"server", "--accept", "127.0.0.1:0", "--allow-all", "--capath", s.capath, "--log-format", "json"},
			s.server.flags()...)...)
	next("READY=1")
	p.signal(syscall.SIGHUP)
	if text := next("RELOADING=1"); !strings.Contains(text, "\nMONOTONIC_USEC=") {
		t.Errorf("no time: %q", text)
	}
	next("READY=1")
	p.waitMessage("reload: nothing has changed")
}

// TestHangupStorm: thousands of SIGHUPs are a reload each second and hardly a
// line, and none is lost: what was written before the last one counts.
func TestHangupStorm(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	server, _ := s.startServer(b.address(), "--reload-interval", "0s")
	const nothing = "reload: nothing has changed"
	server.signal(syscall.SIGHUP)
	server.waitMessage(nothing)
	from, began, sent := len(server.logged()), time.Now(), 0
	for time.Since(began) < 3*time.Second {
		server.signal(syscall.SIGHUP)
		sent++
	}
	s.revoke(identity{})
	server.signal(syscall.SIGHUP)
	server.waitMore(from, "trust changed")
	took := time.Since(began)

	// And a single one is answered again.
	quiet := len(server.logged())
	time.Sleep(2 * time.Second)
	server.signal(syscall.SIGHUP)
	server.waitMore(quiet, nothing)
	lines := 0
	for _, l := range server.logged()[from:] {
		if l.field("message") == nothing {
			lines++
		}
	}
	// A signal that is alone in its second is answered, as is the last one.
	if lines > int(took.Seconds())+3 {
		t.Errorf("%d lines for %d signals in %s", lines, sent, took)
	}
	t.Logf("%d signals in %s: %d lines", sent, took.Round(time.Millisecond), lines)
}

// TestSecondLookByItself: a list that vanishes counts at first, and no longer
// when the program has looked again by itself.
func TestSecondLookByItself(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	files, err := certstest.WriteCRL(s.capath, s.ca, certstest.CRLOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b := startBackend(t)
	server, address := s.startServer(b.address(), "--crl", "require", "--reload-interval", "0s")
	_, local := s.startClient(address, "--reload-interval", "0s")
	conn := dial(t, local)
	echo(t, conn, "before")
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	server.signal(syscall.SIGHUP)
	if l := server.waitMessage("trust changed"); !strings.Contains(l.field("change"),
		"2 files are missing, and count as removed if they are not back in 10s: "+s.capath) {
		t.Errorf("the change: %s", l.text)
	}
	echo(t, conn, "still")
	from := len(server.logged())
	if l := server.waitMore(from, "trust changed"); !strings.Contains(l.field("change"),
		"2 missing files count as removed: "+s.capath) {
		t.Errorf("the change: %s", l.text)
	}
	if took := time.Since(began); took < certs.SecondLook {
		t.Errorf("it counts after %s, sooner than %s", took, certs.SecondLook)
	}
	if l := server.waitMore(from, "peer no longer accepted"); l.field("code") != "crl-missing" {
		t.Errorf("the reason: %s", l.text)
	}
	wantEnd(t, conn)
}

package main_test

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// runStatus asks a process by gtunnel status.
func runStatus(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(binary(t), append([]string{"status"}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("gtunnel status: %v: %s", err, stderr.String())
	}
	return stdout.String()
}

func statusOf(t *testing.T, admin string) tunnel.Status {
	t.Helper()
	var status tunnel.AdminStatus
	if err := json.Unmarshal([]byte(runStatus(t, "--json", "--admin", admin)), &status); err != nil {
		t.Fatal(err)
	}
	if len(status.Tunnels) != 1 {
		t.Fatalf("%d tunnels, want 1", len(status.Tunnels))
	}
	return status.Tunnels[0]
}

// TestPair carries data through two processes and looks at what they say
// about it: logs and status of both ends.
func TestPair(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	folder := t.TempDir()
	serverAdmin, clientAdmin := "unix:"+filepath.Join(folder, "server.sock"), "unix:"+filepath.Join(folder, "client.sock")
	server, serverAddress := s.startServer(b.address(), "--admin", serverAdmin)
	client, clientAddress := s.startClient(serverAddress, "--admin", clientAdmin)
	client.waitMessage("server reached and proven, and it accepts this host")

	conn := dial(t, clientAddress)
	echo(t, conn, "five!")

	if info, err := os.Stat(filepath.Join(folder, "server.sock")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the admin socket: %v, %v; want the mode 0600", info, err)
	}
	mustShowConnection(t, serverAdmin, clientAdmin, serverAddress, b.address())

	mustLogStart(t, server, client, s.capath)
	// What they said of the connection, under one id.
	id := server.waitMessage("peer verified").field("conn")
	if l := server.waitMessage("connected"); l.field("conn") != id || l.field("tunnel") != "server" {
		t.Errorf("log of the connection: %s, want conn %s", l.text, id)
	}
	client.waitMessage("connected")
	conn.Close()
	for _, p := range []*program{server, client} {
		if l := p.waitMessage("closed"); l.field("bytes_from_peer") != "5" || l.field("bytes_to_peer") != "5" ||
			l.field("reason") == "" {
			t.Errorf("%s: log of the end: %s", p.name, l.text)
		}
	}
	// Without connections both stop at once, and remove their sockets.
	for _, p := range []*program{server, client} {
		p.signal(syscall.SIGTERM)
		if code := p.waitExit(); code != 0 {
			t.Errorf("%s: exit code %d after SIGTERM, want 0", p.name, code)
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// mustShowConnection wants the status of both ends to show a connection that has carried
// five bytes each way.
func mustShowConnection(t *testing.T, serverAdmin, clientAdmin, serverAddress, target string) {
	t.Helper()
	at := statusOf(t, serverAdmin)
	if at.Name != "server" || at.Role != tunnel.Server || at.Accept != serverAddress || at.Accepted != 2 ||
		len(at.Refused) > 0 ||
		at.BytesFromPeer != 5 || at.BytesToPeer != 5 || len(at.Sessions) != 1 {
		t.Errorf("status of the server: %+v", at)
	} else if session := at.Sessions[0]; !strings.HasSuffix(session.PeerDN, "/CN=client.test") ||
		session.Target != target {
		t.Errorf("session of the server: %+v", session)
	}
	at = statusOf(t, clientAdmin)
	if at.Role != tunnel.Client || at.BytesFromPeer != 5 || at.BytesToPeer != 5 || len(at.Sessions) != 1 {
		t.Errorf("status of the client: %+v", at)
	}
	table := runStatus(t, "--admin", serverAdmin)
	for _, want := range []string{
		"TUNNEL", "server", serverAddress, target, "5 B", "/CN=client.test",
		"revocation lists of 1 CA: 1 missing; --crl if-present refuses nobody for it now",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table of gtunnel status lacks %q:\n%s", want, table)
		}
	}
}

// mustLogStart looks at what the processes said at their start.
func mustLogStart(t *testing.T, server, client *program, capath string) {
	t.Helper()
	certificate := server.waitMessage("certificate")
	if !strings.HasSuffix(certificate.field("dn"), "/CN=server.test") ||
		!strings.Contains(certificate.field("hosts"), "server.test") ||
		certificate.field("days_left") != "364" {
		t.Errorf("log of the certificate: %s", certificate.text)
	}
	if trust := client.waitMessage("trust"); trust.field("capath") != capath || trust.field("cas") != "1" {
		t.Errorf("log of the trust: %s", trust.text)
	}
	if lists := client.waitMessage("revocation lists"); lists.field("state") !=
		"revocation lists of 1 CA: 1 missing; --crl if-present refuses nobody for it now" ||
		!strings.Contains(lists.field("first"), "/CN=Test CA") || !strings.Contains(lists.field("cure"), "fetch-crl") {
		t.Errorf("log of the lists: %s", lists.text)
	}
	if server.waitMessage("gtunnel starting").field("version") == "" {
		t.Error("no version in the log")
	}
}

// TestDrain: after SIGTERM the open connection goes on, a new one is refused,
// and the process ends with the last connection.
func TestDrain(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	server, serverAddress := s.startServer(b.address())
	client, clientAddress := s.startClient(serverAddress)
	conn := dial(t, clientAddress)
	echo(t, conn, "before")

	for _, p := range []*program{server, client} {
		p.signal(syscall.SIGTERM)
		p.waitMessage("stopping")
	}
	if refused, err := net.DialTimeout("tcp", clientAddress, patience); err == nil {
		refused.Close()
		t.Error("a draining client accepts connections")
	}
	echo(t, conn, "while it drains")
	conn.Close()
	for _, p := range []*program{server, client} {
		if code := p.waitExit(); code != 0 {
			t.Errorf("%s: exit code %d, want 0", p.name, code)
		}
	}
}

// TestSecondSignal: a second SIGTERM, or the end of --drain-timeout, ends the
// open connections.
func TestSecondSignal(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	server, serverAddress := s.startServer(b.address(), "--drain-timeout", "200ms")
	client, clientAddress := s.startClient(serverAddress, "--drain-timeout", "1h")
	conn := dial(t, clientAddress)
	echo(t, conn, "open")

	client.signal(syscall.SIGTERM)
	client.waitMessage("stopping")
	echo(t, conn, "still open")
	client.signal(syscall.SIGTERM)
	if code := client.waitExit(); code != 0 {
		t.Errorf("client: exit code %d, want 0", code)
	}
	wantEnd(t, conn)

	_, clientAddress = s.startClient(serverAddress)
	conn = dial(t, clientAddress)
	echo(t, conn, "open")
	server.signal(syscall.SIGTERM)
	if code := server.waitExit(); code != 0 {
		t.Errorf("server: exit code %d, want 0", code)
	}
	wantEnd(t, conn)
}

// TestServiceManager: the program tells systemd that it is ready, alive and
// stopping.
func TestServiceManager(t *testing.T) {
	s := newSite(t)
	socket := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	systemd.SetReadDeadline(time.Now().Add(patience))
	next := func() string {
		message := make([]byte, 4096)
		n, err := systemd.Read(message)
		if err != nil {
			t.Fatal(err)
		}
		return string(message[:n])
	}

	p := start(t, "client", []string{"NOTIFY_SOCKET=" + socket, "WATCHDOG_USEC=200000", "WATCHDOG_PID="},
		append([]string{
			"client", "--accept", "127.0.0.1:0", "--connect", "127.0.0.1:1", "--capath", s.capath, "--log-format", "json",
		}, s.client.flags()...)...)
	if got, want := next(), "READY=1\nSTATUS=1 tunnel, 0 connections"; got != want {
		t.Errorf("told systemd %q, want %q", got, want)
	}
	for range 3 {
		if got, want := next(), "WATCHDOG=1\nSTATUS=1 tunnel, 0 connections"; got != want {
			t.Errorf("told systemd %q, want %q", got, want)
		}
	}
	p.signal(syscall.SIGTERM)
	for got := next(); !strings.HasPrefix(got, "STOPPING=1\n"); got = next() {
		if !strings.HasPrefix(got, "WATCHDOG=1\n") {
			t.Fatalf("told systemd %q before STOPPING", got)
		}
	}
	if code := p.waitExit(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

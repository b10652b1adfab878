package main_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/gtunnel/gtunnel/certs/certstest"
	gtunnel "github.com/gtunnel/gtunnel/cmd/gtunnel"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// wantRun runs a command and wants its exit code, and these words in what it
// prints to either output.
func wantRun(t *testing.T, code int, words []string, args ...string) (stdout string) {
	t.Helper()
	got, stdout, stderr := runMain(t, args...)
	if got != code {
		t.Errorf("%v: exit code %d, want %d: %s%s", args, got, code, stdout, stderr)
	}
	for _, word := range words {
		if !strings.Contains(stdout+stderr, word) {
			t.Errorf("%v: no %q in:\n%s%s", args, word, stdout, stderr)
		}
	}
	return stdout
}

// TestAdminCommands: an administrator sees who is connected and who was refused,
// closes a connection and changes the log's level, and the log says who did.
func TestAdminCommands(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	port := freePort(t)
	folder := t.TempDir()
	t.Setenv("RUNTIME_DIRECTORY", folder)
	server, address := s.startServer(b.address(), "--admin", "127.0.0.1:"+port)
	_, client := s.startClient(address)
	stranger := s.host(s.ca, "stranger.test", certstest.Options{})
	s.client = stranger
	_, refused := s.startClient(address, "--admin", "none")
	server.waitMessage("peer refused")
	admin := []string{"--admin", "unix:" + filepath.Join(folder, "server.sock")}
	both := []string{"--admin", "unix:" + filepath.Join(folder, "*.sock")}
	with := func(admin []string, args ...string) []string { return append(args, admin...) }

	first := dial(t, client)
	echo(t, first, "first") // it has its ID before the other
	second := dial(t, client)
	echo(t, second, "second one")
	dial(t, refused).Close()
	var open struct {
		Sessions []struct{ ID string }
	}
	list := wantRun(t, 0, nil, with(admin, "sessions", "--json", "--peer", "cn=CLIENT")...)
	if err := json.Unmarshal([]byte(list), &open); err != nil || len(open.Sessions) != 2 {
		t.Fatalf("the connections: %v: %s", err, list)
	}
	one, other := open.Sessions[0].ID, open.Sessions[1].ID
	wantRun(t, 0, []string{"CONNECTION", "/CN=server.test"}, with(both, "sessions", "--tunnel", "client")...)
	if out := wantRun(t, 0, nil, with(admin, "sessions", "--peer", "stranger")...); strings.Contains(out, "client.test") {
		t.Errorf("--peer of another shows\n%s", out)
	}
	wantRun(t, 0, []string{
		"CERTIFICATE ENDS", "in 364 days", "REFUSED LAST", "not-allowed", "/CN=stranger.test", "hint: ", "--allow-host",
	}, with(admin, "status")...)
	wantRun(t, 1, []string{"no tunnel mysql is running", "hint: those that are: server"},
		with(admin, "status", "--tunnel", "mysql")...)

	wantRun(t, 1, []string{"no connection 999999 is open; there is " + one + ", " + other},
		with(admin, "close", one, "999999")...)
	echo(t, first, "none was closed")
	wantRun(t, 2, []string{"which connection is not said"}, with(admin, "close")...)
	wantRun(t, 1, []string{"changes are taken at a unix socket only", "hint: leave --admin out"},
		"close", one, "--admin", "127.0.0.1:"+port)
	echo(t, first, "nor by a port")
	wantRun(t, 0, []string{"closed connection " + one + " of tunnel server"}, with(admin, "close", one)...)
	wantEnd(t, first)
	echo(t, second, "goes on")
	if l := server.waitMessage("closed"); l.field("conn") != one || !strings.HasPrefix(l.field("reason"), "closed by ") ||
		!strings.Contains(l.field("reason"), "(pid ") {
		t.Errorf("the log: %s", l.text)
	}

	mustCountTheClosed(t, filepath.Join(folder, "server.sock"))
	mustChangeLogLevel(t, server, admin, client)
}

// mustCountTheClosed is about the metrics after an administrator closed one connection.
func mustCountTheClosed(t *testing.T, socket string) {
	t.Helper()
	_, metrics := sendAdmin(t, socket, http.MethodGet, "/metrics", "")
	for _, want := range []string{
		`gtunnel_sessions_closed_total{reason="administrator",tunnel="server"} 1`, "gtunnel_build_info{",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if problems, err := promlint.New(strings.NewReader(metrics)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
}

// mustChangeLogLevel is about gtunnel log-level at a server whose client is there.
func mustChangeLogLevel(t *testing.T, server *program, admin []string, client string) {
	t.Helper()
	with := func(admin []string, args ...string) []string { return append(args, admin...) }
	wantRun(t, 0, []string{"server.sock: debug"}, with(admin, "log-level")...)
	wantRun(t, 0, []string{"server.sock: was debug, is error"}, with(admin, "log-level", "error")...)
	if l := server.waitMessage("log level changed until the next start"); l.field("by") == "" {
		t.Errorf("the log: %s", l.text)
	}
	before := len(server.logged())
	echo(t, dial(t, client), "without a line")
	if after := server.logged(); len(after) != before {
		t.Errorf("a line below the level: %s", after[before].text)
	}
	wantRun(t, 0, []string{"was error, is info"}, with(admin, "log-level", "info")...)
	wantRun(t, 2, []string{"unknown level infos", "did you mean info?"}, with(admin, "log-level", "infos")...)
	code, body := sendAdmin(t, strings.TrimPrefix(admin[1], "unix:"), http.MethodPut, "/log-level", "fatal")
	if code != http.StatusBadRequest || !strings.Contains(body, `"fatal" is no level`) {
		t.Errorf("%d %s", code, body)
	}
}

// sendAdmin sends a request to a socket.
func sendAdmin(t *testing.T, socket, method, path, body string) (code int, text string) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport, Timeout: patience}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// TestStatusWatch: a watch that is not at a terminal has a line for each change,
// and goes on when the process is gone.
func TestStatusWatch(t *testing.T) {
	s := newSite(t)
	b := startBackend(t)
	socket := filepath.Join(t.TempDir(), "server.sock")
	server, address := s.startServer(b.address(), "--admin", "unix:"+socket)
	_, client := s.startClient(address, "--admin", "none")
	out := new(screen)
	ctx, stop := context.WithCancel(t.Context())
	m := gtunnel.Main{
		Args: []string{"status", "--watch", "--admin", "unix:" + socket}, Stdin: strings.NewReader(""), Stdout: out,
		Stderr: out, Getenv: environment(nil),
	}
	ended := make(chan int, 1)
	go func() { ended <- m.Run(ctx) }()
	wait := func(words ...string) {
		t.Helper()
		for _, word := range words {
			pairs.WaitFor(t, patience, word, func() (string, bool) {
				return out.String(), strings.Contains(out.String(), word)
			})
		}
	}
	wait("Z server: server at " + address + ", 0 connections open\n")
	conn := dial(t, client)
	echo(t, conn, "hello")
	s.client = s.host(s.ca, "stranger.test", certstest.Options{})
	s.startClient(address, "--admin", "none")
	wait(" is open, from 127.0.0.1:", "/CN=client.test\n", "server: refused: not-allowed: ", "; hint: ")
	conn.Close()
	wait(" has ended: from peer 5 B, to peer 5 B")
	server.cmd.Process.Kill()
	wait("no answer from unix:"+socket, "server: is gone\n")
	time.Sleep(10 * time.Millisecond)
	stop()
	if code := waitCode(t, ended); code != 1 {
		t.Errorf("exit code %d after a look that failed", code)
	}
}

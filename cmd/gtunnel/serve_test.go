package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	gtunnel "github.com/gtunnel/gtunnel/cmd/gtunnel"
)

// screen is a standard error that can be read while it is written.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// environment is one of these variables.
func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// bothEnds is a configuration of both ends: the socket between them, the target, and
// the certificate and key of each.
const bothEnds = `
[tls]
capath = "certificates"

[log]
format = "json"

[tunnel.master]
role = "server"
accept = "unix:%[1]s"
connect = "%[2]s"
allow_host = ["client.test"]
cert = "%[3]s"
key = "%[4]s"
drain_timeout = "100ms"

[tunnel.slave]
role = "client"
accept = "127.0.0.1:0"
connect = ["unix:%[1]s"]
server_name = "server.test"
cert = "%[5]s"
key = "%[6]s"
drain_timeout = "100ms"
`

// startFile runs a configuration of both ends inside the test: a client whose
// server is the other tunnel, at a unix socket, in front of target. It gives
// the address of the client, what stops the process and its exit code.
func startFile(t *testing.T, target string) (client string, stderr *screen, stop func(), exit <-chan int) {
	t.Helper()
	s := newSite(t)
	server := filepath.Join(s.folder, "master.sock")
	file := filepath.Join(s.folder, "gtunnel.toml")
	text := fmt.Sprintf(bothEnds, server, target, s.server.cert, s.server.key, s.client.cert, s.client.key)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stderr = new(screen)
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	m := gtunnel.Main{
		Args: []string{"run", "--config", file}, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: stderr,
		Getenv: environment(map[string]string{"RUNTIME_DIRECTORY": s.folder}),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		code <- m.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	listening := regexp.MustCompile(`"message":"listening","tunnel":"slave".*"accept":"([^"]+)"`)
	for begin := time.Now(); ; {
		if found := listening.FindStringSubmatch(stderr.String()); found != nil {
			return found[1], stderr, cancel, code
		}
		select {
		case <-ended:
			t.Fatalf("the process ended: %s", stderr)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Since(begin) > patience {
			t.Fatalf("the tunnels do not listen: %s", stderr)
		}
	}
}

func waitCode(t *testing.T, exit <-chan int) int {
	t.Helper()
	select {
	case code := <-exit:
		return code
	case <-time.After(patience):
		t.Fatal("the process does not end")
		return 0
	}
}

// TestRunFile: both roles in one process, from a file, until it is stopped.
func TestRunFile(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	b := startBackend(t)
	client, stderr, stop, exit := startFile(t, b.address())
	conn := dial(t, client)
	echo(t, conn, "through both")
	stop()
	if code := waitCode(t, exit); code != 0 {
		t.Errorf("exit code %d, want 0: %s", code, stderr)
	}
	wantEnd(t, conn) // the time to drain is over
}

// TestOneTunnelBreaks: the listener of one tunnel breaks, and with it the
// process, so that its supervisor starts it anew.
func TestOneTunnelBreaks(t *testing.T) {
	b := startBackend(t)
	client, stderr, _, exit := startFile(t, b.address())
	conn := dial(t, client)
	echo(t, conn, "all is well")
	breakListener(t, client)
	if code := waitCode(t, exit); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	wantEnd(t, conn)
	if want := "\ngtunnel: tunnel slave: accept at " + client; !strings.Contains(stderr.String(), want) {
		t.Errorf("the error is not told:\n%s", stderr)
	}
}

// TestOneTunnelBreaksAlone: also while a target was never reached, and is tried again
// and again.
func TestOneTunnelBreaksAlone(t *testing.T) {
	client, stderr, _, exit := startFile(t, "127.0.0.1:1")
	breakListener(t, client)
	if code := waitCode(t, exit); code != 1 {
		t.Errorf("exit code %d, want 1: %s", code, stderr)
	}
}

// TestStatusOfAnother: whatever answers at the admin address, if it is no
// gtunnel process, the program says so.
func TestStatusOfAnother(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"answered 404":                 http.NotFound,
		"did not answer with a status": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") },
	} {
		other := httptest.NewServer(handler)
		code, stdout, stderr := runMain(t, "status", "--admin", other.Listener.Addr().String())
		other.Close()
		if code != 1 || stdout != "" || !strings.Contains(stderr, name) ||
			!strings.Contains(stderr, "\nhint: is it the admin address") {
			t.Errorf("%s: exit code %d, %q, %q", name, code, stdout, stderr)
		}
	}
}

// TestStatusOfDeadSockets: a socket that a killed process left behind is a
// note below what the others answer, and an error only if none does.
func TestStatusOfDeadSockets(t *testing.T) {
	folder := t.TempDir()
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(folder, "a.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	pattern := "unix:" + filepath.Join(folder, "*.sock")
	code, stdout, stderr := runMain(t, "status", "--admin", pattern)
	if code != 1 || stdout != "" || !strings.Contains(stderr, "a.sock: ") ||
		!strings.Contains(stderr, "connection refused\nhint: no process serves there") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}

	serveAt(t, filepath.Join(folder, "b.sock"), func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"tunnels":[{"name":"living"}]}`)
	})
	for _, more := range [][]string{nil, {"--json"}} {
		code, stdout, stderr = runMain(t, append([]string{"status", "--admin", pattern}, more...)...)
		note := "note: no process answers at unix:" + filepath.Join(folder, "a.sock")
		if code != 0 || !strings.Contains(stdout, "living") || !strings.HasPrefix(stderr, note) {
			t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
		}
	}

	serveAt(t, filepath.Join(folder, "c.sock"), http.NotFound)
	code, stdout, stderr = runMain(t, "status", "--admin", pattern)
	if code != 1 || !strings.Contains(stdout, "living") || !strings.Contains(stderr, "c.sock answered 404") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	code, _, stderr = runMain(t, "status", "--admin", "unix:"+filepath.Join(folder, "none*.sock"))
	if code != 1 || !strings.Contains(stderr, "no gtunnel process has an admin socket in "+folder) {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

// serveAt answers requests at a unix socket until the test ends.
func serveAt(t *testing.T, path string, handler http.HandlerFunc) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
}

// TestJournal: what goes to systemd's journal has its levels and no time.
func TestJournal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it starts, and stops at once
	m := gtunnel.Main{
		Args: append(
			[]string{"server", "--accept", "127.0.0.1:0", "--allow-all", "--capath", s.capath}, s.server.flags()...,
		),
		Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: file,
		Getenv: environment(map[string]string{
			"JOURNAL_STREAM": fmt.Sprintf("%d:%d", stat.Dev, stat.Ino), "RUNTIME_DIRECTORY": s.folder,
		}),
	}
	if code := m.Run(ctx); code != 0 {
		t.Errorf("exit code %d", code)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(text), "<6>INFO gtunnel starting {") {
		t.Errorf("not as the journal reads it: %s", text)
	}
}

// breakListener shuts down the socket of this process that listens at an
// address of 127.0.0.1, which nothing in its program does.
func breakListener(t *testing.T, address string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if listening, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err != nil ||
			listening == 0 {
			continue
		}
		bound, err := syscall.Getsockname(fd)
		if err != nil {
			continue
		}
		if a, ok := bound.(*syscall.SockaddrInet4); ok && "127.0.0.1:"+strconv.Itoa(a.Port) == address {
			if err := syscall.Shutdown(fd, syscall.SHUT_RDWR); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no socket listens at %s", address)
}

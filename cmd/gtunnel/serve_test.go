package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
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

// freePort is a port of 127.0.0.1 that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// startFile runs a configuration of both ends inside the test: a client whose
// server is the other tunnel, in front of target. It gives the ports of the
// two, what stops the process and its exit code.
func startFile(t *testing.T, target string) (server, client string, stderr *screen, stop func(), exit <-chan int) {
	t.Helper()
	s := newSite(t)
	server, client = freePort(t), freePort(t)
	file := filepath.Join(s.folder, "gtunnel.toml")
	text := fmt.Sprintf(`
[tls]
capath = "certificates"

[tunnel.master]
role = "server"
accept = "127.0.0.1:%[1]s"
connect = "%[3]s"
allow_host = ["client.test"]
cert = "%[4]s"
key = "%[5]s"
drain_timeout = "100ms"

[tunnel.slave]
role = "client"
accept = "127.0.0.1:%[2]s"
connect = ["127.0.0.1:%[1]s"]
cert = "%[6]s"
key = "%[7]s"
drain_timeout = "100ms"
`, server, client, target, s.server.cert, s.server.key, s.client.cert, s.client.key)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	stderr = new(screen)
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	m := gtunnel.Main{
		Args: []string{"run", "--config", file}, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: stderr,
		Getenv: func(string) string { return "" },
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
	for begin := time.Now(); strings.Count(stderr.String(), " listening ") < 2; {
		select {
		case <-ended:
			t.Fatalf("the process ended: %s", stderr)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Since(begin) > patience {
			t.Fatalf("the tunnels do not listen: %s", stderr)
		}
	}
	return server, client, stderr, cancel, code
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
	_, client, stderr, stop, exit := startFile(t, b.address())
	conn := dial(t, "127.0.0.1:"+client)
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
	server, client, stderr, _, exit := startFile(t, b.address())
	conn := dial(t, "127.0.0.1:"+client)
	echo(t, conn, "all is well")
	breakListener(t, server)
	if code := waitCode(t, exit); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	wantEnd(t, conn)
	if want := "\ngtunnel: tunnel master: accept at 127.0.0.1:" + server; !strings.Contains(stderr.String(), want) {
		t.Errorf("the error is not told:\n%s", stderr)
	}
}

// breakListener shuts down the socket of this process that listens at a port
// of 127.0.0.1, which nothing in its program does.
func breakListener(t *testing.T, port string) {
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
		if listening, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err != nil || listening == 0 {
			continue
		}
		address, err := syscall.Getsockname(fd)
		if err != nil {
			continue
		}
		if a, ok := address.(*syscall.SockaddrInet4); ok && strconv.Itoa(a.Port) == port {
			if err := syscall.Shutdown(fd, syscall.SHUT_RDWR); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no socket listens at port %s", port)
}

package main_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// flood keeps so many connections from another host to address open until the
// test ends, which begin with a text. One that is closed there is opened anew.
func flood(t *testing.T, address string, conns int, text string) {
	t.Helper()
	var over atomic.Bool
	var mu sync.Mutex
	var open []net.Conn
	var flooding sync.WaitGroup
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: time.Second}
	for range conns {
		flooding.Go(func() {
			for !over.Load() {
				conn, err := dialer.Dial("tcp", address)
				if err != nil {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				mu.Lock()
				open = append(open, conn)
				mu.Unlock()
				if over.Load() {
					conn.Close()
				}
				io.WriteString(conn, text) // fails if the other end has closed it
				awaitReset(conn)
				conn.Close()
			}
		})
	}
	t.Cleanup(func() {
		over.Store(true)
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		flooding.Wait()
	})
}

// awaitReset waits until the other end has closed the connection, not only its
// own direction.
func awaitReset(conn net.Conn) {
	io.Copy(io.Discard, conn)
	for {
		if _, err := conn.Write([]byte("more")); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestFloodWithFewFiles: neither silent connections nor those that are refused
// take all the files that a server may open, so that a peer gets in, who needs
// two.
func TestFloodWithFewFiles(t *testing.T) {
	for name, text := range map[string]string{"silent": "", "refused": "GET / HTTP/1.1\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			wrapper := []string{"sh", "-c", `ulimit -n 128 && exec "$@"`, "sh"}
			server, address := s.startServerIn(wrapper, startBackend(t).address(), "--max-handshakes-per-source", "1000")
			if few := server.waitMessage("the limit of open files allows fewer handshakes at once than " +
				"max-handshakes"); few.field("handshakes") != "32" {
				t.Errorf("the places: %s", few.text)
			}
			if all := server.waitMessage("fewer files may be open than the tunnels take at their limits: connections " +
				"will be refused before that"); !strings.Contains(all.field("cure"), "LimitNOFILE=11101 ") {
				t.Errorf("the files of the connections: %s", all.text)
			}
			_, local := s.startClient(address)
			flood(t, address, 200, text)
			server.waitLine("a place that went to another", 0, func(l logLine) bool {
				return l.field("code") == "too-many-handshakes"
			})
			for range 3 {
				echo(t, dial(t, local), "in spite of all")
			}
			for _, l := range server.logged() {
				if strings.Contains(l.text, "too many open files") {
					t.Errorf("the server has no file left: %s", l.text)
				}
			}
		})
	}
}

// TestStopInAFlood: a flood and a storm of SIGHUPs hold up neither open
// connections nor the end of the process.
func TestStopInAFlood(t *testing.T) {
	s := newSite(t)
	// Not at the level debug, whose line for each of the flood this test would not read in time.
	server, address := s.startServer(startBackend(t).address(), "--drain-timeout", "1s", "--max-handshakes", "50",
		"--log-level", "info")
	_, local := s.startClient(address)
	conn := dial(t, local)
	echo(t, conn, "before")
	flood(t, address, 200, "\x16\x03\x01")
	server.waitLine("a place that went to another", 0,
		func(l logLine) bool { return l.field("code") == "too-many-handshakes-from-source" })
	for range 100 {
		server.signal(syscall.SIGHUP)
		echo(t, conn, "in between")
	}
	server.signal(syscall.SIGTERM)
	if code := server.waitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	stopping := server.waitMessage("stopping")
	if stopping.field("open") != "1" {
		t.Errorf("the connection was not open to the end: %s", stopping.text)
	}
	wantEnd(t, conn)
}

// TestFloodOfTheAdminServer: connections that ask nothing, stay after their answer or never
// read take few files, and whoever asks beside them is answered.
func TestFloodOfTheAdminServer(t *testing.T) {
	for name, text := range map[string]string{
		"silent": "", "idle": "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"begun": "GET /metr", "streams": "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"unread": strings.Repeat("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 2000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits
			floodAdmin(t, text)
		})
	}
}

// floodAdmin opens many connections to an admin port that begin with a text, and wants answers
// for who asks beside them.
func floodAdmin(t *testing.T, text string) {
	t.Helper()
	s := newSite(t)
	admin := "127.0.0.1:" + freePort(t)
	server, _ := s.startServer(startBackend(t).address(), "--admin", admin)
	files := func() int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", server.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := files()
	for range 200 {
		conn := dial(t, admin)
		conn.SetWriteDeadline(time.Now().Add(time.Second)) // who does not read is not read from
		io.WriteString(conn, text)                         // fails if the other end has closed it
	}
	pairs.WaitFor(t, patience, "the flood", func() (string, bool) { return fmt.Sprint(files()), files() >= before+10 })
	for _, path := range []string{"/status", "/metrics", "/"} {
		if status, _ := askAdmin(t, "tcp", admin, path, "localhost", ""); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
	}
	if n := files(); n > before+60 {
		t.Errorf("%d files are open, %d before", n, before)
	}
}

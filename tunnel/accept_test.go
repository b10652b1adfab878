package tunnel_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/tunnel"
)

// openFiles is how many file descriptors this process has.
func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// limitFiles lets the process open so many files until restore is called, which
// may be done more than once.
func limitFiles(t testing.TB, files int) (restore func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	limited := before
	limited.Cur = uint64(files)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limited); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
}

// TestOutOfFiles takes all file descriptors away while a connection comes in.
// It must be served once there are some again.
func TestOutOfFiles(t *testing.T) {
	server, client := startPair(t, backend(t, echo))
	exchange(t, dial(t, client.Addr()), "before") // opens what the runtime opens once

	restore := limitFiles(t, openFiles(t)+64)
	defer restore()

	// The socket that connects is made first, so that only the accepting
	// side lacks one.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var fillers []int
	for {
		filler, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		fillers = append(fillers, filler)
	}
	to := client.Addr().(*net.TCPAddr)
	connectErr := unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())})
	client.entry(t, "accept failed", "error", "too many open files", "cure", "LimitNOFILE")
	for _, filler := range fillers {
		_ = unix.Close(filler)
	}
	restore()
	if connectErr != nil {
		t.Fatal(connectErr)
	}

	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO,
		&unix.Timeval{Sec: int64(patience.Seconds())}); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, []byte("after")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	for n := 0; n < len(got); {
		read, err := unix.Read(fd, got[n:])
		if read <= 0 {
			t.Fatalf("after %q: %v", got[:n], err)
		}
		n += read
	}
	if string(got) != "after" {
		t.Errorf("read %q", got)
	}
	if server.Status().Accepted != 2 {
		t.Errorf("the server accepted %d connections", server.Status().Accepted)
	}
}

// TestListenerBreaks: a tunnel that cannot accept any more says so and ends,
// open connections included.
func TestListenerBreaks(t *testing.T) {
	server, client := startPair(t, backend(t, echo))
	conn := dial(t, client.Addr())
	exchange(t, conn, "before")
	if err := server.BreakListener(); err != nil {
		t.Fatal(err)
	}
	expectReset(t, conn)
	if err := server.wait(t); !errors.Is(err, unix.EINVAL) ||
		!strings.Contains(err.Error(), "accept at "+server.Addr().String()) {
		t.Errorf("Serve returns %v", err)
	}
	server.entry(t, "closed", "reason", "the listener broke")
	if n := server.Status().Refused[string(tunnel.CodeAcceptFailed)]; n != 0 {
		t.Errorf("it counts as %d failures that pass", n)
	}
}

// from connects from an address of loopback of one's own.
func from(t testing.TB, source string, to net.Addr) net.Conn {
	t.Helper()
	dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// TestNothingIsLeft opens, uses and closes 200 connections at once and wants
// every file descriptor back; TestMain looks for goroutines.
func TestNothingIsLeft(t *testing.T) {
	server, client := startPair(t, backend(t, echo))
	exchange(t, dial(t, client.Addr()), "opens what the runtime opens once")
	before := openFiles(t)
	message := bytes.Repeat([]byte("gtunnel"), 1000)
	var opened, wg sync.WaitGroup
	opened.Add(200)
	for i := range 200 {
		wg.Go(func() {
			done := sync.OnceFunc(opened.Done)
			defer done()
			conn, err := net.DialTimeout("tcp", client.Addr().String(), patience)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			got := make([]byte, len(message))
			if _, err := conn.Write(message); err != nil {
				t.Error(err)
				return
			}
			if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, message) {
				t.Errorf("connection %d: %v", i, err)
				return
			}
			done()
			opened.Wait() // all are open at once
			switch i % 3 {
			case 0:
				_ = conn.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
			case 1:
				_ = conn.(*net.TCPConn).SetLinger(0)
			}
		})
	}
	wg.Wait()
	eventually(t, "all sessions are gone", func() bool {
		return len(server.Status().Sessions) == 1 && len(client.Status().Sessions) == 1
	})
	eventually(t, "all file descriptors are back", func() bool { return openFiles(t) <= before })
}

// TestPortInUse names the address and how to see who holds it.
func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	expectListenError(t, taken.Addr().String(), "cannot listen at "+taken.Addr().String()+": the port is in use",
		"ss -ltnp 'sport = :"+port+"'")
}

func TestListenErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("unix", dir+"/taken.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	other, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/datagrams.sock", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	expectListenError(t, "unix:"+dir+"/datagrams.sock", "another process answers on the socket", "ss -lxp")
	expectListenError(t, "unix:"+dir+"/file", "is no socket", "choose another path")
	expectListenError(t, "unix:"+dir+"/file/a.sock", "not a directory", "")
	expectListenError(t, "unix:"+dir+"/none/a.sock", "directory does not exist", "make the directory")
	expectListenError(t, "unix:"+dir+"/taken.sock", "another process answers", "ss -lxp")
	expectListenError(t, "192.0.2.1:3307", "this host has no such address", "ip -brief address")
	expectListenError(t, "no-such-host.invalid:3307", "does not resolve", "write an IP address")
	if data, err := os.ReadFile(dir + "/file"); err != nil || string(data) != "precious" {
		t.Errorf("the file in the way is now %q, %v", data, err)
	}
	if _, err := net.Dial("unix", dir+"/taken.sock"); err != nil {
		t.Errorf("the socket that was in use is gone: %v", err)
	}
}

// expectListenError wants Listen to fail with this reason and hint.
func expectListenError(t *testing.T, accept, reason, hint string) {
	t.Helper()
	config := newPKI(t).serverConfig(t, "127.0.0.1:3306")
	config.Accept = address(t, accept)
	tun, err := tunnel.New(config)
	if err != nil {
		t.Fatal(err)
	}
	err = tun.Listen(t.Context())
	if err == nil {
		t.Errorf("Listen at %s succeeds", accept)
		_ = tun.Close()
		return
	}
	problem, ok := errors.AsType[*tunnel.ConfigError](err)
	if !ok || problem.Setting != "accept" {
		t.Errorf("Listen at %s gives %T %v", accept, err, err)
		return
	}
	if !strings.Contains(err.Error(), reason) || !strings.Contains(problem.Hint(), hint) {
		t.Errorf("Listen at %s gives %q with the hint %q, want %q and %q", accept, err, problem.Hint(), reason, hint)
	}
}

// TestStaleSocket replaces the socket of a dead process, and removes its own.
func TestStaleSocket(t *testing.T) {
	path := t.TempDir() + "/gtunnel.sock"
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	p := newPKI(t)
	config := p.clientConfig(t, start(t, p.serverConfig(t, backend(t, echo))).Addr().String())
	config.Accept = address(t, "unix:"+path)
	client := start(t, config)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	exchange(t, conn, "hello")
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.wait(t); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

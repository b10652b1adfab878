package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTargets: a target that cannot serve gets its own line in the log of
// the side that wanted it, and the connection ends.
func TestTargets(t *testing.T) {
	s := newSite(t)
	for _, target := range []struct {
		name    string
		address string
		more    []string
		words   []string
	}{
		{"refuses", closedPort(t), nil, []string{"connection refused", "is mysqld running"}},
		{"hangs", hangingPort(t), []string{"--dial-timeout", "500ms"}, []string{"no answer within 500ms"}},
		{"is no socket", "unix:/nonexistent/mysqld.sock", nil, []string{"no such socket"}},
	} {
		t.Run(target.name, func(t *testing.T) {
			s := s.in(t)
			server, serverAddress := s.startServer(target.address, target.more...)
			_, address := s.startClient(serverAddress)
			dialToEnd(t, address, "anybody?")
			server.wantCode(0, "no-target", append(target.words, target.address)...)
		})
		t.Run(target.name+", seen by the client", func(t *testing.T) {
			s := s.in(t)
			client, address := s.startClient(target.address, append(target.more, "--server-name", "server.test")...)
			dialToEnd(t, address, "")
			client.wantCode(0, "no-target", target.address, target.words[0])
		})
	}

	t.Run("resets", func(t *testing.T) { resetTarget(t, s.in(t)) })

	t.Run("does not resolve", func(t *testing.T) {
		s := s.in(t)
		server, serverAddress := s.startServerIn(onlyHostsFile(t), "master.test:3306", "--unsafe-plaintext")
		_, address := s.startClient(serverAddress)
		dialToEnd(t, address, "")
		server.wantCode(0, "no-target", "no such host", "getent hosts master.test")
	})

	t.Run("the second of two", func(t *testing.T) {
		s := s.in(t)
		b := startBackend(t)
		server, serverAddress := s.startServer(closedPort(t), "--connect", b.address())
		_, address := s.startClient(serverAddress)
		echo(t, dial(t, address), "here")
		if line := server.waitMessage("targets skipped"); !strings.Contains(line.text, "connection refused") {
			t.Errorf("the log does not say why the first target was skipped: %s", line.text)
		}
	})
}

// resetTarget has a target that resets every connection.
func resetTarget(t *testing.T, s *site) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}()
	server, serverAddress := s.startServer(listener.Addr().String())
	client, address := s.startClient(serverAddress)
	client.waitMessage("server reached and proven, and it accepts this host") // the connection 1 of the server
	// The reset comes while the tunnel still prepares the connection, or
	// after. The process takes the next connection in either case.
	dialToEnd(t, address, "")
	server.waitLine("the reset of the target", 0, func(l logLine) bool {
		reason := l.field("reason")
		return l.field("conn") == "2" && strings.Contains(reason, "reset") &&
			(l.field("message") == "closed" && strings.Contains(reason, "target") || l.field("code") == "no-target")
	})
	dialToEnd(t, address, "") // of its end there may be no line: that would be the second in a second
	server.waitLine("the next connection", 0, func(l logLine) bool {
		return l.field("conn") == "3" && l.field("message") == "peer verified"
	})
}

// onlyHostsFile wraps a program so that it resolves names by /etc/hosts alone
// and no question leaves this host.
func onlyHostsFile(t *testing.T) []string {
	t.Helper()
	t.Attr("needs", "a namespace")
	if testing.Short() {
		t.Skip("left out by -short: needs a namespace")
	}
	file := filepath.Join(t.TempDir(), "nsswitch.conf")
	if err := os.WriteFile(file, []byte("hosts: files\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	wrapper := []string{
		"unshare", "--map-root-user", "--mount", "sh", "-ec", `mount --bind "$0" /etc/nsswitch.conf; exec "$@"`, file,
	}
	if out, err := exec.Command(wrapper[0], append(wrapper[1:], "true")...).CombinedOutput(); err != nil {
		message := fmt.Sprintf("no mount namespace with an nsswitch.conf of its own: %v: %s", err, out)
		if os.Getenv("CI") != "" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	return wrapper
}

// closedPort is an address of 127.0.0.1 at which nobody listens: the port
// stays bound, so that no other test gets it.
func closedPort(t testing.TB) string {
	t.Helper()
	return boundPort(t, -1)
}

// hangingPort is an address whose listener has a full queue: the kernel drops
// further attempts.
func hangingPort(t *testing.T) string {
	t.Helper()
	address := boundPort(t, 0)
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return address
		}
		t.Cleanup(func() { conn.Close() })
	}
}

// boundPort binds a port of 127.0.0.1 and listens there with the backlog, or
// not at all if that is negative.
func boundPort(t testing.TB, backlog int) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if backlog >= 0 {
		if err := syscall.Listen(fd, backlog); err != nil {
			t.Fatal(err)
		}
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: bound.(*syscall.SockaddrInet4).Port}).String()
}

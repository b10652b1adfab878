package tunnel_test

import (
	"errors"
	"net"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// TestLinkDown takes the addresses of a connection's interface away. The kernel cannot send then,
// which is no sign that the other end lives: TCP_USER_TIMEOUT must end the connection, also
// when the other end had not read for longer than that.
func TestLinkDown(t *testing.T) {
	t.Parallel()
	t.Attr("needs", "a namespace")
	const userTimeout, every = 2 * time.Second, 100 * time.Millisecond
	// Of an idle connection the open window tells, of one that waits the missing answers.
	for name, silence := range map[string]time.Duration{"idle": time.Hour, "window closed": 3 * userTimeout} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, down := loopback(t)
			if err := tunnel.TuneTo(conn, userTimeout); err != nil {
				t.Fatal(err)
			}
			guard := tunnel.StallGuard{Silence: silence}
			watch := func(enough func() bool) {
				t.Helper()
				for end := time.Now().Add(patience); !enough(); time.Sleep(every) {
					if time.Now().After(end) {
						t.Fatal("the connection does not end")
					}
					guard.Check(conn, userTimeout)
				}
			}
			if name == "window closed" {
				_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
				if _, err := conn.Write(make([]byte, 64<<20)); err == nil {
					t.Fatal("all was written to an end that does not read")
				}
				_ = conn.SetWriteDeadline(time.Time{})
				until := time.Now().Add(2 * userTimeout)
				watch(func() bool { return time.Now().After(until) })
			}
			down()
			ended := make(chan error, 1)
			go func() {
				if _, err := conn.Write(make([]byte, 1000)); err != nil {
					ended <- err
					return
				}
				_, err := conn.Read(make([]byte, 1))
				ended <- err
			}()
			var err error
			watch(func() bool {
				select {
				case err = <-ended:
					return true
				default:
					return false
				}
			})
			if !errors.Is(err, syscall.ETIMEDOUT) && !errors.Is(err, syscall.EHOSTUNREACH) &&
				!errors.Is(err, syscall.ENETUNREACH) {
				t.Errorf("the connection ended: %v", err)
			}
		})
	}
}

// loopback makes a connection in a network namespace of its own, and gives one end, and what
// takes its addresses away. Nobody reads at the other end.
func loopback(t *testing.T) (conn *net.TCPConn, down func()) {
	t.Helper()
	var failed error
	var end net.Conn
	made, going, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() { // its thread is in the namespace, and ends with it
		runtime.LockOSThread()
		defer close(gone)
		failed = func() error {
			if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
				return err
			}
			if err := exec.Command("ip", "link", "set", "lo", "up").Run(); err != nil {
				return err
			}
			if err := exec.Command("ip", "address", "add", "10.177.9.1/32", "dev", "lo").Run(); err != nil {
				return err
			}
			listener, err := net.Listen("tcp", "10.177.9.1:0")
			if err != nil {
				return err
			}
			defer listener.Close()
			dialed, err := net.DialTCP("tcp", nil, listener.Addr().(*net.TCPAddr))
			if err != nil {
				return err
			}
			conn = dialed
			end, err = listener.Accept()
			return err
		}()
		close(made)
		<-going
		if failed == nil {
			failed = exec.Command("ip", "address", "flush", "dev", "lo").Run()
		}
	}()
	down = func() {
		close(going)
		<-gone
		if failed != nil {
			t.Fatal(failed)
		}
	}
	<-made
	if failed != nil {
		close(going)
		<-gone
		if errors.Is(failed, syscall.EPERM) || errors.Is(failed, exec.ErrNotFound) {
			missing(t, "no network namespace: "+failed.Error())
		}
		t.Fatal(failed)
	}
	t.Cleanup(func() {
		conn.Close()
		end.Close()
	})
	return conn, down
}

package tunnel_test

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/tunnel"
)

// socketOption reads an option of a socket.
func socketOption[T any](t *testing.T, conn net.Conn, read func(fd int) (T, error)) (value T) {
	t.Helper()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) { value, failed = read(int(fd)) })
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	return value
}

// controlOf is the congestion control of a socket.
func controlOf(t *testing.T, conn net.Conn) string {
	t.Helper()
	return socketOption(t, conn, func(fd int) (string, error) {
		return unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	})
}

// TestLongLine looks at the sockets of both tunnels after they have carried data. The
// kernel tunes their buffers, which it does not where a program has set one: then a
// stream over a long fat line carries a fraction of what TCP would. The way between
// the tunnels has the congestion control that was asked for, and no other.
func TestLongLine(t *testing.T) {
	t.Parallel()
	const asked = "reno" // every kernel has it, and lets everybody use it
	for _, name := range []string{"", asked} {
		target, conns := held(t)
		server, client := startPair(t, target, func(server, client *tunnel.Config) {
			server.CongestionControl, client.CongestionControl = name, name
		})
		near := dial(t, client.Addr())
		far := receive(t, "a connection at the backend", conns)
		go near.Write(make([]byte, 4<<20)) // what does not come is missed
		if _, err := io.CopyN(io.Discard, far, 4<<20); err != nil {
			t.Fatal(err)
		}
		want := name
		if name == "" {
			want = controlOf(t, near)
		}
		seen := 0
		for _, end := range []*running{server, client} {
			end.EachLeg(func(peer, plain net.Conn) {
				seen++
				if got := controlOf(t, peer); got != want {
					t.Errorf("asked for %q, the way to the peer has %s, want %s", name, got, want)
				}
				if got := controlOf(t, plain); got != controlOf(t, near) {
					t.Errorf("asked for %q, the plain side has %s", name, got)
				}
				for _, conn := range []net.Conn{peer, plain} {
					locked := socketOption(t, conn, func(fd int) (int, error) {
						locked, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK)
						if errors.Is(err, unix.ENOPROTOOPT) { // before Linux 5.14
							return 0, nil
						}
						return locked, err
					})
					if locked != 0 {
						t.Errorf("the kernel may not tune a buffer any more: %b", locked)
					}
				}
			})
		}
		if seen != 2 {
			t.Errorf("%d ends have a session", seen)
		}
		_, _ = near.Close(), far.Close()
	}
}

// TestUnknownCongestionControl wants a name refused that the kernel does not have, with those
// that it has.
func TestUnknownCongestionControl(t *testing.T) {
	there, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	if err != nil {
		t.Fatal(err)
	}
	expectConfigErrors(t, map[string]configError{"unknown": {
		change:  func(c *tunnel.Config) { c.CongestionControl = "carrier-pigeon" },
		setting: "congestion", text: `the kernel has no "carrier-pigeon"`,
		hint: "it has " + string(there[:len(there)-1]),
	}})
}

package tunnel

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// stallGuard keeps TCP_USER_TIMEOUT from ending a connection whose other end
// lives but does not read.
//
// Linux counts the time in which a receiver keeps its window closed towards
// TCP_USER_TIMEOUT, although the receiver answers every probe. A slave that
// waits for relay_log_space_limit, or a restore that builds an index while the
// dump waits, would lose its connection so. While the window is closed, the
// guard lifts the timeout: a host that dies meanwhile is found by the system
// after net.ipv4.tcp_retries2 unanswered probes. The zero value is ready.
type stallGuard struct {
	lifted bool
}

// check lifts or restores the timeout of conn, which may be nil. It must be
// called more often than the timeout.
func (g *stallGuard) check(conn net.Conn, timeout time.Duration) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	stalled, err := isStalled(tcp)
	if err != nil || stalled == g.lifted {
		return // an error says that conn is closed
	}
	if stalled {
		timeout = 0
	}
	if setUserTimeout(tcp, timeout) == nil {
		g.lifted = stalled
	}
}

// isStalled says whether data waits to be sent, and all that was sent is
// acknowledged: then only the receiver's window holds it back.
func isStalled(conn *net.TCPConn) (bool, error) {
	info, err := tcpInfo(conn)
	if err != nil {
		return false, err
	}
	return info.Notsent_bytes > 0 && info.Unacked == 0, nil
}

// isQueued says whether data that was written to conn, a TCP or unix socket,
// waits to be read at the other end. conn may be nil.
func isQueued(conn net.Conn) bool {
	if conn == nil {
		return false
	}
	raw, err := rawConn(conn)
	if err != nil {
		return false
	}
	queued := 0
	err = raw.Control(func(fd uintptr) { queued, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }) // 0 if it cannot tell
	return err == nil && queued > 0
}

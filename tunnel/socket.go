package tunnel

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A dead link without traffic is found after 60 + 4 x 15 s by keepalive, and
// one with data on its way after 120 s by TCP_USER_TIMEOUT (RFC 5482).
const (
	keepAliveIdle     = 60 * time.Second
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 4
	userTimeout       = 120 * time.Second
)

// tune sets the socket options that both legs of a connection have; stallGuard
// adjusts the user timeout later. Unix sockets need none. The buffers are left to
// the kernel: whoever sets them ends its tuning, and a long line needs what the
// kernel then would not give.
func tune(conn net.Conn, userTimeout time.Duration) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	return errors.Join(
		tcp.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveCount,
		}),
		setUserTimeout(tcp, userTimeout),
	)
}

// tunePeer is tune for the leg to the peer.
func (t *Tunnel) tunePeer(conn net.Conn) error {
	return errors.Join(tune(conn, t.userTimeout), setCongestionControl(conn, t.config().CongestionControl))
}

// setUserTimeout sets TCP_USER_TIMEOUT of tcp(7); 0 leaves the time to the
// system.
func setUserTimeout(conn syscall.Conn, timeout time.Duration) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(timeout.Milliseconds()))
	})
	return errors.Join(err, failed)
}

// tcpInfo is what the kernel knows about a connection, TCP_INFO of tcp(7).
func tcpInfo(conn syscall.Conn) (info *unix.TCPInfo, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	return info, errors.Join(err, failed)
}

// isReset reports whether a reset ended a TCP connection to which this end has
// not sent its own end yet: an orderly end would leave it in another state.
func isReset(conn net.Conn) bool {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return false
	}
	info, err := tcpInfo(tcp)
	return err == nil && info.State == unix.BPF_TCP_CLOSE
}

// reset closes conn so that the other end sees a reset, never an orderly end.
// A unix socket knows no reset: there the other end sees one only if data
// was left unread (unix(7)).
func reset(conn net.Conn) {
	if w, ok := conn.(*wire); ok {
		conn = w.Conn
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only if conn is closed already
	}
	_ = conn.Close() // fails only if conn is closed already
}

// How long and how much closeGently waits for.
const (
	gentleTime  = time.Second
	gentleBytes = 64 << 10
)

// closeGently ends conn so that what was written last arrives: closing with
// unread data would send a reset, which overtakes a TLS alert on its way.
func closeGently(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil &&
		conn.SetReadDeadline(time.Now().Add(gentleTime)) == nil {
		_, _ = io.CopyN(io.Discard, conn, gentleBytes) // only waits for the end
	}
	_ = conn.Close() // nothing is left to be lost
}

// stallGuard keeps TCP_USER_TIMEOUT from ending a connection whose other end
// lives but does not read.
//
// Linux counts the time in which a receiver keeps its window closed towards
// TCP_USER_TIMEOUT, although the receiver answers every probe. A slave that
// waits for relay_log_space_limit, or a restore that builds an index while the
// dump waits, would lose its connection so. While the window is closed, the
// guard lifts the timeout, for as long as probes are answered. The zero value
// is ready.
type stallGuard struct {
	lifted bool
}

// answerTime is how long an answer to a probe may take: the greatest time
// between two (120 s in Linux), and the user timeout.
const answerTime = 120*time.Second + userTimeout

// check lifts or restores the timeout of conn, which may be nil and whose other
// end is taken for dead after the silence. It must be called more often than
// the timeout.
func (g *stallGuard) check(conn net.Conn, timeout, silence time.Duration) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	stalled, err := isStalled(tcp, silence)
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

// isStalled reports whether data waits to be sent, all that was sent is
// acknowledged, the receiver's window is closed, and its host has answered
// lately: then only the receiver holds it back. Without an interface or a route
// data waits, too, while the window is open. Kernels before 5.4 do not tell the
// window, and count as closed.
func isStalled(conn *net.TCPConn, silence time.Duration) (bool, error) {
	info, err := tcpInfo(conn)
	if err != nil {
		return false, err
	}
	return info.Notsent_bytes > 0 && info.Unacked == 0 && info.Snd_wnd < info.Snd_mss &&
		time.Duration(info.Last_ack_recv)*time.Millisecond < silence, nil
}

// isQueued reports whether data that was written to conn, a TCP or unix socket,
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

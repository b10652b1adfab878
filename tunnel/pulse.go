package tunnel

import (
	"golang.org/x/sys/unix"
)

// Pulse is a sign of life of a tunnel's accept loop, without which nobody new is served.
// Two of them tell whether it lives: see StuckSince.
type Pulse struct {
	accepting bool   // Serve has not been told to end
	turns     uint64 // of the loop: connections, and failures of accept
	inHand    bool   // it is in the middle of one
	waiting   int    // connections that the kernel has for it; 0 for a unix socket
}

// Pulse takes the pulse of this moment. It may be called concurrently.
func (t *Tunnel) Pulse() Pulse {
	return Pulse{
		accepting: t.accepting.Load(), turns: t.turns.Load(), inHand: t.inHand.Load(), waiting: t.countWaiting(),
	}
}

// StuckSince reports whether the loop has done nothing since an earlier pulse though there
// was something to do at both: a connection in its hands, or others that wait for it.
func (p Pulse) StuckSince(earlier Pulse) bool {
	return earlier.accepting && p.accepting && earlier.turns == p.turns &&
		(earlier.inHand && p.inHand || earlier.waiting > 0 && p.waiting > 0)
}

// countWaiting is how many connections wait to be accepted: of a socket that listens,
// tcpi_unacked is that (tcp_get_info of Linux's net/ipv4/tcp.c).
func (t *Tunnel) countWaiting() int {
	conn, err := t.SyscallConn()
	if err != nil {
		return 0 // it does not listen
	}
	waiting := 0
	_ = conn.Control(func(fd uintptr) { // fails if it is closed
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO); err == nil {
			waiting = int(info.Unacked)
		}
	})
	return waiting
}

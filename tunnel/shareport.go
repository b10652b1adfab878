package tunnel

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharePort lets a socket that is not bound yet have its port with others of the same
// user that want this, too (SO_REUSEPORT of socket(7)). The kernel gives a connection
// to the listener of the address that it comes to, before one of every address.
func sharePort(_, _ string, conn syscall.RawConn) error {
	var failed error
	err := conn.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	if err != nil {
		return err
	}
	return failed
}

// isTaken reports whether a socket listens at the very address: of two that share it,
// each would get every other connection.
func isTaken(accept Address) bool {
	if accept.Port == "0" {
		return false
	}
	wanted, isIP := listenIP(accept.Host)
	same := func(fields []string) bool {
		bound, ok := tcpListener(fields)
		if !ok || bound.Port != accept.Port {
			return false
		}
		if accept.Host == "" || bound.Host == "" {
			return accept.Host == bound.Host
		}
		ip, err := netip.ParseAddr(bound.Host)
		return err == nil && isIP && ip.Unmap() == wanted
	}
	return anyLine("/proc/self/net/tcp", same) || anyLine("/proc/self/net/tcp6", same)
}

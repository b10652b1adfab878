package tunnel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ListenOn is Listen with a socket that somebody else has bound, such as systemd, which
// keeps it over a restart, so that connections wait meanwhile. It must be one for which
// Address.IsSocket is true. The tunnel has a descriptor of its own: file stays the
// caller's to close, and a unix socket stays in its folder.
func (t *Tunnel) ListenOn(file *os.File) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listener != nil {
		return errors.New("tunnel: Listen was called before")
	}
	accept := t.config().Accept
	if !accept.IsSocket(file) {
		return &ConfigError{
			Setting: "accept", Reason: fmt.Sprintf("the socket %s does not listen at %s", file.Name(), accept),
			Cure: "give the socket's address",
		}
	}
	listener, err := net.FileListener(file)
	if err != nil {
		return listenError(accept, err)
	}
	select {
	case <-t.closed:
		_ = listener.Close() // never used
		return net.ErrClosed
	default:
	}
	t.listener, t.lent = listener, true
	return nil
}

// SyscallConn gives the socket that the tunnel listens with: it is bound, and connections
// wait at it, for as long as anybody has a descriptor of it. It fails if the tunnel does
// not listen.
func (t *Tunnel) SyscallConn() (syscall.RawConn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	socket, ok := t.listener.(syscall.Conn)
	if !ok {
		return nil, errors.New("tunnel: it does not listen")
	}
	return socket.SyscallConn()
}

// IsSocket reports whether a file is a socket that listens for streams where a listener
// at the address would: for every address of both families too, if the address says no
// host. A name, but for localhost, is not resolved: no socket has it.
func (a Address) IsSocket(file *os.File) (is bool) {
	conn, err := file.SyscallConn()
	if err != nil {
		return false
	}
	err = conn.Control(func(fd uintptr) { is = a.isSocket(int(fd)) })
	return is && err == nil
}

func (a Address) isSocket(fd int) bool {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM {
		return false
	}
	if listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listens == 0 {
		return false
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return false
	}
	switch bound := bound.(type) {
	case *syscall.SockaddrUnix:
		return a.Network == "unix" && a.Path == bound.Name
	case *syscall.SockaddrInet4:
		return a.isBound(netip.AddrFrom4(bound.Addr), bound.Port, false)
	case *syscall.SockaddrInet6:
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		return err == nil && a.isBound(netip.AddrFrom16(bound.Addr), bound.Port, only == 0)
	}
	return false
}

// isBound reports whether a socket that is bound to an IP address and port is one of the
// address; both says that it takes IPv4, too.
func (a Address) isBound(ip netip.Addr, port int, both bool) bool {
	if a.Network != "tcp" || a.Port != strconv.Itoa(port) {
		return false
	}
	if a.Host == "" {
		return ip.IsUnspecified() && (both || ip.Is4() && !hasIPv6())
	}
	wanted, isIP := listenIP(a.Host)
	return isIP && wanted == ip.Unmap() && (!both || !ip.IsUnspecified())
}

// hasIPv6 reports whether this host has IPv6 (proc(5)).
func hasIPv6() bool {
	_, err := os.Stat("/proc/self/net/if_inet6")
	return err == nil
}

package server

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// dialPeer dials a server's socket and notes which process listens there, as
// this host's numbers have it; 0 if it is not of this host, as in a container
// of its own.
func (s *Server) dialPeer(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if raw, err := conn.(*net.UnixConn).SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
				s.peer.Store(peer.Pid)
			}
		})
	}
	return conn, nil
}

// Root is the root directory of the process that listens at a server's socket, as
// this host has it; empty if it is not known.
func (s *Server) Root() string {
	if pid := s.peer.Load(); pid != 0 {
		return fmt.Sprintf("/proc/%d/root", pid)
	}
	return ""
}

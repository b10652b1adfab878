package replication

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"slices"
	"strings"

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

// root is the root directory of the process that listens at a server's socket, as
// this host has it; empty if it is not known.
func (s *Server) root() string {
	if pid := s.peer.Load(); pid != 0 {
		return fmt.Sprintf("/proc/%d/root", pid)
	}
	return ""
}

// readRoom reads how much is free where the data directory is. It is looked at
// as the process sees it that listens at the socket; by TCP, or without the
// right to look, it is not known.
func (f *Facts) readRoom(_ context.Context, s *Server, _ *sql.Conn) error {
	root, directory := s.root(), f.variable("datadir")
	if root == "" || directory == "" {
		return nil
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(root+directory, &stat); err == nil {
		free := stat.Bavail * uint64(stat.Bsize) //nolint:gosec // a block has a size
		f.Free = &free
	}
	return nil
}

// checkRoom refuses a copy for which the slave's disk is too small, as far as
// that is known. The sizes are the servers' estimates.
func (s *slavePlan) checkRoom() {
	if s.want.Method == SeedNone || s.slave.Free == nil {
		return
	}
	copied := func(name string) bool { return s.want.Method == SeedClone || slices.Contains(s.want.Databases, name) }
	needed, freed := s.master.bytesOnDisk(copied), s.slave.bytesOnDisk(copied)
	room := *s.slave.Free + freed
	directory := s.slave.variable("datadir")
	figures := fmt.Sprintf("the copy needs about %s in %s, where %s are free", FormatBytes(needed), directory, FormatBytes(*s.slave.Free))
	if freed > 0 {
		figures += fmt.Sprintf(" and about %s become so, because the slave's own are dropped", FormatBytes(freed))
	}
	cure := "make room there, or give the data directory a larger disk"
	if s.want.Method != SeedClone && len(s.want.Databases) > 1 {
		cure += ", or replicate fewer databases than " + strings.Join(s.want.Databases, ",") + ": --databases"
	}
	switch {
	case needed > room:
		s.problem(Slave, "no-room", cure, "%s", figures)
	case room-needed < room/5:
		s.warn(Slave, "little-room", cure, "%s: less than a fifth of that would be left", figures)
	}
}

// bytesOnDisk is the size of some of the databases with their indexes, by the
// server's estimate.
func (f *Facts) bytesOnDisk(counts func(name string) bool) uint64 {
	var bytes uint64
	for _, d := range f.Databases {
		if counts(d.Name) {
			bytes += d.Bytes + d.IndexBytes
		}
	}
	return bytes
}

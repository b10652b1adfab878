package main

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/tunnel"
)

// keptPrefix begins the names of sockets that systemd keeps for the next start of the
// service; those of socket units have the unit's name (sd_listen_fds(3)).
const keptPrefix = "gtunnel-kept "

// sockets are those that systemd has for this process, so that a connection that comes
// while the service starts again waits in the kernel and is not refused. They are of two
// kinds: those of socket units, which stay for as long as the process does, whatever a
// reload says; and those that an earlier run of the service has bound itself, and that
// systemd keeps for as long as a tunnel has them (FileDescriptorStoreMax= of
// systemd.service(5)). Only one goroutine at a time may use them.
type sockets struct {
	logger *zap.Logger
	units  []*os.File        // of socket units
	kept   []*os.File        // of the run before; nil once the tunnels have begun
	store  map[string]string // what systemd keeps: the name of each address
	said   string            // what was last said of the sockets of units
}

// receiveSockets takes over what systemd has passed to this process. A program that it
// starts does not get it.
func receiveSockets(logger *zap.Logger) *sockets {
	s := noSockets(logger)
	for _, file := range activation.Files(true) {
		if address, ok := strings.CutPrefix(file.Name(), keptPrefix); ok {
			s.kept, s.store[address] = append(s.kept, file), file.Name()
		} else {
			s.units = append(s.units, file)
		}
	}
	return s
}

// noSockets are those of a process that systemd has passed none.
func noSockets(logger *zap.Logger) *sockets {
	return &sockets{logger: logger, store: map[string]string{}}
}

// listen has a tunnel listen: on its socket, if there is one, or on a new one.
func (s *sockets) listen(ctx context.Context, m *member) error {
	for _, file := range slices.Concat(s.units, s.kept) {
		if m.config.Accept.IsSocket(file) {
			return m.ListenOn(file)
		}
	}
	return m.Listen(ctx)
}

// dropIdle is called before the tunnels of a start listen: what an earlier run has kept at
// addresses that none has any more goes, so that it is in nobody's way. Systemd closes its own
// descriptor when it comes to that, so the socket itself is shut down: it listens no more, and
// its port is free.
func (s *sockets) dropIdle(tunnels []*member) {
	s.kept = slices.DeleteFunc(s.kept, func(file *os.File) bool {
		if slices.ContainsFunc(tunnels, func(m *member) bool { return m.config.Accept.IsSocket(file) }) {
			return false
		}
		if conn, err := file.SyscallConn(); err == nil {
			_ = conn.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) }) // fails where it is no such socket
		}
		notifySocket("FDSTOREREMOVE=1\nFDNAME="+file.Name(), nil)
		delete(s.store, strings.TrimPrefix(file.Name(), keptPrefix))
		_ = file.Close() // nobody uses it
		return true
	})
}

// settle is called when the tunnels of a start or of a reload listen. It has systemd keep
// their sockets, and no others, and says what sockets of units belong to no tunnel, and
// what tunnels have none, if that is news.
func (s *sockets) settle(tunnels []*member) {
	s.sayUnits(tunnels)
	for _, file := range s.kept {
		_ = file.Close() // the tunnel has a descriptor of its own
	}
	s.kept = nil
	wanted := map[string]bool{}
	for _, m := range tunnels {
		if !isKept(m.config.Accept) || slices.ContainsFunc(s.units, m.config.Accept.IsSocket) {
			continue
		}
		address := keptName(m.config.Accept)
		wanted[address] = true
		s.store[address] = keptPrefix + address
		// Systemd knows a socket that it has already.
		if conn, err := m.SyscallConn(); err == nil { // or it has been closed
			notifySocket("FDSTORE=1\nFDNAME="+s.store[address], conn)
		}
	}
	for address, name := range s.store {
		if !wanted[address] {
			notifySocket("FDSTOREREMOVE=1\nFDNAME="+name, nil)
			delete(s.store, address)
		}
	}
}

// isKept reports whether a socket at the address is of use to the next start: a unix socket is
// made anew, and a free port is another one.
func isKept(a tunnel.Address) bool { return a.Network == "tcp" && a.Port != "0" }

// keptName is an address without the colons that a name of systemd's may not have.
func keptName(a tunnel.Address) string { return strings.ReplaceAll(a.String(), ":", " ") }

// sayUnits compares the sockets of units with the tunnels.
func (s *sockets) sayUnits(tunnels []*member) {
	if len(s.units) == 0 {
		return
	}
	var idle, without []string
	for _, file := range s.units {
		if !slices.ContainsFunc(tunnels, func(m *member) bool { return m.config.Accept.IsSocket(file) }) {
			idle = append(idle, file.Name()+" at "+boundAddress(file))
		}
	}
	for _, m := range tunnels {
		if !slices.ContainsFunc(s.units, m.config.Accept.IsSocket) {
			without = append(without, m.config.Name+" at "+m.config.Accept.String())
		}
	}
	state := strings.Join(idle, ", ") + "; " + strings.Join(without, ", ")
	if state == s.said {
		return
	}
	s.said = state
	if len(idle) > 0 {
		s.logger.Warn("sockets of systemd that belong to no tunnel: who connects to them waits in vain",
			zap.Strings("sockets", idle), zap.String("cure", "give a tunnel the same address by accept, or the unit's "+
				"ListenStream= the tunnel's (systemctl edit --full NAME.socket), or disable the unit"))
	}
	if len(without) > 0 {
		s.logger.Info("tunnels without a socket of systemd: they listen by themselves", zap.Strings("tunnels", without))
	}
}

// boundAddress is where a socket listens, as well as that can be said.
func boundAddress(file *os.File) string {
	if listener, err := net.FileListener(file); err == nil {
		defer func() { _ = listener.Close() }() // a second descriptor of it
		return listener.Addr().String()
	}
	return "no address for streams (ListenStream=, without Accept=yes)"
}

// notifySocket tells systemd a state, with a socket if conn is not nil, if systemd asked for
// states (sd_pid_notify_with_fds(3)). A lost one costs a socket that is kept in vain, or a
// refusal at a restart.
func notifySocket(state string, conn syscall.RawConn) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	from, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(from) }() // it was only written to
	send := func(rights []byte) {
		_ = unix.Sendmsg(from, []byte(state), rights, &unix.SockaddrUnix{Name: path}, unix.MSG_NOSIGNAL)
	}
	if conn == nil {
		send(nil)
		return
	}
	_ = conn.Control(func(fd uintptr) { send(unix.UnixRights(int(fd))) }) // fails if the tunnel has been closed
}

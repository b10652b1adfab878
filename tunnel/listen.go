package tunnel

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// Listen binds the accept address. It must be called once, before Serve. The
// error is a *ConfigError. A unix socket is made with the permissions that
// the umask leaves, and removed at the end; one that lies there already is
// replaced if nobody answers on it.
func (t *Tunnel) Listen(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listener != nil {
		return errors.New("tunnel: Listen was called before")
	}
	accept := t.config().Accept
	if accept.Network == "unix" {
		if err := RemoveStaleSocket(ctx, accept.Path); err != nil {
			return listenError(accept, err)
		}
	}
	listenConfig := net.ListenConfig{KeepAlive: -1} // tune sets keepalive
	listenConfig.SetMultipathTCP(false)             // TCP_USER_TIMEOUT and splice want plain TCP
	network, address := accept.ForListen()
	if t.config().SharePort && accept.Network == "tcp" {
		if isTaken(accept) {
			return listenError(accept, syscall.EADDRINUSE)
		}
		listenConfig.Control = sharePort
	}
	listener, err := listenConfig.Listen(ctx, network, address)
	if err != nil {
		return listenError(accept, err)
	}
	select {
	case <-t.closed:
		_ = listener.Close() // never used
		return net.ErrClosed
	default:
	}
	t.listener = listener
	return nil
}

// logListening says where the tunnel listens, for what. The caller holds t.mu.
func (t *Tunnel) logListening() {
	config := t.config()
	config.Logger.Info("listening",
		zap.String("role", string(config.Role)),
		zap.String("accept", config.Accept.bound(t.listener.Addr())),
		zap.Stringers("connect", config.Connect))
	if places := t.handshakes.places(); places < config.Limits.Handshakes {
		config.Logger.Warn("the limit of open files allows fewer handshakes at once than max-handshakes",
			zap.Int("handshakes", places), zap.String("cure", "raise the limit of open files (LimitNOFILE in the systemd unit)"))
	}
}

// Addr is the address that Listen bound, nil before.
func (t *Tunnel) Addr() net.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.listener == nil {
		return nil
	}
	return t.listener.Addr()
}

// RemoveStaleSocket removes a unix socket that a dead process left behind, so
// that its path can be bound. Who listens at one that may not be connected to,
// because another user made it, is known by the kernel. The error is
// syscall.EADDRINUSE if somebody does, or says why the path is not free.
func RemoveStaleSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s %w", path, errNoSocket)
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close() // only asked whether somebody is there
		return syscall.EADDRINUSE
	case errors.Is(err, syscall.EPROTOTYPE), // somebody's socket of datagrams
		errors.Is(err, os.ErrPermission) && isListening(Address{Network: "unix", Path: path}):
		return syscall.EADDRINUSE
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrPermission):
		err = os.Remove(path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// errNoSocket says that a path is another kind of file.
var errNoSocket = errors.New("exists and is no socket")

// listenError puts the failure of a listen into plain words.
func listenError(accept Address, err error) error {
	result := &ConfigError{Setting: "accept", Err: err}
	dnsError, isDNS := errors.AsType[*net.DNSError](err)
	var reason string
	switch {
	case errors.Is(err, errNoSocket):
		reason = err.Error()
		result.Cure = "choose another path, or remove the file if nothing needs it"
	case errors.Is(err, syscall.EADDRINUSE) && accept.Network == "unix":
		reason = "another process answers on the socket"
		result.Cure = fmt.Sprintf("see who holds it: ss -lxp 'src %s'", accept.Path)
	case errors.Is(err, syscall.EADDRINUSE):
		reason = "the port is in use"
		result.Cure = fmt.Sprintf("see who holds it: ss -ltnp 'sport = :%s'", accept.Port)
	case errors.Is(err, syscall.EAFNOSUPPORT):
		reason = "this host does not have this version of IP"
		result.Cure = "write only the port: it means every address of IPv4 and of IPv6 that there is"
	case errors.Is(err, syscall.EADDRNOTAVAIL) && accept.Network == "tcp":
		reason = "this host has no such address"
		result.Cure = "see its addresses: ip -brief address"
	case errors.Is(err, os.ErrPermission) && accept.Network == "tcp":
		reason = "permission denied"
		result.Cure = "ports below 1024 need the capability CAP_NET_BIND_SERVICE: choose a higher one"
	case errors.Is(err, os.ErrPermission):
		reason = "permission denied"
		result.Cure = "let the user of gtunnel write to the directory of the socket"
	case errors.Is(err, os.ErrNotExist) && accept.Network == "unix":
		reason = "its directory does not exist"
		result.Cure = "make the directory (RuntimeDirectory= in the systemd unit)"
	case isDNS:
		reason = "the name does not resolve: " + dnsError.Err
		result.Cure = "write an IP address of this host, or only the port for every address"
	default:
		reason = err.Error()
	}
	result.Reason = fmt.Sprintf("cannot listen at %s: %s", accept, reason)
	return result
}

// isListening reports whether the kernel knows a socket of this host that listens
// at an address, so that a connection would be taken. It connects to nothing.
// False may also mean that it cannot tell: of other hosts, or where packets
// are sent on by rules of the firewall.
func isListening(address Address) bool {
	if address.Network == "unix" {
		return anyLine("/proc/self/net/unix", func(fields []string) bool { return isUnixListener(fields, address.Path) })
	}
	takes := func(fields []string) bool {
		bound, ok := tcpListener(fields)
		return ok && address.Reaches(bound)
	}
	return anyLine("/proc/self/net/tcp", takes) || anyLine("/proc/self/net/tcp6", takes)
}

// tcpListener reads a line of /proc/net/tcp or tcp6 (proc_net_tcp of the
// kernel's documentation): the address of its socket; ok reports whether that
// listens.
func tcpListener(fields []string) (bound Address, ok bool) {
	const state, listen = 3, "0A"
	if len(fields) <= state || fields[state] != listen {
		return bound, false
	}
	host, portHex, _ := strings.Cut(fields[1], ":")
	octets, err := hex.DecodeString(host)
	if err != nil {
		return bound, false
	}
	for i := 0; i+4 <= len(octets); i += 4 { // words in the host's byte order
		binary.BigEndian.PutUint32(octets[i:], binary.NativeEndian.Uint32(octets[i:]))
	}
	ip, sound := netip.AddrFromSlice(octets)
	port, err := strconv.ParseUint(portHex, 16, 16)
	bound = Address{Network: "tcp", Host: ip.String(), Port: strconv.FormatUint(port, 10)}
	if ip.Is6() && ip.IsUnspecified() {
		bound.Host = "" // IPv4 too, as a rule: IPV6_V6ONLY does not show
	}
	return bound, sound && err == nil
}

// isUnixListener reads a line of /proc/net/unix, and reports whether it is of a
// socket that listens at path.
func isUnixListener(fields []string, path string) bool {
	const flags, name, accepts = 3, 7, 1 << 16 // __SO_ACCEPTCON
	if len(fields) <= name || strings.Join(fields[name:], " ") != path {
		return false
	}
	n, err := strconv.ParseUint(fields[flags], 16, 32)
	return err == nil && n&accepts != 0
}

// maxProc bounds what is read of a file of the kernel, in bytes. The sockets of
// TCP that listen come first in theirs.
const maxProc = 4 << 20

// anyLine reports whether a line of the file fits.
func anyLine(file string, fits func(fields []string) bool) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // only read
	lines := bufio.NewScanner(io.LimitReader(f, maxProc))
	for lines.Scan() {
		if fits(strings.Fields(lines.Text())) {
			return true
		}
	}
	return false
}

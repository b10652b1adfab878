package tunnel

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// isListening says whether the kernel knows a socket of this host that listens
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
// kernel's documentation): the address of a socket that listens.
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

// isUnixListener reads a line of /proc/net/unix: is it a socket that listens
// at path?
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

// anyLine says whether a line of the file fits.
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

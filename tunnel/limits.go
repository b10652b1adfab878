package tunnel

import (
	"math"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/certs"
)

// Who may wait for a verification, and who goes first
//
// Anybody can connect, so anybody can fill every place for handshakes and keep
// every processor busy with signatures. Nobody new is therefore turned away
// for want of a place: one that waits gives way to it (leastDeserving). Peers
// at a source from which a peer was verified before give way last; those that
// this end has waited for longer than a slow link takes, first, and after them
// those at a source with which a handshake has failed lately; of those that are
// left, the ones in the most crowded networks; of these, who has shown
// least, and then the oldest. Work is given out the other way round, and in
// turns (mostDeserving): known sources first, those that failed last, and the
// least crowded before others. Strangers' turns rest while open sessions need
// the processors. An address costs an attacker something, and to be verified a
// host certificate; bytes and connections cost nothing, so they count last.

// The reasons of the tunnel itself for which a connection comes to nothing;
// they stand beside those of package certs in logs, Status and metrics.
const (
	CodeTooManyHandshakes  certs.Code = "too-many-handshakes"             // Limits.Handshakes
	CodeTooManyFromSource  certs.Code = "too-many-handshakes-from-source" // Limits.HandshakesPerSource
	CodeTooManyConnections certs.Code = "too-many-connections"            // Limits.Connections
	CodeNoTarget           certs.Code = "no-target"                       // no target could be reached
	CodeTLSOnPlainPort     certs.Code = "tls-on-plain-port"               // client: TLS arrived where plain data belongs
	CodeAcceptFailed       certs.Code = "accept-failed"                   // the system gave no socket for a connection
)

// filesPerPlace is how many of the files that the process may open there are
// for each place for a handshake, which takes one: with the others, peers that
// are verified and their targets are connected in the worst of floods.
const filesPerPlace = 4

// openFilesLimit is how many files the process may have open.
func openFilesLimit() int {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil || files.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(files.Cur)
}

// sourceOf is whom a connection is counted for: its IPv4 address, or the /64
// of its IPv6 address, since one host commonly owns all of that. Unix sockets
// have none.
func sourceOf(address net.Addr) netip.Prefix {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	prefix, _ := ip.Prefix(bits) // in range; of no address there is none
	return prefix
}

// networks are the source and the two networks around it in which one owner
// commonly has many addresses: /24 and /16 of IPv4, /56 and /48 of IPv6.
func networks(source netip.Prefix) [3]netip.Prefix {
	bits := [2]int{24, 16}
	if source.Addr().Is6() {
		bits = [2]int{56, 48}
	}
	near, _ := source.Addr().Prefix(bits[0]) // both are in range; of no address there are none
	wide, _ := source.Addr().Prefix(bits[1])
	return [3]netip.Prefix{source, near, wide}
}

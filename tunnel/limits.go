package tunnel

import (
	"net"
	"net/netip"
	"sync"

	"github.com/gtunnel/gtunnel/certs"
)

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

// handshakes counts the connections that are not verified yet, in all and per
// source.
type handshakes struct {
	total     int
	perSource int // 0: no limit

	mu       sync.Mutex
	pending  int
	bySource map[netip.Prefix]int
}

// begin takes a place for a connection from source, or says with a code which
// limit is reached. An empty code means that the place is taken; the caller
// gives it back with end.
func (h *handshakes) begin(source netip.Prefix) certs.Code {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pending >= h.total {
		return CodeTooManyHandshakes
	}
	if h.perSource > 0 && source.IsValid() {
		if h.bySource[source] >= h.perSource {
			return CodeTooManyFromSource
		}
		if h.bySource == nil {
			h.bySource = make(map[netip.Prefix]int)
		}
		h.bySource[source]++
	}
	h.pending++
	return ""
}

// end gives back a place that begin took.
func (h *handshakes) end(source netip.Prefix) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pending--
	if h.perSource > 0 && source.IsValid() {
		if h.bySource[source]--; h.bySource[source] == 0 {
			delete(h.bySource, source)
		}
	}
}

// count is how many connections are not verified yet.
func (h *handshakes) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pending
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
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

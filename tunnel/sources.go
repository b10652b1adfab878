package tunnel

import (
	"net"
	"net/netip"
	"time"
)

// What is remembered of sources. A peer that was verified counts for a weekend
// and the repair after it, since its last session was open; one with which a
// handshake failed, for a minute, or until one there is verified. There are
// more than any site has peers.
const (
	knownTime   = 7 * 24 * time.Hour
	suspectTime = time.Minute
	sourcesMost = 4096
)

// sources are those of which something is remembered, and since when. The zero
// value is ready; whoever uses it locks.
type sources map[netip.Prefix]time.Time

// note remembers a source. If there are too many, the one that was not noted
// for the longest time is forgotten.
func (s *sources) note(source netip.Prefix, now time.Time) {
	if *s == nil {
		*s = make(sources)
	}
	(*s)[source] = now
	if len(*s) > sourcesMost {
		oldest := source
		for other, noted := range *s {
			if noted.Before((*s)[oldest]) {
				oldest = other
			}
		}
		delete(*s, oldest)
	}
}

// has reports whether a source was noted less than so long ago.
func (s sources) has(source netip.Prefix, now time.Time, lately time.Duration) bool {
	noted, ok := s[source]
	return ok && now.Sub(noted) < lately
}

// addressOf is the IP address of an end of a connection, an IPv4 address as
// such. Unix sockets have none.
func addressOf(end net.Addr) netip.Addr {
	tcp, ok := end.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// sourceOf is whom a connection is counted for: its IPv4 address, or the /64
// of its IPv6 address, since one host commonly owns all of that.
func sourceOf(ip netip.Addr) netip.Prefix {
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

package tunnel

import (
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

// has says whether a source was noted less than so long ago.
func (s sources) has(source netip.Prefix, now time.Time, lately time.Duration) bool {
	noted, ok := s[source]
	return ok && now.Sub(noted) < lately
}

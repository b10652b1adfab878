package tunnel

import (
	"net/netip"
	"time"
)

// What is remembered of sources: for a weekend and the repair after it, and of
// more than any site has peers. Only a verified peer gets its source in.
const (
	knownTime = 7 * 24 * time.Hour // since its last session was open
	knownMost = 4096
)

// known are the sources from which a peer was verified. The zero value is
// ready; whoever uses it locks.
type known map[netip.Prefix]time.Time

// note remembers a source, and says whether it is new. If there are too many,
// the one that was not seen for the longest time is forgotten.
func (k *known) note(source netip.Prefix, now time.Time) bool {
	if *k == nil {
		*k = make(known)
	}
	isNew := !k.has(source, now)
	(*k)[source] = now
	if len(*k) > knownMost {
		oldest := source
		for other, seen := range *k {
			if seen.Before((*k)[oldest]) {
				oldest = other
			}
		}
		delete(*k, oldest)
	}
	return isNew
}

// has says whether a peer at source was verified lately.
func (k *known) has(source netip.Prefix, now time.Time) bool {
	seen, ok := (*k)[source]
	return ok && now.Sub(seen) < knownTime
}

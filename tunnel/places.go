package tunnel

import (
	"math"
	"net/netip"
	"sync"
	"time"

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

// stage is what a connection has shown of its handshake.
type stage int

const (
	silent   stage = iota // nothing
	begun                 // its first bytes
	answered              // a whole ClientHello, which this end has answered
)

// How long this end waits for a peer. A ClientHello follows the last packet of
// TCP's own handshake at once; if it is lost, TCP repeats it after three times
// the round trip and again after six (RFC 6298), but for the shortest links. So
// firstByteTime forgives two losses at 300 ms, between continents, and one by
// satellite. patienceTime is for one stage, and counts only where places are
// short.
const (
	firstByteTime = 3 * time.Second
	patienceTime  = time.Second
)

// place is the right of a connection to take part in a handshake. It ends by
// handshakes.leave, or goes to another connection. Its owner calls watch,
// await, resume and leave; handshakes.mu guards the fields below it.
type place struct {
	handshakes *handshakes
	source     netip.Prefix
	number     uint64  // counts up
	crowd      [3]*int // places in each of its networks

	index   int  // in handshakes.held; -1: it is over
	known   bool // a peer at its source was verified before
	suspect bool // a handshake with a peer at its source has failed lately
	stage   stage
	waited  time.Duration // for the peer, in this stage, before since
	since   time.Time     // this end waits for the peer; zero: the peer for this end
	gaveWay certs.Code    // the limit for which it went to another; empty: none
	cancel  func()        // ends the connection when it did
	turn    turn

	// Its owner alone uses these.
	done    <-chan struct{} // closed when the handshake is to end
	starved bool            // it ended while it waited for its turn
}

// handshakes are the connections that are not verified yet.
type handshakes struct {
	evict bool // one gives way to a new one; else a new one is refused

	mu        sync.Mutex
	total     int
	perSource int // 0: no limit
	last      uint64
	held      []*place
	crowds    map[netip.Prefix]*int
	known     sources
	suspects  sources
	turns     turns
}

// enter takes a place for a connection from source. If there is none left, one
// that gave way is returned too, and the caller calls its dismiss; a code
// instead of a place says which limit is reached.
func (h *handshakes) enter(source netip.Prefix, now time.Time) (p, gone *place, code certs.Code) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.perSource > 0 && source.IsValid() && h.count(source) >= h.perSource:
		code = CodeTooManyFromSource
		gone = h.leastDeserving(now, func(p *place) bool { return p.source == source })
	case len(h.held) < h.total:
	case !h.evict:
		return nil, nil, CodeTooManyHandshakes
	default:
		code = CodeTooManyHandshakes
		gone = h.leastDeserving(now, func(*place) bool { return true })
	}
	if gone != nil {
		gone.gaveWay = code
		h.remove(gone, now)
	}
	return h.add(source, now), gone, ""
}

// count is how many places a source has. The caller holds h.mu.
func (h *handshakes) count(source netip.Prefix) int {
	if n := h.crowds[source]; n != nil {
		return *n
	}
	return 0
}

// add makes a place. The caller holds h.mu.
func (h *handshakes) add(source netip.Prefix, now time.Time) *place {
	if h.crowds == nil {
		h.crowds = make(map[netip.Prefix]*int)
	}
	h.last++
	p := &place{
		handshakes: h, source: source, number: h.last, index: len(h.held),
		known: h.known.has(source, now, knownTime), suspect: h.suspects.has(source, now, suspectTime), since: now,
	}
	for i, network := range networks(source) {
		if h.crowds[network] == nil {
			h.crowds[network] = new(int)
		}
		p.crowd[i] = h.crowds[network]
		*p.crowd[i]++
	}
	h.held = append(h.held, p)
	return p
}

// remove ends a place, if it has not ended before. The caller holds h.mu.
func (h *handshakes) remove(p *place, now time.Time) {
	if p.index < 0 {
		return
	}
	h.giveTurnBack(p, now)
	last := len(h.held) - 1
	h.held[p.index] = h.held[last]
	h.held[p.index].index = p.index
	h.held[last] = nil
	h.held = h.held[:last]
	p.index = -1
	for i, network := range networks(p.source) {
		if *p.crowd[i]--; *p.crowd[i] == 0 {
			delete(h.crowds, network)
		}
	}
}

// leave ends a place, and reports whether it was still there: it may have gone to
// another.
func (h *handshakes) leave(p *place) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remove(p, time.Now())
	return p.gaveWay == ""
}

// verified remembers the source of a verified peer, whose further connections
// go first from now on, those that are here already included.
func (h *handshakes) verified(source netip.Prefix, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !source.IsValid() {
		return
	}
	isNew := !h.known.has(source, now, knownTime)
	h.known.note(source, now)
	delete(h.suspects, source)
	if isNew {
		h.judge(source, func(p *place) { p.known, p.suspect = true, false }, now)
	}
}

// failed remembers the source of a peer with which a handshake has failed. Its
// further connections come last of those of strangers, but if it is known.
func (h *handshakes) failed(source netip.Prefix, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !source.IsValid() || h.known.has(source, now, knownTime) {
		return
	}
	isNew := !h.suspects.has(source, now, suspectTime)
	h.suspects.note(source, now)
	if isNew {
		h.judge(source, func(p *place) { p.suspect = true }, now)
	}
}

// judge has the places of a source seen in another light. The caller holds
// h.mu.
func (h *handshakes) judge(source netip.Prefix, change func(*place), now time.Time) {
	for _, p := range h.held {
		if p.source == source {
			change(p)
		}
	}
	h.grant(now)
}

// limit sets how many places there are, and how many of them one source may
// have. Whoever has one keeps it.
func (h *handshakes) limit(total, perSource int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.total, h.perSource = total, perSource
}

// places is how many there are.
func (h *handshakes) places() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.total
}

// pending is how many connections are not verified yet.
func (h *handshakes) pending() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.held)
}

// weight says how crowded the networks of a place are: each counts a sixteenth
// of the one within it.
func (p *place) weight() int { return 256**p.crowd[0] + 16**p.crowd[1] + *p.crowd[2] }

// aCrowd is how many times the weight of others makes a crowd. Less is chance,
// or a peer with some connections at once.
const aCrowd = 4

// isOverdue reports whether this end has waited for the peer longer than it takes
// over a slow link to reach the next stage, however many bytes came.
func (p *place) isOverdue(now time.Time) bool {
	waited := p.waited
	if !p.since.IsZero() {
		waited += now.Sub(p.since)
	}
	return waited >= patienceTime
}

// advance notes that the peer has shown more.
func (p *place) advance(to stage) {
	if to > p.stage {
		p.stage, p.waited = to, 0
	}
}

// leastDeserving is who of some places gives way; see the top of this file. The
// caller holds h.mu.
func (h *handshakes) leastDeserving(now time.Time, among func(*place) bool) (worst *place) {
	const strangerOverdue, suspect, stranger, knownOverdue, knownPeer = 0, 1, 2, 3, 4
	class := func(p *place) int {
		switch overdue := p.isOverdue(now); {
		case p.known && overdue:
			return knownOverdue
		case p.known:
			return knownPeer
		case overdue:
			return strangerOverdue
		case p.suspect:
			return suspect
		default:
			return stranger
		}
	}
	lowest, crowded := knownPeer+1, 0
	for _, p := range h.held {
		if !among(p) {
			continue
		}
		switch c := class(p); {
		case c < lowest:
			lowest, crowded = c, p.weight()
		case c == lowest:
			crowded = max(crowded, p.weight())
		}
	}
	overdue := lowest == strangerOverdue || lowest == knownOverdue
	for _, p := range h.held {
		if !among(p) || class(p) != lowest || aCrowd*p.weight() <= crowded {
			continue
		}
		switch {
		case worst == nil, overdue && p.stage < worst.stage:
			worst = p
		case overdue && p.stage > worst.stage:
		case p.number < worst.number:
			worst = p
		}
	}
	return worst
}

// watch has cancel called when the place goes to another, which may be the
// case already. A wait for a turn ends with done.
func (p *place) watch(done <-chan struct{}, cancel func()) {
	p.done = done
	p.handshakes.mu.Lock()
	p.cancel = cancel
	gone := p.gaveWay != ""
	p.handshakes.mu.Unlock()
	if gone {
		cancel()
	}
}

// dismiss ends the connection of a place that went to another.
func (p *place) dismiss() {
	p.handshakes.mu.Lock()
	cancel := p.cancel
	p.handshakes.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// gone is the limit for which the place went to another, or empty.
func (p *place) gone() certs.Code {
	p.handshakes.mu.Lock()
	defer p.handshakes.mu.Unlock()
	return p.gaveWay
}

// filesPerPlace is how many of the files that the process may open there are
// for each place for a handshake, which takes one: with the others, peers that
// are verified and their targets are connected in the worst of floods.
const filesPerPlace = 4

// OpenFiles is how many files the connections of a tunnel take at its limits:
// two for each that is open, one for each that is not verified yet, and its
// listener.
func (c Config) OpenFiles() int {
	limits := c.withDefaults().Limits
	return 2*limits.Connections + limits.Handshakes + 1
}

// OpenFilesLimit is how many files the process may have open. Go has raised
// that to the hard limit when the process began.
func OpenFilesLimit() int {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil || files.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(files.Cur)
}

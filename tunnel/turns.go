package tunnel

import (
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Handshakes compute in turns: a connection has one from when bytes of its peer
// have come until it waits for more, which is a key exchange and a signature,
// or the verification of the peer. What it writes meanwhile is a few kilobytes,
// which a socket always takes, so that a turn does not wait for a peer.
//
// Known sources share as many turns as there are processors, and strangers
// half as many more. While sessions carry data a stranger's turn rests after
// use for restFactor times as long as that took: strangers then take a sixth of
// one processor, or a twelfth of all.
const (
	restFactor = 5
	restMost   = 100 * time.Millisecond
)

// turns are those that are taken or rest.
type turns struct {
	known, strangers int
	traffic          traffic
}

// turn is the turn of a place, or its wish for one.
type turn struct {
	granted chan struct{} // closed when it is granted; nil: not wanted
	lane    *int          // of turns; nil: none is held
	began   time.Time
}

// errNoTurn says that a handshake ended while it waited for its turn.
var errNoTurn = errors.New("there was no processor time for the handshake before its deadline")

// read reads the socket of a handshake. It gives the turn back only if nothing
// has come yet, and has one when it returns.
func (p *place) read(w *wire, data []byte) (n int, err error) {
	waiting := w.source.raw.Read(func(fd uintptr) bool {
		var failed syscall.Errno
		n, failed = transfer(unix.SYS_RECVFROM, fd, data)
		switch {
		case failed == unix.EAGAIN:
			p.await(time.Now())
			return false
		case failed != 0:
			err = os.NewSyscallError("read", failed)
		case n == 0:
			err = io.EOF
		}
		return true
	})
	switch {
	case waiting != nil:
		return 0, waiting
	case err != nil:
		return 0, err
	default:
		return n, p.resume(w)
	}
}

// await notes that this end waits for the peer, and gives its turn back.
func (p *place) await(now time.Time) {
	p.handshakes.mu.Lock()
	defer p.handshakes.mu.Unlock()
	if p.since.IsZero() {
		p.since = now
		p.handshakes.giveTurnBack(p, now)
	}
}

// resume notes that bytes have come, and waits for a turn until the handshake
// is to end.
func (p *place) resume(w *wire) error {
	granted, first := p.want(time.Now())
	if first {
		if err := w.SetReadDeadline(time.Time{}); err != nil { // that of the first byte
			return err
		}
	}
	select {
	case <-granted:
		return nil
	case <-p.done:
		p.starved = true
		return errNoTurn // its wish ends with the place
	}
}

// want asks for a turn, unless the place has one, and says whether the first
// bytes have come.
func (p *place) want(now time.Time) (granted chan struct{}, first bool) {
	h := p.handshakes
	h.mu.Lock()
	defer h.mu.Unlock()
	if !p.since.IsZero() {
		p.waited += now.Sub(p.since)
		p.since = time.Time{}
	}
	first = p.stage == silent
	p.advance(begun)
	granted = make(chan struct{})
	if p.turn.lane != nil {
		close(granted)
		return granted, first
	}
	p.turn.granted = granted
	h.grant(now)
	return granted, first
}

// answers notes that this end answers the peer, which has sent a whole
// ClientHello, or something that is none.
func (p *place) answers() {
	p.handshakes.mu.Lock()
	defer p.handshakes.mu.Unlock()
	p.advance(answered)
}

// hasAnswered says whether this end has answered.
func (p *place) hasAnswered() bool {
	p.handshakes.mu.Lock()
	defer p.handshakes.mu.Unlock()
	return p.stage == answered
}

// grant gives out the turns that are free. The caller holds h.mu.
func (h *handshakes) grant(now time.Time) {
	for p := h.mostDeserving(); p != nil; p = h.mostDeserving() {
		close(p.turn.granted)
		lane := &h.turns.strangers
		if p.known {
			lane = &h.turns.known
		}
		*lane++
		p.turn = turn{lane: lane, began: now}
	}
}

// mostDeserving is who gets the next turn, if there is one; see the top of
// limits.go. The caller holds h.mu.
func (h *handshakes) mostDeserving() (best *place) {
	processors := runtime.GOMAXPROCS(0)
	anyKnown, anyStranger := h.turns.known < processors, h.turns.strangers < max(processors/2, 1)
	wants := func(p *place) bool {
		return p.turn.granted != nil && (p.known && anyKnown || !p.known && anyStranger)
	}
	if !anyKnown && !anyStranger {
		return nil
	}
	isKnown, sparse := false, 0
	for _, p := range h.held {
		if !wants(p) {
			continue
		}
		switch w := p.weight(); {
		case p.known && !isKnown, sparse == 0:
			isKnown, sparse = p.known, w
		case p.known == isKnown:
			sparse = min(sparse, w)
		}
	}
	for _, p := range h.held {
		if !wants(p) || p.known != isKnown || p.weight() >= aCrowd*sparse {
			continue
		}
		if best == nil || p.stage > best.stage || p.stage == best.stage && p.number > best.number {
			best = p
		}
	}
	return best
}

// giveTurnBack ends the turn of a place, or its wish for one. The caller holds
// h.mu.
func (h *handshakes) giveTurnBack(p *place, now time.Time) {
	lane, took := p.turn.lane, now.Sub(p.turn.began)
	p.turn = turn{}
	if lane == nil {
		return
	}
	if lane == &h.turns.strangers && h.turns.traffic.isHeavy(now) {
		time.AfterFunc(min(restFactor*took, restMost), func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			*lane--
			h.grant(time.Now())
		})
		return
	}
	*lane--
	h.grant(now)
}

// traffic tells whether sessions carry so much that they need processors: a
// hundredth of one is about what heavyTraffic costs.
type traffic struct {
	carried func() uint64 // bytes so far; nil: none ever
	seen    uint64
	at      time.Time
	heavy   bool
}

const (
	heavyTraffic = 16e6 // bytes a second
	trafficEvery = 100 * time.Millisecond
)

// isHeavy says how it was in the last interval.
func (t *traffic) isHeavy(now time.Time) bool {
	if t.carried == nil {
		return false
	}
	if passed := now.Sub(t.at); passed >= trafficEvery {
		carried := t.carried()
		t.heavy = float64(carried-t.seen) > heavyTraffic*passed.Seconds()
		t.seen, t.at = carried, now
	}
	return t.heavy
}

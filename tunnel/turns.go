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
// half as many more. While sessions carry data and no processor is idle, a
// stranger's turn rests after use for restFactor times the processor time that
// it took: strangers then take a tenth of one processor, or a twentieth of all.
// A rest of less than restLeast is added to the next one, since timers are no
// finer on a busy machine.
const (
	restFactor = 9
	restLeast  = 5 * time.Millisecond
	restMost   = 100 * time.Millisecond
)

// turns are those that are taken or rest.
type turns struct {
	known, strangers int
	oldest           bool          // is next of those who are equal
	owed             time.Duration // rest of strangers' turns
	scarce           scarce
}

// turn is the turn of a place, or its wish for one.
type turn struct {
	granted chan struct{} // closed when it is granted; nil: not wanted
	lane    *int          // of turns; nil: none is held
	watch   stopwatch
}

// errNoTurn says that a handshake ended while it waited for its turn.
var errNoTurn = errors.New("there was no processor time for the handshake before its deadline")

// read reads the socket of a handshake. It gives the turn back only if nothing
// has come yet.
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
	if waiting != nil {
		err = waiting
	}
	return n, err
}

// await notes that this end waits for the peer, and gives the turn back.
func (p *place) await(now time.Time) {
	p.handshakes.mu.Lock()
	defer p.handshakes.mu.Unlock()
	if p.since.IsZero() {
		p.since = now
		p.handshakes.giveTurnBack(p, now)
	}
}

// resume notes that bytes have come. If they are something to work on, a whole
// record, it waits for a turn until the handshake is to end.
func (p *place) resume(w *wire, work bool) error {
	if p.begin(time.Now()) {
		if err := w.SetReadDeadline(time.Time{}); err != nil { // that of the first byte
			return err
		}
	}
	if !work {
		return nil
	}
	select {
	case <-p.want(time.Now()):
		p.startClock()
		if w.isOver() { // it has not waited for its turn
			return io.EOF
		}
		return nil
	case <-p.done:
		p.starved = true
		return errNoTurn // its wish ends with the place
	}
}

// isOver reports whether the peer sends no more, and all that it has sent is read.
func (w *wire) isOver() (over bool) {
	err := w.source.raw.Control(func(fd uintptr) {
		n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		over = n <= 0 && err != unix.EAGAIN
	})
	return over || err != nil
}

// begin notes that bytes have come, and reports whether they are the first.
func (p *place) begin(now time.Time) (first bool) {
	p.handshakes.mu.Lock()
	defer p.handshakes.mu.Unlock()
	if p.stage > silent {
		return false
	}
	p.advance(begun)
	p.since = now
	return true
}

// want asks for a turn, unless the place has one: this end waits for the peer
// no longer.
func (p *place) want(now time.Time) <-chan struct{} {
	h := p.handshakes
	h.mu.Lock()
	defer h.mu.Unlock()
	if !p.since.IsZero() {
		p.waited += now.Sub(p.since)
		p.since = time.Time{}
	}
	granted := make(chan struct{})
	if p.turn.lane != nil {
		close(granted)
		return granted
	}
	p.turn.granted = granted
	h.grant(now)
	return granted
}

// startClock begins a turn that was granted: what the scheduler takes until its
// goroutine runs does not count.
func (p *place) startClock() {
	p.handshakes.mu.Lock()
	defer p.handshakes.mu.Unlock()
	p.turn.watch = startWatch(time.Now())
}

// answers notes that this end answers the peer, which has sent a whole
// ClientHello, or something that is none.
func (p *place) answers() {
	p.handshakes.mu.Lock()
	defer p.handshakes.mu.Unlock()
	p.advance(answered)
}

// shown is what the peer has shown so far.
func (p *place) shown() stage {
	p.handshakes.mu.Lock()
	defer p.handshakes.mu.Unlock()
	return p.stage
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
		h.turns.oldest = !h.turns.oldest
		p.turn = turn{lane: lane, watch: stopwatch{began: now}}
	}
}

// standing says whose turn comes before whose: 1 and up.
func (p *place) standing() int {
	switch {
	case p.known:
		return 3
	case !p.suspect:
		return 2
	default:
		return 1
	}
}

// mostDeserving is who gets the next turn, if there is one; see the top of
// places.go. Of equals, the newest is next, which is right after a burst, and
// by turns the oldest, which is so in one, and for handshakes that have come
// far. The caller holds h.mu.
func (h *handshakes) mostDeserving() (best *place) {
	processors := runtime.GOMAXPROCS(0)
	anyKnown, anyStranger := h.turns.known < processors, h.turns.strangers < max(processors/2, 1)
	wants := func(p *place) bool {
		return p.turn.granted != nil && (p.known && anyKnown || !p.known && anyStranger)
	}
	if !anyKnown && !anyStranger {
		return nil
	}
	highest, sparse := 0, 0
	for _, p := range h.held {
		if !wants(p) {
			continue
		}
		switch s, w := p.standing(), p.weight(); {
		case s > highest:
			highest, sparse = s, w
		case s == highest:
			sparse = min(sparse, w)
		}
	}
	for _, p := range h.held {
		if !wants(p) || p.standing() != highest || p.weight() >= aCrowd*sparse {
			continue
		}
		if best == nil || (p.number < best.number) == h.turns.oldest {
			best = p
		}
	}
	return best
}

// giveTurnBack ends the turn of a place, or its wish for one. The caller holds
// h.mu.
func (h *handshakes) giveTurnBack(p *place, now time.Time) {
	lane, watch := p.turn.lane, p.turn.watch
	p.turn = turn{}
	if lane == nil {
		return
	}
	if lane == &h.turns.strangers {
		if pause := h.turns.rest(watch.cost(now), now); pause > 0 {
			time.AfterFunc(pause, func() {
				h.mu.Lock()
				defer h.mu.Unlock()
				*lane--
				h.grant(time.Now())
			})
			return
		}
	}
	*lane--
	h.grant(now)
}

// rest is how long a stranger's turn rests that has cost so much.
func (t *turns) rest(cost time.Duration, now time.Time) time.Duration {
	if !t.scarce.now(now) {
		t.owed = 0
		return 0
	}
	if t.owed += restFactor * cost; t.owed < restLeast {
		return 0
	}
	rest := min(t.owed, restMost)
	t.owed = 0
	return rest
}

package simulation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// world is all that is modelled. Its fields belong to its own goroutine, that of run, but
// for those below mu.
type world struct {
	ctx        context.Context
	hosts      [2]*host
	link       link
	processes  []*process
	pending    []*operation // in the order in which they came
	agenda     []appointment
	names      names
	story      *story
	choose     func(w *world, moves []move) int // -1: the run ends here
	deviates   func() bool                      // more than the first of moves is wanted
	scenario   *scenario
	stage      int                           // of the scenario's script
	tries      int                           // of it
	lastErr    error                         // with which the last command has ended
	errBefore  error                         // and the one before it
	decide     func(term.View) term.Decision // nil: the real one
	began      time.Time
	changed    uint64    // counts the changes of the world
	touched    uint64    // and those of its servers and the link
	looked     uint64    // those at which they were last let go on, and held against the invariants
	restless   time.Time // when it has changed last
	checker    checker
	flaw       *flaw // planted in the code under test; nil: none
	points     int
	deviated   int
	situations map[bool]uint64 // see hash
	promoted   *host           // by the cluster manager, as far as it knows; nil: none
	stays      *session        // of a client that keeps it; nil: none does
	slow       time.Time       // until when an operation is slow; zero: none is

	until     func(w *world) bool // what the script does in the middle of a command; true: it has
	postponed *operation          // of a flaw: what is done after the next

	mu         sync.Mutex
	bell       chan struct{}
	arrived    []*operation
	abandoned  []*operation
	closing    []*conn
	ending     []*process // commands that say that they are done
	rested     []*process // that have given the right to work back
	violations []string
}

// host is one of the two.
type host struct {
	name    string
	letter  string // A, B
	up      bool   // it has power
	engine  *engine
	note    noteFile
	working *process // that has the right to change who is the master
	guard   *process
	saved   map[int]bool // rows that were saved as SQL
	files   map[string]string
	copied  int  // transactions of the relay log, of which a copy was made
	off     bool // its power does not come back by itself
	mode    term.Mode
}

// link is what is between them.
type link struct {
	toA, toB bool // packets arrive there
	reset    bool // a cut is seen at once; otherwise it is silent
	since    time.Time
}

// appointment is what the world does by itself, at a time.
type appointment struct {
	at   time.Time
	name string
	do   func()
}

// newWorld is two servers of a family whose hosts are off.
func newWorld(ctx context.Context, family server.Family) *world {
	w := &world{
		ctx: ctx, link: link{toA: true, toB: true}, bell: make(chan struct{}, 1), began: time.Now(),
		names: names{known: map[string]int{}}, story: &story{}, restless: time.Now(),
	}
	w.choose = func(*world, []move) int { return 0 }
	w.deviates = func() bool { return false }
	for i, letter := range []string{"A", "B"} {
		h := &host{
			name: "server" + fmt.Sprint(i+1) + ".example.org", letter: letter, mode: term.Strict,
			saved: map[int]bool{}, files: map[string]string{},
		}
		h.engine = newEngine(w, h, family, i+1)
		w.hosts[i] = h
	}
	return w
}

// other is the peer of a host.
func (w *world) other(h *host) *host {
	if h == w.hosts[0] {
		return w.hosts[1]
	}
	return w.hosts[0]
}

// index is a host's place in hosts.
func (w *world) index(h *host) int { return slices.Index(w.hosts[:], h) }

// asks reports whether what a host sends arrives at the other, and answered whether what the
// other sends arrives here.
func (w *world) asks(h *host) bool     { return w.other(h).up && w.arrives(w.other(h)) }
func (w *world) answered(h *host) bool { return w.other(h).up && w.arrives(h) }

// arrives reports whether packets arrive at a host.
func (w *world) arrives(at *host) bool {
	if at == w.hosts[0] {
		return w.link.toA
	}
	return w.link.toB
}

// reaches reports whether a host has the other by the link, in both directions.
func (w *world) reaches(h *host) bool { return w.asks(h) && w.answered(h) }

// ring lets run look; the caller has mu.
func (w *world) ring() {
	select {
	case w.bell <- struct{}{}:
	default:
	}
}

// log tells the story.
func (w *world) log(format string, args ...any) {
	if w.story.mute {
		return
	}
	w.story.tell(time.Since(w.began), fmt.Sprintf(format, args...))
}

// violate notes that something does not hold.
func (w *world) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.violations, text) {
		w.violations = append(w.violations, text)
		w.log("VIOLATED: %s", text)
	}
}

// violated reports whether anything does not hold.
func (w *world) violated() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.violations) > 0
}

// change notes that the world is not what it was.
func (w *world) change() {
	w.changed++
	w.touched++
	w.restless = time.Now()
}

// in makes an appointment.
func (w *world) in(d time.Duration, name string, do func()) {
	w.agenda = append(w.agenda, appointment{time.Now().Add(d), name, do})
	slices.SortStableFunc(w.agenda, func(a, b appointment) int { return a.at.Compare(b.at) })
}

// take takes over what has come from the processes since.
func (w *world) take() {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.bell:
	default:
	}
	for _, o := range w.abandoned {
		w.pending = slices.DeleteFunc(w.pending, func(p *operation) bool { return p == o })
		w.arrived = slices.DeleteFunc(w.arrived, func(p *operation) bool { return p == o })
		if !o.by.dead {
			o.by.hears(o.text, reply{err: errGivenUp})
			w.log("%s gives up: %s", o.by.name, shorten(w.names.canonical(o.text)))
		}
	}
	slices.SortStableFunc(w.arrived, func(a, b *operation) int { return w.rank(a) - w.rank(b) })
	for _, o := range w.arrived {
		if o != nil && !o.by.dead {
			w.pending = append(w.pending, o)
			o.by.asked = time.Now()
		}
	}
	for _, c := range w.closing {
		c.server.end(c.session)
	}
	for _, p := range w.rested {
		if p.host.working == p {
			p.host.working = nil
		}
	}
	ended := w.ending
	w.abandoned, w.arrived, w.closing, w.rested, w.ending = nil, nil, nil, nil, nil
	w.mu.Unlock()
	defer w.mu.Lock()
	for _, p := range ended {
		w.checker.saysDone(w, p)
	}
}

// rank is the order of processes that ask at one moment.
func (w *world) rank(o *operation) int {
	if o == nil {
		return -1
	}
	return slices.Index(w.processes, o.by)
}

// run goes on until the scenario has ended, a run is cut short, or it never ends.
func (w *world) run() {
	const patience, manySteps = 20 * time.Minute, 12000
	for {
		w.take()
		if w.violated() {
			break
		}
		moves := w.moves()
		if moves == nil {
			break
		}
		i := w.choose(w, moves)
		if i < 0 {
			break
		}
		w.points++
		if i > 0 {
			w.deviated++
			w.log("*** %s", moves[i].name)
		}
		moves[i].do()
		fresh := w.touched != w.looked
		w.looked = w.touched
		for _, h := range w.hosts {
			if fresh && h.engine.replicate() {
				w.change()
			}
		}
		w.checker.look(w, fresh)
		if fresh && w.until != nil && w.until(w) {
			w.until = nil
			w.change()
		}
		if time.Since(w.began) > patience || w.points > manySteps {
			w.violate("it does not end within %s, %d steps: %s", time.Since(w.began), w.points, w.standing())
		}
	}
	w.end()
}

// end ends all processes, and waits for them.
func (w *world) end() {
	for _, p := range w.processes {
		p.kill()
	}
	for _, p := range w.processes {
		<-p.gone
	}
	for _, p := range w.processes {
		for _, c := range p.cleanup {
			c()
		}
	}
}

// pass lets time go on until a process asks for something, or an appointment is due.
func (w *world) pass() {
	for _, p := range w.processes {
		if p.alive() {
			p.passes()
		}
	}
	limit := quiet
	if len(w.agenda) > 0 {
		limit = min(limit, time.Until(w.agenda[0].at))
	}
	if !w.slow.IsZero() {
		limit = min(limit, time.Until(w.slow))
	}
	if limit > 0 {
		timer := time.NewTimer(limit)
		select {
		case <-w.bell:
		case <-timer.C:
		}
		timer.Stop()
	}
	for len(w.agenda) > 0 && !w.agenda[0].at.After(time.Now()) {
		due := w.agenda[0]
		w.agenda = w.agenda[1:]
		if due.name != "" {
			w.log("%s", due.name)
		}
		due.do()
		w.change()
	}
}

// quiet is how long nothing must have changed before the next stage of a scenario.
const quiet = 3500 * time.Millisecond

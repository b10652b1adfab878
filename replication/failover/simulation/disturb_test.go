package simulation

import (
	"fmt"
	"slices"
	"time"
)

// How long things take to be mended after the last deviation.
const (
	restartGuard  = time.Second
	restartServer = 5 * time.Second
	powerReturns  = 15 * time.Second
	linkReturns   = 20 * time.Second
	holdEnds      = 40 * time.Second
)

// disturbances are what can happen to the world at any time. They are offered before a process
// begins to read, and before each operation that changes something: then all that it has read
// is out of date. In between, its questions fail one by one: see ownMoves.
func (w *world) disturbances(o *operation) []move {
	if o != nil && !o.effect && len(o.by.round) > 0 || !w.deviates() {
		return nil
	}
	var moves []move
	add := func(name string, crash bool, do func()) {
		moves = append(moves, move{name: name, crash: crash, do: func() { do(); w.change() }})
	}
	for _, h := range w.hosts {
		if h.guard.alive() && o == nil {
			add(fmt.Sprintf("guard %s is killed", h.letter), true, func() { w.killProcess(h.guard) })
		}
		if h.engine.up {
			add("server "+h.letter+" is killed", true, func() { w.killServer(h) })
			if h.engine.mayWrite(w.client(h)) == nil && w.checker.written < w.scenario.writes {
				add("a client writes to "+h.letter, false, func() { w.write(h) })
			}
			for name, thread := range map[string]*thread{"SQL": &h.engine.sql, "I/O": &h.engine.io} {
				if h.engine.master != nil && thread.running && !thread.held && w.scenario.lags {
					add(fmt.Sprintf("the %s thread of %s gets nothing done for a while", name, h.letter), false, func() {
						w.hold(h, thread)
					})
				}
			}
		}
		if h.up && w.scenario.power {
			add("host "+h.letter+" loses its power", true, func() { w.powerCut(h) })
		}
	}
	slices.SortFunc(moves, func(a, b move) int { return compareStrings(a.name, b.name) })
	if w.hosts[0].up && w.hosts[1].up && w.scenario.power {
		add("both hosts lose their power", true, func() { w.powerCut(w.hosts[0]); w.powerCut(w.hosts[1]) })
	}
	if w.link.toA && w.link.toB && w.scenario.cuts {
		add("the link is cut", true, func() { w.cut(false, false, true) })
		add("the link falls silent", true, func() { w.cut(false, false, false) })
		add("the link falls silent towards A", false, func() { w.cut(false, true, false) })
		add("the link falls silent towards B", false, func() { w.cut(true, false, false) })
	}
	return moves
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// killProcess kills a process; systemd starts a guard again.
func (w *world) killProcess(p *process) {
	p.kill()
	if h := p.host; p == h.guard {
		w.in(restartGuard, "guard "+h.letter+" is started again", func() {
			if h.up && !h.guard.alive() {
				w.startGuard(h)
			}
		})
	}
	w.change()
}

// killServer kills a server; systemd starts it again.
func (w *world) killServer(h *host) {
	h.engine.stop(false)
	w.breakOperations(h)
	w.in(restartServer, "server "+h.letter+" starts", func() { w.startServer(h) })
}

// startServer starts a server of a host that has power.
func (w *world) startServer(h *host) {
	if h.up && !h.engine.up {
		h.engine.boot()
	}
}

// breakOperations ends what waits for a server that has gone.
func (w *world) breakOperations(h *host) {
	for _, o := range slices.Clone(w.pending) {
		if o.server == h.engine && o.seen != 0 && !o.ran {
			w.perform(o, failed)
		}
	}
}

// powerCut takes the power of a host, with all that runs there.
func (w *world) powerCut(h *host) {
	h.engine.stop(true)
	w.breakOperations(h)
	h.up = false
	for _, p := range w.processes {
		if p.host == h {
			p.kill()
		}
	}
	if h.off {
		return
	}
	w.in(powerReturns, "host "+h.letter+" boots", func() {
		if !h.up && !h.off {
			w.bootHost(h)
		}
	})
}

// bootHost starts a host, its server and then its guard.
func (w *world) bootHost(h *host) {
	h.up = true
	w.startServer(h)
	if !h.guard.alive() {
		w.startGuard(h)
	}
}

// cut cuts the link.
func (w *world) cut(toA, toB, reset bool) {
	w.link = link{toA: toA, toB: toB, reset: reset, since: time.Now()}
	w.in(linkReturns, "the link is there again", func() { w.link = link{toA: true, toB: true} })
}

// hold keeps a thread of a slave from getting anything done.
func (w *world) hold(h *host, t *thread) { w.holdFor(holdEnds, h, t) }

func (w *world) holdFor(d time.Duration, h *host, t *thread) {
	t.held = true
	starts := h.engine.starts
	w.in(d, "", func() { // the script goes on meanwhile
		if h.engine.starts == starts {
			t.held = false
		}
	})
}

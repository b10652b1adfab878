package simulation

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// move is what can happen next. The first of several is what happens by itself, the others
// are deviations.
type move struct {
	name   string
	do     func()
	crash  bool // something ends, and begins anew: what is explored everywhere
	small  bool // a question before which nothing else can happen
	passes bool // time passes by it
	plain  bool // it is offered once for each state of the notes: see world.hash
}

// moves are what can happen next; nil: the scenario has ended.
func (w *world) moves() []move {
	ready := w.ready()
	if len(ready) > 0 {
		return w.movesOf(ready)
	}
	if !w.expects() && time.Since(w.restless) >= quiet && w.idle() {
		stage, more := w.next()
		if !more && !w.holds() {
			return nil
		}
		if !more {
			return []move{w.passing()}
		}
		return append([]move{stage}, w.disturbances(nil)...)
	}
	return append([]move{w.passing()}, w.disturbances(nil)...)
}

// passing is that nothing happens but that time passes.
func (w *world) passing() move { return move{name: "time passes", passes: true, do: w.pass} }

// holds reports whether a thread of a slave is kept from its work.
func (w *world) holds() bool {
	return slices.ContainsFunc(w.hosts[:], func(h *host) bool { return h.engine.io.held || h.engine.sql.held })
}

// expects reports whether something is still to come by itself.
func (w *world) expects() bool {
	return slices.ContainsFunc(w.agenda, func(a appointment) bool { return a.name != "" })
}

// idle reports whether no command runs.
func (w *world) idle() bool {
	return !slices.ContainsFunc(w.processes, func(p *process) bool { return p.alive() && p != p.host.guard })
}

// ready are the operations that can go on.
func (w *world) ready() []*operation {
	var ready []*operation
	w.slow = time.Time{}
	for _, o := range w.pending {
		switch {
		case w.isSlow(o):
		case o.stall:
		case o.remote && !w.brokenLink(o) && (!o.ran && !w.asks(o.by.host) || o.ran && !w.answered(o.by.host)):
		case o.seen != 0 && o.seen == w.changed+1: // it waits for a lock, and nothing has changed
		default:
			ready = append(ready, o)
		}
	}
	return ready
}

// slowAnswer is how long a process waits for the answer to the first of questions which it
// has asked several times in a row, with the same answers, while nothing in the world has
// changed: so one that asks fifty times a second does not make the most of all runs.
const slowAnswer = 400 * time.Millisecond

// isSlow reports whether an operation is to be answered later for that.
func (w *world) isSlow(o *operation) bool {
	p := o.by
	if o.effect || len(p.round) > 0 || len(p.rounds) == 0 || p.rounds[len(p.rounds)-1].count < memory ||
		w.changed != p.changed {
		return false
	}
	until := p.began.Add(slowAnswer)
	if !time.Now().Before(until) {
		return false
	}
	if w.slow.IsZero() || until.Before(w.slow) {
		w.slow = until
	}
	return true
}

// movesOf are those where a process asks for something.
func (w *world) movesOf(ready []*operation) []move {
	o := ready[0]
	moves := []move{{do: func() { w.perform(o, done) }}}
	moves[0].small = o.ran || w.brokenLink(o)
	if moves[0].small || !w.deviates() {
		return moves
	}
	moves[0].name = o.by.name + ": " + o.text
	moves = append(moves, w.ownMoves(o)...)
	for _, other := range ready[1:] {
		if other.by != o.by && conflict(o, other) {
			moves = append(moves, move{name: fmt.Sprintf("%s is faster", other.by.name), do: func() { w.perform(other, done) }})
		}
	}
	return append(moves, w.disturbances(o)...)
}

// ownMoves are what can become of an operation, and of its process before it.
func (w *world) ownMoves(o *operation) []move {
	text := shorten(o.text)
	moves := []move{{
		name: fmt.Sprintf("%s: %s: fails", o.by.name, text), do: func() { w.perform(o, failed) }, plain: !o.effect,
	}}
	if o.effect {
		name := fmt.Sprintf("%s: %s: is done, and its reply lost", o.by.name, text)
		moves = append(moves, move{name: name, crash: true, do: func() {
			w.perform(o, lost)
		}}, move{name: fmt.Sprintf("%s is held up for 20 s before: %s", o.by.name, text), do: func() {
			o.stall, w.checker.stalled = true, true
			w.in(20*time.Second, o.by.name+" goes on", func() { o.stall = false })
		}})
	}
	if o.effect || o.by.touched {
		moves = append(moves, move{name: fmt.Sprintf("%s is killed before: %s", o.by.name, text), crash: true, do: func() {
			w.killProcess(o.by)
		}})
	}
	return moves
}

// conflict reports whether the order of two operations may matter.
func conflict(a, b *operation) bool {
	if a.note && b.note {
		return a.by.host == b.by.host && (a.effect || b.effect)
	}
	return a.server != nil && a.server == b.server && (a.effect || b.effect)
}

// brokenLink reports whether an operation fails because the link is cut, which is seen.
func (w *world) brokenLink(o *operation) bool {
	return o.remote && w.link.reset && w.other(o.by.host).up && !w.reaches(o.by.host)
}

// perform does an operation with an outcome, and answers its process if the link lets it.
func (w *world) perform(o *operation, as outcome) {
	if !o.ran {
		switch {
		case w.brokenLink(o) || as == failed:
			o.result = reply{err: o.broken()}
		default:
			value, err := w.flaw.perform(w, o)
			if err == errWait { //nolint:errorlint // it is nobody's but ours
				w.waits(o)
				return
			}
			o.result = reply{value, err}
			if o.effect {
				w.change()
			}
			if as == lost {
				o.result = reply{err: o.broken()}
			}
		}
		o.ran = true
		o.by.touched = o.effect
	}
	w.tell(o, as)
	if o.remote && !w.brokenLink(o) && !w.answered(o.by.host) {
		return // the reply is on its way
	}
	w.pending = slices.DeleteFunc(w.pending, func(p *operation) bool { return p == o })
	o.by.hears(o.text, o.result)
	o.reply <- o.result
}

// waits lets an operation wait for a lock, for as long as its session would.
func (w *world) waits(o *operation) {
	first := o.seen == 0
	o.seen = w.changed + 1
	if !first {
		return
	}
	patience := time.Duration(86400) * time.Second
	if o.session != nil {
		patience = time.Duration(o.session.patience) * time.Second
	}
	w.in(patience, "", func() {
		if !o.ran && slices.Contains(w.pending, o) {
			o.ran, o.result = true, reply{err: failure(1205, "Lock wait timeout exceeded; try restarting transaction")}
		}
	})
}

// tell tells the story of an operation: all that have an effect or an error.
func (w *world) tell(o *operation, as outcome) {
	if o.effect || o.result.err != nil {
		text := fmt.Sprintf("%s: %s", o.by.name, shorten(w.names.canonical(o.text)))
		if as == done && o.result.err != nil {
			text += ": " + o.result.err.Error()
		} else if as != done {
			text += ": " + string(as)
		}
		w.log("%s", text)
	}
}

// appendReply adds what a process has heard.
func (r reply) appendReply(b []byte, n *names) []byte {
	if r.err != nil {
		return n.appendCanonical(b, r.err.Error())
	}
	switch v := r.value.(type) {
	case *table:
		for _, row := range v.rows {
			for _, value := range row {
				b = append(n.appendCanonical(b, asText(value)), ' ')
			}
			b = append(b, '\n')
		}
	case fmt.Stringer:
		b = n.appendCanonical(b, v.String())
	}
	return b
}

// asText is a value as a server sends it.
func asText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case nil:
		return "NULL"
	}
	return fmt.Sprint(value)
}

// shorten cuts a text for the story.
func shorten(text string) string {
	if len(text) > 150 {
		return text[:147] + "..."
	}
	return text
}

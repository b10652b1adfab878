package simulation

import (
	"context"
	"errors"
	"hash/fnv"
	"runtime/debug"
	"time"

	"github.com/gtunnel/gtunnel/replication/term"
)

// errKilled is what a process that was killed gets for all that it still asks. It does
// nothing any more: what it does on its way out has no effect.
var errKilled = errors.New("simulation: this process was killed")

// errWait is of a statement that waits for a lock of another session.
var errWait = errors.New("simulation: the statement waits for a lock")

// errDead is of an operation whose server has gone.
var errDead = errors.New("simulation: the server has gone")

// errGivenUp is of an operation for which its process has waited too long.
var errGivenUp = errors.New("given up")

// outcome is what becomes of an operation.
type outcome string

// The outcomes.
const (
	done   outcome = "done"
	failed outcome = "fails"           // not done, and an error
	lost   outcome = "done, and fails" // done, and an error: its reply is lost
)

// operation is one thing that a process asks of the world, before which it stops.
type operation struct {
	by      *process
	text    string
	effect  bool    // it changes something, or may
	remote  bool    // it goes through the tunnel
	server  *engine // that it asks; nil: none
	session *session
	note    bool // it is of the file of the note

	// run does it, in the goroutine of the world.
	run func() (any, error)

	// broken makes the error of an outcome that is not done.
	broken func() error

	reply  chan reply
	ran    bool   // it was done, and its reply is on its way
	result reply  // then
	stall  bool   // it is held back until the world lets it go on
	seen   uint64 // number of changes of the world at which it last had to wait
}

// reply is what the process hears.
type reply struct {
	value any
	err   error
}

// process is a guard or a command: a goroutine.
type process struct {
	w      *world
	name   string
	host   *host
	cancel context.CancelFunc
	killed chan struct{}
	dead   bool // it was killed
	ended  bool
	err    error // with which it has ended by itself
	gone   chan struct{}

	// What it may remember: see memory.
	round   []byte // of operations and replies since time passed last
	rounds  []round
	began   time.Time // the round
	changed uint64    // the changes of the world when the last round ended
	asked   time.Time // when it asked for something last
	noted   term.Note // as it was read last
	read    string    // the note, when it was read last
	touched bool      // it has changed something since it was last asked whether it is to be killed
	closers []func()
	cleanup []func()
}

// round is a hash of what a process has asked and heard without time passing, and how often
// in a row.
type round struct {
	hash  uint64
	count int
}

// spawn begins a process.
func (w *world) spawn(name string, h *host, work func(ctx context.Context, p *process) error) *process {
	ctx, cancel := context.WithCancel(w.ctx)
	p := &process{
		w: w, name: name, host: h, cancel: cancel, killed: make(chan struct{}), gone: make(chan struct{}),
	}
	w.processes = append(w.processes, p)
	w.log("%s begins", name)
	go func() {
		defer close(p.gone)
		err := p.guarded(ctx, work)
		for _, c := range p.closers {
			c()
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		p.err, p.ended = err, true
		if !p.dead && p != h.guard {
			w.lastErr = err
			if err == nil && w.deviated == 0 {
				w.ending = append(w.ending, p)
			}
			w.log("%s has ended: %v", name, err)
		}
		w.arrived = append(w.arrived, nil) // a look is due
		w.ring()
	}()
	return p
}

// guarded does the work; a panic is a violation.
func (p *process) guarded(ctx context.Context, work func(ctx context.Context, p *process) error) error {
	defer func() {
		if r := recover(); r != nil {
			p.w.violate("%s panics: %v\n%s", p.name, r, debug.Stack())
		}
	}()
	return work(ctx, p)
}

// kill ends a process as kill -9 does.
func (p *process) kill() {
	if p.dead || p.ended {
		return
	}
	p.dead = true
	close(p.killed)
	p.cancel()
	p.w.pending = deleteOf(p.w.pending, p)
	for _, h := range p.w.hosts {
		for _, s := range h.engine.sessions {
			if s.process == p {
				h.engine.end(s)
			}
		}
		if h.working == p {
			h.working = nil
		}
	}
}

// isKilled reports the same to the process itself.
func (p *process) isKilled() bool {
	select {
	case <-p.killed:
		return true
	default:
		return false
	}
}

// alive reports whether the process runs.
func (p *process) alive() bool { return p != nil && !p.dead && !p.ended }

// do asks for an operation and waits for what becomes of it, or for the end of ctx.
func (p *process) do(ctx context.Context, o *operation) (any, error) {
	o.by, o.reply = p, make(chan reply, 1)
	if p.isKilled() {
		return nil, errKilled
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.w.mu.Lock()
	p.w.arrived = append(p.w.arrived, o)
	p.w.ring()
	p.w.mu.Unlock()
	select {
	case r := <-o.reply:
		return r.value, r.err
	case <-p.killed:
		return nil, errKilled
	case <-ctx.Done():
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		p.w.abandoned = append(p.w.abandoned, o)
		p.w.ring()
		return nil, ctx.Err()
	}
}

// hears adds what the process has asked and was answered to what it remembers.
func (p *process) hears(text string, answer reply) {
	if len(p.round) == 0 {
		p.began = time.Now()
	}
	p.round = append(p.w.names.appendCanonical(p.round, text), " = "...)
	p.round = append(answer.appendReply(p.round, &p.w.names), 0)
}

// memoryRounds is how many rounds a process is taken to remember that differ from the one before
// them, and memory how many equal ones in a row it tells apart. See the package's comment.
const (
	memory       = 4
	memoryRounds = 2
)

// passes ends a round of the process: time passes.
func (p *process) passes() {
	if len(p.round) == 0 {
		return
	}
	p.changed = p.w.changed
	h := fnv.New64a()
	_, _ = h.Write(p.round)
	p.round = p.round[:0]
	sum := h.Sum64()
	if n := len(p.rounds); n > 0 && p.rounds[n-1].hash == sum {
		p.rounds[n-1].count = min(p.rounds[n-1].count+1, memory)
		return
	}
	p.rounds = append(p.rounds, round{sum, 1})
	if len(p.rounds) > memoryRounds {
		p.rounds = p.rounds[1:]
	}
}

// deleteOf is a list of operations without those of a process.
func deleteOf(list []*operation, p *process) []*operation {
	kept := list[:0]
	for _, o := range list {
		if o.by != p {
			kept = append(kept, o)
		}
	}
	return kept
}

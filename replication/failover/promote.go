package failover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Promote makes this host, the slave, the master, when the master cannot be reached: see
// the package's comment. Run is called once.
type Promote struct {
	Host
	PromoteWant
	replication.Dialogue

	// Nonce is of the new term: random, and new for each run.
	Nonce string

	// Report is told what was received, is applied, and may be lost, before a plan is shown
	// that has not raised the term yet; nil: nobody.
	Report func(*PromoteReport)

	// Ask asks for a word to be typed, and reports whether it was; nil: nobody can be asked.
	Ask func(ctx context.Context, question, word string) (bool, error)

	// Ran is told of each hook that has run; nil: nobody. Host.Tell is told as well.
	Ran func(*HookRun)

	own      *server.Server
	observer *Observer
	life     lifeWatch
	facts    *promoteFacts
	request  string // the nonce of the request, until it is raised or withdrawn; empty: none
	applied  bool   // all that was received is known to be applied
	times    *Times
}

// PromoteWant is what is wanted of a promotion, and stated.
type PromoteWant struct {
	Fenced     string // the name of the old master, of which it is stated that it cannot serve; empty: it is not stated
	LoseAtMost LoseAtMost
	DryRun     bool // shows what it would do, and says what not to do now
}

// PromoteReport is what is true before a promotion.
type PromoteReport struct {
	Peer     string    `json:"old_master"`
	Heard    time.Time `json:"heard,omitzero"` // its last sign of life; zero: none is known
	HeardBy  string    `json:"heard_by,omitempty"`
	Received Received  `json:"received"`
	Loss     Loss      `json:"loss"`
}

// Promoted is what a promotion has done.
type Promoted struct {
	Term     term.Term
	Changed  bool     // false: all was as it should be
	Writable bool     // a client without special rights can write
	Disabled []string // events that are not enabled, since nobody knows whether they were
	Times    Times
}

// Times are where the time of a promotion went.
type Times struct {
	Silence  time.Duration // until the peer had been silent for long enough
	Apply    time.Duration // of what was received
	Hooks    time.Duration
	Announce time.Duration // of the new term, until the server was writable
	All      time.Duration // of all that, and of all else but the waits for answers of people
}

// Rest is the time of all else.
func (t *Times) Rest() time.Duration { return t.All - t.Silence - t.Apply - t.Hooks - t.Announce }

// Run promotes this host. A run that was ended at any point is gone on with by the next
// one; if nothing is left to do, it changes nothing. The error is, or joins, a
// *finding.Problem.
func (p *Promote) Run(ctx context.Context) (*Promoted, error) {
	if err := p.mustBeOrdered(); err != nil {
		return nil, err
	}
	p.times = &Times{}
	began := time.Now()
	if !p.DryRun {
		done, err := p.Store.Work(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
	}
	var err error
	if p.own, err = p.Own(ctx); err != nil {
		return nil, err
	}
	defer func() { _ = p.own.Close() }() // nothing is left to fail
	p.life = lifeWatch{host: &p.Host, own: p.own}
	p.observer = p.Observe()
	p.observer.first = p.own.First
	defer p.observer.Close()
	if p.facts, err = p.read(ctx); err != nil {
		return nil, err
	}
	if p.Report != nil && !p.facts.raised() && p.facts.slave.status != nil && p.facts.signs.way == "" {
		p.Report(p.facts.report())
	}
	plan := planPromotion(p.facts, p.PromoteWant)
	agreed, err := p.Consent(plan)
	if err != nil {
		return nil, err
	}
	result := &Promoted{Term: p.facts.note.Term, Disabled: p.facts.left.unknown, Writable: p.facts.writable}
	if !agreed || p.DryRun {
		return result, nil
	}
	asked := time.Now()
	if err := p.state(ctx); err != nil {
		return nil, err
	}
	waited := time.Since(asked)
	if err := p.carry(ctx, plan); err != nil {
		return nil, err
	}
	result.Changed, result.Writable, result.Term = true, true, p.facts.note.Term
	p.times.All = time.Since(began) - waited
	result.Times = *p.times
	return result, nil
}

// carry does the plan. What has not been raised is withdrawn when it fails, so that the
// guard lets the slave go on when the master answers.
func (p *Promote) carry(ctx context.Context, plan *replication.Plan) error {
	unlock, err := p.own.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	err = p.Carry(ctx, plan, p.do)
	if err == nil || p.request == "" {
		return err
	}
	within, cancel := server.CleanUp(ctx)
	defer cancel()
	_, withdrawing := p.Store.Update(within, func(n *term.Note) error { return n.Withdraw(p.request) })
	return errors.Join(err, withdrawing)
}

// state has the administrator state what nothing else has: that the old master is fenced,
// and that what may be lost may be.
func (p *Promote) state(ctx context.Context) error {
	if p.facts.raised() {
		return nil
	}
	if !p.facts.isFenced(p.PromoteWant) {
		question := fmt.Sprintf("Two masters would be worse than none. Only you can know that %[1]s cannot serve any more: "+
			"it is off, or cut off from its clients, and stays so.\nIf that is true, type its name (%[1]s): ", p.Peer)
		if err := p.ask(ctx, question, p.Peer, notFenced(p.facts, p.PromoteWant)); err != nil {
			return err
		}
	}
	if !p.LoseAtMost.Covers(&p.facts.loss) {
		question := "What is said above may be lost.\nIf it may be, type lose: "
		if err := p.ask(ctx, question, "lose", losesMore(p.facts, p.PromoteWant)); err != nil {
			return err
		}
	}
	return nil
}

// ask asks for a word, without which the refusal is the error.
func (p *Promote) ask(ctx context.Context, question, word string, refusal *finding.Problem) error {
	if p.Ask == nil {
		return refusal
	}
	typed, err := p.Ask(ctx, question, word)
	if err == nil && !typed {
		err = refusal
	}
	return err
}

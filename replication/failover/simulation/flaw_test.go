package simulation

import (
	"sync/atomic"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/term"
)

// flaw is planted in the code under test, to see that it is found: it changes what becomes of
// operations.
type flaw struct {
	name    string
	do      func(w *world, o *operation) (value any, err error, handled bool) // nil: as it is
	decide  func(v term.View) term.Decision                                   // nil: as it is
	begin   func(w *world)                                                    // changes the world before a run; nil: not
	happens *atomic.Bool                                                      // it has changed something; nil: nobody asks
	plan    planChange                                                        // nil: as it is
}

// planChange changes the steps of a plan of a command: switchover, promote, rejoin.
type planChange func(command string, steps []*replication.Step) []*replication.Step

// perform does an operation, with the flaw if there is one.
func (f *flaw) perform(w *world, o *operation) (any, error) {
	if f != nil && f.do != nil {
		if value, err, handled := f.do(w, o); handled {
			return value, err
		}
	}
	return o.run()
}

// spoil changes a plan.
func (f *flaw) spoil(command string, plan *replication.Plan) {
	if f != nil && f.plan != nil {
		plan.Steps = f.plan(command, plan.Steps)
	}
}

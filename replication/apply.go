package replication

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Applier carries plans out.
type Applier struct {
	Master, Slave           *server.Server // Slave is nil for a plan of a master
	MasterFacts, SlaveFacts *facts.Facts
	State                   *journal.StateFile // of the slave's host; nil for a plan of a master or a repair
	StateDir                string             // of the slave's host, for what is noted of unfinished work; empty: nowhere
	Wait                    bool               // for what the administrator must do, such as a restart
	Pair                    *Pair              // that this host is of; nil: of none
	Dump                    *seed.DumpFile     // that the slave is made of; nil: it is copied

	// Slaves is how many slaves may be made of the master beside each other; up to one: the
	// master is locked.
	Slaves int

	Dialogue

	place      *server.Place       // of the master
	comparison *compare.Comparison // that is prepared, and comes soon; nil: none
}

// Dialogue is how the work is told to the administrator, and agreed with. Each of
// its functions may be nil. They are called one at a time, and the work waits for
// them; Progress may come from another goroutine than the others.
type Dialogue struct {
	// Agree shows a plan, and reports whether it is to be applied: not so if nothing is
	// to be done, or nothing shall be. The plan's problems are its error. nil: every
	// plan without problems is.
	Agree func(*Plan) (bool, error)

	Begin     func(*Step) error      // before each step; an error ends the work there
	End       func(*Step)            // after each step that was done
	Progress  func(seed.Progress)    // of a copy
	Waiting   func(text string)      // now and then while a step waits
	Comparing func(compare.Progress) // of the comparison at the end
	Compared  func(*compare.Result)  // what has come of it, before the step's end
}

// Consent shows a plan, and reports whether it is to be applied.
func (d *Dialogue) Consent(p *Plan) (bool, error) {
	if d.Agree != nil {
		return d.Agree(p)
	}
	return len(p.Steps) > 0, p.Err()
}

// waiting says what is waited for.
func (d *Dialogue) waiting(format string, args ...any) {
	if d.Waiting != nil {
		d.Waiting(fmt.Sprintf(format, args...))
	}
}

// Apply carries out a plan, step by step, and stops at the first that fails. A
// later run with a new plan goes on from there.
func (a *Applier) Apply(ctx context.Context, p *Plan) (err error) {
	for _, s := range []*server.Server{a.Master, a.Slave} {
		if s == nil {
			continue
		}
		if s == a.Master && a.Slaves > 1 {
			if a.place, err = s.Place(ctx, a.Slaves); err != nil {
				return err
			}
			defer a.place.Close()
			continue
		}
		unlock, err := s.Lock(ctx)
		if err != nil {
			return err
		}
		defer unlock()
	}
	defer func() {
		if a.comparison != nil { // a step before it has failed
			a.comparison.Release(ctx)
		}
	}()
	return a.Carry(ctx, p, a.do)
}

// Carry does the steps of a plan in their order, each by a function, and stops at the
// first that fails.
func (d *Dialogue) Carry(ctx context.Context, p *Plan, do func(context.Context, *Step) error) error {
	for _, step := range p.Steps {
		if d.Begin != nil {
			if err := d.Begin(step); err != nil {
				return err
			}
		}
		if err := do(ctx, step); err != nil {
			return fmt.Errorf("%s: %w", step.What, err)
		}
		if d.End != nil {
			d.End(step)
		}
	}
	return nil
}

// Action is what a step does besides its SQL and its file: a type whose fields are all
// that it depends on. Those of an Applier are below.
type Action any

// do carries out a step. Where its SQL is run, it is run as it is shown.
func (a *Applier) do(ctx context.Context, step *Step) error {
	switch action := step.Action.(type) {
	case nil:
		if step.File != nil {
			return write(step.File)
		}
		return a.run(ctx, step)

	// Of a master.
	case tryLogins:
		return a.tryLogins(ctx, step, action)

	// Of either, in a pair.
	case waitForRestart:
		return a.waitForRestart(ctx, step, action)
	case waitForGTIDs:
		return a.waitForGTIDs(ctx, step)
	case notePair:
		return a.notePair(ctx, step, action)
	case noteSemiSync:
		return a.noteSemiSync(ctx, step, action)

	// Of a slave that begins.
	case agreeOnBytes:
		return nil
	case endPackets:
		return a.endPackets(ctx, step)
	case noteSeed:
		return a.noteSeed(ctx, action)
	case copyDatabases:
		return a.copyDatabases(ctx, action)
	case connect:
		return a.connect(ctx, step, action)

	// Of a slave that follows its master.
	case restate:
		return a.restate(ctx, step, action)
	case noteUncompared:
		return a.noteUncompared(ctx, step)
	case startAgain:
		return a.startAgain(ctx, step)
	case givePassword:
		return a.givePassword(ctx, step, action)
	case noteRunning:
		return a.noteRunning(ctx, step)
	case catchUp:
		return a.catchUp(ctx, action)
	case restoreEvents:
		return a.restoreEvents(ctx)
	case compareData:
		return a.compareData(ctx, action)
	case dropSeedAccount:
		return a.dropSeedAccount(ctx, step, action)
	case noteDone:
		return a.noteDone(action)

	case repairTables:
		return a.repairTables(ctx, action)
	case repairRows:
		return a.repairRows(ctx, action)
	default:
		panic(fmt.Sprintf("replication: no step does %T", action))
	}
}

// run runs the SQL of a step.
func (a *Applier) run(ctx context.Context, step *Step) error {
	if on := a.on(step); a.Pair != nil && on.Version.Family == server.MySQL && len(step.SQL) > 0 {
		return runBesideGuard(ctx, on, step.SQL)
	}
	return a.on(step).Run(ctx, step.SQL)
}

// on is the server that a step is done to.
func (a *Applier) on(step *Step) *server.Server {
	if step.On == finding.Master {
		return a.Master
	}
	return a.Slave
}

// write writes the file of a step. The directory of a secret is as closed as the file.
func write(file *File) error {
	mode := os.FileMode(0o755)
	if file.Mode&0o077 == 0 {
		mode = 0o700
	}
	if err := os.MkdirAll(filepath.Dir(file.Path), mode); err != nil {
		return err
	}
	return optionfile.WriteFile(file.Path, []byte(file.Content.Reveal()), file.Mode)
}

// note changes and saves the state.
func (a *Applier) note(change func(*journal.State)) error {
	change(&a.State.State)
	return a.State.Save()
}

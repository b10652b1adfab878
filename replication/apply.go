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
	StateDir                string             // of the slave's host, where a repair and a comparison are noted; empty: nowhere
	Wait                    bool               // for what the administrator must do, such as a restart

	Begin     func(*Step) error      // before each step; an error ends the work there; may be nil
	End       func(*Step)            // after each step that was done; may be nil
	Progress  func(seed.Progress)    // of a copy; may be nil
	Waiting   func(text string)      // now and then while a step waits; may be nil
	Comparing func(compare.Progress) // of the comparison at the end; may be nil
	Compared  func(*compare.Result)  // what has come of it, before the step's end; may be nil
}

// Apply carries out a plan, step by step, and stops at the first that fails. A
// later run with a new plan goes on from there.
func (a *Applier) Apply(ctx context.Context, p *Plan) (err error) {
	for _, s := range []*server.Server{a.Master, a.Slave} {
		if s == nil {
			continue
		}
		unlock, err := s.Lock(ctx)
		if err != nil {
			return err
		}
		defer unlock()
	}
	for _, step := range p.Steps {
		if a.Begin != nil {
			if err := a.Begin(step); err != nil {
				return err
			}
		}
		if err := a.do(ctx, step); err != nil {
			return fmt.Errorf("%s: %w", step.What, err)
		}
		if a.End != nil {
			a.End(step)
		}
	}
	return nil
}

func (a *Applier) do(ctx context.Context, step *Step) error {
	switch {
	case step.run != nil:
		return step.run(ctx, a)
	case step.File != nil:
		return a.write(step.File)
	}
	server := a.Slave
	if step.On == finding.Master {
		server = a.Master
	}
	return server.Run(ctx, step.SQL)
}

func (a *Applier) write(file *File) error {
	if err := os.MkdirAll(filepath.Dir(file.Path), 0o755); err != nil {
		return err
	}
	return optionfile.WriteFile(file.Path, []byte(file.Content.Reveal()), file.Mode)
}

// note changes and saves the state.
func (a *Applier) note(change func(*journal.State)) error {
	change(&a.State.State)
	return a.State.Save()
}

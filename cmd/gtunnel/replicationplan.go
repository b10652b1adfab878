package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// planFlags say how a command deals with its plan.
type planFlags struct {
	dryRun, yes, asJSON, showSQL bool

	// atAStretch is that one yes is for all steps: nobody can write while they are done.
	atAStretch bool
}

func (f *planFlags) settings() []config.Setting {
	return []config.Setting{
		{Name: "dry-run", Target: &f.dryRun, Usage: "show the plan and change nothing"},
		{Name: "show-sql", Target: &f.showSQL, Usage: "plans with all SQL, files and undo, on a terminal too"},
		{Name: "yes", Target: &f.yes, Usage: "do not ask; never covers the loss of data"},
		{Name: "json", Target: &f.asJSON, Usage: "with --dry-run: print the plan as JSON"},
	}
}

// seeRest says how to see what a summary of the plan leaves out.
func (f *planFlags) seeRest() string {
	if f.dryRun || f.yes {
		return "--show-sql shows the SQL and the files of each, and how to undo it."
	}
	return "At each question, s shows its SQL and files, and how to undo it."
}

// jsonPlan is what --json prints.
type jsonPlan struct {
	Warnings []*finding.Problem  `json:"warnings"`
	Problems []*finding.Problem  `json:"problems"`
	Steps    []*replication.Step `json:"steps"`
}

// showPlan prints a plan, and returns its problems as an error.
func (m *Main) showPlan(p *replication.Plan, flags planFlags) error {
	if flags.asJSON {
		shown := jsonPlan{
			Warnings: m.inCommandsOf(p.Warnings), Problems: m.inCommandsOf(p.Problems), Steps: listOf(p.Steps),
		}
		if err := m.printJSON(shown); err != nil {
			return err
		}
		return p.Err()
	}
	m.writeWarnings(p.Warnings)
	if err := p.Err(); err != nil {
		return err
	}
	if len(p.Steps) == 0 {
		fmt.Fprintln(m.Stdout, "no change: all is as it should be")
		return nil
	}
	view := planView{m.screen()}
	view.show(p.Steps, flags.showSQL || !view.IsTerminal(), flags.seeRest())
	return nil
}

// dialogue shows the plans of a command and asks before each step, and says how far the
// work is until end.
func (m *Main) dialogue(ctx context.Context, flags planFlags) (d replication.Dialogue, end func()) {
	var asking *consent
	view := m.newProgressView()
	d.Agree = func(p *replication.Plan) (agreed bool, err error) {
		view.End() // of a dump that was read before
		if flags.asJSON && !flags.dryRun {
			return false, &usage.Error{Where: "--json", Message: "shows a plan and does nothing", Cure: "give it with --dry-run"}
		}
		if err := m.showPlan(p, flags); err != nil || flags.dryRun || len(p.Steps) == 0 {
			return false, err
		}
		if asking, err = m.newConsent(ctx, flags.yes); err != nil {
			return false, err
		}
		asking.atAStretch = flags.atAStretch
		fmt.Fprintln(m.Stdout)
		return true, nil
	}
	d.Begin = func(s *replication.Step) error { return asking.ask(s) }
	d.End = func(*replication.Step) { view.End() }
	d.Progress, d.Waiting, d.Comparing = view.show, view.wait, view.compare
	return d, view.End
}

// errStopped is the answer no.
var errStopped = usage.WithHint(errors.New("stopped before this step; nothing after it was done"),
	"the same command goes on from here")

// consent asks before each step, unless all have been agreed to.
type consent struct {
	ctx      context.Context    //nolint:containedctx // of the one command that asks
	keyboard *terminal.Keyboard // nil only if all have been agreed to
	view     planView
	out      io.Writer
	all      bool
	begun    int

	atAStretch bool // one yes is for all
}

// newConsent makes the asking of a command. Nobody can be asked where the
// standard input is no terminal.
func (m *Main) newConsent(ctx context.Context, yes bool) (*consent, error) {
	c := &consent{
		ctx: ctx, keyboard: terminal.OpenKeyboard(m.Stdin), view: planView{m.screen()}, out: m.Stdout, all: yes,
	}
	if c.keyboard == nil && !yes {
		return nil, &usage.Error{
			Message: "each step is asked about, and the standard input is no terminal",
			Cure:    "look at the plan with --dry-run, then give --yes",
		}
	}
	return c, nil
}

// ask announces a step and asks whether it may be done.
func (c *consent) ask(s *replication.Step) error {
	c.begun++
	for !c.all {
		question := fmt.Sprintf("%2d. %s: %s? [y]es, [a]ll of the rest, [s]how the SQL, [n]o: ", c.begun, s.On, s.What)
		answers := []string{"yes", "all", "show", "no"}
		if c.atAStretch {
			question = fmt.Sprintf("%2d. %s: %s; and all that follows? [y]es, [s]how the SQL, [n]o: ", c.begun, s.On, s.What)
			answers = []string{"yes", "show", "no"}
		}
		answer, err := c.keyboard.Choose(c.ctx, c.out, question, answers...)
		switch {
		case errors.Is(err, io.EOF), c.ctx.Err() != nil:
			return errStopped
		case err != nil:
			return err
		}
		switch answer {
		case "yes":
			c.all = c.atAStretch
			return nil
		case "all":
			c.all = true
			return nil
		case "no":
			return errStopped
		}
		c.view.details(s)
	}
	c.view.title(c.begun, s)
	return nil
}

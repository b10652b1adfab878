package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// planFlags say how a command deals with its plan.
type planFlags struct {
	dryRun, yes, asJSON bool
}

func (f *planFlags) settings() []config.Setting {
	return []config.Setting{
		{Name: "dry-run", Target: &f.dryRun, Usage: "show the plan and change nothing"},
		{Name: "yes", Target: &f.yes, Usage: "do not ask; never covers the loss of data"},
		{Name: "json", Target: &f.asJSON, Usage: "with --dry-run: print the plan as JSON"},
	}
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
	for _, w := range p.Warnings {
		fmt.Fprintf(m.Stderr, "warning: %v\n", w)
		if w.Cure != "" {
			fmt.Fprintf(m.Stderr, "hint: %s\n", m.inCommands(w.Cure))
		}
	}
	if err := p.Err(); err != nil {
		return err
	}
	if len(p.Steps) == 0 {
		fmt.Fprintln(m.Stdout, "no change: all is as it should be")
		return nil
	}
	for i, s := range p.Steps {
		writeStep(m.Stdout, i+1, s)
	}
	return nil
}

// writeStep prints one step with all that it does.
func writeStep(w io.Writer, number int, s *replication.Step) {
	fmt.Fprintf(w, "%2d. %s: %s\n", number, s.On, s.What)
	line := func(about, text string) {
		if text != "" {
			fmt.Fprintf(w, "      %-5s %s\n", about, strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n            "))
		}
	}
	line("why", s.Why)
	for _, statement := range s.SQL {
		line("SQL", statement.String()+";")
	}
	if s.File != nil {
		line("file", fmt.Sprintf("%s (mode %04o)", s.File.Path, s.File.Mode))
		line("", s.File.Content.String())
	}
	line("you", s.Hand)
	if len(s.Loses) > 0 {
		line("LOST", "what the slave has in "+strings.Join(s.Loses, ", "))
	}
	line("undo", s.Undo.String())
	line("undo", s.UndoByHand)
}

// dialogue shows the plans of a command and asks before each step, and says how far the
// work is until end.
func (m *Main) dialogue(ctx context.Context, flags planFlags) (d replication.Dialogue, end func()) {
	var asking *consent
	view := m.newProgressView()
	d.Agree = func(p *replication.Plan) (agreed bool, err error) {
		if flags.asJSON && !flags.dryRun {
			return false, &usage.Error{Where: "--json", Message: "shows a plan and does nothing", Cure: "give it with --dry-run"}
		}
		if err := m.showPlan(p, flags); err != nil || flags.dryRun || len(p.Steps) == 0 {
			return false, err
		}
		if asking, err = m.newConsent(ctx, flags.yes); err != nil {
			return false, err
		}
		fmt.Fprintln(m.Stdout)
		return true, nil
	}
	d.Begin = func(s *replication.Step) error { return asking.ask(s) }
	d.End = func(*replication.Step) { view.End() }
	d.Progress, d.Waiting, d.Comparing = view.show, view.wait, view.compare
	return d, view.End
}

// errStopped is the answer no.
var errStopped = errors.New("stopped before this step; nothing after it was done")

// consent asks before each step, unless all have been agreed to.
type consent struct {
	ctx      context.Context    //nolint:containedctx // of the one command that asks
	keyboard *terminal.Keyboard // nil only if all have been agreed to
	out      io.Writer
	all      bool
	begun    int
}

// newConsent makes the asking of a command. Nobody can be asked where the
// standard input is no terminal.
func (m *Main) newConsent(ctx context.Context, yes bool) (*consent, error) {
	c := &consent{ctx: ctx, keyboard: terminal.OpenKeyboard(m.Stdin), out: m.Stdout, all: yes}
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
		question := fmt.Sprintf("%2d. %s: %s? [y]es, [a]ll of the rest, [n]o: ", c.begun, s.On, s.What)
		answer, err := c.keyboard.Ask(c.ctx, c.out, question)
		switch {
		case errors.Is(err, io.EOF):
			return errStopped
		case err != nil:
			return err
		}
		switch strings.ToLower(answer) {
		case "y", "yes":
			return nil
		case "a", "all":
			c.all = true
			return nil
		case "n", "no":
			return errStopped
		}
	}
	fmt.Fprintf(c.out, "%2d. %s: %s\n", c.begun, s.On, s.What)
	return nil
}

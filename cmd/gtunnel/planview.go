package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// screen writes to the standard output for whoever looks at it.
func (m *Main) screen() *terminal.Screen { return terminal.NewScreen(m.Stdout, m.Getenv) }

// planView shows steps in one line each, or with all that they do: what they lose and
// what the administrator must do is never left out.
type planView struct{ *terminal.Screen }

// show prints a plan: whole, or as a summary that says how to see the rest.
func (v planView) show(steps []*replication.Step, whole bool, seeRest string) {
	for i, s := range steps {
		v.title(i+1, s)
		if whole {
			v.details(s)
		} else {
			v.essence(s)
		}
	}
	if !whole {
		v.Write(terminal.Head{}, fmt.Sprintf("\n%s. %s", finding.Count(len(steps), "step"), seeRest), terminal.Prose)
	}
}

// title is a step in one line.
func (v planView) title(number int, s *replication.Step) {
	v.Write(terminal.Head{Text: fmt.Sprintf("%2d. ", number), Colour: terminal.Strong},
		string(s.On)+": "+s.What, terminal.Prose)
}

// essence is what nobody may overlook of a step.
func (v planView) essence(s *replication.Step) {
	if s.Hand != "" {
		v.Write(stepHead("you", terminal.Doubt), s.Hand, terminal.Verbatim)
	}
	if len(s.Loses) > 0 {
		v.Write(stepHead("LOST", terminal.Bad), "what the slave has in "+strings.Join(s.Loses, ", "), terminal.Prose)
	}
	v.rows(s, 20)
}

// rows are those that a step changes: of each table the first ones, or all.
func (v planView) rows(s *replication.Step, most int) {
	for _, t := range s.Tables {
		for i, row := range t.Rows {
			if i == most {
				v.Write(stepHead("", terminal.Plain), fmt.Sprintf("and %d more rows of %s", len(t.Rows)-most,
					terminal.Printable(t.Table)), terminal.Prose)
				break
			}
			v.Write(stepHead("row", rowColour(row)), terminal.Printable(t.Table+" "+row.String()), terminal.Prose)
		}
	}
}

// rowColour warns of rows that the slave loses.
func rowColour(row compare.RowChange) terminal.Colour {
	if row.Kind == compare.Extra {
		return terminal.Bad
	}
	return terminal.Plain
}

// details are all that a step does, and how it is undone.
func (v planView) details(s *replication.Step) {
	line := func(about, text string, wrapping terminal.Wrapping) {
		if text != "" {
			v.Write(stepHead(about, terminal.Plain), strings.TrimRight(text, "\n"), wrapping)
		}
	}
	line("why", s.Why, terminal.Prose)
	for _, statement := range s.SQL {
		line("SQL", statement.String()+";", terminal.SQL)
	}
	if s.File != nil {
		line("file", fmt.Sprintf("%s (mode %04o)", s.File.Path, s.File.Mode), terminal.Verbatim)
		line("", s.File.Content.String(), terminal.Verbatim)
	}
	essential := *s
	essential.Tables = nil // all of their rows
	v.essence(&essential)
	v.rows(s, math.MaxInt)
	line("undo", s.Undo.String(), terminal.SQL)
	line("undo", s.UndoByHand, terminal.Prose)
}

// stepHead is the left column of what a step does.
func stepHead(about string, colour terminal.Colour) terminal.Head {
	return terminal.Head{Text: fmt.Sprintf("      %-5s ", about), Colour: colour}
}

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// checkLine is one line of a check.
type checkLine struct {
	Level string `json:"level"` // ok, warning or problem
	About string `json:"about"`
	Text  string `json:"text"`
	Cure  string `json:"cure"` // empty if there is nothing to do

	verdict bool // it sums others up

	short string // the text, without all of a long list in it; empty: it is the same
}

const (
	levelOK      = "ok"
	levelWarning = "warning"
	levelProblem = "problem"
)

// findings are what a check has found so far.
type findings []checkLine

func (f *findings) ok(about, text string, args ...any) {
	*f = append(*f, checkLine{Level: levelOK, About: about, Text: inFlags(fmt.Sprintf(text, args...))})
}

func (f *findings) warn(about, cure, text string, args ...any) {
	*f = append(*f, checkLine{
		Level: levelWarning, About: about, Text: inFlags(fmt.Sprintf(text, args...)), Cure: inFlags(cure),
	})
}

func (f *findings) problem(about string, err error) {
	text := strings.TrimPrefix(err.Error(), about+": ")
	*f = append(*f, checkLine{Level: levelProblem, About: about, Text: inFlags(text), Cure: inFlags(usage.HintOf(err))})
}

// addReadiness adds what is well before what is not.
func (f *findings) addReadiness(r replication.Readiness) {
	for _, p := range r.Well {
		*f = append(*f, newCheckLine(levelOK, p))
	}
	f.addReplication(r.Findings)
}

// addReplication adds what package replication has found, what matters most last: there
// it is above the prompt after a long list. The servers are what it is about.
func (f *findings) addReplication(found finding.Findings) {
	for _, p := range found.Warnings {
		*f = append(*f, newCheckLine(levelWarning, p))
	}
	for _, p := range found.Problems {
		*f = append(*f, newCheckLine(levelProblem, p))
	}
}

func newCheckLine(level string, p *finding.Problem) checkLine {
	about := string(p.On)
	if about == "" {
		about = "both"
	}
	line := checkLine{Level: level, About: about, Text: p.Whole(), Cure: p.Cure}
	line.short = strings.TrimPrefix(p.Error(), string(p.On)+": ")
	return line
}

func (f findings) problems() int {
	n := 0
	for _, line := range f {
		if line.Level == levelProblem && !line.verdict {
			n++
		}
	}
	return n
}

// levelColours are how the levels look on a terminal.
var levelColours = map[string]terminal.Colour{
	levelOK: terminal.Good, levelWarning: terminal.Doubt, levelProblem: terminal.Bad,
}

// writeFindings prints the lines of a check. A cure that neighbours have in common
// stands once, below the last of them.
func (m *Main) writeFindings(found findings) {
	screen := m.screen()
	for i, f := range found {
		screen.Write(terminal.Head{Text: fmt.Sprintf("%-8s ", f.Level), Colour: levelColours[f.Level]},
			f.About+": "+cmp.Or(f.short, f.Text), terminal.Prose)
		if f.Cure != "" && (i+1 == len(found) || found[i+1].Cure != f.Cure) {
			fmt.Fprintf(m.Stdout, "%-8s hint: %s\n", "", m.inCommands(f.Cure))
		}
	}
}

// writeWarnings prints the warnings of a plan on the standard error.
func (m *Main) writeWarnings(warnings []*finding.Problem) {
	screen := terminal.NewScreen(m.Stderr, m.Getenv)
	for i, w := range warnings {
		screen.Write(terminal.Head{Text: "warning: ", Colour: terminal.Doubt}, w.Error(), terminal.Prose)
		if w.Cure != "" && (i+1 == len(warnings) || warnings[i+1].Cure != w.Cure) {
			fmt.Fprintf(m.Stderr, "hint: %s\n", m.inCommands(w.Cure))
		}
	}
}

// printJSON prints what a command found.
func (m *Main) printJSON(value any) error {
	encoder := json.NewEncoder(m.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// listOf makes no list an empty one, which JSON writes as [].
func listOf[T any](elements []T) []T { return append([]T{}, elements...) }

// tellReplicationReadiness is tellReadiness with a verdict where all is well, too.
func (m *Main) tellReplicationReadiness(found findings, asJSON bool) error {
	if err := m.tellReadiness(found, asJSON, "not ready"); err != nil || asJSON {
		return err
	}
	warnings := slices.DeleteFunc(slices.Clone(found), func(f checkLine) bool { return f.Level != levelWarning })
	fmt.Fprintf(m.Stdout, "\nready: no problems, %s\n", finding.Count(len(warnings), levelWarning))
	return nil
}

// tellReadiness prints what a check has found, and fails with a verdict if there is a
// problem.
func (m *Main) tellReadiness(found findings, asJSON bool, verdict string) error {
	if asJSON {
		for i := range found {
			found[i].Cure = m.inCommands(found[i].Cure)
		}
		if err := m.printJSON(jsonCheck{Ready: found.problems() == 0, Findings: found}); err != nil {
			return err
		}
	} else {
		m.writeFindings(found)
	}
	if n := found.problems(); n > 0 {
		return fmt.Errorf("%s: %s", verdict, finding.Count(n, "problem"))
	}
	return nil
}

// jsonCheck is what the --json of a check prints.
type jsonCheck struct {
	Ready    bool        `json:"ready"`
	Findings []checkLine `json:"findings"`
}

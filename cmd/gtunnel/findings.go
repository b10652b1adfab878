package main

import (
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/replication"
)

// finding is one line of a check.
type finding struct {
	Level string `json:"level"` // ok, warning or problem
	About string `json:"about"`
	Text  string `json:"text"`
	Cure  string `json:"cure"` // empty if there is nothing to do
}

const (
	levelOK      = "ok"
	levelWarning = "warning"
	levelProblem = "problem"
)

// findings are what a check has found so far.
type findings []finding

func (f *findings) ok(about, text string, args ...any) {
	*f = append(*f, finding{Level: levelOK, About: about, Text: inFlags(fmt.Sprintf(text, args...))})
}

func (f *findings) warn(about, cure, text string, args ...any) {
	*f = append(*f, finding{Level: levelWarning, About: about, Text: inFlags(fmt.Sprintf(text, args...)), Cure: inFlags(cure)})
}

func (f *findings) problem(about string, err error) {
	text := strings.TrimPrefix(err.Error(), about+": ")
	*f = append(*f, finding{Level: levelProblem, About: about, Text: inFlags(text), Cure: inFlags(hintOf(err))})
}

// addReadiness adds what is well before what is not.
func (f *findings) addReadiness(r replication.Readiness) {
	for _, p := range r.Well {
		*f = append(*f, newFinding(levelOK, p))
	}
	f.addReplication(r.Findings)
}

// addReplication adds what package replication has found. The servers are what
// it is about.
func (f *findings) addReplication(found replication.Findings) {
	for _, p := range found.Problems {
		*f = append(*f, newFinding(levelProblem, p))
	}
	for _, p := range found.Warnings {
		*f = append(*f, newFinding(levelWarning, p))
	}
}

func newFinding(level string, p *replication.Problem) finding {
	about := string(p.On)
	if about == "" {
		about = "both"
	}
	return finding{level, about, strings.TrimPrefix(p.Error(), string(p.On)+": "), p.Cure}
}

func (f findings) problems() int {
	n := 0
	for _, finding := range f {
		if finding.Level == levelProblem {
			n++
		}
	}
	return n
}

func (m *Main) writeFindings(found findings) {
	for _, f := range found {
		fmt.Fprintf(m.Stdout, "%-8s %s: %s\n", f.Level, f.About, f.Text)
		if f.Cure != "" {
			fmt.Fprintf(m.Stdout, "%-8s hint: %s\n", "", f.Cure)
		}
	}
}

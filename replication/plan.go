package replication

import (
	"context"
	"os"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Plan is what has to be done to one or both servers, in order. It has no steps
// if all is as it should be.
type Plan struct {
	finding.Findings

	Steps    []*Step
	HandOver *HandOver // of PlanMaster: what the slave must know once the plan is applied
}

// Step is one step of a plan.
type Step struct {
	Name  string             `json:"name"` // stable, unique in its plan
	On    finding.Role       `json:"on"`
	What  string             `json:"what"` // what it does, in a few words
	Why   string             `json:"why,omitempty"`
	SQL   []server.Statement `json:"sql,omitempty"`   // in order, in one session
	File  *File              `json:"file,omitempty"`  // written on this host
	Undo  string             `json:"undo,omitempty"`  // how to take it back
	Loses []string           `json:"loses,omitempty"` // databases of the slave whose data it removes
	Hand  string             `json:"hand,omitempty"`  // what the administrator must do: gtunnel cannot, or must not

	run func(context.Context, *Applier) error // does the step, if it is more than SQL and File
}

// File is a file that a step writes.
type File struct {
	Path    string           `json:"path"`
	Mode    os.FileMode      `json:"mode"`
	Content server.Statement `json:"content"` // passwords in it are shown as stars
}

// add appends a step.
func (p *Plan) add(s *Step) { p.Steps = append(p.Steps, s) }

// Losses are the databases whose data on the slave the plan removes.
func (p *Plan) Losses() []string {
	var lost []string
	for _, s := range p.Steps {
		lost = append(lost, s.Loses...)
	}
	return lost
}

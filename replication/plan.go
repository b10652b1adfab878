package replication

import (
	"os"
	"strings"

	"github.com/gtunnel/gtunnel/replication/compare"
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

// Step is one step of a plan. It is data: what it shows is what Apply does.
type Step struct {
	Name  string             `json:"name"` // stable, unique in its plan
	On    finding.Role       `json:"on"`
	What  string             `json:"what"` // what it does, in a few words
	Why   string             `json:"why,omitempty"`
	SQL   []server.Statement `json:"sql,omitempty"`   // in order, in one session
	File  *File              `json:"file,omitempty"`  // written on this host
	Undo  Undo               `json:"undo,omitempty"`  // takes it back, after the steps that came later
	Loses []string           `json:"loses,omitempty"` // databases of the slave whose data it removes
	Hand  string             `json:"hand,omitempty"`  // what the administrator must do: gtunnel cannot, or must not

	Tables []*compare.TableRows `json:"tables,omitempty"` // whose rows it changes, each by its key

	// UndoByHand says in words how the step is taken back where no SQL does that, or
	// that nothing does.
	UndoByHand string `json:"undo_by_hand,omitempty"`

	// Action is what it does besides its SQL and its file: a value that whoever carries
	// the plan out knows; nil: nothing.
	Action Action `json:"-"`
}

// Changes reports whether the step shows what it changes: SQL or a file. One that waits,
// compares or notes how far the work is does not.
func (s *Step) Changes() bool { return len(s.SQL) > 0 || s.File != nil }

// Undo are the statements that take a step back, to be run in order and in one
// session of an administrator's.
type Undo []server.Statement

// String is the statements as they may be shown.
func (u Undo) String() string {
	texts := make([]string, len(u))
	for i, statement := range u {
		texts[i] = statement.String()
	}
	return strings.Join(texts, "; ")
}

// MarshalText is the statements as they may be shown.
func (u Undo) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// File is a file that a step writes.
type File struct {
	Path    string           `json:"path"`
	Mode    os.FileMode      `json:"mode"`
	Content server.Statement `json:"content"` // passwords in it are shown as stars
}

// add appends a step.
func (p *Plan) add(s *Step) { p.Steps = append(p.Steps, s) }

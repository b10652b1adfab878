package finding

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Problem is something that must be mended before the work can go on, or, as a
// warning, that the administrator should know of. It is an error.
type Problem struct { //nolint:errname // it is shown as a warning too
	On   Role   `json:"on"`   // the server that it is about; empty: both, as MarshalJSON has it
	Code string `json:"code"` // stable, in lower case with hyphens
	Text string `json:"text"`
	Cure string `json:"cure"` // what to do; may be empty
	Err  error  `json:"-"`    // the cause, if there is one
}

// Role is what a server is in a replication.
type Role string

// The roles.
const (
	Master Role = "master"
	Slave  Role = "slave"
)

// Error is the text, with the server before it.
func (p *Problem) Error() string {
	text := p.Text
	if p.On != "" {
		text = string(p.On) + ": " + text
	}
	if p.Err != nil {
		text += ": " + p.Err.Error()
	}
	return text
}

// MarshalJSON writes the whole text, and "both" where it is about both servers.
func (p *Problem) MarshalJSON() ([]byte, error) {
	text := p.Text
	if p.Err != nil {
		text += ": " + p.Err.Error()
	}
	return json.Marshal(struct {
		On   string `json:"on"`
		Code string `json:"code"`
		Text string `json:"text"`
		Cure string `json:"cure"`
	}{On: cmp.Or(string(p.On), "both"), Code: p.Code, Text: text, Cure: p.Cure})
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Hint is the cure.
func (p *Problem) Hint() string { return p.Cure }

// New makes a Problem; the text is formatted by fmt.Sprintf.
func New(on Role, code, cure, format string, args ...any) *Problem {
	return &Problem{On: on, Code: code, Text: fmt.Sprintf(format, args...), Cure: cure}
}

// Join makes one error of many; nil of none.
func Join(problems []*Problem) error {
	var list []error
	for _, p := range problems {
		list = append(list, p)
	}
	return errors.Join(list...)
}

// HasCode reports whether err is, or joins, a Problem of a code.
func HasCode(err error, code string) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if HasCode(e, code) {
				return true
			}
		}
		return false
	}
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Code == code
}

// List joins names for a sentence, and cuts a long list.
func List(names []string) string {
	const most = 10
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

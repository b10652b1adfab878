package finding

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is something that must be mended before the work can go on, or, as a
// warning, that the administrator should know of. It is an error.
type Problem struct { //nolint:errname // it is shown as a warning too
	On   Role   `json:"on,omitempty"` // the server that it is about; empty: both
	Code string `json:"code"`         // stable, in lower case with hyphens
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

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Hint is the cure.
func (p *Problem) Hint() string { return p.Cure }

// For is the problem with the names of databases where its cure has Names, and
// otherwise itself.
func (p *Problem) For(databases []string) *Problem {
	if len(databases) == 0 || !strings.Contains(p.Cure, Names) {
		return p
	}
	named := *p
	named.Cure = strings.ReplaceAll(p.Cure, Names, strings.Join(databases, ","))
	return &named
}

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

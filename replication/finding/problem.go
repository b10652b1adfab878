package finding

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is something that must be mended before the work can go on, or, as a
// warning, that the administrator should know of. It is an error.
type Problem struct { //nolint:errname // it is shown as a warning too
	On   Role   // the server that it is about; empty: both
	Code string // stable, in lower case with hyphens
	Text string
	Cure string // what to do; may be empty
	Err  error  // the cause, if there is one

	whole string // Text with all Items of it; empty: it has all
}

// MarshalJSON writes on, which is "both" where it is empty, the code, the text with all
// Items and the cause, and the cure.
func (p *Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		On   Role   `json:"on"`
		Code string `json:"code"`
		Text string `json:"text"`
		Cure string `json:"cure"`
	}{On: cmp.Or(p.On, "both"), Code: p.Code, Text: p.Whole(), Cure: p.Cure})
}

// Role is what a server is in a replication.
type Role string

// The roles.
const (
	Master Role = "master"
	Slave  Role = "slave"

	// Of a pair, where either can be the master.
	Own  Role = "this host"
	Peer Role = "the other host"
)

// Error is the text, with the server before it.
func (p *Problem) Error() string {
	if p.On != "" {
		return string(p.On) + ": " + p.withCause(p.Text)
	}
	return p.withCause(p.Text)
}

// Whole is the text with all Items that it has, without the server.
func (p *Problem) Whole() string { return p.withCause(cmp.Or(p.whole, p.Text)) }

// withCause is a text with the cause behind it, if there is one.
func (p *Problem) withCause(text string) string {
	if p.Err != nil {
		text += ": " + p.Err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Hint is the cure.
func (p *Problem) Hint() string { return p.Cure }

// For is the problem with the names of databases where its cure has Names; otherwise
// itself.
func (p *Problem) For(databases []string) *Problem {
	named := *p
	named.Cure = WithNames(p.Cure, databases)
	return &named
}

// WithNames is a cure with the names of databases where it has Names, or with words for
// them if they are not known.
func WithNames(cure string, databases []string) string {
	names := strings.Join(databases, ",")
	if names == "" {
		names = "with the names of the databases"
	}
	const flag = "databases " // --databases, --replace-databases
	return strings.ReplaceAll(cure, flag+Names, flag+names)
}

// New makes a Problem; the text is formatted by fmt.Sprintf. Of Items it has the
// first ones only.
func New(on Role, code, cure, format string, args ...any) *Problem {
	p := &Problem{On: on, Code: code, Text: fmt.Sprintf(format, args...), Cure: cure}
	all := slices.Clone(args)
	for i, arg := range args {
		if names, ok := arg.(Items); ok {
			all[i] = strings.Join(names, ", ")
		}
	}
	if whole := fmt.Sprintf(format, all...); whole != p.Text {
		p.whole = whole
	}
	return p
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

// mostItems is how many names a sentence has at the most.
const mostItems = 10

// Items are names in the text of a Problem, which has the first of a long list; its
// JSON has all.
type Items []string

// String joins the names, and says where the rest of a long list is.
func (n Items) String() string {
	if len(n) > mostItems {
		return List(n) + " (--json has all)"
	}
	return List(n)
}

// List joins names for a sentence, and cuts a long list: for what says all of them
// elsewhere.
func List(names []string) string {
	if len(names) > mostItems {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostItems], ", "), len(names)-mostItems)
	}
	return strings.Join(names, ", ")
}

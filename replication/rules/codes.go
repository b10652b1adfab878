package rules

import (
	"cmp"
	"slices"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// Code is a code of a problem or a warning, as `gtunnel help findings` lists it.
type Code struct {
	Code    string
	At      Moment // when it is found
	Meaning string // one line
	Cure    string // what to do, or a hint of it; empty: nothing, or its text says it
}

// Codes lists every code of package replication and its rooms: of the rules, of
// the causes of errors, and of what is found only where a server is asked. They are
// in the order of their names; a code that means several things stands for each.
func Codes() []Code {
	var list []Code
	for _, r := range Table() {
		list = withCode(list, Code{Code: r.Code, At: r.Problem | r.Warning, Meaning: r.Meaning, Cure: r.Cure})
	}
	for _, c := range finding.EveryCause() {
		list = withCode(list, Code{Code: c.Code, At: Status, Meaning: c.Words, Cure: c.Cure})
	}
	for _, c := range slices.Concat(asked, failoverCodes) {
		list = withCode(list, c)
	}
	slices.SortStableFunc(list, func(a, b Code) int { return cmp.Compare(a.Code, b.Code) })
	return list
}

// withCode adds a code to a list. Without a meaning it means what it did before.
func withCode(list []Code, c Code) []Code {
	for i := range list {
		if list[i].Code == c.Code && (list[i].Meaning == c.Meaning || c.Meaning == "") {
			list[i].At |= c.At
			return list
		}
	}
	return append(list, c)
}

package certs

import (
	"fmt"
	"strings"
)

// Change says what a Reload has changed. The zero value, and nil, mean that
// nothing has.
type Change struct {
	CAs      Changed   // by DN, slash form
	CRLs     Changed   // by the DN of the CA, slash form
	Policies Changed   // by file
	Problems []Problem // those that were not there before
	Solved   []Problem // those that are gone
}

// Changed names what was added, removed or replaced by another content.
type Changed struct {
	Added, Removed, Renewed []string
}

func (c Changed) empty() bool { return len(c.Added)+len(c.Removed)+len(c.Renewed) == 0 }

// Empty reports whether nothing has changed.
func (c *Change) Empty() bool {
	return c == nil || c.CAs.empty() && c.CRLs.empty() && c.Policies.empty() && len(c.Problems)+len(c.Solved) == 0
}

// String is the change on one line for a log.
func (c *Change) String() string {
	if c.Empty() {
		return "nothing has changed"
	}
	var parts []string
	for _, kind := range []struct {
		one, many string
		changed   Changed
	}{{"CA", "CAs", c.CAs}, {"CRL", "CRLs", c.CRLs}, {"policy", "policies", c.Policies}} {
		for _, what := range []struct {
			verb  string
			names []string
		}{{"added", kind.changed.Added}, {"removed", kind.changed.Removed}, {"renewed", kind.changed.Renewed}} {
			if n := len(what.names); n > 0 {
				parts = append(parts, fmt.Sprintf("%s %s: %s", counted(n, kind.one, kind.many), what.verb, fewOf(what.names, ", ")))
			}
		}
	}
	for _, list := range []struct {
		one, many string
		problems  []Problem
	}{{"new problem", "new problems", c.Problems}, {"problem solved", "problems solved", c.Solved}} {
		if n := len(list.problems); n > 0 {
			var texts []string
			for _, p := range list.problems {
				texts = append(texts, p.String())
			}
			parts = append(parts, fmt.Sprintf("%s: %s", counted(n, list.one, list.many), fewOf(texts, ", ")))
		}
	}
	return strings.Join(parts, "; ")
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// fewOf joins the first few names.
func fewOf(names []string, separator string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], separator), len(names)-most)
	}
	return strings.Join(names, separator)
}

package certs

import (
	"fmt"
	"slices"
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

// changeOf compares two snapshots. Everything in after is new if before is
// nil.
func changeOf(before, after *Snapshot) *Change {
	if before == nil {
		before = new(Snapshot)
	}
	change := &Change{
		CAs:      compare(before.contentOfCAs(), after.contentOfCAs()),
		CRLs:     compare(before.contentOfCRLs(), after.contentOfCRLs()),
		Policies: compare(before.contentOfPolicies(), after.contentOfPolicies()),
	}
	for _, p := range after.problems {
		if !slices.Contains(before.problems, p) {
			change.Problems = append(change.Problems, p)
		}
	}
	for _, p := range before.problems {
		if !slices.Contains(after.problems, p) {
			change.Solved = append(change.Solved, p)
		}
	}
	return change
}

// contents are what is behind each name.
type contents map[string][]string

func (s *Snapshot) contentOfCAs() contents {
	all := make(contents)
	for _, ca := range s.cas {
		dn := ca.Subject.Slash()
		all[dn] = append(all[dn], fmt.Sprint(ca.FromCAfile, string(ca.Certificate.Raw)))
	}
	return all
}

func (s *Snapshot) contentOfCRLs() contents {
	all := make(contents)
	for _, lists := range s.lists {
		for _, c := range lists {
			dn := c.list.issuer.Slash()
			all[dn] = append(all[dn], string(c.list.fingerprint)+string(c.list.signature))
		}
	}
	return all
}

func (s *Snapshot) contentOfPolicies() contents {
	all := make(contents)
	for _, p := range s.policyFiles {
		id := ""
		if p.content != nil {
			id = string(p.content.digest[:])
		}
		all[p.files[0]] = append(all[p.files[0]], id)
	}
	return all
}

func compare(before, after contents) Changed {
	var changed Changed
	for name, now := range after {
		was, known := before[name]
		slices.Sort(now)
		slices.Sort(was)
		switch {
		case !known:
			changed.Added = append(changed.Added, name)
		case !slices.Equal(was, now):
			changed.Renewed = append(changed.Renewed, name)
		}
	}
	for name := range before {
		if _, still := after[name]; !still {
			changed.Removed = append(changed.Removed, name)
		}
	}
	for _, names := range [][]string{changed.Added, changed.Removed, changed.Renewed} {
		slices.Sort(names)
	}
	return changed
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
	var few []string
	for _, name := range names[:min(most, len(names))] {
		few = append(few, shorten(name, maxReason))
	}
	joined := strings.Join(few, separator)
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", joined, len(names)-most)
	}
	return joined
}

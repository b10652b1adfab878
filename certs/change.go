package certs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// Change says what a Reload has changed. The zero value, and nil, mean that
// nothing has.
type Change struct {
	CAs      Changed   // by DN, slash form
	CRLs     Changed   // by the DN of the CA, slash form
	Policies Changed   // by file, one of its names
	Problems []Problem // those that were not there before
	Solved   []Problem // those that are gone

	Missing []string // files that have vanished, and count as removed if they still are missing after SecondLook
	Back    []string // files that were missing
	Removed []string // files that have been missing for SecondLook

	names bool // the Snapshot is another one, though none of the above need show it
}

// Changed names what was added, removed or replaced by another content.
type Changed struct {
	Added, Removed, Renewed []string
}

// empty reports whether nothing has changed.
func (c Changed) empty() bool { return len(c.Added)+len(c.Removed)+len(c.Renewed) == 0 }

// Empty reports whether nothing has changed: the Snapshot is the one that it
// was, so every verdict stands.
func (c *Change) Empty() bool { return c == nil || !c.names && c.unseen() }

// HasCAs reports whether CAs were added, removed or replaced.
func (c *Change) HasCAs() bool { return c != nil && !c.CAs.empty() }

// unseen reports whether there is nothing to show.
func (c *Change) unseen() bool {
	return c.CAs.empty() && c.CRLs.empty() && c.Policies.empty() &&
		len(c.Problems)+len(c.Solved)+len(c.Missing)+len(c.Back)+len(c.Removed) == 0
}

// String is the change on one line for a log.
func (c *Change) String() string {
	switch {
	case c.Empty():
		return "nothing has changed"
	case c.unseen():
		return "the same CAs, CRLs and policies have other file names"
	}
	var parts []string
	add := func(one, many string, names []string) {
		if n := len(names); n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %s", counted(n, one, many), fewOf(names, ", ")))
		}
	}
	for _, kind := range []struct {
		one, many string
		changed   Changed
	}{
		{one: "CA", many: "CAs", changed: c.CAs},
		{one: "CRL", many: "CRLs", changed: c.CRLs},
		{one: "policy", many: "policies", changed: c.Policies},
	} {
		add(kind.one+" added", kind.many+" added", kind.changed.Added)
		add(kind.one+" removed", kind.many+" removed", kind.changed.Removed)
		add(kind.one+" renewed", kind.many+" renewed", kind.changed.Renewed)
	}
	add(fmt.Sprintf("file is missing, and counts as removed if it is not back in %s", SecondLook),
		fmt.Sprintf("files are missing, and count as removed if they are not back in %s", SecondLook), c.Missing)
	add("missing file is back", "missing files are back", c.Back)
	add("missing file counts as removed", "missing files count as removed", c.Removed)
	add("new problem", "new problems", texts(c.Problems))
	add("problem solved", "problems solved", texts(c.Solved))
	return strings.Join(parts, "; ")
}

func texts(problems []Problem) []string {
	var texts []string
	for _, p := range problems {
		texts = append(texts, p.String())
	}
	return texts
}

// changeOf compares two loads. Everything in after is new if before is nil.
func changeOf(before, after *loaded) *Change {
	if before == nil {
		before = &loaded{snapshot: new(Snapshot)}
	}
	change := new(Change)
	if before.snapshot != after.snapshot {
		change = compareSnapshots(before.snapshot, after.snapshot)
	}
	change.Missing, change.Back, change.Removed = after.compareMissing(before)
	return change
}

func compareSnapshots(before, after *Snapshot) *Change {
	change := &Change{
		CAs:      compare(before.contentOfCAs(), after.contentOfCAs()),
		CRLs:     compare(before.contentOfCRLs(), after.contentOfCRLs()),
		Policies: compare(before.contentOfPolicies(), after.contentOfPolicies()),
		names:    true,
	}
	change.Policies.Added = after.oneNameEach(change.Policies.Added)
	change.Policies.Removed = before.oneNameEach(change.Policies.Removed)
	change.Policies.Renewed = after.oneNameEach(change.Policies.Renewed)
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
			dn := c.list.Issuer.Slash()
			all[dn] = append(all[dn], c.list.Content())
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
		for _, name := range p.files {
			all[name] = append(all[name], id)
		}
	}
	return all
}

// oneNameEach leaves one of the names of each policy file.
func (s *Snapshot) oneNameEach(names []string) []string {
	var left []string
	for _, p := range s.policyFiles {
		if i := slices.IndexFunc(p.files, func(name string) bool { return slices.Contains(names, name) }); i >= 0 {
			left = append(left, p.files[i])
		}
	}
	slices.Sort(left)
	return left
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
		few = append(few, dn.Shorten(name, maxReason))
	}
	joined := strings.Join(few, separator)
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", joined, len(names)-most)
	}
	return joined
}

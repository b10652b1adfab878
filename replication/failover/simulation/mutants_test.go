package simulation

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// part is what can be changed of the code under test: a step of a command's plan, an act that
// the guard decides on, or a statement of the guard's.
type part struct {
	of   string // switchover, promote, rejoin; act; statement
	name string
}

func (p part) String() string { return p.of + ": " + p.name }

const (
	ofAct       = "act"
	ofStatement = "statement"
)

// parts are those that a run of a scenario without deviations comes by, in that order.
func parts(t *testing.T, s *scenario, family server.Family) (all []part) {
	t.Helper()
	meet := func(p part) {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	watch := &flaw{
		plan: func(command string, plan []*replication.Step) []*replication.Step {
			for _, s := range plan {
				meet(part{command, s.Name})
			}
			return plan
		},
		do: func(_ *world, o *operation) (any, error, bool) {
			if o.isGuards() {
				meet(part{ofStatement, o.kind()})
			}
			return nil, nil, false
		},
	}
	var mu sync.Mutex // guards decide in goroutines of their own
	watch.decide = func(v term.View) term.Decision {
		mu.Lock()
		defer mu.Unlock()
		d := term.Decide(v)
		for _, act := range d.Acts {
			meet(part{ofAct, string(act)})
		}
		return d
	}
	x := &explorer{scenario: s, family: family, flaw: watch}
	if found := x.explore(t, 1); len(found) > 0 {
		report(t, found)
	}
	return all
}

// isGuards reports whether an operation is a statement by which a guard changes its own server.
func (o *operation) isGuards() bool {
	return strings.HasPrefix(o.by.name, "guard") && o.effect && o.session != nil && o.server == o.by.host.engine
}

// kind is an operation's statement without what differs each time.
func (o *operation) kind() string {
	text := numbered.ReplaceAllString(o.by.w.names.canonical(o.text), "<>")
	for _, end := range []string{" VALUES", " TO ", "='"} {
		text, _, _ = strings.Cut(text, end)
	}
	return text
}

// numbered is a random name in canonical form.
var numbered = regexp.MustCompile(`<\d+>`)

// The changes of a part.
const (
	leftOut   = "left out"
	afterNext = "after the next"
	twice     = "twice"
)

// mutants are the changes of a part.
func mutants(p part) (all []*flaw) {
	for _, how := range []string{leftOut, afterNext, twice} {
		f := &flaw{name: p.String() + " " + how, happens: &atomic.Bool{}}
		switch p.of {
		case ofAct:
			f.decide = func(v term.View) term.Decision {
				d := term.Decide(v)
				d.Acts = changed(f, d.Acts, how, func(a term.Act) bool { return string(a) == p.name })
				return d
			}
		case ofStatement:
			f.do = func(w *world, o *operation) (any, error, bool) { return w.changeStatement(f, o, p.name, how) }
		default:
			f.plan = func(command string, steps []*replication.Step) []*replication.Step {
				if command != p.of {
					return steps
				}
				return changed(f, steps, how, func(s *replication.Step) bool { return s.Name == p.name })
			}
		}
		all = append(all, f)
	}
	return all
}

// changed is a list in which something is left out, done after the next, or twice.
func changed[E any](f *flaw, list []E, how string, is func(E) bool) []E {
	i := slices.IndexFunc(list, is)
	if i < 0 || how == afterNext && i+1 == len(list) {
		return list
	}
	f.happens.Store(true)
	list = slices.Clone(list)
	switch how {
	case leftOut:
		list = slices.Delete(list, i, i+1)
	case twice:
		list = slices.Insert(list, i, list[i])
	case afterNext:
		list[i], list[i+1] = list[i+1], list[i]
	}
	return list
}

// changeStatement changes what becomes of a guard's statement.
func (w *world) changeStatement(f *flaw, o *operation, kind, how string) (any, error, bool) {
	if !o.isGuards() {
		return nil, nil, false
	}
	if late := w.postponed; late != nil && late.by == o.by {
		value, err := o.run()
		if err != errWait { //nolint:errorlint // it is ours
			w.postponed = nil
			if !late.session.closed {
				_, _ = late.run() // nobody waits for its answer any more
			}
		}
		return value, err, true
	}
	if o.kind() != kind {
		return nil, nil, false
	}
	f.happens.Store(true)
	switch how {
	case twice:
		if _, err := o.run(); err != nil {
			return nil, err, true
		}
		return nil, nil, false
	case afterNext:
		w.postponed = o
	}
	return one("done", 1), nil, true
}

// tries is for how many runs a mutant is looked for in each scenario.
const tries = 40

// mutant is a flaw with what became of it.
type mutant struct {
	*flaw
	family server.Family
	in     []*scenario // that come by its part
	seen   string      // what noticed it; empty: nothing did
}

// allMutants are those of all parts that any scenario comes by.
func allMutants(t *testing.T, family server.Family) (all []*mutant) {
	t.Helper()
	in := map[part][]*scenario{}
	var order []part
	for _, s := range scenarios() {
		for _, p := range parts(t, s, family) {
			if in[p] == nil {
				order = append(order, p)
			}
			in[p] = append(in[p], s)
		}
	}
	for _, p := range order {
		for _, f := range mutants(p) {
			all = append(all, &mutant{flaw: f, family: family, in: in[p]})
		}
	}
	return all
}

// notice looks for a mutant in all scenarios that come by its part.
func (m *mutant) notice(t *testing.T, depth int, crashes bool) {
	t.Helper()
	for _, s := range m.in {
		x := &explorer{
			scenario: s, family: m.family, flaw: m.flaw, first: true, depth: depth, crashes: crashes, most: tries,
		}
		if found := x.explore(t, 1); len(found) > 0 {
			m.seen = s.name + ": " + found[0].what[0]
			return
		}
	}
}

// TestMutants changes every step of every plan, every act and every statement of the guard: each
// is left out, done after the next one, done twice. What no invariant notices must be among
// survivors with the reason, and what is among them must not be noticed, without deviations; with
// GTUNNEL_SIMULATE=2 those are tried by a crash as well. It is only run by make
// simulate: GTUNNEL_MUTANT is a part of the names of those that are tried.
func TestMutants(t *testing.T) {
	if os.Getenv("GTUNNEL_SIMULATE") == "" {
		t.Skip("left out without GTUNNEL_SIMULATE: it takes minutes")
	}
	var all []*mutant
	for _, family := range []server.Family{server.MariaDB, server.MySQL} {
		all = append(all, allMutants(t, family)...)
	}
	only := os.Getenv("GTUNNEL_MUTANT")
	all = slices.DeleteFunc(all, func(m *mutant) bool { return !strings.Contains(m.name, only) })
	notice(t, all, 0, true)
	all = slices.DeleteFunc(all, func(m *mutant) bool { return !m.happens.Load() }) // nothing came after it
	judgeMutants(t, all)
	if depth(0) > 1 {
		notice(t, all, 1, true)
	}
}

// notice looks for those mutants that were not noticed yet.
func notice(t *testing.T, all []*mutant, depth int, crashes bool) {
	t.Helper()
	work := make(chan *mutant)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for m := range work {
				m.notice(t, depth, crashes)
				t.Logf("%d deviations, %s %s: %s", depth, m.family, m.name, shorten(m.seen))
			}
		})
	}
	for _, m := range all {
		if m.seen == "" {
			work <- m
		}
	}
	close(work)
	group.Wait()
}

// judgeMutants prints the table, and holds it against survivors.
func judgeMutants(t *testing.T, all []*mutant) {
	t.Helper()
	type count struct{ all, noticed int }
	counts := map[server.Family]*count{server.MariaDB: {}, server.MySQL: {}}
	expected := survivors()
	var table strings.Builder
	for _, m := range all {
		c := counts[m.family]
		reason, listed := expected[m.name]
		if !listed {
			reason, listed = expected[string(m.family)+" "+m.name]
		}
		c.all++
		switch {
		case m.seen == "" && !listed:
			t.Errorf("nothing notices, and no reason is known: %s %s", m.family, m.name)
		case m.seen != "" && listed:
			t.Errorf("%s %s is noticed, which was not expected: by %s", m.family, m.name, m.seen)
		}
		said := shorten(m.seen)
		if m.seen == "" {
			said = "NOT: " + reason
		} else {
			c.noticed++
		}
		fmt.Fprintf(&table, "%-7s  %-78s  %s\n", m.family, m.name, said)
	}
	for family, c := range counts {
		fmt.Fprintf(&table, "%s: %d of %d mutants noticed\n", family, c.noticed, c.all)
	}
	t.Logf("mutants:\n%s", table.String())
}

package simulation

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gtunnel/gtunnel/replication/server"
)

// deviation is what does not happen by itself: the i-th of what can happen at a point of a run.
type deviation struct{ point, move int }

// explorer visits the states that a number of deviations lead to.
type explorer struct {
	scenario *scenario
	family   server.Family
	depth    int
	flaw     *flaw
	crashes  bool      // those deviations alone
	first    bool      // it ends at the first violation
	most     int       // runs; 0: as many as there are
	until    time.Time // it gives up then; zero: never

	mu          sync.Mutex
	visited     map[uint64]int // with how many deviations left
	offered     map[offer]int  // likewise
	queue       [][]deviation  // to be run, those with the fewest deviations first
	running     int
	runs        int
	transitions int
	cutShort    bool
	found       []found
}

// found is a run in which something does not hold.
type found struct {
	what  []string
	path  []deviation
	story string
}

// explore visits all, and gives what it has found, the shortest first.
func (x *explorer) explore(t *testing.T, workers int) []found {
	t.Helper()
	x.visited, x.offered = map[uint64]int{}, map[offer]int{}
	x.queue = [][]deviation{nil}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for x.goOn(t) {
			}
		})
	}
	group.Wait()
	slices.SortStableFunc(x.found, func(a, b found) int {
		if d := len(a.path) - len(b.path); d != 0 {
			return d
		}
		return len(a.story) - len(b.story)
	})
	return x.found
}

// goOn runs the next path, and reports whether there may be more.
func (x *explorer) goOn(t *testing.T) bool {
	t.Helper()
	path, more := x.take()
	if !more {
		return false
	}
	defer x.given() // also if the run ends this goroutine: a race was found in it
	if path != nil || x.isFirst() {
		x.runOne(t, path)
	}
	return true
}

func (x *explorer) isFirst() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.runs == 0
}

// take gives the next path; more is false if none is left and none can come. A nil path with
// more is to try again.
func (x *explorer) take() (path []deviation, more bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.first && len(x.found) > 0 || x.most > 0 && x.runs >= x.most || !x.until.IsZero() && time.Now().After(x.until) {
		x.cutShort = x.cutShort || len(x.queue) > 0
		return nil, false
	}
	if len(x.queue) == 0 {
		if x.running == 0 {
			return nil, false
		}
		x.mu.Unlock()
		time.Sleep(time.Millisecond)
		x.mu.Lock()
		x.running++
		return nil, true
	}
	if last := len(x.queue) - 1; x.first && x.runs%2 == 1 { // who looks for one thing looks early and late
		path, x.queue = x.queue[last], x.queue[:last]
	} else {
		path, x.queue = x.queue[0], x.queue[1:]
	}
	x.running++
	return path, true
}

func (x *explorer) given() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.running--
}

// runOne runs the scenario with the deviations of a path, and then as it goes by itself,
// until it comes to a state that is known. What is found is told by a second run.
func (x *explorer) runOne(t *testing.T, path []deviation) {
	t.Helper()
	x.mu.Lock()
	x.runs++
	x.mu.Unlock()
	var fresh [][]deviation
	steps, bad := 0, false
	own := map[uint64]bool{} // what this run has come by: to come there again is no reason to end
	synctest.Test(t, func(t *testing.T) {
		w := x.follow(t, path, func(w *world, moves []move) int {
			steps++
			left := x.depth - len(path)
			if moves[0].small || left == 0 && !moves[0].passes {
				return 0
			}
			state := w.hash(moves[0].name)
			switch {
			case own[state]:
				return 0
			case !x.visit(state, left):
				return -1
			}
			own[state] = true
			for i := 1; i < len(moves) && left > 0; i++ {
				if (moves[i].crash || !x.crashes) && x.offer(w.situations[moves[i].plain], w.names.canonical(moves[i].name), left) {
					fresh = append(fresh, append(slices.Clone(path), deviation{w.points, i}))
				}
			}
			return 0
		}, true)
		bad = w.violated()
	})
	var f found
	if bad {
		synctest.Test(t, func(t *testing.T) {
			w := x.follow(t, path, func(*world, []move) int { return 0 }, false)
			f = found{w.violations, path, w.story.String()}
		})
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.transitions += steps
	if bad {
		x.found = append(x.found, f)
		return
	}
	x.queue = append(x.queue, fresh...)
}

// follow runs the scenario with the deviations of a path, and then as choose says.
func (x *explorer) follow(t *testing.T, path []deviation, choose func(*world, []move) int, mute bool) *world {
	t.Helper()
	w := x.scenario.begin(t.Context(), x.family, x.flaw)
	w.story.mute = mute
	if x.flaw != nil && x.flaw.begin != nil {
		x.flaw.begin(w)
	}
	next, cutShort := 0, false
	w.deviates = func() bool {
		if next < len(path) {
			return w.points == path[next].point
		}
		return x.depth > len(path)
	}
	w.choose = func(w *world, moves []move) int {
		if next == len(path) {
			i := choose(w, moves)
			cutShort = i < 0
			return i
		}
		if w.points == path[next].point {
			next++
			return path[next-1].move
		}
		return 0
	}
	w.run()
	if !cutShort && !w.violated() {
		w.ended()
	}
	return w
}

// visit notes a state, and reports whether it is new, or was visited with fewer deviations left.
func (x *explorer) visit(state uint64, left int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if before, ok := x.visited[state]; ok && before >= left {
		return false
	}
	x.visited[state] = left
	return true
}

// offer is a deviation in a situation: see world.hash.
type offer struct {
	situation uint64
	move      string
}

// offer reports whether a deviation is to be tried: not so where it was in a situation that
// differs only in how long it has lasted.
func (x *explorer) offer(situation uint64, move string, left int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	o := offer{situation, move}
	if before, ok := x.offered[o]; ok && before >= left {
		return false
	}
	x.offered[o] = left
	return true
}

// result is a line of what was explored.
// Where it was cut short, all with fewer deviations than the first that is left were explored:
// the queue has those first.
func (x *explorer) result() string {
	kind := "all"
	if x.crashes {
		kind = "crashes"
	}
	text := fmt.Sprintf("%-29s %-8s %-7s depth %d: %7d states, %8d transitions, %6d runs",
		x.scenario.name, x.family, kind, x.depth,
		len(x.visited), x.transitions, x.runs)
	if x.cutShort {
		text += fmt.Sprintf(" (not whole: %d paths of %d deviations are left)", len(x.queue), len(x.queue[0]))
	}
	return text
}

// report fails a test with the shortest of what was found of each kind.
func report(t *testing.T, all []found) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range all {
		kind := strings.Join(f.what, "; ")
		if len(seen) == 3 || seen[kind] {
			continue
		}
		seen[kind] = true
		t.Errorf("%s\nby %d deviations %v:\n%s", kind, len(f.path), f.path, f.story)
	}
}

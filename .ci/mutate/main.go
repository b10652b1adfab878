// Mutate takes the checks of a package away, one at a time, and runs the
// package's tests: a check without which they still pass is held by none.
//
//	go run ./.ci/mutate [--files REGEXP] [--kind KIND] [--list] ./certs
//
// The sources stay as they are: with -overlay, one test binary is built in
// which every check can be taken away by its number. Each test is run once
// alone, and says which checks say no in it; each check is then taken away from
// those tests. A line is printed for a check that is not held:
//
//	unmet      it says no in no test
//	unnoticed  it does, and the tests pass without it
//	too long   without it, the tests did not end in --timeout
//
// A process that a test starts with an environment of its own is not heard.
// What is too long is held after all, by a test that hangs without it.
//
// The exit code is 1 if one is unmet or unnoticed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// mutation is what a run is asked for.
type mutation struct {
	folder   string // of the package, absolute
	files    *regexp.Regexp
	kind     kind
	jobs     int
	patience time.Duration // for the tests of one check
}

func main() {
	files := flag.String("files", ".", "only files whose name matches this regular `expression`")
	which := flag.String("kind", string(refusing),
		"of the checks: refusing; passing, which only pass an err on; other, whatever else is asked; or all")
	list := flag.Bool("list", false, "only list the checks")
	jobs := flag.Int("jobs", 2, "how many `processes` to run at once")
	patience := flag.Duration("timeout", 2*time.Minute, "for the tests of one check")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	held, err := func() (bool, error) {
		wanted, err := regexp.Compile(*files)
		if err != nil {
			return false, err
		}
		folder, err := filepath.Abs(flag.Arg(0))
		if err != nil || flag.NArg() != 1 || *jobs < 1 {
			return false, errors.Join(errors.New("usage: "+
				"go run ./.ci/mutate [--files REGEXP] [--kind KIND] [--jobs N] [--timeout TIME] [--list] FOLDER"), err)
		}
		return mutation{folder: folder, files: wanted, kind: kind(*which), jobs: *jobs, patience: *patience}.run(ctx, *list)
	}()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	case !held:
		stop()
		os.Exit(1)
	}
}

// run tries every check and reports whether all are held.
func (m mutation) run(ctx context.Context, list bool) (held bool, err error) {
	checks, sources, err := m.checks()
	if err != nil {
		return false, err
	}
	if list {
		for _, c := range checks {
			fmt.Println(c)
		}
		return true, nil
	}
	scratch, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(scratch) }() // in the system's folder for such things
	b, err := m.build(ctx, scratch, checks, sources)
	if err != nil {
		return false, err
	}
	meeting, err := m.meet(ctx, b)
	if err != nil {
		return false, err
	}

	counts := map[verdict]int{}
	var mu sync.Mutex
	err = m.each(len(checks), func(i int) error {
		v, err := m.try(ctx, b, i+1, meeting[i+1])
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		counts[v]++
		if v != noticed {
			fmt.Printf("%-9s %s%s\n", v, checks[i], among(meeting[i+1]))
		}
		return nil
	})
	fmt.Printf("%d checks: %d noticed, %d unmet, %d unnoticed, %d too long\n",
		len(checks), counts[noticed], counts[unmet], counts[unnoticed], counts[tooLong])
	return counts[unmet]+counts[unnoticed] == 0, err
}

// verdict is what came of taking a check away.
type verdict string

const (
	noticed   verdict = "noticed"
	unmet     verdict = "unmet"
	unnoticed verdict = "unnoticed"
	tooLong   verdict = "too long"
)

// try takes a check away from the tests in which it says no: first from the
// quickest, then from all others.
func (m mutation) try(ctx context.Context, b binary, number int, tests []string) (verdict, error) {
	if len(tests) == 0 {
		return unmet, nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.patience)
	defer cancel()
	quick := tests[:min(5, len(tests))]
	for _, some := range [][]string{quick, tests[len(quick):]} {
		if len(some) == 0 {
			continue
		}
		_, passed, err := b.run(ctx, fmt.Sprintf("%s=%d", goneVariable, number), some...)
		switch {
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return tooLong, nil
		case err != nil:
			return "", err
		case !passed:
			return noticed, nil
		}
	}
	return unnoticed, nil
}

// meet runs every test alone and gives, for each number of a check, the tests
// in which it says no, the quickest first.
func (m mutation) meet(ctx context.Context, b binary) (map[int][]string, error) {
	tests, err := b.tests(ctx)
	if err != nil {
		return nil, err
	}
	took := map[string]time.Duration{}
	meeting := map[int][]string{}
	var mu sync.Mutex
	err = m.each(len(tests), func(i int) error {
		start := time.Now()
		met, err := b.met(ctx, tests[i])
		mu.Lock()
		defer mu.Unlock()
		took[tests[i]] = time.Since(start)
		for _, number := range met {
			meeting[number] = append(meeting[number], tests[i])
		}
		return err
	})
	for _, names := range meeting {
		slices.SortFunc(names, func(a, b string) int { return int(took[a] - took[b]) })
	}
	return meeting, err
}

// each calls do for 0 to n-1, some at once, and tells now and then how far it
// is. It ends early at the first error.
func (m mutation) each(n int, do func(int) error) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	var next int
	var failed error
	take := func(err error) int {
		mu.Lock()
		defer mu.Unlock()
		if failed = errors.Join(failed, err); failed != nil || next == n {
			return -1
		}
		next++
		if next%50 == 0 {
			fmt.Fprintf(os.Stderr, "mutate: %d of %d\n", next, n)
		}
		return next - 1
	}
	for range m.jobs {
		group.Go(func() {
			for i := take(nil); i >= 0; i = take(do(i)) {
			}
		})
	}
	group.Wait()
	return failed
}

// among names the first tests of a list.
func among(tests []string) string {
	if len(tests) == 0 {
		return ""
	}
	more := ""
	if len(tests) > 3 {
		more = fmt.Sprintf(" and %d more", len(tests)-3)
	}
	return "  (" + strings.Join(tests[:min(3, len(tests))], ", ") + more + ")"
}

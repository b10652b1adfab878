// Cover says which part of the statements of each package the tests have run:
//
//	go run ./.ci/cover [--least PERCENT] PROFILE TREE...
//
// PROFILE is what go test -coverprofile has written, with -coverpkg: a statement
// counts for the package in which it stands, whichever package's tests ran it. A
// TREE is a package and those below it, by its path in the module. The exit code
// is 1 if a package of a tree has less than it should; of one for tests alone,
// such as certs/certstest, it is only said.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/gtunnel/gtunnel/"

func main() {
	least := flag.Float64("least", 85, "`percent` of the statements of each package")
	flag.Parse()
	if flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./.ci/cover [--least PERCENT] PROFILE TREE...")
		os.Exit(2)
	}
	enough, err := run(flag.Arg(0), flag.Args()[1:], *least)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "cover:", err)
		os.Exit(1)
	case !enough:
		os.Exit(1)
	}
}

// run prints a line for each package, and reports whether all have enough.
func run(profile string, trees []string, least float64) (enough bool, err error) {
	blocks, err := read(profile)
	if err != nil {
		return false, err
	}
	all, ran := make(map[string]int), make(map[string]int)
	for place, b := range blocks {
		file, _, _ := strings.Cut(place, ":")
		room := strings.TrimPrefix(path.Dir(file), module)
		all[room] += b.statements
		if b.ran {
			ran[room] += b.statements
		}
	}
	enough = true
	for _, room := range slices.Sorted(maps.Keys(all)) {
		if !slices.ContainsFunc(trees, func(tree string) bool { return room == tree || strings.HasPrefix(room, tree+"/") }) {
			continue
		}
		percent := 100 * float64(ran[room]) / float64(all[room])
		verdict := ""
		switch {
		case percent >= least:
		case isForTests(room):
			verdict = "   for tests alone"
		default:
			enough, verdict = false, fmt.Sprintf("   less than %g", least)
		}
		fmt.Printf("%5.1f %%  %s%s\n", percent, room, verdict) //nolint:forbidigo // it is what the program is for
	}
	return enough, nil
}

// isForTests reports whether a package, or one above it, is for tests alone, as its
// name says: it ends as that of net/http/httptest does.
func isForTests(room string) bool {
	return slices.ContainsFunc(strings.Split(room, "/"), func(name string) bool { return strings.HasSuffix(name, "test") })
}

// block is a piece of code that runs as a whole.
type block struct {
	statements int
	ran        bool
}

// read gives the blocks of a profile by their places. Each stands there once for
// every package whose tests were run.
func read(profile string) (map[string]block, error) {
	file, err := os.Open(profile)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it is only read
	blocks := make(map[string]block)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "mode: ") {
			continue
		}
		fields := strings.Fields(lines.Text()) // FILE:FROM,TO STATEMENTS COUNT
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s: no line of a profile: %q", profile, lines.Text())
		}
		statements, err := strconv.Atoi(fields[1])
		n, errCount := strconv.Atoi(fields[2])
		if err := errors.Join(err, errCount); err != nil {
			return nil, fmt.Errorf("%s: %w", profile, err)
		}
		blocks[fields[0]] = block{statements: statements, ran: n > 0 || blocks[fields[0]].ran}
	}
	return blocks, nil
}

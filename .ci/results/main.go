// Results reads what go test -json has written to files, and prints what no list of
// packages tells:
//
//	go run ./.ci/results [--every TABLE] FILE...
//
// a table of how many tests of each package ran on which server, or with what
// else is not Go's own, if any did; and why how many tests were left out. With
// --every, the file TABLE gets a table with a row for each test.
//
// A test says what it needs by t.Attr("needs", NAME), before it may be skipped,
// and one that knows what the name stands for, by t.Attr("version", TEXT).
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
)

func main() {
	every := flag.String("every", "", "write a table with a row for each test to this `file`")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: go run ./.ci/results [--every TABLE] FILE...")
		os.Exit(2)
	}
	if err := run(flag.Args(), *every); err != nil {
		fmt.Fprintln(os.Stderr, "results:", err)
		os.Exit(1)
	}
}

func run(files []string, every string) error {
	var tests []*test
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		more, err := read(bytes.NewReader(text))
		if err != nil {
			return err
		}
		tests = append(tests, more...)
	}
	if every != "" {
		var table bytes.Buffer
		printNeeds(&table, tests, true)
		if err := os.WriteFile(every, table.Bytes(), 0o644); err != nil {
			return err
		}
	}
	var out bytes.Buffer
	printNeeds(&out, tests, false)
	printLeftOut(&out, tests)
	_, err := out.WriteTo(os.Stdout)
	return err
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Key     string
	Value   string
}

// test is a test, or a test within one, as it went.
type test struct {
	room    string // its package
	name    string
	needs   []string
	version string // of what it needs; empty: unknown
	end     string // pass, fail or skip
	said    string // its last line of output that has a place in a source
}

// read gives the tests that have ended, in the order in which they did.
func read(r io.Reader) ([]*test, error) {
	running := make(map[[2]string]*test)
	var ended []*test
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return ended, nil
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("no line of go test -json: %q: %w", line, err)
		}
		if e.Test == "" {
			continue
		}
		key := [2]string{e.Package, e.Test}
		t := running[key]
		if t == nil {
			t = &test{room: e.Package, name: e.Test}
			running[key] = t
		}
		if t.takes(e) {
			delete(running, key)
			ended = append(ended, t)
		}
	}
}

// takes notes an event of the test, and reports whether it is the last.
func (t *test) takes(e event) bool {
	switch e.Action {
	case "attr":
		switch {
		case e.Key == "needs" && !slices.Contains(t.needs, e.Value):
			t.needs = append(t.needs, e.Value)
		case e.Key == "version":
			t.version = e.Value
		}
	case "output":
		if said, ok := placed(e.Output); ok {
			t.said = said
		}
	case "pass", "fail", "skip":
		t.end = e.Action
		return true
	}
	return false
}

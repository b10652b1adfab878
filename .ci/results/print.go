package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// module is left out of the names of packages.
const module = "github.com/gtunnel/gtunnel/"

// placedLine is what a test says: indented, with its place in a source.
var placedLine = regexp.MustCompile(`^\s+\S+\.go:\d+: (.*)`)

// placed gives the text of a line that a test has said, and reports whether it
// is one.
func placed(line string) (text string, ok bool) {
	parts := placedLine.FindStringSubmatch(line)
	if parts == nil {
		return "", false
	}
	return parts[1], true
}

// count is how many tests ended in which way.
type count struct{ passed, failed, skipped int }

func (c *count) add(end string) {
	switch end {
	case "pass":
		c.passed++
	case "fail":
		c.failed++
	case "skip":
		c.skipped++
	}
}

// ran reports whether any test was not left out.
func (c *count) ran() bool { return c.passed+c.failed > 0 }

// String is a cell of the table.
func (c *count) String() string {
	if c == nil {
		return "-"
	}
	var parts []string
	for _, part := range []struct {
		n    int
		word string
	}{{n: c.passed}, {n: c.failed, word: " FAILED"}, {n: c.skipped, word: " skipped"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprint(part.n, part.word))
		}
	}
	return strings.Join(parts, ", ")
}

// printNeeds prints the table of tests by what they need, if any of them ran.
func printNeeds(w io.Writer, tests []*test, every bool) {
	rows, versions := tabulate(tests, every)
	if all := rows[total]; !slices.ContainsFunc(slices.Collect(maps.Values(all)), (*count).ran) {
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	names := slices.Sorted(maps.Keys(versions))
	line := func(first string, cell func(name string) string) {
		cells := []string{first}
		for _, name := range names {
			cells = append(cells, cell(name))
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	line("tests that ran with", func(name string) string { return name })
	line("", func(name string) string { return versions[name] })
	for _, row := range slices.Sorted(maps.Keys(rows)) {
		line(row, func(name string) string { return rows[row][name].String() })
	}
	_ = table.Flush() // w keeps all
}

// total is the row of all, which sorts last.
const total = "~ all"

// tabulate counts the tests of each row, by what they need; versions has every
// need, and the version where it is known.
func tabulate(tests []*test, every bool) (rows map[string]map[string]*count, versions map[string]string) {
	rows, versions = make(map[string]map[string]*count), make(map[string]string)
	for _, t := range tests {
		row := strings.TrimPrefix(t.room, module)
		if every {
			name, _, _ := strings.Cut(t.name, "/")
			row += " " + name
		}
		for _, need := range t.needs {
			version, _, _ := strings.Cut(t.version, "-") // what follows names the package
			versions[need] = cmp.Or(version, versions[need])
			for _, at := range []string{row, total} {
				if rows[at] == nil {
					rows[at] = make(map[string]*count)
				}
				if rows[at][need] == nil {
					rows[at][need] = new(count)
				}
				rows[at][need].add(t.end)
			}
		}
	}
	return rows, versions
}

// printLeftOut prints how many tests were skipped, by their reason.
func printLeftOut(w io.Writer, tests []*test) {
	reasons := make(map[string]int)
	for _, t := range tests {
		if t.end == "skip" {
			reasons[cmp.Or(t.said, "no reason given")]++
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(w, "%d skipped: %s\n", reasons[reason], reason)
	}
}

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// writeComparison prints what a comparison found: what was not compared, what differs,
// and the sum. The tables that are equal come before that, if all are wanted.
func (m *Main) writeComparison(r *compare.Result, all bool) error {
	w := terminal.NewTable(m.Stdout)
	if all {
		writeTables(w, r, all, func(t compare.TableResult) bool { return t.Equal() })
	} else {
		writeNotes(w, r)
	}
	for _, line := range r.Skipped {
		fmt.Fprintf(w, "not compared\t%s\n", shown(line, all))
	}
	writeTables(w, r, all, func(t compare.TableResult) bool { return !t.Equal() })
	for _, line := range r.Objects {
		fmt.Fprintf(w, "differs\t%s\n", terminal.Printable(line))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(m.Stdout, "\n%s\n", comparisonSum(r))
	return err
}

// writeTables prints some tables: a line for each, and under it what is to be said of
// it.
func writeTables(w io.Writer, r *compare.Result, all bool, wanted func(compare.TableResult) bool) {
	for _, t := range r.Tables {
		if !wanted(t) {
			continue
		}
		verdict := "differs"
		switch {
		case t.Equal():
			verdict = "equal"
		case t.Problem != "":
			verdict = "not compared"
		}
		fmt.Fprintf(w, "%s\t%s\t%d rows\t%s\n", verdict, terminal.Printable(t.Table), t.Rows, finding.FormatBytes(t.Bytes))
		for _, line := range comparisonDetails(t, all) {
			fmt.Fprintf(w, "\t  %s\n", terminal.Printable(line))
		}
	}
}

// writeNotes prints what is to be known of tables that are equal, once for all of which
// the same is true.
func writeNotes(w io.Writer, r *compare.Result) {
	tables := map[string][]string{}
	for _, t := range r.Tables {
		if t.Equal() && t.Note != "" {
			tables[t.Note] = append(tables[t.Note], t.Table)
		}
	}
	for _, note := range slices.Sorted(maps.Keys(tables)) {
		fmt.Fprintf(w, "equal, but\t%s\n", shown(strings.Join(tables[note], ", ")+": "+note, false))
	}
}

// shown is a line as it is printed: one that is very long is cut, unless all is wanted.
func shown(line string, all bool) string {
	const most = 500
	line = terminal.Printable(line)
	if all || len(line) <= most {
		return line
	}
	end := cmp.Or(max(strings.LastIndex(line[:most], ", "), 0), most)
	return strings.ToValidUTF8(line[:end], "") + " ... (--all shows the rest)"
}

// comparisonSum is the result in one line: what is equal, and how much was not compared.
func comparisonSum(r *compare.Result) string {
	equal := 0
	for _, t := range r.Tables {
		if t.Equal() {
			equal++
		}
	}
	at := r.At.String()
	if !r.Until.At(r.At) {
		at += " to " + r.Until.String()
	}
	sum := fmt.Sprintf("%d of %s equal at %s: %d rows, %s in %s", equal, finding.Count(len(r.Tables), "table"), at,
		r.Rows, finding.FormatBytes(r.Bytes), finding.FormatDuration(r.Took.Round(100*time.Millisecond)))
	if r.ObjectsEqual > 0 {
		sum += fmt.Sprintf("; %s of views, routines and the like equal", finding.Count(r.ObjectsEqual, "definition"))
	}
	if n := r.NotCompared(); n > 0 {
		sum += fmt.Sprintf("; NOT compared: %s (see above)", finding.Count(n, "thing"))
	}
	return sum
}

// comparisonCure is what to do about what differs.
func comparisonCure(r *compare.Result) string {
	cure := "everything is copied anew so: " + finding.WithNames(finding.SeedAnew, nil)
	var byRows []string
	others := false
	for _, t := range r.Tables {
		switch {
		case t.ByRows():
			byRows = append(byRows, t.Table)
		case !t.Equal():
			others = true
		}
	}
	if len(byRows) > 0 || others {
		cure = "gtunnel replication compare --repair-table copies a table anew; " + cure
	}
	if len(byRows) > 0 {
		cure = replication.RowRepairCommand(byRows) + " puts the differing rows right; " + cure
	}
	if len(r.Objects) > 0 {
		cure = "a view, trigger, routine or event can be made anew on the slave, as SHOW CREATE says on the master, " +
			"after SET SESSION sql_log_bin=0 (on MySQL with super_read_only=0 meanwhile); " + cure
	}
	return cure
}

// comparisonDetails are the lines under a table.
func comparisonDetails(t compare.TableResult, all bool) []string {
	var lines []string
	if t.Problem != "" {
		lines = append(lines, t.Problem)
	}
	lines = append(lines, t.Structure...)
	for _, d := range t.Differences {
		lines = append(lines, d.String())
	}
	if t.More > 0 {
		line := fmt.Sprintf("and more differences in %s", finding.Count(t.More, "other range"))
		if !all {
			line += ": --all lists them"
		}
		lines = append(lines, line)
	}
	if n := len(t.At); n > 1 {
		lines = append(lines, fmt.Sprintf("compared in %d pieces, at %s to %s", n, t.At[0], t.At[n-1]))
	}
	if t.Note != "" {
		lines = append(lines, "note: "+t.Note)
	}
	return lines
}

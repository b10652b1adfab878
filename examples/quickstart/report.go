package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// width is the number of columns of the output.
const width = 79

// report prints numbered steps with the time that each took, and below each
// what there is to know about it.
type report struct {
	w       io.Writer
	steps   int
	column  int // of the cursor while a step runs, else 0
	started time.Time
	notes   []string
}

// begin prints the title of the next step.
func (r *report) begin(title string) {
	r.steps++
	r.started = time.Now()
	r.column, _ = fmt.Fprintf(r.w, "%2d. %s", r.steps, title)
}

// note keeps a line to be printed below the step's title.
func (r *report) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// end prints the time that the step took, and its notes.
func (r *report) end() {
	seconds := fmt.Sprintf("%.1f s", time.Since(r.started).Seconds())
	fmt.Fprintf(r.w, "%*s\n", width-r.column, seconds)
	for _, note := range r.notes {
		fmt.Fprintf(r.w, "    %s\n", note)
	}
	r.column, r.notes = 0, nil
}

// interrupt ends the line of a step that does not come to its end.
func (r *report) interrupt() {
	if r.column > 0 {
		fmt.Fprintln(r.w)
	}
	r.column, r.notes = 0, nil
}

// text prints lines as they are.
func (r *report) text(lines ...string) {
	fmt.Fprintln(r.w, strings.Join(lines, "\n"))
}

// count writes n with its thousands apart.
func count[T int | uint64](n T) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// width is the number of columns of the output.
const width = 100

// report prints numbered steps with the time that each took, and below each the commands that
// were run, what the user saw and what was checked.
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

// ran keeps a command that was run, as one types it at the prompt.
func (r *report) ran(prompt, command string) {
	r.notes = append(r.notes, prompt+" "+command)
}

// printed keeps what a command printed, or the end of it.
func (r *report) printed(lines ...string) {
	for _, line := range lines {
		r.notes = append(r.notes, "    "+line)
	}
}

// saw keeps what the user saw.
func (r *report) saw(format string, args ...any) {
	r.notes = append(r.notes, "Alice sees: "+fmt.Sprintf(format, args...))
}

// checked keeps what was checked, and found so.
func (r *report) checked(format string, args ...any) {
	r.notes = append(r.notes, "checked: "+fmt.Sprintf(format, args...))
}

// end prints the time that the step took, and its notes.
func (r *report) end() {
	seconds := fmt.Sprintf("%.1f s", time.Since(r.started).Seconds())
	fmt.Fprintf(r.w, "%*s\n", width-r.column, seconds)
	r.notesOnly()
}

// interrupt ends the line of a step that does not come to its end.
func (r *report) interrupt() {
	if r.column > 0 {
		fmt.Fprintln(r.w)
		r.notesOnly()
	}
}

func (r *report) notesOnly() {
	for _, note := range r.notes {
		fmt.Fprintf(r.w, "    %s\n", note)
	}
	r.column, r.notes = 0, nil
}

// text prints lines as they are.
func (r *report) text(lines ...string) {
	fmt.Fprintln(r.w, strings.Join(lines, "\n"))
}

package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Progress shows how far something is: on a terminal by one line that is drawn
// anew, elsewhere by a line every now and then. It is for one goroutine.
type Progress struct {
	out      io.Writer
	terminal *os.File // nil: none

	last  Moment // that has been shown
	at    time.Time
	drawn int // columns of the line on the terminal
}

// Moment is how far something is, with the line that says so.
type Moment struct {
	Phase       string // what it is doing
	Done, Total uint64 // in any unit; a Total of 0 is not known
	Line        string
}

// A plain line is written when another of so many equal parts is done, or so
// much time has passed since the one before.
const (
	plainParts = 20
	plainEvery = 10 * time.Second
)

// part is how many of these parts are done.
func (m Moment) part() uint64 {
	if m.Total == 0 {
		return 0
	}
	return plainParts * m.Done / m.Total
}

// NewProgress shows on out, such as the standard error.
func NewProgress(out io.Writer) *Progress {
	p := &Progress{out: out}
	if f, ok := out.(*os.File); ok && columns(f) > 0 {
		p.terminal = f
	}
	return p
}

// columns is the width of a terminal; 0 if f is none.
func columns(f *os.File) int {
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// Show shows a moment.
func (p *Progress) Show(m Moment) {
	if p.terminal != nil {
		p.draw(m.Line, columns(p.terminal))
		return
	}
	now := time.Now()
	if m.Phase == p.last.Phase && m.part() <= p.last.part() && now.Sub(p.at) < plainEvery {
		return
	}
	p.last, p.at = m, now
	fmt.Fprintln(p.out, m.Line)
}

// draw writes a line over the one before.
func (p *Progress) draw(line string, width int) {
	if width > 0 && utf8.RuneCountInString(line) >= width {
		line = string([]rune(line)[:width-1])
	}
	length := utf8.RuneCountInString(line)
	fmt.Fprintf(p.out, "\r%s%s", line, strings.Repeat(" ", max(0, p.drawn-length)))
	p.drawn = length
}

// End leaves the line on the terminal and goes to the next.
func (p *Progress) End() {
	if p.drawn > 0 {
		fmt.Fprintln(p.out)
		p.drawn = 0
	}
}

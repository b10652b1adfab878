package terminal

import (
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/cheggaaa/pb/v3"
	"golang.org/x/term"
)

// Progress shows how far something is: on a terminal by one line with a bar that
// is drawn anew, elsewhere by a plain line every now and then. It is for one
// goroutine.
type Progress struct {
	out io.Writer

	// On a terminal.
	terminal *os.File // nil: none
	bar      *pb.ProgressBar
	drawn    bool

	// Elsewhere.
	last Moment // that has been written
	at   time.Time
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

// The lines of a moment whose total is known, and of others.
const (
	lineWithBar = `{{string . "line"}}  {{bar . "[" "=" ">" " " "]"}}`
	lineAlone   = `{{string . "line"}}`
)

// NewProgress shows on out, such as the standard error.
func NewProgress(out io.Writer) *Progress {
	p := &Progress{out: out}
	if f, ok := out.(*os.File); ok && columns(f) > 0 {
		p.terminal = f
		p.bar = new(pb.ProgressBar).SetWriter(f).Set(pb.Static, true).Set(pb.Terminal, true).Set(pb.Color, false).Start()
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
		p.draw(m)
		return
	}
	now := time.Now()
	if m.Phase == p.last.Phase && m.part() <= p.last.part() && now.Sub(p.at) < plainEvery {
		return
	}
	p.last, p.at = m, now
	fmt.Fprintln(p.out, m.Line)
}

// draw draws a moment over the one before. The last column stays free: some
// terminals go to the next line there.
func (p *Progress) draw(m Moment) {
	width := max(1, columns(p.terminal)-1) // now: it may have been changed
	template := lineAlone
	if m.Total > 0 {
		template = lineWithBar
	}
	p.bar.SetTemplateString(template).SetWidth(width).Set("line", pb.StripString(m.Line, width))
	p.bar.SetTotal(clamp(m.Total)).SetCurrent(clamp(m.Done)).Write()
	p.drawn = true
}

// clamp is n, or the largest number that a bar takes.
func clamp(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// End leaves the line on the terminal and goes to the next.
func (p *Progress) End() {
	if p.drawn {
		fmt.Fprintln(p.out)
		p.drawn = false
	}
}

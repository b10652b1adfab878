package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/seed"
)

// progressView shows how far a copy or a comparison is: on a terminal by one line that is drawn
// anew, elsewhere by a line every now and then. One goroutine calls show, wait
// and compare, and end afterwards.
type progressView struct {
	out      io.Writer
	terminal *os.File // nil: none
	now      func() time.Time

	last  seed.Progress // that has been shown
	at    time.Time
	drawn int // columns of the line on the terminal

	compares time.Time // since then; zero: it has not begun
}

// A plain line is written when another of so many equal parts is done, or so
// much time has passed since the one before.
const (
	plainParts = 20
	plainEvery = 10 * time.Second
)

// part is how many of these parts are done.
func part(p seed.Progress) uint64 {
	if p.EstimatedBytes == 0 {
		return 0
	}
	return plainParts * p.Bytes / p.EstimatedBytes
}

// newProgressView makes a view on the standard error.
func (m *Main) newProgressView() *progressView {
	v := &progressView{out: m.Stderr, now: time.Now}
	if f, ok := m.Stderr.(*os.File); ok && columns(f) > 0 {
		v.terminal = f
	}
	return v
}

// columns is the width of a terminal; 0 if f is none.
func columns(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// show shows a moment of a copy.
func (v *progressView) show(p seed.Progress) { v.showLine(p, progressLine(p)) }

// wait shows what is waited for.
func (v *progressView) wait(text string) {
	v.showLine(seed.Progress{Phase: "wait"}, "waiting: "+printable(text))
}

// compare shows a moment of a comparison.
func (v *progressView) compare(p compare.Progress) {
	now := v.now()
	if v.compares.IsZero() {
		v.compares = now
	}
	moment := seed.Progress{Phase: "compare", Bytes: p.Bytes, EstimatedBytes: p.Total}
	if p.WaitsFor != nil {
		moment.Phase = "wait"
	}
	v.showLine(moment, comparisonLine(p, now.Sub(v.compares)))
}

// showLine shows a moment by a line.
func (v *progressView) showLine(p seed.Progress, line string) {
	if v.terminal != nil {
		v.draw(line, columns(v.terminal))
		return
	}
	now := v.now()
	if p.Phase == v.last.Phase && part(p) <= part(v.last) && now.Sub(v.at) < plainEvery {
		return
	}
	v.last, v.at = p, now
	fmt.Fprintln(v.out, line)
}

// draw writes a line over the one before.
func (v *progressView) draw(line string, width int) {
	if width > 0 && utf8.RuneCountInString(line) >= width {
		line = string([]rune(line)[:width-1])
	}
	length := utf8.RuneCountInString(line)
	fmt.Fprintf(v.out, "\r%s%s", line, strings.Repeat(" ", max(0, v.drawn-length)))
	v.drawn = length
}

// end leaves the line on the terminal and goes to the next.
func (v *progressView) end() {
	if v.drawn > 0 {
		fmt.Fprintln(v.out)
		v.drawn = 0
	}
}

// phases say what a copy is doing.
var phases = map[seed.Phase]string{
	seed.PhaseStart: "waiting for the master",
	seed.PhaseLoad:  "loading the rest",
	seed.PhaseEnd:   "copied",
}

// progressLine is a moment in one line.
func progressLine(p seed.Progress) string {
	amount := finding.FormatBytes(p.Bytes)
	if p.Phase != seed.PhaseCopy {
		return fmt.Sprintf("%s, %s", phases[p.Phase], amount)
	}
	rate := finding.FormatBytes(uint64(p.Rate)) + "/s"
	if p.EstimatedBytes == 0 {
		return fmt.Sprintf("%s, %s  %s", amount, rate, printable(p.Table))
	}
	left := "?"
	if p.Left > 0 {
		left = shortDuration(p.Left.Round(time.Second))
	}
	return fmt.Sprintf("%3.0f%% of about %s, %s, %s left  %s",
		100*p.Share(), finding.FormatBytes(p.EstimatedBytes), rate, left, printable(p.Table))
}

// printable is a name that does nothing to a terminal.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, name)
}

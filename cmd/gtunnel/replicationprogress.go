package main

import (
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/seed"
)

// progressView shows how far a copy or a comparison is. One goroutine calls
// show, wait and compare, and end afterwards.
type progressView struct {
	*terminal.Progress

	compares time.Time // since then; zero: it has not begun
}

// newProgressView makes a view on the standard error.
func (m *Main) newProgressView() *progressView {
	return &progressView{Progress: terminal.NewProgress(m.Stderr)}
}

// show shows a moment of a copy.
func (v *progressView) show(p seed.Progress) {
	v.Show(terminal.Moment{Phase: string(p.Phase), Done: p.Bytes, Total: p.EstimatedBytes, Line: progressLine(p)})
}

// wait shows what is waited for.
func (v *progressView) wait(text string) {
	v.Show(terminal.Moment{Phase: "wait", Line: "waiting: " + terminal.Printable(text)})
}

// compare shows a moment of a comparison.
func (v *progressView) compare(p compare.Progress) {
	now := time.Now()
	if v.compares.IsZero() {
		v.compares = now
	}
	moment := terminal.Moment{
		Phase: "compare", Done: p.Bytes, Total: p.Total, Line: comparisonLine(p, now.Sub(v.compares)),
	}
	if p.WaitsFor != nil || p.GivesWay != "" {
		moment.Phase = "wait"
	}
	v.Show(moment)
}

// phases say what a copy is doing.
var phases = map[seed.Phase]string{
	seed.PhaseReceive: "receiving the dump",
	seed.PhaseVerify:  "checking the dump",
	seed.PhaseStart:   "waiting for the master",
	seed.PhaseLoad:    "loading the rest",
	seed.PhaseEnd:     "copied",
}

// progressLine is a moment of a copy in one line.
func progressLine(p seed.Progress) string {
	amount := finding.FormatBytes(p.Bytes)
	if p.Phase != seed.PhaseCopy {
		return fmt.Sprintf("%s, %s", phases[p.Phase], amount)
	}
	rate := finding.FormatBytes(uint64(p.Rate)) + "/s"
	if p.EstimatedBytes == 0 {
		return fmt.Sprintf("%s, %s  %s", amount, rate, terminal.Printable(p.Table))
	}
	left := "?"
	if p.Left > 0 {
		left = finding.FormatDuration(p.Left.Round(time.Second))
	}
	return fmt.Sprintf("%3.0f%% of about %s, %s, %s left  %s",
		100*p.Share(), finding.FormatBytes(p.EstimatedBytes), rate, left, terminal.Printable(p.Table))
}

// comparisonLine is a moment of a comparison in one line.
func comparisonLine(p compare.Progress, took time.Duration) string {
	if p.GivesWay != "" {
		return "waiting: " + p.GivesWay
	}
	if p.WaitsFor != nil {
		return fmt.Sprintf("waiting for the slave: at %s of %s", p.Slave, p.WaitsFor)
	}
	line := fmt.Sprintf("compared %s of about %s", finding.FormatBytes(p.Bytes), finding.FormatBytes(p.Total))
	if rate := float64(p.Bytes) / took.Seconds(); rate > 0 && p.Total > p.Bytes {
		left := time.Duration(float64(p.Total-p.Bytes) / rate * float64(time.Second))
		line += fmt.Sprintf(", %s/s, %s left", finding.FormatBytes(uint64(rate)),
			finding.FormatDuration(left.Round(time.Second)))
	}
	if p.Differences > 0 {
		line += fmt.Sprintf(", %s not equal", finding.Count(p.Differences, "table"))
	}
	return line + "  " + terminal.Printable(p.Table)
}

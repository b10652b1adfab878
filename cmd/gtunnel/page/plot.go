package page

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The space of a plot's lines. What they mean is text beside them, which keeps
// its size however the lines are stretched.
const (
	plotWidth  = 600.0
	plotHeight = 150.0
	plotTicks  = 3
	tableStep  = 5 * time.Minute
)

// value is a value at a moment; NaN where it is not known.
type value struct {
	at time.Time
	y  float64
}

// line is what a plot draws.
type line struct {
	name   string
	values []value // the oldest first
}

// plot is a plot of the last hour as the page draws it, and all that it tells
// in words and numbers.
type plot struct {
	ID    string
	Empty bool
	Ticks []tick // from the top
	Hours []string
	Lines []drawn
	Steps []step // the oldest first
}

type tick struct {
	Y    float64
	Text string
}

// drawn is a line, with what the page says of it.
type drawn struct {
	Name, Class, Path, Area string
	Said                    string // in a sentence
}

// step is a row of the table of a plot's numbers.
type step struct {
	Time   string
	Values []string
}

// newPlot draws lines over the hour before now. The gap is the longest time
// between two values that are joined.
func newPlot(id string, now time.Time, gap time.Duration, lines []line, words func(float64) string) *plot {
	p := &plot{ID: id, Empty: true}
	top := 0.0
	for _, l := range lines {
		for _, v := range l.values {
			if !math.IsNaN(v.y) {
				top, p.Empty = max(top, v.y), false
			}
		}
	}
	scale := niceTop(top)
	for i := range plotTicks {
		part := 1 - float64(i)/(plotTicks-1)
		p.Ticks = append(p.Ticks, tick{Y: plotHeight * (1 - part), Text: words(scale * part)})
	}
	for minutes := 60; minutes >= 0; minutes -= 15 {
		p.Hours = append(p.Hours, now.Add(-time.Duration(minutes)*time.Minute).Local().Format("15:04"))
	}
	for i, l := range lines {
		path, area := trace(l.values, now, gap, scale)
		current := "not known"
		if n := len(l.values); n > 0 && !math.IsNaN(l.values[n-1].y) && now.Sub(l.values[n-1].at) <= gap {
			current = words(l.values[n-1].y)
		}
		p.Lines = append(p.Lines, drawn{
			Name: l.name, Class: fmt.Sprintf("line%d", i+1), Path: path, Area: area, Said: summary(l.values, current, words),
		})
	}
	p.Steps = table(lines, now, words)
	return p
}

// summary is a line in a sentence.
func summary(values []value, current string, words func(float64) string) string {
	var most value
	sum, n := 0.0, 0
	for _, v := range values {
		if math.IsNaN(v.y) {
			continue
		}
		if n == 0 || v.y > most.y {
			most = v
		}
		sum += v.y
		n++
	}
	if n == 0 {
		return "not known."
	}
	return fmt.Sprintf("%s now, %s on average, at most %s at %s.",
		current, words(sum/float64(n)), words(most.y), most.at.Local().Format("15:04"))
}

// trace is the path of a line, and of the area under it. It breaks where
// nothing is known.
func trace(values []value, now time.Time, gap time.Duration, scale float64) (path, area string) {
	var b, filled strings.Builder
	var before time.Time
	open, last := false, 0.0
	end := func() {
		if open {
			fmt.Fprintf(&filled, "V%.0f Z", plotHeight)
		}
		open = false
	}
	for _, v := range values {
		x := plotWidth * (1 - now.Sub(v.at).Seconds()/historyTime.Seconds())
		if math.IsNaN(v.y) || x < 0 || x > plotWidth {
			end()
			continue
		}
		if open && v.at.Sub(before) > gap {
			end()
		}
		y := plotHeight * (1 - v.y/scale)
		if !open {
			fmt.Fprintf(&b, "M%.1f %.1f h0.1", x, y) // a single value is a point
			fmt.Fprintf(&filled, "M%.1f %.0f V%.1f", x, plotHeight, y)
		} else if x > last {
			fmt.Fprintf(&b, " L%.1f %.1f", x, y)
			fmt.Fprintf(&filled, " L%.1f %.1f", x, y)
		}
		open, last, before = true, x, v.at
	}
	end()
	return b.String(), filled.String()
}

// niceTop is a round number that is not below the greatest value, and not far
// above it.
func niceTop(most float64) float64 {
	if most <= 1 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most)))
	for _, factor := range []float64{1, 2, 3, 4, 6, 8, 10} {
		if most <= factor*power {
			return factor * power
		}
	}
	return most
}

// table gives the average of each step of the hour in which something is known.
func table(lines []line, now time.Time, words func(float64) string) []step {
	var steps []step
	for from := now.Add(-historyTime); from.Before(now); from = from.Add(tableStep) {
		row, known := step{Time: from.Local().Format("15:04")}, false
		for _, l := range lines {
			sum, n := 0.0, 0
			for _, v := range l.values {
				if !math.IsNaN(v.y) && v.at.After(from) && !v.at.After(from.Add(tableStep)) {
					sum += v.y
					n++
				}
			}
			text := "not known"
			if n > 0 {
				text, known = words(sum/float64(n)), true
			}
			row.Values = append(row.Values, text)
		}
		if known {
			steps = append(steps, row)
		}
	}
	return steps
}

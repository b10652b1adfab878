package main

import (
	"fmt"
	"math"
	"time"

	"github.com/guptarohit/asciigraph"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// lagPlot is the lag over the looks of one watch, as a plot for a terminal.
type lagPlot struct {
	begun time.Time
	lags  []float64 // in seconds, the oldest first; NaN: not known
}

// The plot has an hour of looks, and rows that leave room on a small terminal.
const (
	plotLooks  = int(time.Hour / watchPause)
	plotRows   = 5
	plotMargin = 12 // for the numbers at the left
	leastPlot  = 10 // columns: there is no plot in fewer
)

// add notes the lag of a look; nil: not known.
func (p *lagPlot) add(at time.Time, lag *float64) {
	if p.lags == nil {
		p.begun = at
	}
	value := math.NaN()
	if lag != nil {
		value = *lag
	}
	if p.lags = append(p.lags, value); len(p.lags) > plotLooks {
		p.lags = p.lags[1:]
		p.begun = at.Add(-time.Hour)
	}
}

// draw gives the plot in so many columns, at the time of the last look; empty if there is
// nothing to see yet, or no room.
func (p *lagPlot) draw(columns int, now time.Time) string {
	width := columns - plotMargin
	if len(p.lags) < 2 || width < leastPlot {
		return ""
	}
	points := p.points(width)
	most := 1.0 // a flat line at 0 is at the bottom
	known := false
	for _, v := range points {
		if !math.IsNaN(v) {
			most, known = max(most, v), true
		}
	}
	over := "lag in seconds, the last " + finding.FormatDuration(now.Sub(p.begun).Round(time.Second))
	if !known {
		return over + ": not known"
	}
	return asciigraph.Plot(points, asciigraph.Height(plotRows), asciigraph.LowerBound(0), asciigraph.UpperBound(most),
		asciigraph.YAxisValueFormatter(func(v float64) string { return fmt.Sprintf("%7.1f", v) })) +
		"\n" + over + " (a gap: not known)"
}

// points has a point for each column: the highest lag of its looks.
func (p *lagPlot) points(width int) []float64 {
	each := (len(p.lags) + width - 1) / width
	var points []float64
	for from := 0; from < len(p.lags); from += each {
		most := math.NaN()
		for _, v := range p.lags[from:min(from+each, len(p.lags))] {
			if math.IsNaN(most) || v > most {
				most = v
			}
		}
		points = append(points, most)
	}
	return points
}

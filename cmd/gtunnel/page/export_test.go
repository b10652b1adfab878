package page

import "time"

// Limits of the page that its tests know.
const (
	StreamsLimit = streamsLimit
	StreamEvery  = streamEvery
)

// Streams is how many streams are open.
func (p *Page) Streams() int { return len(p.streams) }

// Points is how much of the history is kept.
func (p *Page) Points() int { return len(p.history.list()) }

// Trace is the path of a line in a plot whose greatest value is scale.
func Trace(now time.Time, gap time.Duration, scale float64, at []time.Time, y []float64) string {
	var values []value
	for i := range at {
		values = append(values, value{at: at[i], y: y[i]})
	}
	path, _ := trace(values, now, gap, scale)
	return path
}

// NiceTop is where the axis of a plot ends whose greatest value is most.
func NiceTop(most float64) float64 { return niceTop(most) }

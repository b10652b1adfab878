package monitor

import (
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
)

// historyTime is what a history goes back, and historyStep the least time of which it has a
// point, so that however often looks are taken the points are of all that time.
const (
	historyTime = time.Hour
	historyStep = historyTime / page.HistoryLimit
)

// withPoint is a history with a new point, which nobody else appends to. Of the points before
// it, that of a step is the worst of the step's looks, lest a short peak be lost.
func withPoint(past []page.LagPoint, point page.LagPoint) []page.LagPoint {
	if last := len(past) - 1; last > 0 {
		if a, b := past[last-1], past[last]; a.At.Truncate(historyStep).Equal(b.At.Truncate(historyStep)) {
			past = append(past[:last-1], worse(a, b))
		}
	}
	for len(past) > 0 && (point.At.Sub(past[0].At) > historyTime || len(past) >= page.HistoryLimit) {
		past = past[1:]
	}
	return append(past, point)
}

// worse is the point of the two that tells of more lag; what is not known is worse than any.
func worse(a, b page.LagPoint) page.LagPoint {
	if a.LagSeconds == nil || b.LagSeconds != nil && *a.LagSeconds >= *b.LagSeconds {
		return a
	}
	return b
}

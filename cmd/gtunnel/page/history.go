package page

import (
	"slices"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// point is the traffic of all tunnels in the time before a moment, in bytes per
// second.
type point struct {
	at               time.Time
	fromPeer, toPeer float64
}

// history is the traffic of the last hour. Its zero value is ready, and its
// methods may be called concurrently.
type history struct {
	mu     sync.Mutex
	last   time.Time // of the last sample
	before map[Tunnel]tunnel.Traffic
	points []point // the oldest first
}

// sample notes what the tunnels have carried since the last sample. A tunnel
// counts from its first one on.
func (h *history) sample(now time.Time, tunnels []Tunnel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := make(map[Tunnel]tunnel.Traffic, len(tunnels))
	var fromPeer, toPeer uint64
	for _, t := range tunnels {
		traffic := t.Traffic()
		seen[t] = traffic
		if before, known := h.before[t]; known {
			fromPeer += traffic.BytesFromPeer - before.BytesFromPeer
			toPeer += traffic.BytesToPeer - before.BytesToPeer
		}
	}
	if elapsed := now.Sub(h.last).Seconds(); !h.last.IsZero() && elapsed > 0 {
		h.points = append(h.points, point{at: now, fromPeer: float64(fromPeer) / elapsed, toPeer: float64(toPeer) / elapsed})
	}
	if more := len(h.points) - historyLimit; more > 0 {
		h.points = slices.Delete(h.points, 0, more)
	}
	h.last, h.before = now, seen
}

// list gives the points.
func (h *history) list() []point {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.points)
}

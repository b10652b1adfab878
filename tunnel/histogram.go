package tunnel

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// histogramBounds are the upper bounds of the buckets of durations, in seconds:
// from a handshake within a host to one that hardly made its deadline.
var histogramBounds = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// histogram counts durations by bucket. Its zero value is ready, and its methods
// may be called concurrently. It is no prometheus.Histogram, because tunnels come
// and go while what their Collector describes stays the same.
type histogram struct {
	mu      sync.Mutex
	buckets []uint64 // the last one: longer than all bounds
	sum     float64  // seconds
}

// observe counts a duration.
func (h *histogram) observe(d time.Duration) {
	seconds := d.Seconds()
	i, _ := slices.BinarySearch(histogramBounds, seconds)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.buckets == nil {
		h.buckets = make([]uint64, len(histogramBounds)+1)
	}
	h.buckets[i]++
	h.sum += seconds
}

// metric is the present state as a metric.
func (h *histogram) metric(desc *prometheus.Desc, labels ...string) prometheus.Metric {
	h.mu.Lock()
	defer h.mu.Unlock()
	cumulative, n := make(map[float64]uint64, len(histogramBounds)), uint64(0)
	for i, count := range h.buckets {
		n += count
		if i < len(histogramBounds) {
			cumulative[histogramBounds[i]] = n
		}
	}
	if h.buckets == nil {
		for _, bound := range histogramBounds {
			cumulative[bound] = 0
		}
	}
	return prometheus.MustNewConstHistogram(desc, n, h.sum, cumulative, labels...)
}

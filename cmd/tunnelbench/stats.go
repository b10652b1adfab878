package main

import (
	"math"
	"slices"
	"time"
)

// summary is what a report says of the rounds of one pair.
type summary struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// summarize needs at least one value and leaves values as they are.
func summarize(values []float64) summary {
	sorted := slices.Sorted(slices.Values(values))
	return summary{Median: median(sorted), Min: sorted[0], Max: sorted[len(sorted)-1]}
}

// median wants sorted values, at least one.
func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile is the smallest of times that at least the share p of them (0 to
// 1) does not exceed: the nearest rank. It sorts times, and needs one at least.
func percentile(times []time.Duration, p float64) time.Duration {
	slices.Sort(times)
	rank := int(math.Ceil(p*float64(len(times)))) - 1
	return times[min(max(rank, 0), len(times)-1)]
}

// rounds holds the values of one metric for one pair by the number of the
// round; a round that failed has none.
type rounds map[int]float64

func (r rounds) values() []float64 {
	var values []float64
	for _, round := range sortedKeys(r) {
		values = append(values, r[round])
	}
	return values
}

// ratios divides round by round, as what disturbs a machine disturbs the
// neighbours of one round alike. Rounds that either lacks are left out.
func (r rounds) ratios(base rounds) []float64 {
	var ratios []float64
	for _, round := range sortedKeys(r) {
		if b, ok := base[round]; ok && b > 0 {
			ratios = append(ratios, r[round]/b)
		}
	}
	return ratios
}

func sortedKeys(r rounds) []int {
	keys := make([]int, 0, len(r))
	for round := range r {
		keys = append(keys, round)
	}
	slices.Sort(keys)
	return keys
}

// rotate is the order of round: each pair comes first as often as any other.
func rotate[T any](items []T, round int) []T {
	if len(items) == 0 {
		return nil
	}
	first := round % len(items)
	return slices.Concat(items[first:], items[:first])
}

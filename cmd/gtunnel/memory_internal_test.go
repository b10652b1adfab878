package main

import "testing"

// TestThrift gives memory back once after each burst, and never in one.
func TestThrift(t *testing.T) {
	const mega = 1 << 20
	var burst thrift
	work := uint64(0)
	for i, step := range []struct {
		done uint64
		due  bool
	}{
		{0, false}, {mega, false}, {mega, false}, {mega, false}, // never much
		{20 * mega, false}, {0, false}, {0, true}, {0, false}, {0, false}, // once
		{20 * mega, false}, {mega, false}, {20 * mega, false}, {20 * mega, false}, {mega, false}, {mega, true}, {mega, false},
	} {
		work += step.done
		if due := burst.due(work); due != step.due {
			t.Errorf("step %d: due is %t", i, due)
		}
	}
}

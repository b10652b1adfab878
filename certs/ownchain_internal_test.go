package certs

import (
	"testing"
	"time"
)

// TestWhatIsSentIsRemembered: a chain is made anew for another key pair, by
// another snapshot, after a minute, and when the clock was set back.
func TestWhatIsSentIsRemembered(t *testing.T) {
	t.Parallel()
	pair, snapshot, made := new(keyPair), new(Snapshot), testThisUpdate
	wire := &wireChain{pair: pair, snapshot: snapshot, made: made}
	for name, test := range map[string]struct {
		pair     *keyPair
		snapshot *Snapshot
		now      time.Time
		want     bool
	}{
		"at once":          {pair, snapshot, made, true},
		"soon":             {pair, snapshot, made.Add(wireChainAge - 1), true},
		"later":            {pair, snapshot, made.Add(wireChainAge), false},
		"before":           {pair, snapshot, made.Add(-1), false},
		"another pair":     {&keyPair{settled: true}, snapshot, made, false},
		"another snapshot": {pair, &Snapshot{cas: []*CA{}}, made, false},
	} {
		if got := wire.holds(test.pair, test.snapshot, test.now); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

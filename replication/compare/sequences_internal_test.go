package compare

import (
	"math/big"
	"testing"
)

func TestSequenceWithin(t *testing.T) {
	up := func(next int64, cycles uint64) sequencePlace {
		return sequencePlace{next: big.NewInt(next), cycles: cycles}
	}
	down := func(next int64) sequencePlace { return sequencePlace{next: big.NewInt(next), down: true} }
	for _, c := range []struct {
		name            string
		at, before, now sequencePlace
		want            bool
	}{
		{"at rest", up(5, 0), up(5, 0), up(5, 0), true},
		{"a copy does not know the cycles", up(5, 0), up(5, 3), up(5, 3), true},
		{"on its way", up(7, 0), up(5, 0), up(9, 0), true},
		{"behind", up(4, 0), up(5, 0), up(9, 0), false},
		{"ahead", up(10, 0), up(5, 0), up(9, 0), false},
		{"set back on the master", up(5, 0), up(9, 0), up(5, 0), false},
		{"down", down(-7), down(-5), down(-9), true},
		{"down, behind", down(-4), down(-5), down(-9), false},
		{"down, ahead", down(-10), down(-5), down(-9), false},
		{"begun again, not yet", up(95, 1), up(90, 1), up(3, 2), true},
		{"begun again", up(2, 2), up(90, 1), up(3, 2), true},
		{"begun again, and behind or ahead", up(50, 1), up(90, 1), up(3, 2), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.at.within(c.before, c.now); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

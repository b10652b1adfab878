package tunnel

import (
	"testing"
	"time"
)

// TestLook: a step is doubted for clockDoubt from the last one on, and no
// longer once it is undone.
func TestLook(t *testing.T) {
	const minute = time.Minute
	type look struct {
		passed, set time.Duration // since the look before: by the monotonic clock, and by whom sets the other
		news, doubt bool
	}
	for name, looks := range map[string][]look{
		"nothing": {{minute, 0, false, false}, {time.Hour, 0, false, false}},
		"slewed":  {{minute, leastStep - 1, false, false}, {minute, -(leastStep - 1), false, false}},
		"set for good": {{minute, time.Hour, true, true}, {clockDoubt - 1, 0, false, true}, {1, 0, true, false},
			{clockDoubt, 0, false, false}},
		"back": {{minute, -leastStep, true, true}, {clockDoubt, 0, true, false}},
		"undone": {{minute, time.Hour, true, true}, {minute, -time.Hour, true, false},
			{clockDoubt, 0, false, false}},
		"set twice": {{minute, time.Hour, true, true}, {clockDoubt - 1, time.Hour, true, true},
			{clockDoubt - 1, 0, false, true}, {1, 0, true, false}},
		"set twice, undone": {{minute, time.Hour, true, true}, {minute, time.Hour, true, true},
			{minute, -2 * time.Hour, true, false}},
		"anew": {{minute, time.Hour, true, true}, {minute, -time.Hour, true, false},
			{minute, time.Hour, true, true}, {clockDoubt, 0, true, false}},
	} {
		is := reading{wall: epoch}
		c := clock{read: func() reading { return is }, last: is}
		set := time.Duration(0) // since the clock was right
		for i, l := range looks {
			set += l.set
			is = reading{is.wall.Add(l.passed + l.set), is.steady + l.passed}
			step, news := c.look()
			if want := l.set; news != l.news || step != want && want.Abs() >= leastStep || step != 0 && want.Abs() < leastStep {
				t.Errorf("%s, look %d: a step of %s, news: %t", name, i, step, news)
			}
			at, doubt := c.unstepped()
			if doubt != l.doubt || doubt && !at.Equal(is.wall.Add(-set)) {
				t.Errorf("%s, look %d: doubt: %t, and without it %s", name, i, doubt, at)
			}
		}
	}
}

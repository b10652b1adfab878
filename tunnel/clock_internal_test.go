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
		"nothing": {
			{passed: minute, set: 0, news: false, doubt: false}, {passed: time.Hour, set: 0, news: false, doubt: false},
		},
		"slewed": {
			{passed: minute, set: leastStep - 1, news: false, doubt: false},
			{passed: minute, set: -(leastStep - 1), news: false, doubt: false},
		},
		"set for good": {
			{passed: minute, set: time.Hour, news: true, doubt: true},
			{passed: clockDoubt - 1, set: 0, news: false, doubt: true},
			{passed: 1, set: 0, news: true, doubt: false},
			{passed: clockDoubt, set: 0, news: false, doubt: false},
		},
		"back": {
			{passed: minute, set: -leastStep, news: true, doubt: true}, {passed: clockDoubt, set: 0, news: true, doubt: false},
		},
		"undone": {
			{passed: minute, set: time.Hour, news: true, doubt: true},
			{passed: minute, set: -time.Hour, news: true, doubt: false},
			{passed: clockDoubt, set: 0, news: false, doubt: false},
		},
		"set twice": {
			{passed: minute, set: time.Hour, news: true, doubt: true},
			{passed: clockDoubt - 1, set: time.Hour, news: true, doubt: true},
			{passed: clockDoubt - 1, set: 0, news: false, doubt: true},
			{passed: 1, set: 0, news: true, doubt: false},
		},
		"set twice, undone": {
			{passed: minute, set: time.Hour, news: true, doubt: true},
			{passed: minute, set: time.Hour, news: true, doubt: true},
			{passed: minute, set: -2 * time.Hour, news: true, doubt: false},
		},
		"anew": {
			{passed: minute, set: time.Hour, news: true, doubt: true},
			{passed: minute, set: -time.Hour, news: true, doubt: false},
			{passed: minute, set: time.Hour, news: true, doubt: true},
			{passed: clockDoubt, set: 0, news: true, doubt: false},
		},
	} {
		is := reading{wall: epoch}
		c := clock{read: func() reading { return is }, last: is}
		set := time.Duration(0) // since the clock was right
		for i, l := range looks {
			set += l.set
			is = reading{wall: is.wall.Add(l.passed + l.set), steady: is.steady + l.passed}
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

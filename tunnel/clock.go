package tunnel

import (
	"sync"
	"time"
)

// clockDoubt is how long the clock on the wall is doubted after a step: in
// that time no open session is closed for the date alone. A clock that was
// set wrong is mended by NTP within some polls, each about a minute.
const clockDoubt = 5 * time.Minute

// Tell a step from what is none: a clock that is slewed, or a leap second.
const leastStep = 2 * time.Second

// clock is the clock on the wall, by which certificates and lists end, held
// against the monotonic one. The two part when the clock is set, and while the
// host is suspended.
type clock struct {
	mu     sync.Mutex
	read   func() reading
	last   reading       // of the latest look
	before reading       // the last one before the step that is doubted
	doubt  bool          // there is such a step
	until  time.Duration // by the monotonic clock
}

func newClock() clock { return clock{read: readClock, last: readClock()} }

// reading is what both clocks show.
type reading struct {
	wall   time.Time     // without a monotonic time
	steady time.Duration // since the process began
}

var processBegan = time.Now()

// readClock reads the clocks of the host.
func readClock() reading {
	now := time.Now()
	return reading{wall: now.Round(0), steady: now.Sub(processBegan)}
}

// after is what the clock on the wall would show now if it had not been set
// since r.
func (r reading) after(now reading) time.Time { return r.wall.Add(now.steady - r.steady) }

// stepTo is by how much the clock on the wall was set from r to now; 0 if it
// was not.
func (r reading) stepTo(now reading) time.Duration {
	if step := now.wall.Sub(r.after(now)); step.Abs() >= leastStep {
		return step
	}
	return 0
}

// look says by how much the clock was set since the look before, 0 if it was
// not; news reports whether verdicts may be others for it now: it was set, or is
// no longer doubted.
func (c *clock) look() (step time.Duration, news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.read()
	step = c.last.stepTo(now)
	switch {
	case step == 0 && c.doubt && now.steady >= c.until:
		c.doubt = false
		news = true
	case step == 0:
	case c.doubt && c.before.stepTo(now) == 0: // it is mended
		c.doubt = false
	case c.doubt:
		c.until = now.steady + clockDoubt
	default:
		c.doubt, c.before, c.until = true, c.last, now.steady+clockDoubt
	}
	c.last = now
	return step, news || step != 0
}

// now is the time on the wall.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read().wall
}

// unstepped is what the time on the wall would be without the step that is
// doubted, or that look has not seen yet; doubt reports whether there is one.
func (c *clock) unstepped() (at time.Time, doubt bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.read()
	if c.doubt {
		return c.before.after(now), true
	}
	return c.last.after(now), c.last.stepTo(now) != 0
}

package tunnel

import (
	"time"

	"golang.org/x/sys/unix"
)

// stopwatch measures what a step of work costs. On a busy machine most of the
// time that passes is others'.
type stopwatch struct {
	began  time.Time
	thread int           // on which it began
	cpu    time.Duration // of the thread, then
}

func startWatch(now time.Time) stopwatch {
	return stopwatch{began: now, thread: unix.Gettid(), cpu: threadTime()}
}

// cost is the processor time since the start, or the time that has passed if
// the work has moved to another thread.
func (s stopwatch) cost(now time.Time) time.Duration {
	passed := now.Sub(s.began)
	if s.thread != unix.Gettid() {
		return passed
	}
	return min(passed, threadTime()-s.cpu)
}

// threadTime is the processor time of the thread.
func threadTime() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now) != nil { // every Linux has it
		return 0
	}
	return time.Duration(now.Nano())
}

package tunnel

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// scarce knows whether open sessions need the processors: they carry much, and
// no processor is idle. The zero value never says so.
type scarce struct {
	carried func() uint64                // bytes so far
	idle    func() (time.Duration, bool) // how long processors were idle so far, together; false: unknown

	at     time.Time
	seen   uint64
	rested time.Duration
	is     bool
}

const (
	scarceEvery  = 100 * time.Millisecond
	heavyTraffic = 16e6 // bytes a second, which cost about a hundredth of a processor
	idleEnough   = 0.5  // of a processor
)

// now reports whether it was so in the last interval.
func (s *scarce) now(now time.Time) bool {
	passed := now.Sub(s.at)
	if s.carried == nil || passed < scarceEvery {
		return s.is
	}
	total := s.carried()
	rested, known := s.idle()
	heavy := float64(total-s.seen) > heavyTraffic*passed.Seconds()
	spare := known && float64(rested-s.rested) > idleEnough*float64(passed)
	s.is = heavy && !spare
	s.at, s.seen, s.rested = now, total, rested
	return s.is
}

// tick is the unit of times in /proc/stat: Linux shows user space 100 a second
// on every architecture.
const tick = time.Second / 100

// idleTime is how long the processors that this process may use were idle, as
// the system has counted since its start, and reports whether that is known.
func idleTime() (time.Duration, bool) {
	var ours unix.CPUSet
	if err := unix.SchedGetaffinity(0, &ours); err != nil {
		return 0, false
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	return parseIdle(text, ours.IsSet)
}

// parseIdle adds up the times of the lines "cpuN user nice system idle iowait
// ..." of proc_stat(5), of some processors; found reports whether there are any.
func parseIdle(text []byte, ours func(cpu int) bool) (idle time.Duration, found bool) {
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) < 6 || !bytes.HasPrefix(fields[0], []byte("cpu")) {
			continue
		}
		cpu, err := strconv.Atoi(string(fields[0][len("cpu"):]))
		if err != nil || !ours(cpu) {
			continue // the sum of all, or another's
		}
		for _, field := range fields[4:6] { // waiting for a disk is idle, too
			n, err := strconv.ParseInt(string(field), 10, 64)
			if err != nil {
				return 0, false
			}
			idle += time.Duration(n) * tick
		}
		found = true
	}
	return idle, found
}

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

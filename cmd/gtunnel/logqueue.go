package main

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// How much text may wait for a slow standard error, in bytes, and how long
// Sync waits for it.
const (
	queuedLog = 1 << 20
	syncTime  = 2 * time.Second
)

// logQueue writes log lines to out from a goroutine of its own, so that
// whatever is wrong with the standard error (a reader that has stopped or
// gone, a full disk) holds up nothing, the end of the process least of all.
// Lines that find the queue full, or that out does not take, are lost: they are
// counted, and where they are missing a line says so as soon as one can be
// written. The goroutine lives while lines wait.
type logQueue struct {
	out    io.Writer
	lostAs func(lines uint64, reason string) []byte // the line that owns up to lost ones; may be nil
	lost   atomic.Uint64                            // lines, in all
	level  zap.AtomicLevel                          // of its logger, from newLogger on

	mu      sync.Mutex
	lines   [][]byte
	bytes   int           // of these
	dropped uint64        // lines that found the queue full, since it was emptied
	idle    chan struct{} // closed when the goroutine ends; nil: there is none

	// Of the goroutine alone.
	missing uint64 // lines lost since the last one that was written
	reason  string // why
	torn    bool   // the last line was written in part
}

// Write queues a line. It never waits and never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+len(line) > queuedLog {
		q.dropped++
		q.lost.Add(1)
		return len(line), nil
	}
	q.lines = append(q.lines, append([]byte(nil), line...)) // the caller uses it again
	q.bytes += len(line)
	if q.idle == nil {
		q.idle = make(chan struct{})
		go q.run(q.idle)
	}
	return len(line), nil
}

// run writes what is queued until nothing is.
func (q *logQueue) run(idle chan struct{}) {
	defer close(idle)
	for {
		q.mu.Lock()
		lines, dropped := q.lines, q.dropped
		q.lines, q.dropped = nil, 0
		if len(lines) == 0 && dropped == 0 {
			q.idle = nil
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		for _, line := range lines {
			if !q.ownUp() || !q.put(line) {
				q.missing++
				q.lost.Add(1)
			}
			q.mu.Lock()
			q.bytes -= len(line)
			q.mu.Unlock()
		}
		if dropped > 0 {
			q.missing += dropped
			q.reason = "it took no lines"
			q.ownUp()
		}
	}
}

// ownUp writes how many lines are missing, if any are, and reports whether none
// is left to own up to.
func (q *logQueue) ownUp() bool {
	if q.missing > 0 && q.lostAs != nil && !q.put(q.lostAs(q.missing, q.reason)) {
		return false
	}
	q.missing = 0
	return true
}

// put writes one line and reports whether it was written whole. It leaves the
// rest of a torn line on a line of its own.
func (q *logQueue) put(line []byte) bool {
	if q.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := q.out.Write(line)
	if n > 0 {
		q.torn = line[n-1] != '\n'
	}
	if err != nil {
		q.reason = err.Error()
	}
	return err == nil
}

// changeLevel gives the log of a queue another level and tells it there, also
// who raises it. It returns the level before.
func (q *logQueue) changeLevel(
	level zapcore.Level, logger *zap.Logger, message string, fields ...zap.Field,
) (before zapcore.Level) {
	before = q.level.Level()
	lower := min(before, level)
	q.level.SetLevel(lower)
	fields = append([]zap.Field{zap.Stringer("before", before), zap.Stringer("level", level)}, fields...)
	logger.Log(max(lower, zapcore.InfoLevel), message, fields...)
	q.level.SetLevel(level)
	return before
}

// Sync waits until all that was queued is written, two seconds at most.
func (q *logQueue) Sync() error {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
	if idle == nil {
		return nil
	}
	patience := time.NewTimer(syncTime)
	defer patience.Stop()
	select {
	case <-idle:
		return nil
	case <-patience.C:
		return errors.New("it takes no more log lines")
	}
}

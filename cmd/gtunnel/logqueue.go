package main

import (
	"errors"
	"io"
	"sync"
	"time"
)

// How much text may wait for a slow standard error, in bytes, and how long
// Sync waits for it.
const (
	queuedLog = 1 << 20
	syncTime  = 2 * time.Second
)

// logQueue writes log lines to out from a goroutine of its own, so that a
// reader of the standard error that has stopped (a full pipe, a terminal with
// Ctrl-S) holds up nothing, the end of the process least of all. Lines that
// find the queue full are dropped. The goroutine lives while lines wait.
type logQueue struct {
	out       io.Writer
	onDropped func(lines int) // called when lines can be written again; may be nil

	mu      sync.Mutex
	lines   [][]byte
	bytes   int           // of these
	dropped int           // lines since the last one that was written
	idle    chan struct{} // closed when the goroutine ends; nil: there is none
}

// Write queues a line. It never waits and never fails.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+len(line) > queuedLog {
		q.dropped++
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
		if len(lines) == 0 {
			q.idle = nil
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		for _, line := range lines {
			_, _ = q.out.Write(line) // there is no other place to complain
			q.mu.Lock()
			q.bytes -= len(line)
			q.mu.Unlock()
		}
		if dropped > 0 && q.onDropped != nil {
			q.onDropped(dropped)
		}
	}
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
		return errors.New("the standard error takes no more log lines")
	}
}

package tunnel

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/time/rate"

	"github.com/gtunnel/gtunnel/certs"
)

// queuedLines is how many log lines may wait for a slow log before further
// ones are dropped.
const queuedLines = 4096

// logQueue writes log lines from a goroutine of its own, so that a log that
// blocks never holds up data. Lines that find the queue full are counted and
// dropped.
type logQueue struct {
	logger  *zap.Logger
	lines   chan logLine
	dropped atomic.Uint64
	ended   chan struct{} // closed when run has ended
}

type logLine struct {
	entry  *zapcore.CheckedEntry // with the time of the event
	fields []zap.Field
}

func newLogQueue(logger *zap.Logger) *logQueue {
	return &logQueue{logger: logger, lines: make(chan logLine, queuedLines), ended: make(chan struct{})}
}

// write queues a line and never waits. What a peer said may stand in any
// field: each is bounded.
func (q *logQueue) write(level zapcore.Level, message string, fields ...zap.Field) {
	entry := q.logger.Check(level, message)
	if entry == nil {
		return
	}
	select {
	case q.lines <- logLine{entry, boundFields(fields)}:
	default:
		q.dropped.Add(1)
	}
}

// run writes the lines until finish.
func (q *logQueue) run() {
	defer close(q.ended)
	for line := range q.lines {
		line.entry.Write(line.fields...)
		if dropped := q.dropped.Swap(0); dropped > 0 {
			q.logger.Warn("log lines dropped because the log was too slow", zap.Uint64("dropped", dropped))
		}
	}
}

// flushTime is how long finish waits for a log that blocks.
const flushTime = 2 * time.Second

// finish ends run once it has written what is queued. Nobody may write after
// it. If the log blocks longer than flushTime, finish does not wait for run: a
// log that nobody reads must not keep the process from ending.
func (q *logQueue) finish() {
	close(q.lines)
	patience := time.NewTimer(flushTime)
	defer patience.Stop()
	select {
	case <-q.ended:
	case <-patience.C:
	}
}

// Lines about failures of one code cost one for themselves and one for each
// failureUnit bytes of text that they hold. failureBurst may be spent at once
// and failureRate a second in the long run. That is a few megabytes a day, and
// below 100 even if a peer makes every line as long as boundFields lets it.
const (
	failureRate  = rate.Limit(0.5)
	failureBurst = 20
	failureUnit  = 1 << 10
)

// failureLog bounds the lines about connections that came to nothing, which
// anybody can cause. Each code has its own bound, so that a flood of one does
// not hide the others.
type failureLog struct {
	mu    sync.Mutex
	codes map[certs.Code]*failureBound
}

type failureBound struct {
	limiter    *rate.Limiter
	suppressed uint64
}

// allow says whether a line about code with so many bytes of text may be
// written now, and how many were not since the last one.
func (f *failureLog) allow(code certs.Code, bytes int) (suppressed uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.codes == nil {
		f.codes = make(map[certs.Code]*failureBound)
	}
	bound := f.codes[code]
	if bound == nil {
		bound = &failureBound{limiter: rate.NewLimiter(failureRate, failureBurst)}
		f.codes[code] = bound
	}
	cost := min(1+bytes/failureUnit, failureBurst) // or it could never be paid
	if !bound.limiter.AllowN(time.Now(), cost) {
		bound.suppressed++
		return 0, false
	}
	suppressed, bound.suppressed = bound.suppressed, 0
	return suppressed, true
}

// logFailure writes a line about a connection that came to nothing, within
// the bounds of failureLog.
func (t *Tunnel) logFailure(level zapcore.Level, message string, code certs.Code, fields ...zap.Field) {
	fields = boundFields(fields)
	suppressed, ok := t.failures.allow(code, textBytes(fields))
	if !ok {
		return
	}
	fields = append(fields, zap.String("code", string(code)))
	if suppressed > 0 {
		fields = append(fields, zap.Uint64("suppressed", suppressed))
	}
	t.log.write(level, message, fields...)
}

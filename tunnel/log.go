package tunnel

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/time/rate"

	"github.com/gtunnel/gtunnel/certs"
)

// boundedLog writes log lines whose fields are bounded: what a peer said may
// stand in any of them.
type boundedLog struct{ logger *zap.Logger }

func (l boundedLog) write(level zapcore.Level, message string, fields ...zap.Field) {
	if entry := l.logger.Check(level, message); entry != nil {
		entry.Write(boundFields(fields)...)
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

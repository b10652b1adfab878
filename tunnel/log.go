package tunnel

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

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

// One host has a line about one code each second at most, as far as so many hosts
// are remembered. What was not written is counted by the next line about the
// code, or by a line of its own if none comes for a while.
const (
	sourceEvery  = time.Second
	sourcesKept  = 1000
	tellFailures = time.Minute
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
	sources    map[string]time.Time // when each host had its last line
	suppressed uint64
	since      time.Time // when the first of these was not written
}

// allow reports whether a line about code and a host with so many bytes of text
// may be written now, and how many were not since the last one.
func (f *failureLog) allow(code certs.Code, source string, bytes int, now time.Time) (suppressed uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.codes == nil {
		f.codes = make(map[certs.Code]*failureBound)
	}
	bound := f.codes[code]
	if bound == nil {
		bound = &failureBound{limiter: rate.NewLimiter(failureRate, failureBurst), sources: make(map[string]time.Time)}
		f.codes[code] = bound
	}
	last, known := bound.sources[source]
	cost := min(1+bytes/failureUnit, failureBurst) // or it could never be paid
	if known && now.Sub(last) < sourceEvery || !bound.limiter.AllowN(now, cost) {
		if bound.suppressed == 0 {
			bound.since = now
		}
		bound.suppressed++
		return 0, false
	}
	if len(bound.sources) >= sourcesKept {
		clear(bound.sources)
	}
	bound.sources[source] = now
	suppressed, bound.suppressed = bound.suppressed, 0
	return suppressed, true
}

// takeOld gives the counts that no line has told for a while.
func (f *failureLog) takeOld(now time.Time) map[certs.Code]uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := make(map[certs.Code]uint64)
	for code, bound := range f.codes {
		if bound.suppressed > 0 && now.Sub(bound.since) >= tellFailures {
			old[code], bound.suppressed = bound.suppressed, 0
		}
	}
	return old
}

// countFailures tells of failures that had no line.
func (t *Tunnel) countFailures(now time.Time) {
	old := t.failures.takeOld(now)
	for _, code := range slices.Sorted(maps.Keys(old)) {
		t.log.write(zapcore.WarnLevel, "more came to nothing, without a line each",
			zap.String("code", string(code)), zap.Uint64("suppressed", old[code]))
	}
}

// sourceIn is the host that the fields of a line are about; empty if they name
// none.
func sourceIn(fields []zap.Field) string {
	for _, field := range fields {
		if field.Key == "from" || field.Key == "peer" {
			return hostOf(field.String)
		}
	}
	return ""
}

// logFailure writes a line about a connection that came to nothing, within
// the bounds of failureLog.
func (t *Tunnel) logFailure(level zapcore.Level, message string, code certs.Code, fields ...zap.Field) {
	fields = boundFields(fields)
	t.refusals.add(code, fields)
	suppressed, ok := t.failures.allow(code, sourceIn(fields), textBytes(fields), time.Now())
	if !ok {
		return
	}
	fields = append(fields, zap.String("code", string(code)))
	if suppressed > 0 {
		fields = append(fields, zap.Uint64("suppressed", suppressed))
	}
	t.log.write(level, message, fields...)
}

// How much of a log line's field is written, in bytes: of a text, and of a
// list of texts in all. Encoders may write a control character in six.
const (
	maxText = 2 << 10
	maxList = 4 * maxText

	noteBytes = 32 // of these, for what says how much was cut
)

// boundFields cuts what is too long in fields, and says so there. Peers choose
// the names in their certificates: they must not choose the size of the log.
func boundFields(fields []zap.Field) []zap.Field {
	bounded := make([]zap.Field, len(fields))
	for i, field := range fields {
		switch field.Type {
		case zapcore.StringType:
			field.String = boundText(field.String)
		case zapcore.ErrorType:
			if err, ok := field.Interface.(error); ok {
				field = zap.String(field.Key, boundText(err.Error()))
			}
		case zapcore.StringerType:
			if text, ok := field.Interface.(fmt.Stringer); ok {
				field = zap.String(field.Key, boundText(text.String()))
			}
		case zapcore.ArrayMarshalerType:
			field = zap.Strings(field.Key, boundList(texts(field)))
		default: // numbers, times
		}
		bounded[i] = field
	}
	return bounded
}

// oneLine is a text without what could end, hide or turn round a line where it is
// shown: characters that are not printable are escaped as in Go, and so is what
// is no UTF-8. No name in it is what it was, but none was a name to begin with.
func oneLine(text string) string {
	clean := func(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }
	if strings.IndexFunc(text, func(r rune) bool { return !clean(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if clean(r) {
			b.WriteString(text[:size])
		} else {
			quoted := strconv.Quote(text[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return b.String()
}

// boundText makes a text one line, and cuts what is longer than maxText.
func boundText(text string) string {
	return cutText(oneLine(text))
}

// cutText cuts a text that is longer than maxText.
func cutText(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText - noteBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s... (%d bytes in all)", text[:end], len(text))
}

// boundList cuts the texts of a list, and the list where they come to more
// than maxList.
func boundList(list []string) []string {
	var bounded []string
	n := 0
	for _, text := range list {
		text = boundText(text)
		if n += len(text); n > maxList-noteBytes {
			return append(bounded, fmt.Sprintf("... (%d in all)", len(list)))
		}
		bounded = append(bounded, text)
	}
	return bounded
}

// texts are the elements of a field that is a list.
func texts(field zap.Field) []string {
	encoder := zapcore.NewMapObjectEncoder()
	field.AddTo(encoder)
	elements, _ := encoder.Fields[field.Key].([]any)
	var list []string
	for _, element := range elements {
		list = append(list, fmt.Sprint(element))
	}
	return list
}

// textBytes is how many bytes of text are in fields.
func textBytes(fields []zap.Field) int {
	n := 0
	for _, field := range fields {
		n += len(field.String)
		if field.Type == zapcore.ArrayMarshalerType {
			for _, text := range texts(field) {
				n += len(text)
			}
		}
	}
	return n
}

package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap/zapcore"
)

// eventsKept is how many events are remembered: so many that tell of trouble,
// and so many others.
const eventsKept = 50

// event is something that has happened, as the log or a tunnel tells it.
type event struct {
	at     time.Time // of the last one
	level  level
	tunnel string // empty: the process
	text   string
	detail string
	code   string // of a refusal
	cure   string
	times  uint64
}

// Events remembers the last lines of a log that are about more than one
// connection, or that warn. Those that tunnels remember themselves, with their
// code, it leaves to them. Its zero value is ready, and its methods may be
// called concurrently.
type Events struct {
	mu      sync.Mutex
	trouble []event // the newest last
	others  []event
}

// Core is a core of the log that remembers lines, whatever level the log has.
func (e *Events) Core() zapcore.Core { return &eventCore{events: e} }

// eventCore has the fields of its logger.
type eventCore struct {
	events *Events
	fields []zapcore.Field
}

// Enabled reports whether lines of the level may be remembered.
func (c *eventCore) Enabled(l zapcore.Level) bool { return l >= zapcore.InfoLevel }

// With is the core with more fields.
func (c *eventCore) With(fields []zapcore.Field) zapcore.Core {
	return &eventCore{events: c.events, fields: slices.Concat(c.fields, fields)}
}

// Check adds the core where the line may be remembered.
func (c *eventCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Sync does nothing: nothing waits.
func (c *eventCore) Sync() error { return nil }

// Write remembers a line.
func (c *eventCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	all := slices.Concat(c.fields, fields)
	ofConnection := hasKey(all, "conn")
	if hasKey(all, "code") || ofConnection && entry.Level < zapcore.WarnLevel {
		return nil
	}
	encoder := zapcore.NewMapObjectEncoder()
	for _, f := range all {
		f.AddTo(encoder)
	}
	take := func(key string) string {
		text, _ := encoder.Fields[key].(string)
		delete(encoder.Fields, key)
		return text
	}
	happened := event{
		at: entry.Time, level: levelOf(entry.Level), text: entry.Message,
		tunnel: take("tunnel"), cure: take("cure"), times: 1,
	}
	delete(encoder.Fields, "conn") // each has another
	reason := cmp.Or(take("reason"), take("error"), take("problem"))
	parts := []string{}
	if reason != "" {
		parts = append(parts, reason)
	}
	for _, key := range slices.Sorted(maps.Keys(encoder.Fields)) {
		if text := valueText(encoder.Fields[key]); text != "" {
			parts = append(parts, strings.ReplaceAll(key, "_", " ")+": "+text)
		}
	}
	happened.detail = plain(strings.Join(parts, "; "))
	c.events.add(happened)
	return nil
}

// valueText is a field's value in words.
func valueText(value any) string {
	switch v := value.(type) {
	case []any:
		texts := make([]string, len(v))
		for i := range v {
			texts[i] = fmt.Sprint(v[i])
		}
		return strings.Join(texts, ", ")
	case time.Time:
		return v.Local().Format(time.DateTime)
	}
	return fmt.Sprint(value)
}

func hasKey(fields []zapcore.Field, key string) bool {
	return slices.ContainsFunc(fields, func(f zapcore.Field) bool { return f.Key == key })
}

// levelOf is how bad a line of the log is.
func levelOf(l zapcore.Level) level {
	switch {
	case l >= zapcore.ErrorLevel:
		return problem
	case l == zapcore.WarnLevel:
		return warning
	}
	return good
}

// add remembers an event; one that has happened before counts it.
func (e *Events) add(happened event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := &e.others
	if happened.level != good {
		list = &e.trouble
	}
	same := slices.IndexFunc(*list, func(before event) bool {
		return before.text == happened.text && before.tunnel == happened.tunnel && before.detail == happened.detail
	})
	switch {
	case same >= 0:
		happened.times += (*list)[same].times
		*list = slices.Delete(*list, same, same+1)
	case len(*list) == eventsKept:
		*list = slices.Delete(*list, 0, 1)
	}
	*list = append(*list, happened)
}

// list gives the events, in no order.
func (e *Events) list() []event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Concat(e.trouble, e.others)
}

package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
)

// personCore writes a log for a person at a terminal: local time, the level as a word,
// the message, the fields as key=value, and below it what to do.
type personCore struct {
	zapcore.LevelEnabler

	out    zapcore.WriteSyncer
	screen *terminal.Screen
	fields []zapcore.Field // of each line
}

// levelHeads are the levels as words of one width.
var levelHeads = map[zapcore.Level]terminal.Head{
	zapcore.DebugLevel: {Text: "debug   "},
	zapcore.InfoLevel:  {Text: "info    "},
	zapcore.WarnLevel:  {Text: "warning ", Colour: terminal.Doubt},
	zapcore.ErrorLevel: {Text: "error   ", Colour: terminal.Bad},
}

// With is the core with these fields in each line.
func (c *personCore) With(fields []zapcore.Field) zapcore.Core {
	with := *c
	with.fields = slices.Concat(c.fields, fields)
	return &with
}

// Check adds this core, if it wants the entry.
func (c *personCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write writes an entry at once, so that those of others do not come between.
func (c *personCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	_, err := c.out.Write(c.encode(entry, fields))
	return err
}

// Sync waits until all is written.
func (c *personCore) Sync() error { return c.out.Sync() }

// encode is an entry as it is shown.
func (c *personCore) encode(entry zapcore.Entry, fields []zapcore.Field) []byte {
	head, known := levelHeads[entry.Level]
	if !known {
		head = levelHeads[zapcore.ErrorLevel] // what ends the program
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s%s", entry.Time.Local().Format(time.DateTime), c.screen.Paint(head),
		terminal.Printable(entry.Message))
	cure, gap := "", "  "
	for _, f := range slices.Concat(c.fields, fields) {
		values := zapcore.NewMapObjectEncoder()
		f.AddTo(values)
		if text, ok := values.Fields[f.Key].(string); ok && f.Key == "cure" {
			cure = text
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(values.Fields)) { // mostly one
			if text := shownValue(values.Fields[key]); text != "" {
				fmt.Fprintf(&b, "%s%s=%s", gap, key, text)
				gap = " "
			}
		}
	}
	if cure != "" {
		fmt.Fprintf(&b, "\n  hint: %s", terminal.Printable(cure))
	}
	return append([]byte(b.String()), '\n')
}

// shownValue is the value of a field, in quotes where its end could not be seen; empty
// if there is nothing to show.
func shownValue(value any) string {
	switch v := value.(type) {
	case time.Time:
		value = v.Local().Format(time.DateTime)
	case []any:
		texts := make([]string, len(v))
		for i, element := range v {
			texts[i] = shownValue(element)
		}
		return strings.Join(texts, ",")
	}
	text := fmt.Sprint(value)
	if strings.ContainsAny(text, " \",=") || terminal.Printable(text) != text {
		return strconv.Quote(text)
	}
	return text
}

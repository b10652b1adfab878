package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
)

// newLogger logs to a queue in the configuration's format, from its level up,
// which the queue's level changes while the process runs.
// On a terminal it is for a person, unless it shall be JSON.
// What goes straight to systemd's journal as text carries the level as the
// journal reads it (sd-daemon(3)) and no time, because the journal has its own.
// A queue has one logger, from before its first line.
func newLogger(c config.Config, queue *logQueue, getenv func(string) string) *zap.Logger {
	queue.level = zap.NewAtomicLevelAt(c.LogLevel)
	out := settingsWriter{WriteSyncer: queue, config: &c}
	if screen := terminal.NewScreen(queue.out, getenv); screen.IsTerminal() && c.LogFormat != "json" {
		core := &personCore{LevelEnabler: queue.level, out: out, screen: screen}
		queue.lostAs = func(lines uint64, reason string) []byte { return core.encode(ownUpTo(lines, reason)) }
		return zap.New(core, zap.ErrorOutput(queue))
	}
	format := zapcore.EncoderConfig{
		TimeKey:        "time",
		LevelKey:       "level",
		MessageKey:     "message",
		EncodeTime:     zapcore.ISO8601TimeEncoder,
		EncodeLevel:    zapcore.CapitalLevelEncoder,
		EncodeDuration: zapcore.StringDurationEncoder,
	}
	var encoder zapcore.Encoder
	switch {
	case c.LogFormat == "json":
		format.EncodeLevel = zapcore.LowercaseLevelEncoder
		encoder = zapcore.NewJSONEncoder(format)
	case isJournal(queue.out, getenv("JOURNAL_STREAM")):
		format.TimeKey = ""
		format.EncodeLevel = journalLevel
		fallthrough
	default:
		format.ConsoleSeparator = " "
		encoder = zapcore.NewConsoleEncoder(format)
	}
	queue.lostAs = func(lines uint64, reason string) []byte {
		line, err := encoder.EncodeEntry(ownUpTo(lines, reason))
		if err != nil {
			return nil // these encoders never fail
		}
		return line.Bytes()
	}
	return zap.New(zapcore.NewCore(encoder, out, queue.level), zap.ErrorOutput(queue))
}

// ownUpTo owns up to lines that a log lacks.
func ownUpTo(lines uint64, reason string) (zapcore.Entry, []zap.Field) {
	return zapcore.Entry{Level: zapcore.WarnLevel, Time: time.Now(), Message: "lines of this log were lost"},
		[]zap.Field{zap.Uint64("lines", lines), zap.String("reason", reason)}
}

// journalLevel writes the level as a priority of syslog(3) and as a word.
func journalLevel(level zapcore.Level, out zapcore.PrimitiveArrayEncoder) {
	priority := 6
	switch {
	case level >= zapcore.ErrorLevel:
		priority = 3
	case level == zapcore.WarnLevel:
		priority = 4
	case level == zapcore.DebugLevel:
		priority = 7
	}
	out.AppendString(fmt.Sprintf("<%d>%s", priority, level.CapitalString()))
}

// isJournal reports whether w is the stream that systemd says leads to its
// journal: JOURNAL_STREAM is its device and inode.
func isJournal(w io.Writer, stream string) bool {
	file, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	info, err := file.Stat()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

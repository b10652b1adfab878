package main

import (
	"slices"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
)

// settingsWriter puts what the user calls the settings of package certs into
// the lines of a log, wherever they stand.
type settingsWriter struct {
	zapcore.WriteSyncer

	config *config.Config
}

// Write writes a line.
func (w settingsWriter) Write(line []byte) (int, error) {
	text := string(line)
	named := certs.NameSettings(text, w.config.SettingName)
	if named == text {
		return w.WriteSyncer.Write(line)
	}
	_, err := w.WriteSyncer.Write([]byte(named))
	return len(line), err
}

// cureCore is the core of the log of a process that was started by a file: the
// cures name settings as the file does, and say where they stand.
type cureCore struct {
	zapcore.Core

	config *atomic.Pointer[config.Config] // of the moment
	tunnel string                         // whose log it is; empty for the process's own
}

// withCures puts the cures of a log into the words of who wrote the
// configuration of the moment.
func withCures(logger *zap.Logger, c *atomic.Pointer[config.Config]) *zap.Logger {
	if c.Load().File() == "" {
		return logger // the cures name flags
	}
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return &cureCore{Core: core, config: c}
	}))
}

// With is the core with these fields in each line.
func (c *cureCore) With(fields []zapcore.Field) zapcore.Core {
	name := c.tunnel
	for _, f := range fields {
		if f.Key == "tunnel" {
			name = f.String
		}
	}
	return &cureCore{Core: c.Core.With(fields), config: c.config, tunnel: name}
}

// Check adds this core, if it wants the entry.
func (c *cureCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write writes an entry.
func (c *cureCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	for i, f := range fields {
		if f.Key != "cure" {
			continue
		}
		now := c.config.Load()
		if cure := now.Words(f.String); cure != f.String {
			fields = append(slices.Clone(fields), zap.String("settings", now.Section(c.tunnel)))
			fields[i].String = cure
		}
		break
	}
	return c.Core.Write(entry, fields)
}

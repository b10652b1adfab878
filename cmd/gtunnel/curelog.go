package main

import (
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/certs"
)

// settingsWriter puts what the user calls the settings of package certs into
// the lines of a log, wherever they stand.
type settingsWriter struct {
	zapcore.WriteSyncer

	origin origin
}

// Write writes a line.
func (w settingsWriter) Write(line []byte) (int, error) {
	text := string(line)
	named := certs.NameSettings(text, w.origin.settingName)
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

	origin  origin
	section place // of the tunnel whose log it is; nil for the process's own
}

// inLog puts the cures of a log into the user's words.
func (o origin) inLog(logger *zap.Logger) *zap.Logger {
	if o.file == "" {
		return logger // the cures name flags
	}
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core { return &cureCore{Core: core, origin: o} }))
}

// With is the core with these fields in each line.
func (c *cureCore) With(fields []zapcore.Field) zapcore.Core {
	section := c.section
	for _, f := range fields {
		if f.Key == "tunnel" {
			section = place{"tunnel", f.String}
		}
	}
	return &cureCore{Core: c.Core.With(fields), origin: c.origin, section: section}
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
		if cure := c.origin.words(f.String); cure != f.String {
			fields = append(slices.Clone(fields), zap.String("settings", c.settings()))
			fields[i].String = cure
		}
		break
	}
	return c.Core.Write(entry, fields)
}

// settings says where the settings stand that a cure names.
func (c *cureCore) settings() string {
	if c.section == nil {
		return c.origin.file
	}
	return "[" + c.section.String() + "] in " + c.origin.file
}

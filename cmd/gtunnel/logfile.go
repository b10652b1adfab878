package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// logFile is a file that a log is appended to. It can be opened anew while it is
// written, after its name was given to another file or to none.
type logFile struct {
	path string

	mu   sync.Mutex
	file *os.File
}

// openLogFile opens a file, which is made where it is missing.
func openLogFile(path string) (*logFile, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0o640)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = file.Close()
		return nil, errors.Join(err, fmt.Errorf("open %s: it is no file", path))
	}
	return &logFile{path: path, file: file}, nil
}

// Write appends a line.
func (f *logFile) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Write(line)
}

// reopen opens the file anew. If that fails the log goes on in the old one.
func (f *logFile) reopen() error {
	again, err := openLogFile(f.path)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.file.Close() // every line was written before
	f.file = again.file
	return nil
}

// serviceLog is where a serving process logs: to the standard error, or to its
// file.
type serviceLog struct {
	queue  *logQueue
	logger *zap.Logger
	file   *logFile // nil: none
}

// openServiceLog opens the log that a configuration names. Its end must be called.
func (m *Main) openServiceLog(c config.Config) (*serviceLog, error) {
	if c.LogFile == "" {
		return &serviceLog{queue: m.log, logger: newLogger(c, m.log, m.Getenv)}, nil
	}
	file, err := openLogFile(c.LogFile)
	if err != nil {
		return nil, usage.WithHint(fmt.Errorf("the log file: %w", err), logFileHint(err, c.LogFile))
	}
	queue := &logQueue{out: file}
	return &serviceLog{queue: queue, logger: newLogger(c, queue, m.Getenv), file: file}, nil
}

// reopen opens the file anew, if there is one.
func (l *serviceLog) reopen() error {
	if l.file == nil {
		return nil
	}
	if err := l.file.reopen(); err != nil {
		return usage.WithHint(fmt.Errorf("the log file: %w", err), logFileHint(err, l.file.path))
	}
	return nil
}

// end writes what waits for the file.
func (l *serviceLog) end() {
	if l.file == nil {
		return // Run ends the standard error's
	}
	_ = l.queue.Sync()      // fails if the disk takes no more: then nobody could be told there
	_ = l.file.file.Close() // every line was written before
}

func logFileHint(err error, path string) string {
	folder := filepath.Dir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "make its folder: mkdir " + folder + "; in a systemd unit, LogsDirectory=" + filepath.Base(folder) + " does"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "let the user of the process write to " + folder +
			"; in a systemd unit by LogsDirectory=" + filepath.Base(folder)
	}
	return "choose another --log-file, or leave it out: the log then goes to the standard error"
}

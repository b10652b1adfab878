package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
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

// reopenAtHangups opens the file anew at each SIGHUP until ctx ends. The logger
// is told what goes wrong.
func (f *logFile) reopenAtHangups(ctx context.Context, hangups <-chan os.Signal, logger *zap.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			if err := f.reopen(); err != nil {
				logger.Error("the log file cannot be opened anew: the log goes on in the old one",
					zap.Error(err), zap.String("cure", logFileHint(err, f.path)))
			}
		}
	}
}

// serviceLog is where a serving process logs: to the standard error, or to its
// file. end writes what waits.
func (m *Main) serviceLog(ctx context.Context, c config.Config) (
	queue *logQueue, logger *zap.Logger, end func(), err error,
) {
	if c.LogFile == "" {
		return m.log, newLogger(c, m.log, m.Getenv), func() {}, nil // Run ends it
	}
	file, err := openLogFile(c.LogFile)
	if err != nil {
		return nil, nil, nil, usage.WithHint(fmt.Errorf("the log file: %w", err), logFileHint(err, c.LogFile))
	}
	queue = &logQueue{out: file}
	logger = newLogger(c, queue, m.Getenv)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	ctx, stop := context.WithCancel(ctx)
	var reopening sync.WaitGroup
	reopening.Go(func() { file.reopenAtHangups(ctx, hangups, logger) })
	return queue, logger, func() {
		signal.Stop(hangups)
		stop()
		reopening.Wait()
		_ = queue.Sync()      // fails if the disk takes no more: then nobody could be told there
		_ = file.file.Close() // every line was written before
	}, nil
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

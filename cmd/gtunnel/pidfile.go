package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// pidFile is a file with the number of this process, for service managers that want one.
// The process holds a lock on it (flock(2)) for as long as it lives: by that, and not by
// the number, which another process may have by now, it is known whether a file is stale.
type pidFile struct {
	path string
	file *os.File
}

// writePidFile writes the file in one step, in place of one whose process has gone. One that
// is a link, or no file, is refused: root would write where others want it to.
func writePidFile(path string) (*pidFile, error) {
	if err := checkPidFile(path); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, pidFileError(err, path)
	}
	_, err = fmt.Fprintln(file, os.Getpid())
	err = errors.Join(err, file.Chmod(0o644), flock(file, unix.LOCK_EX))
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // nobody has seen it
		_ = file.Close()
		return nil, pidFileError(err, path)
	}
	return &pidFile{path: path, file: file}, nil
}

// checkPidFile refuses a file that must not be replaced.
func checkPidFile(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return pidFileError(err, path)
	case info.Mode().Type() == fs.ModeSymlink:
		return usage.WithHint(fmt.Errorf("the pid file %s is a symbolic link", path),
			"name the file that it leads to, or remove the link")
	case !info.Mode().IsRegular():
		return usage.WithHint(fmt.Errorf("the pid file %s exists and is no regular file", path), "choose another --pid-file")
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return pidFileError(err, path)
	}
	defer func() { _ = file.Close() }() // only read
	if !errors.Is(flock(file, unix.LOCK_SH), unix.EWOULDBLOCK) {
		return nil // its process has gone
	}
	text := make([]byte, 20)
	n, _ := file.Read(text) // what cannot be read is not told
	return usage.WithHint(fmt.Errorf("the pid file %s is of a process that runs: %s", path,
		strings.TrimSpace(string(text[:n]))), "stop that process, or give this one another --pid-file")
}

// flock locks a file without waiting.
func flock(file *os.File, how int) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = unix.Flock(int(fd), how|unix.LOCK_NB) }); err != nil {
		return err
	}
	return failed
}

// remove removes the file, if there is one, and it is still that of this process. It says so
// where this process, no longer root, may not do that: the next start replaces the file.
func (f *pidFile) remove(logger *zap.Logger) {
	if f == nil {
		return
	}
	defer func() { _ = f.file.Close() }() // ends the lock
	mine, err := f.file.Stat()
	there, errThere := os.Lstat(f.path)
	if err != nil || errThere != nil || !os.SameFile(mine, there) {
		return // somebody has removed or replaced it
	}
	if err := os.Remove(f.path); err != nil {
		logger.Warn("the pid file stays, and the next start replaces it", zap.String("reason", err.Error()),
			zap.String("cure", "give it a folder of the user's own, such as one in /run"))
	}
}

func pidFileError(err error, path string) error {
	hint := "choose another --pid-file"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		hint = "make its folder: mkdir -p " + filepath.Dir(path)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		hint = "choose a folder that this user may write to, such as one of its own in /run"
	}
	return usage.WithHint(fmt.Errorf("the pid file: %w", err), hint)
}

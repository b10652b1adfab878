package optionfile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WriteFile puts a file in place whole, or not at all, and on the disk before
// it returns.
func WriteFile(path string, content []byte, mode os.FileMode) error {
	return Write(path, mode, func(to io.Writer) error {
		_, err := to.Write(content)
		return err
	})
}

// Write is WriteFile for a content that is not at hand as a whole: what write writes.
func Write(path string, mode os.FileMode, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error says more
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if err = f.Chmod(mode); err == nil {
		err = write(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = directory.Close() }() // it was only synced
	return directory.Sync()
}

// IsShared reports whether a file that holds a secret can be used by others than
// its owner, as ssh refuses such a key: whoever has an account on this host would
// have the database's. The group root is root, and systemd hands credentials out
// that way. What is no regular file, such as a pipe, is its maker's to guard.
func IsShared(info fs.FileInfo) bool {
	forbidden := fs.FileMode(0o077)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Gid == 0 {
		forbidden = 0o007
	}
	return info.Mode().IsRegular() && info.Mode().Perm()&forbidden != 0
}

package certs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// stamp tells a file from another, and from what it was before a change, as
// far as that shows without reading it.
type stamp struct {
	device, inode   uint64
	size            int64
	modified        int64 // nanoseconds since 1970, as changed
	changed         int64 // the inode: also by chmod and rename
	mode            fs.FileMode
	missing, failed bool // a link to nothing; the file could not be examined
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{size: info.Size(), modified: info.ModTime().UnixNano(), mode: info.Mode()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		s.device, s.inode = uint64(stat.Dev), uint64(stat.Ino) //nolint:unconvert // differs between systems
		s.changed = time.Unix(stat.Ctim.Unix()).UnixNano()
	}
	return s
}

// clockGrain is how coarse the times of files may be: a file that changes
// twice within it may have the same stamp after both changes.
const clockGrain = 2 * time.Second

// settled reports whether a file with this stamp that was read at the given
// time cannot have changed since without a change of its stamp.
func (s stamp) settled(read time.Time) bool {
	age := read.UnixNano() - s.changed
	return age > int64(clockGrain)
}

// statFile gives a file's stamp; gone if there is not even a link.
func statFile(path string) (s stamp, gone bool) {
	info, err := os.Stat(path)
	if err == nil {
		return stampOf(info), false
	}
	if _, linkErr := os.Lstat(path); errors.Is(linkErr, fs.ErrNotExist) {
		return stamp{}, true
	}
	return stamp{missing: errors.Is(err, fs.ErrNotExist), failed: true}, false
}

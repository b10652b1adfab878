package certs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// The largest files that are read, in bytes.
const (
	maxFileBytes   = 16 << 20  // certificates or keys; the largest bundles of CAs have less than 1 MB
	maxCRLBytes    = 256 << 20 // a CRL; a list of a million entries has about 40 MB
	maxPolicyBytes = 256 << 10 // a signing_policy or namespaces file; the largest in use have a few kB
)

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return readAll(f, limit)
}

// openRegular opens a regular file for reading. It never waits: a pipe in the
// place of a file is an error.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // #nosec G304 -- the administrator names the file
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		_ = f.Close() // it was only opened
		return nil, err
	}
	return f, nil
}

// readAll reads what is left of a file of at most limit bytes.
func readAll(f *os.File, limit int64) ([]byte, error) {
	tooLarge := func() error {
		return &fs.PathError{Op: "read", Path: f.Name(), Err: fmt.Errorf("larger than %d bytes", limit)}
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, tooLarge()
	}
	// One byte more than the file has shows its end without another read.
	data := make([]byte, 0, info.Size()+1)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			return nil, err
		case int64(len(data)) > limit:
			return nil, tooLarge()
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}

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

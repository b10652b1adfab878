package seed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// carefulWriter writes a dump to a file, and leaves some room to the server, whose data
// may be on the same file system: a full one stops it.
type carefulWriter struct {
	file      *os.File
	directory string
	on        finding.Role // whose host it is
	meter     *meter       // of what was written; nil: none

	written, looked uint64
}

const (
	// lookAtRoom is after how many bytes the room is looked at.
	lookAtRoom = 16 << 20
	// leftRoom is what is left to the server, or a twentieth of a small file system.
	leftRoom      = 1 << 30
	leftRoomShare = 20
)

// Write writes to the file, unless too little room would be left.
func (w *carefulWriter) Write(b []byte) (int, error) {
	if w.written-w.looked >= lookAtRoom {
		w.looked = w.written
		if err := w.look(); err != nil {
			return 0, err
		}
	}
	n, err := w.file.Write(b)
	w.written += uint64(n) //nolint:gosec // not negative
	if w.meter != nil {
		w.meter.bytes.Add(uint64(n)) //nolint:gosec // not negative
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return n, noRoomFor(w.on, w.directory, err)
	}
	return n, err
}

// look refuses to go on if too little room is left.
func (w *carefulWriter) look() error {
	var stat unix.Statfs_t
	if err := unix.Fstatfs(int(w.file.Fd()), &stat); err != nil {
		return fmt.Errorf("ask for the free space of %s: %w", w.directory, err)
	}
	size := uint64(stat.Bsize) //nolint:gosec // a block has a size
	if stat.Bavail*size < min(leftRoom, stat.Blocks*size/leftRoomShare) {
		return noRoomFor(w.on, w.directory,
			fmt.Errorf("%s are free, which are left to the server", finding.FormatBytes(stat.Bavail*size)))
	}
	return nil
}

// noRoomFor is the problem of a dump for which there is no room.
func noRoomFor(on finding.Role, directory string, err error) *finding.Problem {
	cure := "make room, or write it to another file system; or pipe it to the slave, where nothing is kept here"
	if on == finding.Slave {
		cure = "make room, or give a --state-dir on another file system; or carry it here as a file: --seed FILE"
	}
	return &finding.Problem{
		On: on, Code: "no-room", Text: "there is no room for the dump in " + directory, Err: err, Cure: cure,
	}
}

// patientReader reads a pipe until ctx ends.
type patientReader struct {
	ctx  context.Context //nolint:containedctx // of the one reading
	file *os.File
}

// Read waits until there is something to read.
func (r *patientReader) Read(b []byte) (int, error) {
	const pause = 100 // milliseconds
	for {
		if r.ctx.Err() != nil {
			return 0, context.Cause(r.ctx)
		}
		fd := int32(r.file.Fd()) //nolint:gosec // descriptors are small
		n, err := unix.Poll([]unix.PollFd{{Fd: fd, Events: unix.POLLIN}}, pause)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, fmt.Errorf("wait for the dump: %w", err)
		}
		if n > 0 {
			return r.file.Read(b)
		}
	}
}

// isRegular reports whether it is a file that can be read at any place.
func isRegular(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode().IsRegular()
}

// DumpTo writes a dump to a file, which is there whole or not at all: meanwhile it goes by
// its name with ".part" behind it. What was there by the name is replaced.
func DumpTo(path string, write func(io.Writer) error) (err error) {
	part := path + ".part"
	file, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it has been synced, or is gone
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return finding.New("", "busy", "wait for its end", "another gtunnel replication dump writes %s", part)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part) // the first error says more
		}
	}()
	to := &carefulWriter{file: file, directory: filepath.Dir(path), on: finding.Master}
	for _, step := range []func() error{
		func() error { return file.Chmod(0o600) }, func() error { return file.Truncate(0) }, to.look,
		func() error { return write(onlyWriter{to}) }, file.Sync,
		func() error { return os.Rename(part, path) },
	} {
		if err = step(); err != nil {
			return err
		}
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = folder.Close() }() // it was only synced
	return folder.Sync()
}

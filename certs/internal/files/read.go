package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Read reads a regular file of at most limit bytes. The error is a
// *fs.PathError.
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return ReadAll(f, limit)
}

// Open opens a regular file for reading, for ReadAll; the caller closes it. It
// never waits: a pipe in the place of a file is an error.
func Open(path string) (*os.File, error) {
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

// ReadAll reads what is left of a file of at most limit bytes; of a larger one
// nothing.
func ReadAll(f *os.File, limit int64) ([]byte, error) {
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

package journal

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gtunnel/gtunnel/replication/optionfile"
)

// Shelf is a directory for files that are written once: what a rejoin saves before it is
// overwritten.
type Shelf struct{ Directory string }

// Find gives the path of a name, and whether a file is there, which is whole then.
func (s Shelf) Find(name string) (path string, there bool, err error) {
	path = filepath.Join(s.Directory, name)
	_, err = os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, false, nil
	}
	return path, err == nil, err
}

// Put writes a file of mode 0600. It has its name only once all of it is on the disk.
func (s Shelf) Put(name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(s.Directory, 0o700); err != nil {
		return err
	}
	return optionfile.Write(filepath.Join(s.Directory, name), 0o600, func(to io.Writer) error {
		buffered := bufio.NewWriter(to)
		if err := write(buffered); err != nil {
			return err
		}
		return buffered.Flush()
	})
}

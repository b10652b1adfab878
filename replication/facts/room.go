package facts

import (
	"context"
	"database/sql"

	"golang.org/x/sys/unix"

	"github.com/gtunnel/gtunnel/replication/server"
)

// readRoom reads how much is free where the data directory is. It is looked at
// as the process sees it that listens at the socket; by TCP, or without the
// right to look, it is not known.
func (f *Facts) readRoom(_ context.Context, s *server.Server, _ *sql.Conn) error {
	root, directory := s.Root(), f.Variable("datadir")
	if root == "" || directory == "" {
		return nil
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(root+directory, &stat); err == nil {
		free := stat.Bavail * uint64(stat.Bsize) //nolint:gosec // a block has a size
		f.Free = &free
	}
	return nil
}

// BytesOnDisk is the size of some of the databases with their indexes, by the
// server's estimate.
func (f *Facts) BytesOnDisk(counts func(name string) bool) uint64 {
	var bytes uint64
	for _, d := range f.Databases {
		if counts(d.Name) {
			bytes += d.Bytes + d.IndexBytes
		}
	}
	return bytes
}

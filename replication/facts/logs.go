package facts

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// LogLimit is the size, in bytes, above which the server removes binary logs; 0: there is
// none. MariaDB 11.4 and Percona Server know one.
func (f *Facts) LogLimit() uint64 { return f.Number("max_binlog_total_size", "binlog_space_limit") }

// LogEngine is the storage engine that keeps the binary log, as MariaDB 12.3 can; empty:
// it is in files of its own.
func (f *Facts) LogEngine() string { return f.Variable("binlog_storage_engine") }

// KeepsLogsForEver reports whether the server writes binary logs and removes none by
// itself.
func (f *Facts) KeepsLogsForEver() bool {
	known := f.VariableName("binlog_expire_logs_seconds", "expire_logs_days") != ""
	_, purges := f.Variables["binlog_expire_logs_auto_purge"]
	off := purges && !f.On("binlog_expire_logs_auto_purge")
	return f.HasBinaryLog() && f.LogLimit() == 0 && (known && f.Retention() == 0 || off)
}

// LogBytes is the size of all binary logs.
func (f *Facts) LogBytes() uint64 {
	var bytes uint64
	for _, log := range f.BinaryLogs {
		bytes += log.Bytes
	}
	return bytes
}

// freeAt gives how much is free on the disk of a directory of the server's, as the
// server's process has it; nil if that is not known.
func (f *Facts) freeAt(directory string) *uint64 {
	if f.root == "" || directory == "" {
		return nil
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(filepath.Join(f.root, directory), &stat); err != nil {
		return nil
	}
	free := stat.Bavail * uint64(stat.Bsize) //nolint:gosec // a block has a size
	return &free
}

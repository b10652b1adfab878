package seed

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// folderParent is where the folder of a copy by mydumper is made, unless TMPDIR
// says where.
const folderParent = "/var/tmp"

// seedFolders are the patterns of the folders' names.
var seedFolders = []string{"gtunnel-seed-*", "gtunnel-probe-*"}

// newSeedFolder makes a folder of mode 0700 for files of a copy, by one of the
// patterns. It is locked until remove, so that it is known for abandoned if this
// process is killed.
func newSeedFolder(pattern string) (folder string, remove func(), err error) {
	for range 10 { // another run may take it for abandoned until it is locked
		if folder, err = os.MkdirTemp(seedParent(), pattern); err != nil {
			break
		}
		lock, locked := lockFolder(folder)
		if _, err := os.Stat(folder); locked && err == nil {
			return folder, func() {
				_ = os.RemoveAll(folder) // nobody else looks there
				closeFiles(lock)
			}, nil
		}
		closeFiles(lock)
	}
	if err == nil {
		err = fmt.Errorf("%s cannot be locked", folder)
	}
	return "", nil, fmt.Errorf("make a folder for the copy: %w", err)
}

// removeAbandonedFolders removes what runs have left that were killed.
func removeAbandonedFolders() {
	eachAbandonedFolder(func(folder string) { _ = os.RemoveAll(folder) }) // the copy does without, if there is room
}

// abandonedBytes is the size of what removeAbandonedFolders removes.
func abandonedBytes() uint64 {
	var sum uint64
	eachAbandonedFolder(func(folder string) {
		_ = filepath.WalkDir(folder, func(_ string, file fs.DirEntry, err error) error { // nobody else changes it
			if err != nil || file.IsDir() {
				return nil //nolint:nilerr // it does not count
			}
			if info, err := file.Info(); err == nil {
				sum += uint64(info.Size()) //nolint:gosec // a file has a size
			}
			return nil
		})
	})
	return sum
}

// eachAbandonedFolder does something with the folders that runs of this user have
// left which were killed.
func eachAbandonedFolder(do func(folder string)) {
	for _, pattern := range seedFolders {
		folders, _ := filepath.Glob(filepath.Join(seedParent(), pattern)) // the pattern is well formed
		for _, folder := range folders {
			lock, locked := lockFolder(folder)
			if locked && isOwn(lock) {
				do(folder)
			}
			closeFiles(lock)
		}
	}
}

// seedParent is the folder in which that of a copy is made.
func seedParent() string {
	if dir := os.Getenv("TMPDIR"); dir != "" {
		return dir
	}
	return folderParent
}

// lockFolder locks a folder until it is closed. It is not locked if another
// process has it.
func lockFolder(folder string) (lock *os.File, locked bool) {
	lock, err := os.OpenFile(folder, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, false
	}
	return lock, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// isOwn reports whether a folder belongs to this user.
func isOwn(folder *os.File) bool {
	info, err := folder.Stat()
	if err != nil {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(owner.Uid) == os.Geteuid()
}

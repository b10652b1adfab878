package facts

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/optionfile"
)

// ConfigDirectory gives a directory from which the server of this host reads
// option files: that which has a file of ours, whoever chose it. Else it is one
// that its main files name by !includedir. Where the server tells which files it
// has read, they must be among those, or in that directory. A directory of the
// family's own is preferred, and of several the last. It is empty if none is
// known, as by TCP: who listens there may be in a container, or elsewhere.
func (f *Facts) ConfigDirectory() string {
	if file := f.ourFile(); file != "" && f.shares(filepath.Dir(file)) {
		return filepath.Dir(file)
	}
	family := strings.ToLower(string(f.Version.Family))
	best := ""
	for _, file := range append([]string{"/etc/my.cnf", "/etc/mysql/my.cnf"}, f.OptionFiles...) {
		for _, directory := range optionfile.IncludedDirectories(file) {
			if !f.shares(directory) || !f.reads(file, directory) {
				continue
			}
			if _, err := os.Stat(filepath.Join(directory, optionfile.DropInName)); err == nil {
				return filepath.Clean(directory)
			}
			if strings.Contains(directory, family) || !strings.Contains(best, family) {
				best = directory
			}
		}
	}
	return best
}

// ourFile is the option file of ours that the server has read, as the server's
// host has it; empty if none is known.
func (f *Facts) ourFile() string {
	i := slices.IndexFunc(f.OptionFiles, func(file string) bool { return filepath.Base(file) == optionfile.DropInName })
	if i < 0 {
		return ""
	}
	return f.OptionFiles[i]
}

// shares reports whether a path is one directory for the server and for this
// process. Where this user may not look, nor write, that is assumed.
func (f *Facts) shares(directory string) bool {
	own, err := os.Stat(directory)
	if f.root == "" || err != nil || !own.IsDir() {
		return false
	}
	theirs, err := os.Stat(filepath.Join(f.root, directory))
	return errors.Is(err, fs.ErrPermission) || err == nil && os.SameFile(own, theirs)
}

// reads reports whether the server has read a main file, or one in a directory
// that it names, as far as is known.
func (f *Facts) reads(mainFile, directory string) bool {
	return f.OptionFiles == nil || slices.ContainsFunc(f.OptionFiles, func(file string) bool {
		return file == mainFile || filepath.Dir(file) == filepath.Clean(directory)
	})
}

package replication

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// DropIn is a file of gtunnel's own in a directory from which a server reads
// its option files. What is set there lives on after a restart. It is made and
// changed by gtunnel only; a server's other files are never written.
type DropIn struct {
	Path     string // empty: no such directory is known, so the settings are only shown
	Settings []Setting
}

// Setting is an option of a server. Options that may be given several times have
// their values in lines.
type Setting struct{ Name, Value string }

// dropInName comes last where the server reads a directory in alphabetical
// order.
const dropInName = "zz-gtunnel.cnf"

// dropInHead marks the file as ours.
const dropInHead = "# Made by gtunnel replication, which changes nothing outside this file.\n"

// ReadDropIn reads the file in a directory. There may be none yet. A file of
// that name that is not ours is an error.
func ReadDropIn(directory string) (*DropIn, error) {
	d := &DropIn{Path: filepath.Join(directory, dropInName)}
	content, err := os.ReadFile(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the drop-in file: %w", err)
	}
	if !strings.HasPrefix(string(content), dropInHead) {
		return nil, &Problem{Code: "foreign-file", Text: d.Path + " exists and was not made by gtunnel", Cure: "move it away, or give another directory with --config-dir"}
	}
	for line := range strings.SplitSeq(string(content), "\n") {
		name, value, found := strings.Cut(line, "=")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		name, value = strings.TrimSpace(name), unquoteOption(strings.TrimSpace(value))
		if last := len(d.Settings) - 1; last >= 0 && d.Settings[last].Name == name {
			d.Settings[last].Value += "\n" + value
		} else {
			d.Settings = append(d.Settings, Setting{Name: name, Value: value})
		}
	}
	return d, nil
}

// with gives the drop-in with settings set; those of the same names are
// replaced.
func (d *DropIn) with(settings ...Setting) *DropIn {
	next := &DropIn{}
	if d != nil {
		next.Path = d.Path
		for _, old := range d.Settings {
			if !slices.ContainsFunc(settings, func(s Setting) bool { return s.Name == old.Name }) {
				next.Settings = append(next.Settings, old)
			}
		}
	}
	next.Settings = append(next.Settings, settings...)
	sort.SliceStable(next.Settings, func(i, j int) bool { return next.Settings[i].Name < next.Settings[j].Name })
	return next
}

// has tells whether a setting is in the file.
func (d *DropIn) has(name string) bool {
	return d != nil && slices.ContainsFunc(d.Settings, func(s Setting) bool { return s.Name == name })
}

// equal tells whether two drop-ins say the same.
func (d *DropIn) equal(other *DropIn) bool {
	a, b := d.with(), other.with()
	return slices.Equal(a.Settings, b.Settings)
}

// content is the file's text.
func (d *DropIn) content() string {
	var b strings.Builder
	b.WriteString(dropInHead + "[mysqld]\n")
	for _, s := range d.Settings {
		for value := range strings.SplitSeq(s.Value, "\n") {
			fmt.Fprintf(&b, "%s = %s\n", s.Name, quoteOption(value))
		}
	}
	return b.String()
}

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
		for _, directory := range includedDirectories(file) {
			if !f.shares(directory) || !f.reads(file, directory) {
				continue
			}
			if _, err := os.Stat(filepath.Join(directory, dropInName)); err == nil {
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
	i := slices.IndexFunc(f.OptionFiles, func(file string) bool { return filepath.Base(file) == dropInName })
	if i < 0 {
		return ""
	}
	return f.OptionFiles[i]
}

// shares tells whether a path is one directory for the server and for this
// process. Where this user may not look, nor write, that is assumed.
func (f *Facts) shares(directory string) bool {
	own, err := os.Stat(directory)
	if f.root == "" || err != nil || !own.IsDir() {
		return false
	}
	theirs, err := os.Stat(filepath.Join(f.root, directory))
	return errors.Is(err, fs.ErrPermission) || err == nil && os.SameFile(own, theirs)
}

// reads tells whether the server has read a main file, or one in a directory
// that it names, as far as is known.
func (f *Facts) reads(mainFile, directory string) bool {
	return f.OptionFiles == nil || slices.ContainsFunc(f.OptionFiles, func(file string) bool {
		return file == mainFile || filepath.Dir(file) == filepath.Clean(directory)
	})
}

// includedDirectories are those that an option file names by !includedir.
func includedDirectories(file string) []string {
	f, err := os.Open(file)
	if err != nil {
		return nil // servers read such files only where they exist
	}
	defer func() { _ = f.Close() }() // it was only read
	var directories []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if directory, found := strings.CutPrefix(strings.TrimSpace(lines.Text()), "!includedir"); found {
			directories = append(directories, strings.TrimSpace(directory))
		}
	}
	return directories
}

package optionfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// DropIn is a file of gtunnel's own in a directory from which a server reads
// its option files. What is set there lives on after a restart. It is made and
// changed by gtunnel only; a server's other files are never written.
type DropIn struct {
	Path     string // empty: no such directory is known, so the settings are only shown
	Settings []Setting
}

// Setting is an option of a server by its variable's name. Options that may be
// given several times have their values in lines.
type Setting struct{ Name, Value string }

// DropInName comes last where the server reads a directory in alphabetical
// order.
const DropInName = "zz-gtunnel.cnf"

// dropInHead marks the file as ours.
const dropInHead = "# Made by gtunnel replication, which changes nothing outside this file.\n"

// ReadDropIn reads the file in a directory. There may be none yet. A file of
// that name that is not ours is the Problem foreign-file.
func ReadDropIn(directory string) (*DropIn, error) {
	d := &DropIn{Path: filepath.Join(directory, DropInName)}
	content, err := os.ReadFile(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the drop-in file: %w", err)
	}
	if !strings.HasPrefix(string(content), dropInHead) {
		return nil, &finding.Problem{
			Code: "foreign-file", Text: d.Path + " exists and was not made by gtunnel",
			Cure: "move it away, or give another directory with --config-dir",
		}
	}
	options, err := Parse(string(content))
	if err != nil {
		return nil, fmt.Errorf("read the drop-in file %s: %w", d.Path, err)
	}
	for _, o := range options {
		if o.Bare {
			continue // it sets nothing that gtunnel sets
		}
		name := strings.ReplaceAll(o.Key, "-", "_")
		if last := len(d.Settings) - 1; last >= 0 && d.Settings[last].Name == name {
			d.Settings[last].Value += "\n" + o.Value
		} else {
			d.Settings = append(d.Settings, Setting{Name: name, Value: o.Value})
		}
	}
	return d, nil
}

// With gives the drop-in with settings set; those of the same names are
// replaced. Nil is one whose directory is not known.
func (d *DropIn) With(settings ...Setting) *DropIn {
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

// Has reports whether a setting is in the file; nil has none.
func (d *DropIn) Has(name string) bool {
	return d != nil && slices.ContainsFunc(d.Settings, func(s Setting) bool { return s.Name == name })
}

// Sets reports whether the file sets something to a value; nil sets nothing.
func (d *DropIn) Sets(name, value string) bool {
	return d != nil && slices.Contains(d.Settings, Setting{Name: name, Value: value})
}

// Equal reports whether two drop-ins say the same.
func (d *DropIn) Equal(other *DropIn) bool {
	a, b := d.With(), other.With()
	return slices.Equal(a.Settings, b.Settings)
}

// Without gives the drop-in without the settings of some names. One without any
// settings still has a head: its file may as well be removed.
func (d *DropIn) Without(names ...string) *DropIn {
	next := d.With()
	next.Settings = slices.DeleteFunc(next.Settings, func(s Setting) bool { return slices.Contains(names, s.Name) })
	return next
}

// Content is the file's text.
func (d *DropIn) Content() string {
	var b strings.Builder
	b.WriteString(dropInHead + "[mysqld]\n")
	for _, s := range d.Settings {
		for value := range strings.SplitSeq(s.Value, "\n") {
			fmt.Fprintf(&b, "%s = %s\n", s.Name, Quote(value))
		}
	}
	return b.String()
}

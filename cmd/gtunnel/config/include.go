package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// includeKey names, at the top of the file, others that have tunnels.
const includeKey = "include"

// maxIncluded bounds the files that are included.
const maxIncluded = 256

// wildcards are the special characters of filepath.Match.
const wildcards = `*?[\`

// include adds the tunnels of the files that the patterns of the key name:
// those of one pattern in the order of their names. It reports whether all is
// well.
func (r *fileReader) include(value any, defaults Tunnel) (sound bool) {
	if value == nil {
		return true
	}
	before := len(r.found)
	var patterns []string
	if err := (Setting{Name: includeKey, Target: &patterns}).setValue(value); err != nil {
		r.add(place{includeKey}, err.Error(), usage.HintOf(err))
		return false
	}
	var files []string
	for _, pattern := range patterns {
		found, err := r.filesOf(pattern)
		if err != nil {
			r.add(place{includeKey}, err.Error(), usage.HintOf(err))
		}
		files = append(files, found...)
	}
	done := map[string]bool{filepath.Clean(r.config.origin.file): true}
	for _, file := range files {
		if done[file] {
			continue
		}
		if len(done) > maxIncluded {
			r.add(place{includeKey}, fmt.Sprintf("more than %d files", maxIncluded), "name fewer: several tunnels fit in one")
			break
		}
		done[file] = true
		r.includeFile(file, defaults)
	}
	return len(r.found) == before
}

// filesOf lists the files that a pattern finds, by name. A name without
// wildcards must be there.
func (r *fileReader) filesOf(pattern string) ([]string, error) {
	path := pattern
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.folder, path)
	}
	folder, name := filepath.Split(filepath.Clean(path))
	r.config.includes = append(r.config.includes, filepath.Clean(folder))
	if strings.ContainsAny(folder, wildcards) {
		return nil, &usage.Error{
			Message: fmt.Sprintf("%q has a wildcard in the name of a folder", pattern),
			Cure:    `only the name of the file may have wildcards, as in "conf.d/*.toml"`,
		}
	}
	if !strings.ContainsAny(name, wildcards) {
		return []string{filepath.Clean(path)}, nil
	}
	if _, err := filepath.Match(name, ""); err != nil {
		return nil, &usage.Error{
			Message: fmt.Sprintf("%q is no pattern: %v", pattern, err), Cure: `write one such as "conf.d/*.toml"`,
		}
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil { // or a reload would take its tunnels for removed
		return nil, &usage.Error{Err: err, Cure: "let the user of gtunnel read the folder: chmod o+rx " + folder}
	}
	var files []string
	for _, entry := range entries { // in the order of their names
		hidden := strings.HasPrefix(entry.Name(), ".") && !strings.HasPrefix(name, ".") // an editor's
		if fits, _ := filepath.Match(name, entry.Name()); fits && !hidden {
			files = append(files, filepath.Join(folder, entry.Name()))
		}
	}
	return files, nil
}

// includeFile adds the tunnels of one file. All that is wrong in it is said
// with its name.
func (r *fileReader) includeFile(file string, defaults Tunnel) {
	failed := func(err error) {
		e, ok := errors.AsType[*usage.Error](err)
		if !ok {
			e = &usage.Error{Err: err}
		}
		e.File = file
		r.found = append(r.found, e)
	}
	text, err := readFile(file)
	if err != nil {
		cure := "make it a file that this user may read, or leave it out of " + includeKey
		failed(&usage.Error{Message: err.Error(), Cure: cure})
		return
	}
	document, names, err := decode(file, text)
	if err != nil {
		failed(err)
		return
	}
	in := fileReader{folder: filepath.Dir(file), config: New("run")}
	in.config.Pair = r.config.Pair
	in.config.origin = origin{file: file, lines: keyLines(text), wrong: map[string]bool{}}
	in.readIncluded(document, names, r, defaults)
	for _, e := range in.found {
		failed(e)
	}
	o := &r.config.origin
	if o.included == nil {
		o.included = map[string]string{}
	}
	for _, t := range in.config.Tunnels {
		o.included[t.Name] = file
		section := t.place().String()
		isIts := func(at string) bool { return at == section || strings.HasPrefix(at, section+".") }
		for at, line := range in.config.origin.lines {
			if isIts(at) {
				o.lines[at] = line
			}
		}
		for at := range in.config.origin.wrong {
			o.wrong[at] = o.wrong[at] || isIts(at)
		}
	}
	r.config.Tunnels = append(r.config.Tunnels, in.config.Tunnels...)
}

// readIncluded reads the document of an included file: tunnels, none of a name
// that the others have already.
func (r *fileReader) readIncluded(document map[string]any, names []string, others *fileReader, defaults Tunnel) {
	for _, name := range slices.Sorted(maps.Keys(document)) {
		switch {
		case name == "tunnel":
		case name == includeKey:
			r.add(place{name}, "a file that is included includes no others",
				"name them in "+others.config.origin.file)
		case slices.Contains(sections, name):
			r.add(place{name}, "is not for a file that is included: it is the same for all tunnels",
				"move it to "+others.config.origin.file)
		default:
			r.unknown(place{name}, []string{"tunnel"})
		}
	}
	tunnels := r.asTable(place{"tunnel"}, document["tunnel"])
	for _, name := range names {
		value, ok := tunnels[name]
		if !ok {
			continue
		}
		section := place{"tunnel", name}
		if others.config.TunnelNamed(name) != nil && others.config.origin.has(section) {
			r.add(section, "another tunnel has the name: "+others.config.origin.describe(section),
				"give one of them another name")
			continue
		}
		r.tunnel(name, value, defaults)
	}
}

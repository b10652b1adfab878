package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/BurntSushi/toml"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/tunnel"
)

// maxConfigSize bounds the configuration file, in bytes.
const maxConfigSize = 64 << 10

// place is where a value stands: tunnel, NAME, key; or tls, key.
type place []string

// String is the place as the file writes it, with dots.
func (p place) String() string { return toml.Key(p).String() }

// key is the place of a key in the section p.
func (p place) key(key string) place { return append(slices.Clone(p), key) }

// origin knows where the values of a configuration come from, to say so in
// errors. The zero value stands for the command line.
type origin struct {
	file  string          // empty: the command line
	lines map[string]int  // by place
	wrong map[string]bool // the places whose values are wrong

	flagsFile string // where systemd has the flags of the command line from; empty: from elsewhere
}

// keyName is what the user calls the setting name.
func (o origin) keyName(name string) string {
	if o.file == "" {
		return "--" + name
	}
	return keyOf(name)
}

// settingName is what the user calls a setting that package certs speaks of.
func (o origin) settingName(s certs.Setting) string { return o.keyName(string(s)) }

// keyOf is the key that a flag has in the file.
func keyOf(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// describe names a place: the file with the line and the key, or the flag. A
// key that the file lacks is described by its section.
func (o origin) describe(p place) string {
	if o.file == "" {
		switch {
		case p[0] == "admin":
			return "--admin"
		case len(p) < 3:
			return ""
		}
		return "--" + strings.ReplaceAll(p[len(p)-1], "_", "-")
	}
	for ; len(p) > 0; p = p[:len(p)-1] {
		if line := o.lines[p.String()]; line > 0 {
			return fmt.Sprintf("%s:%d: %s", o.file, line, p)
		}
	}
	return o.file
}

// has tells whether the file holds the place.
func (o origin) has(p place) bool { return o.lines[p.String()] > 0 }

// sound tells whether no value at these keys of a tunnel, nor the value in
// [tls] that stands for a missing one, was found wrong.
func (o origin) sound(section place, keys ...string) bool {
	return !slices.ContainsFunc(keys, func(key string) bool {
		p := section.key(key).String()
		return o.wrong[p] || o.lines[p] == 0 && (o.wrong["tls"] || o.wrong[place{"tls", key}.String()])
	})
}

// keyAt is where a tunnel has the value of a key from: its own section, or
// [tls]. It is the section if the file has the key in neither.
func (o origin) keyAt(section place, key string) place {
	if o.file == "" {
		return section.key(key)
	}
	for _, p := range []place{section.key(key), {"tls", key}} {
		if o.has(p) {
			return p
		}
	}
	return section
}

// settingName finds what may be the name of a setting, as a flag or bare.
var settingName = regexp.MustCompile(`(--)?[a-z]+(-[a-z]+)*`)

// words puts a hint of a package that knows neither flags nor files into the
// user's words. Package certs marks the settings in its own; in those of others
// a bare name without a hyphen may be an ordinary word.
func (o origin) words(hint string) string {
	if named := certs.NameSettings(hint, o.settingName); named != hint {
		return named
	}
	config, t := newConfig("run"), newTunnelConfig("", "")
	known := append(config.settings(), t.settings()...)
	return settingName.ReplaceAllStringFunc(hint, func(word string) string {
		name := strings.TrimPrefix(word, "--")
		if !strings.Contains(word, "-") || !slices.ContainsFunc(known, func(s setting) bool { return s.name == name }) {
			return word
		}
		return o.keyName(name)
	})
}

// errorAt makes an error about the value at p.
func (o origin) errorAt(p place, message, hint string) *usageError {
	e := &usageError{where: o.describe(p), message: message, hint: hint}
	for ; len(p) > 0 && e.line == 0; p = p[:len(p)-1] {
		e.line = o.lines[p.String()]
	}
	return e
}

// readConfig reads a configuration file. The error is of a file that cannot be
// read or is no TOML; what else is wrong in it are the problems of the Config,
// so that the rest can be checked, too.
func readConfig(file string) (Config, error) {
	text, err := readFile(file)
	if err != nil {
		return Config{}, err
	}
	var document map[string]any
	meta, err := toml.Decode(text, &document)
	if err != nil {
		if e, ok := errors.AsType[toml.ParseError](err); ok {
			hint := "strings stand in quotes, one key = value on a line, sections in [brackets]"
			if strings.Contains(e.Message, "already been defined") {
				hint = "remove one of the two"
			}
			return Config{}, &usageError{
				where: fmt.Sprintf("%s:%d", file, e.Position.Line), message: "not TOML: " + strings.TrimSuffix(e.Message, "."), hint: hint,
			}
		}
		return Config{}, &usageError{where: file, err: err}
	}
	r := fileReader{folder: filepath.Dir(file), config: newConfig("run")}
	r.config.origin = origin{file: file, lines: keyLines(text), wrong: map[string]bool{}}
	r.read(document, tunnelNames(meta.Keys()))
	r.config.problems = r.found
	return r.config, nil
}

func readFile(file string) (string, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not make it wait
	if err != nil {
		hint := "write one, or name another with --config; gtunnel run --help shows an example"
		if errors.Is(err, fs.ErrPermission) {
			hint = "run gtunnel as a user who may read it, or change its mode"
		}
		return "", &usageError{err: err, hint: hint}
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", &usageError{err: err}
	case info.IsDir():
		return "", &usageError{where: file, message: "is a directory", hint: "name the file in it: --config " + filepath.Join(file, filepath.Base(defaultConfig))}
	case !info.Mode().IsRegular():
		return "", &usageError{where: file, message: "is no regular file", hint: "write the configuration into a file, and name that with --config"}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxConfigSize+1))
	if err != nil {
		return "", &usageError{err: err}
	}
	if len(text) > maxConfigSize {
		return "", &usageError{where: file, message: fmt.Sprintf("is larger than %d KiB", maxConfigSize>>10), hint: "is it a configuration file of gtunnel?"}
	}
	return string(text), nil
}

// tunnelNames lists the tunnels in the order of the file.
func tunnelNames(keys []toml.Key) []string {
	var names []string
	for _, key := range keys {
		if len(key) > 1 && key[0] == "tunnel" && !slices.Contains(names, key[1]) {
			names = append(names, key[1])
		}
	}
	return names
}

// fileReader fills a Config from a document, collecting what is wrong.
type fileReader struct {
	folder string // of the file
	config Config
	found  []*usageError
}

func (r *fileReader) add(p place, message, hint string) {
	r.config.origin.wrong[p.String()] = true
	r.found = append(r.found, r.config.origin.errorAt(p, message, hint))
}

// sections are the tables at the top of the file.
var sections = []string{"tls", "log", "admin", "tunnel"}

func (r *fileReader) read(document map[string]any, names []string) {
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if !slices.Contains(sections, name) {
			r.unknown(place{name}, sections)
		}
	}
	defaults := newTunnelConfig("", "")
	tls := append(inSection(defaults.settings(), groupCertificates, ""), inSection(r.config.settings(), groupCertificates, "")...)
	r.section(place{"tls"}, document["tls"], tls, &defaults)
	log := inSection(r.config.settings(), "", "log-")
	r.section(place{"log"}, document["log"], log, nil)
	admin := inSection(r.config.settings(), "", "admin")
	admin[0].name = "address"
	r.section(place{"admin"}, document["admin"], admin, nil)

	tunnels := r.table(place{"tunnel"}, document["tunnel"])
	if len(names) == 0 && !r.config.origin.wrong["tunnel"] {
		r.add(place{"tunnel"}, "no tunnel is configured", `add a section such as [tunnel.mysql] with role = "server"`)
	}
	for _, name := range names {
		if value, ok := tunnels[name]; ok {
			r.tunnel(name, value, defaults)
		}
	}
}

var soundName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// tunnel adds the tunnel of a section, if it is one.
func (r *fileReader) tunnel(name string, value any, defaults TunnelConfig) {
	c := defaults
	c.Name = name
	section := place{"tunnel", name}
	if !soundName.MatchString(name) {
		r.add(section, "is no name for a tunnel", "use letters, digits, hyphens, dots and underscores, 64 at most")
	}
	table := r.table(section, value)
	if table == nil {
		return
	}
	if role, ok := table["role"].(string); ok && role == string(tunnel.Client) {
		c.Role = tunnel.Client // the settings of the roles differ
	}
	role := setting{name: "role", target: (*string)(&c.Role), values: []string{string(tunnel.Server), string(tunnel.Client)}}
	r.section(section, value, append([]setting{role}, c.settings()...), &c)
	if _, ok := table["role"]; !ok {
		r.add(section.key("role"), "role is missing", `add role = "server" (on the master) or role = "client" (on the slave)`)
	}
	c.complete()
	r.config.Tunnels = append(r.config.Tunnels, c)
}

// processPlace is where the file has a setting of the process.
func processPlace(s setting) place {
	switch {
	case s.group == groupCertificates:
		return place{"tls", s.key()}
	case s.name == "admin":
		return place{"admin", "address"}
	default:
		return place{"log", keyOf(strings.TrimPrefix(s.name, "log-"))}
	}
}

// inSection picks the settings of a group, or those whose names begin with
// prefix and are called by the rest of it there.
func inSection(settings []setting, group, prefix string) []setting {
	var picked []setting
	for _, s := range settings {
		if s.group == group || group == "" && strings.HasPrefix(s.name, prefix) {
			s.name = strings.TrimPrefix(s.name, prefix)
			picked = append(picked, s)
		}
	}
	return picked
}

// table gives the table at p, nil if the file lacks it.
func (r *fileReader) table(p place, value any) map[string]any {
	table, ok := value.(map[string]any)
	if !ok && value != nil {
		name := p.String()
		if p[0] == "tunnel" {
			name = "tunnel.NAME"
		}
		r.add(p, "is "+kindOf(value)+", not a section", "write ["+name+"] on a line of its own, its keys below")
	}
	return table
}

// section sets the settings that the table at p names. trust, if not nil, is
// the tunnel whose CApath and CA file they set.
func (r *fileReader) section(p place, value any, settings []setting, trust *TunnelConfig) {
	table := r.table(p, value)
	known := map[string]setting{}
	var names []string
	for _, s := range settings {
		known[s.key()] = s
		names = append(names, s.key())
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		s, ok := known[key]
		if !ok {
			r.unknown(p.key(key), names)
			continue
		}
		if err := s.setValue(table[key]); err != nil {
			r.add(p.key(key), err.Error(), hintOf(err))
			continue
		}
		if path, ok := s.target.(*string); ok && s.file && !filepath.IsAbs(*path) {
			*path = filepath.Join(r.folder, *path)
		}
	}
	if trust == nil {
		return
	}
	_, capath := table["capath"]
	_, cafile := table["cafile"]
	trust.trustOnly(capath, cafile)
	for _, s := range settings { // the role is known only now
		if _, ok := table[s.key()]; ok && s.role != "" && trust.Role != "" && s.role != trust.Role {
			r.add(p.key(s.key()), fmt.Sprintf("is for role %q only", s.role), roleHint(trust.Role, r.config.origin))
		}
	}
}

// roleHint says what a role has in place of a setting of the other one.
func roleHint(role tunnel.Role, o origin) string {
	if role == tunnel.Client {
		return "remove it: a client lets in whoever can reach its address, and checks the server's name"
	}
	return fmt.Sprintf("remove it: a server checks its peers against %s and %s", o.keyName("allow-host"), o.keyName("allow-dn"))
}

// unknown says that the key at p is none of the known ones, and where it
// belongs if it is one of another section.
func (r *fileReader) unknown(p place, known []string) {
	key, message := p[len(p)-1], "unknown key"
	if len(p) == 1 {
		message = "unknown section or key"
	}
	var tunnelKeys, tlsKeys []string
	c := newTunnelConfig("", "")
	for _, s := range c.settings() {
		tunnelKeys = append(tunnelKeys, s.key())
		if s.group == groupCertificates {
			tlsKeys = append(tlsKeys, s.key())
		}
	}
	var processKeys []string
	for _, s := range inSection(r.config.settings(), groupCertificates, "") {
		processKeys = append(processKeys, s.key())
	}
	hint := "the keys here: " + strings.Join(known, ", ")
	near := closest(key, known)
	switch {
	case near != "":
		hint = "did you mean " + near + "?"
		r.config.origin.wrong[append(p[:len(p)-1:len(p)-1], near).String()] = true // not missing, then
	case slices.Contains(processKeys, key):
		hint = key + " belongs in [tls]: it is the same for all tunnels"
	case slices.Contains(tlsKeys, key):
		hint = key + " belongs in [tls] or [tunnel.NAME]"
	case slices.Contains(tunnelKeys, key) || key == "role":
		hint = key + " belongs in [tunnel.NAME]"
	}
	r.add(p, message, hint)
}

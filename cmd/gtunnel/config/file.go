package config

import (
	"cmp"
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

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// maxConfigSize bounds the configuration file, in bytes.
const maxConfigSize = 64 << 10

// Read reads a configuration file. The error is of a file that cannot be
// read or is no TOML; what else is wrong in it are the problems of the Config,
// so that the rest can be checked, too.
func Read(file string) (Config, error) { return ReadFor(file, "", "") }

// ReadFor is Read for a process with a certificate and key of its own, such as those that
// systemd hands it, which are those of [tls] unless the file names others.
func ReadFor(file, cert, key string) (Config, error) {
	text, err := readFile(file)
	if err != nil {
		return Config{}, err
	}
	document, names, err := decode(file, text)
	if err != nil {
		return Config{}, err
	}
	r := fileReader{folder: filepath.Dir(file), config: New("run"), cert: cert, key: key}
	r.config.cert, r.config.key = cert, key
	r.config.origin = origin{file: file, lines: keyLines(text), wrong: map[string]bool{}}
	r.read(document, names)
	r.config.problems = r.found
	return r.config, nil
}

// decode reads TOML, and lists its tunnels in the order of the file.
func decode(file, text string) (document map[string]any, tunnels []string, err error) {
	meta, err := toml.Decode(text, &document)
	if e, ok := errors.AsType[toml.ParseError](err); ok {
		hint := "strings stand in quotes, one key = value on a line, sections in [brackets]"
		if strings.Contains(e.Message, "already been defined") {
			hint = "remove one of the two"
		}
		return nil, nil, &usage.Error{
			Where: fmt.Sprintf("%s:%d", file, e.Position.Line), Message: "not TOML: " + strings.TrimSuffix(e.Message, "."),
			Cure: hint,
		}
	}
	if err != nil {
		return nil, nil, &usage.Error{Where: file, Err: err}
	}
	return document, tunnelNames(meta.Keys()), nil
}

func readFile(file string) (string, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not make it wait
	if err != nil {
		hint := "write one, or name another with --config; gtunnel run --help shows an example"
		if errors.Is(err, fs.ErrPermission) {
			hint = "run gtunnel as a user who may read it, or change its mode"
		}
		return "", &usage.Error{Err: err, Cure: hint}
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", &usage.Error{Err: err}
	case info.IsDir():
		return "", &usage.Error{
			Where: file, Message: "is a directory",
			Cure: "name the file in it: --config " + filepath.Join(file, filepath.Base(DefaultFile)),
		}
	case !info.Mode().IsRegular():
		return "", &usage.Error{
			Where: file, Message: "is no regular file", Cure: "write the configuration into a file, and name that with --config",
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxConfigSize+1))
	if err != nil {
		return "", &usage.Error{Err: err}
	}
	if len(text) > maxConfigSize {
		return "", &usage.Error{
			Where: file, Message: fmt.Sprintf("is larger than %d KiB", maxConfigSize>>10),
			Cure: "is it a configuration file of gtunnel?",
		}
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
	folder    string // of the file
	cert, key string // see ReadFor
	config    Config
	found     []*usage.Error
}

func (r *fileReader) add(p place, message, hint string) {
	r.config.origin.wrong[p.String()] = true
	r.found = append(r.found, r.config.origin.errorAt(p, message, hint))
}

// sections are the tables at the top of the file.
var sections = []string{"tls", "log", "admin", "landlock", "process", "pair", "tunnel"}

// atTop is all that may stand at the top of the file.
var atTop = append([]string{includeKey}, sections...)

func (r *fileReader) read(document map[string]any, names []string) {
	for _, name := range slices.Sorted(maps.Keys(document)) {
		if !slices.Contains(atTop, name) {
			r.unknown(place{name}, atTop)
		}
	}
	defaults := NewTunnel("", "")
	defaults.Cert, defaults.Key = cmp.Or(r.cert, defaults.Cert), cmp.Or(r.key, defaults.Key)
	tls := inSection(defaults.Settings(), GroupCertificates, "")
	tls = append(tls, inSection(r.config.Settings(), GroupCertificates, "")...)
	r.section(place{"tls"}, document["tls"], tls, &defaults)
	log := inSection(r.config.Settings(), "", "log-")
	r.section(place{"log"}, document["log"], log, nil)
	admin := inSection(r.config.Settings(), "", "admin")
	admin[0].Name = "address"
	r.section(place{"admin"}, document["admin"], admin, nil)
	landlock := inSection(r.config.Settings(), "", "landlock")
	landlock[0].Name = "mode"
	r.section(place{"landlock"}, document["landlock"], landlock, nil)
	r.section(place{"process"}, document["process"], r.config.processSettings(), nil)

	tunnels := r.asTable(place{"tunnel"}, document["tunnel"])
	r.pair(document["pair"], defaults)
	for _, name := range names {
		if value, ok := tunnels[name]; ok {
			r.tunnel(name, value, defaults)
		}
	}
	sound := r.include(document[includeKey], defaults)
	if sound && len(names)+len(r.config.Tunnels) == 0 && document["pair"] == nil && !r.config.origin.wrong["tunnel"] {
		r.add(place{"tunnel"}, "no tunnel is configured",
			`add [pair] with hosts, or a section such as [tunnel.mysql] with role = "server"`)
		r.config.empty = true
	}
}

var soundName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// tunnel adds the tunnel of a section, if it is one.
func (r *fileReader) tunnel(name string, value any, defaults Tunnel) {
	c := defaults
	c.Name = name
	section := place{"tunnel", name}
	if r.config.Pair != nil && (name == PairServer || name == PairClient) {
		r.add(section, "is the name of a tunnel of the pair", "give it another name")
	}
	if !soundName.MatchString(name) {
		r.add(section, "is no name for a tunnel", "use letters, digits, hyphens, dots and underscores, 64 at most")
	}
	table := r.asTable(section, value)
	if table == nil {
		return
	}
	if role, ok := table["role"].(string); ok && role == string(tunnel.Client) {
		c.Role = tunnel.Client // the settings of the roles differ
	}
	role := Setting{
		Name: "role", Target: (*string)(&c.Role), Values: []string{string(tunnel.Server), string(tunnel.Client)},
	}
	r.section(section, value, append([]Setting{role}, c.Settings()...), &c)
	if _, ok := table["role"]; !ok {
		r.add(section.key("role"), "role is missing", `add role = "server" (on the master) or role = "client" (on the slave)`)
	}
	c.Complete()
	r.config.Tunnels = append(r.config.Tunnels, c)
}

// inSection picks the settings of a group, or those whose names begin with
// prefix and are called by the rest of it there.
func inSection(settings []Setting, group, prefix string) []Setting {
	var picked []Setting
	for _, s := range settings {
		if s.Group == group || group == "" && strings.HasPrefix(s.Name, prefix) {
			s.Name = strings.TrimPrefix(s.Name, prefix)
			picked = append(picked, s)
		}
	}
	return picked
}

// asTable gives the table at p, nil if the file lacks it.
func (r *fileReader) asTable(p place, value any) map[string]any {
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
func (r *fileReader) section(p place, value any, settings []Setting, trust *Tunnel) {
	table := r.asTable(p, value)
	known := map[string]Setting{}
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
			r.add(p.key(key), err.Error(), usage.HintOf(err))
			continue
		}
		if path, ok := s.Target.(*string); ok && s.File && !filepath.IsAbs(*path) {
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
		if _, ok := table[s.key()]; ok && s.Role != "" && trust.Role != "" && s.Role != trust.Role {
			r.add(p.key(s.key()), fmt.Sprintf("is for role %q only", s.Role), roleHint(trust.Role, s, r.config.origin))
		}
	}
}

// unknown says that the key at p is none of the known ones, and where it
// belongs if it is one of another section.
func (r *fileReader) unknown(p place, known []string) {
	key, message := p[len(p)-1], "unknown key"
	if len(p) == 1 {
		message = "unknown section or key"
	}
	var tunnelKeys, tlsKeys []string
	c := NewTunnel("", "")
	for _, s := range c.Settings() {
		tunnelKeys = append(tunnelKeys, s.key())
		if s.Group == GroupCertificates {
			tlsKeys = append(tlsKeys, s.key())
		}
	}
	var processKeys []string
	for _, s := range inSection(r.config.Settings(), GroupCertificates, "") {
		processKeys = append(processKeys, s.key())
	}
	hint := "the keys here: " + strings.Join(known, ", ")
	near := usage.Closest(key, known)
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

package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// Where names the setting of a tunnel: its flag, or the file with the line and
// the key. A key that the file lacks is named by its section.
func (c *Config) Where(t *Tunnel, key string) string { return c.origin.describe(t.place().key(key)) }

// Section is where the settings stand of a tunnel, or, for the empty name, of
// the process.
func (c *Config) Section(tunnel string) string {
	switch {
	case tunnel == "":
		return c.origin.file
	case c.Pair != nil && (tunnel == PairServer || tunnel == PairClient):
		return "[pair] in " + c.origin.file
	}
	section := place{"tunnel", tunnel}
	return "[" + section.String() + "] in " + c.origin.fileOf(section)
}

// Sound reports whether no value at these keys of a tunnel, nor the value in
// [tls] that stands for a missing one, was found wrong.
func (c *Config) Sound(t *Tunnel, keys ...string) bool { return c.origin.sound(t.place(), keys...) }

// ErrorAbout puts an error about the values of a tunnel's keys in its place and
// its hint in the user's words. The place is that of the only key, or of the one
// whose file the error names.
func (c *Config) ErrorAbout(t *Tunnel, err error, keys ...string) *usage.Error {
	e := c.origin.errorAt(c.placeOf(t, err, keys), "", c.Words(usage.HintOf(err)))
	e.Err = err
	return e
}

// ProcessError is an error about the value of a key of [process], or of its flag.
func (c *Config) ProcessError(key, message, hint string) *usage.Error {
	return c.origin.errorAt(place{"process", key}, message, hint)
}

// placeOf is where an error about a tunnel's keys belongs.
func (c *Config) placeOf(t *Tunnel, err error, keys []string) place {
	if c.origin.file == "" && len(keys) > 1 {
		return t.place() // the flag may not have been given
	}
	files := map[string]string{"cert": t.Cert, "key": t.Key, "capath": t.CApath, "cafile": t.CAfile}
	var named []string
	for _, key := range keys {
		if file, ok := files[key]; !ok || file != "" && strings.Contains(err.Error(), file) {
			named = append(named, key)
		}
	}
	if len(named) != 1 {
		return t.place()
	}
	return c.origin.keyAt(t.place(), named[0])
}

// Words puts a hint of a package that knows neither flags nor files into the
// user's words.
func (c *Config) Words(hint string) string { return c.origin.words(hint) }

// SettingName is what the user calls a setting that package certs speaks of.
func (c *Config) SettingName(s certs.Setting) string { return c.origin.keyName(string(s)) }

// FlagName is the flag of a setting that package certs speaks of.
func FlagName(s certs.Setting) string { return origin{}.keyName(string(s)) }

// place is the tunnel's section in the file.
func (t *Tunnel) place() place {
	if t.ofPair {
		return place{"pair", string(t.Role)}
	}
	return place{"tunnel", t.Name}
}

// place is where a value stands: tunnel, NAME, key; or tls, key.
type place []string

// whole is the tunnel's section as NeedRestart names it where no key does: that of a pair
// makes more than its keys say; no place otherwise.
func (t *Tunnel) whole() place {
	if t.ofPair {
		return place{"pair"}
	}
	return nil
}

// String is the place as the file writes it, with dots.
func (p place) String() string { return toml.Key(p).String() }

// key is the place of a key in the section p.
func (p place) key(key string) place { return append(slices.Clone(p), key) }

// origin knows where the values of a configuration come from, to say so in
// errors. The zero value stands for the command line.
type origin struct {
	file     string            // empty: the command line
	included map[string]string // the files of the tunnels, by name, that are in another one
	lines    map[string]int    // by place
	wrong    map[string]bool   // the places whose values are wrong
}

// fileOf is the file that has the place p.
func (o origin) fileOf(p place) string {
	if len(p) > 1 && p[0] == "tunnel" {
		return cmp.Or(o.included[p[1]], o.file)
	}
	return o.file
}

// keyName is what the user calls the setting name.
func (o origin) keyName(name string) string {
	if o.file == "" {
		return "--" + name
	}
	return keyOf(name)
}

// keyOf is the key that a flag has in the file.
func keyOf(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// describe names a place: the file with the line and the key, or the flag. A
// key that the file lacks is described by its section.
func (o origin) describe(p place) string {
	if o.file == "" {
		switch {
		case p[0] == "admin":
			return "--admin"
		case p[0] == "process":
			return "--" + strings.ReplaceAll(p[1], "_", "-")
		case len(p) < 3:
			return ""
		}
		return "--" + strings.ReplaceAll(p[len(p)-1], "_", "-")
	}
	for ; len(p) > 0; p = p[:len(p)-1] {
		if line := o.lines[p.String()]; line > 0 {
			return fmt.Sprintf("%s:%d: %s", o.fileOf(p), line, p)
		}
	}
	return o.file
}

// has reports whether the file holds the place.
func (o origin) has(p place) bool { return len(p) > 0 && o.lines[p.String()] > 0 }

// sound reports whether no value at these keys of a tunnel, nor the value in
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
	named := certs.NameSettings(hint, func(s certs.Setting) string { return o.keyName(string(s)) })
	if named != hint {
		return named
	}
	config, t := New("run"), NewTunnel("", "")
	known := append(config.Settings(), t.Settings()...)
	return settingName.ReplaceAllStringFunc(hint, func(word string) string {
		name := strings.TrimPrefix(word, "--")
		if !strings.Contains(word, "-") || !slices.ContainsFunc(known, func(s Setting) bool { return s.Name == name }) {
			return word
		}
		return o.keyName(name)
	})
}

// errorAt makes an error about the value at p.
func (o origin) errorAt(p place, message, hint string) *usage.Error {
	e := &usage.Error{Where: o.describe(p), Message: message, Cure: hint}
	if file := o.fileOf(p); file != o.file {
		e.File = file
	}
	for ; len(p) > 0 && e.Line == 0; p = p[:len(p)-1] {
		e.Line = o.lines[p.String()]
	}
	return e
}

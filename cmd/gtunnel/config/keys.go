package config

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// A Key is a key of the configuration file, for whoever describes the file.
type Key struct {
	Section string // [tls], [log] ..., or [tunnel.NAME]; a key of [tls] may stand in the latter, too
	Name    string
	Kind    string // of its value, such as "a list of strings"
	Preset  string // its value where it is left out; empty: it has none
	Usage   string
}

// Keys lists all keys of the configuration file by their sections, but for include, which
// stands at its top.
func Keys() []Key {
	process, server, client := New("run"), NewTunnel("", tunnel.Server), NewTunnel("", tunnel.Client)
	var keys []Key
	add := func(section string, settings []Setting) {
		for _, s := range settings {
			keys = append(keys, s.describe(section))
		}
	}
	add("[tls]", inSection(server.Settings(), GroupCertificates, ""))
	add("[tls]", inSection(process.Settings(), GroupCertificates, ""))
	add("[log]", inSection(process.Settings(), "", "log-"))
	add("[process]", slices.DeleteFunc(process.Settings(), func(s Setting) bool {
		return s.Group == GroupCertificates || s.Name == "admin" || s.Name == "landlock" || strings.HasPrefix(s.Name, "log-")
	}))
	if landlock := inSection(process.Settings(), "", "landlock"); len(landlock) > 0 {
		landlock[0].Name = "mode"
		add("[landlock]", landlock)
	}
	admin := inSection(process.Settings(), "", "admin")
	admin[0].Name = "address"
	add("[admin]", admin)
	add("[pair]", newPair().settings())
	keys = append(keys, Key{
		Section: "[tunnel.NAME]", Name: "role", Kind: "a string", Usage: "server or client; it must be given",
	})
	ofClient := map[string]Setting{}
	for _, s := range client.Settings() {
		ofClient[s.Name] = s
	}
	for _, s := range server.Settings() {
		if s.Group == GroupCertificates {
			continue
		}
		key := s.describe("[tunnel.NAME]")
		if other := ofClient[s.Name].describe(""); other.Preset != key.Preset {
			key.Preset = "server: " + key.Preset + "; client: " + other.Preset
		}
		if s.Role != "" {
			key.Usage += " (" + string(s.Role) + ")"
		}
		keys = append(keys, key)
	}
	return keys
}

// describe is the setting as a key of a section.
func (s Setting) describe(section string) Key {
	key := Key{Section: section, Name: s.key(), Preset: s.Preset, Usage: s.Usage, Kind: "a string"}
	if reflect.TypeOf(s.Target).Elem().Kind() == reflect.Slice {
		key.Kind = "a list of strings"
	}
	if key.Preset == "" {
		key.Preset = s.text()
	}
	switch s.Target.(type) {
	case *bool:
		key.Kind, key.Preset = "true or false", "false"
	case *int:
		key.Kind = "a number"
	case *time.Duration:
		key.Kind = "a duration"
	case *tunnel.Address, *AdminAddress:
		key.Kind = "an address"
	case *[]tunnel.Address:
		key.Kind = "a list of addresses"
	}
	if s.Values != nil {
		key.Kind = strings.Join(s.Values, ", ")
	}
	return key
}

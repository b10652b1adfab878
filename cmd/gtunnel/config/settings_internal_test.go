package config

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
)

// TestSettingsOfCerts: package certs speaks of settings that are flags and keys
// here.
func TestSettingsOfCerts(t *testing.T) {
	source, err := os.ReadFile("../../../certs/settings.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`Setting = "(.*)"`).FindAllStringSubmatch(string(source), -1)
	if len(found) < 10 {
		t.Fatalf("found only %q", found)
	}
	c := NewTunnel("", "")
	file := origin{file: "gtunnel.toml"}
	for _, match := range found {
		name := match[1]
		if !slices.ContainsFunc(c.Settings(), func(s Setting) bool { return s.Name == name }) {
			t.Errorf("there is no setting %s", name)
		}
		message := certs.Setting(name).String() + ", and no max-depth"
		if got, want := (origin{}).words(message), "--"+name+", and no max-depth"; got != want {
			t.Errorf("of flags: %q, want %q", got, want)
		}
		if got, want := file.words(message), keyOf(name)+", and no max-depth"; got != want {
			t.Errorf("of a file: %q, want %q", got, want)
		}
	}
}

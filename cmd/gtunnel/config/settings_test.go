package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
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
	path := filepath.Join(t.TempDir(), "gtunnel.toml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := config.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var flags config.Config
	known := config.NewTunnel("", "")
	for _, match := range found {
		name := match[1]
		if !slices.ContainsFunc(known.Settings(), func(s config.Setting) bool { return s.Name == name }) {
			t.Errorf("there is no setting %s", name)
		}
		message := certs.Setting(name).String() + ", and no max-depth"
		if got, want := flags.Words(message), "--"+name+", and no max-depth"; got != want {
			t.Errorf("of flags: %q, want %q", got, want)
		}
		if got, want := file.Words(message), strings.ReplaceAll(name, "-", "_")+", and no max-depth"; got != want {
			t.Errorf("of a file: %q, want %q", got, want)
		}
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
)

// TestReloadConfigOnce: what needs a restart, and what is wrong with a file, is
// said again only when it is something else.
func TestReloadConfigOnce(t *testing.T) {
	const text = "[log]\nlevel = \"info\"\n[tunnel.one]\nrole = \"server\"\nallow_host = \"a.test\"\n"
	file := filepath.Join(t.TempDir(), "gtunnel.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	c, err := config.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.InfoLevel)
	r := &reloader{process: &process{config: c}, logger: zap.New(core), said: map[any]string{}}
	for _, step := range []struct {
		text string
		said bool
	}{
		{text, false},
		{strings.Replace(text, "info", "debug", 1), true},
		{strings.Replace(text, "info", "debug", 1), false},
		{strings.Replace(text, "info", "warn", 1), false}, // the same setting
		{text, false},
		{strings.Replace(text, "info", "debug", 1), true},
		{"nonsense", true},
		{"nonsense", false},
		{text + "nonsense", true},
	} {
		write(step.text)
		before := logs.Len()
		if said := r.reloadConfig(); said != step.said || logs.Len() > before != step.said {
			t.Errorf("%q: said: %t, %v", step.text, said, logs.All()[before:])
		}
	}
}

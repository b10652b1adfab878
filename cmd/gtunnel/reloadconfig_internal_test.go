package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
)

// TestReloadConfigOnce: what needs a restart, and what is wrong with a file, is
// said again only when it is something else.
func TestReloadConfigOnce(t *testing.T) {
	ca := value(certstest.NewCA("Test CA", certstest.Options{}))(t)
	folder := t.TempDir()
	if err := certstest.WriteCApath(filepath.Join(folder, "certificates"), ca); err != nil {
		t.Fatal(err)
	}
	if _, _, err := value(ca.NewHost("server.test", certstest.Options{}))(t).Write(folder); err != nil {
		t.Fatal(err)
	}
	const text = "[tls]\ncapath = \"certificates\"\ncert = \"hostcert.pem\"\nkey = \"hostkey.pem\"\n[log]\nformat = " +
		"\"console\"\n[tunnel.one]\nrole = \"server\"\naccept = \"127.0.0.1:0\"\nallow_host = \"server2.test\"\n"
	file := filepath.Join(folder, "gtunnel.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	c := value(config.Read(file))(t)
	core, logs := observer.New(zapcore.InfoLevel)
	r := newReloader(value(newProcess(c, zap.New(core)))(t), zap.New(core))
	for _, step := range []struct {
		text string
		said bool
	}{
		{text, false},
		{strings.Replace(text, "console", "json", 1), true},
		{strings.Replace(text, "console", "json", 1), false},
		{text, false},
		{strings.Replace(text, "console", "json", 1), true},
		{"nonsense", true},
		{"nonsense", false},
		{text + "nonsense", true},
	} {
		write(step.text)
		before := logs.Len()
		if said := r.reloadConfig(t.Context()); said != step.said || logs.Len() > before != step.said {
			t.Errorf("%q: said: %t, %v", step.text, said, logs.All()[before:])
		}
	}
	if len(r.restart) != 1 { // of the last file that was sound
		t.Errorf("a file with a fault leaves %q of what needs a restart", r.restart)
	}
}

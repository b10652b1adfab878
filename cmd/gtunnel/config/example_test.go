package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/tunnel"
)

// readExample reads the example after change.
func readExample(t *testing.T, change func(string) string) (config.Config, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gtunnel.toml")
	if err := os.WriteFile(file, []byte(change(config.Example())), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var found string
	for _, fault := range c.Faults() {
		found += words(fault)
	}
	return c, found
}

// TestExample: as it is, the example says what is to be filled in, and nothing else.
func TestExample(t *testing.T) {
	_, found := readExample(t, func(text string) string { return text })
	want := "gtunnel.toml: no tunnel is configured\nhint: add [pair] with hosts, or a section such as [tunnel.mysql]"
	if !strings.Contains(found, want) || strings.Count(found, "\n") != 2 {
		t.Errorf("want %q, got %q", want, found)
	}
	for line := range strings.Lines(config.Example()) {
		if len(line) > 81 {
			t.Errorf("%d characters: %s", len(line)-1, line)
		}
	}
}

var (
	exampleKey  = regexp.MustCompile(`(?m)^#(\[.*\]|[a-z_]+ = .*)$`)
	withoutOne  = regexp.MustCompile(`(?m)^#[a-z_]+ = (""|\[\])$`) // default
	examplePair = regexp.MustCompile(`(?ms)^#\[pair\]$.*?\n\n`)
)

// uncommented takes the # away from all keys that have a default or an example.
func uncommented(text string) string {
	return exampleKey.ReplaceAllString(withoutOne.ReplaceAllString(text, ""), "$1")
}

// TestExampleDefaults: every key of the example is known where it stands, and its value is the
// default: with the # taken away from all that have one, nothing changes.
func TestExampleDefaults(t *testing.T) {
	got, found := readExample(t, func(text string) string {
		text = uncommented(examplePair.ReplaceAllString(text, "\n"))
		return strings.Replace(text, `"127.0.0.1:3307"`, `"127.0.0.1:3308"`, 1) // both at once: not at one port
	})
	if found != "" {
		t.Fatalf("the example with all its keys: %s", found)
	}
	want := config.New("run")
	want.Tunnels = []config.Tunnel{config.NewTunnel("mysql", tunnel.Server), config.NewTunnel("master", tunnel.Client)}
	for i := range want.Tunnels {
		want.Tunnels[i].Complete()
	}
	want.Tunnels[0].AllowHost = []string{"server2.domain.two"}
	want.Tunnels[1].Accept.Port = "3308"
	want.Tunnels[1].Connect = got.Tunnels[1].Connect // there is none by default
	if !reflect.DeepEqual(got.Tunnels, want.Tunnels) {
		t.Errorf("tunnels %+v, want %+v", got.Tunnels, want.Tunnels)
	}
	if got.LogLevel != want.LogLevel || got.LogFormat != want.LogFormat || got.ReloadInterval != want.ReloadInterval {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestExamplePair: the keys of [pair] are known, too. What is wrong is the certificate, which
// this host lacks.
func TestExamplePair(t *testing.T) {
	got, found := readExample(t, func(text string) string { return uncommented(examplePair.FindString(text)) })
	if got.Pair == nil || len(got.Tunnels) != 2 || strings.Contains(found, "gtunnel.toml:") {
		t.Errorf("%+v: %s", got.Pair, found)
	}
}

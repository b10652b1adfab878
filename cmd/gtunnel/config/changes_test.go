package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
)

// changesBase is the configuration that runs.
const changesBase = `[tls]
cert = "host.pem"
[log]
level = "info"
[tunnel.one]
role = "server"
allow_host = "a.test"
[tunnel.two]
role = "client"
connect = "server1:3307"
`

// changesCases are changes of changesBase, and what Compare says of them, a line each.
var changesCases = map[string]struct {
	old, new string // in the text
	want     []string
}{
	"nothing":  {"", "", nil},
	"comments": {"[log]", "# more\n\n[log] # here", nil},
	"a preset": {"[log]", "max_depth = 10\n[log]", nil},
	"order": {
		changesBase[strings.Index(changesBase, "[tunnel.one]"):],
		"[tunnel.two]\nrole = \"client\"\nconnect = [\"server1:3307\"]\n[tunnel.one]\nrole = \"server\"\nallow_host = " +
			"\"a.test\"\n", nil,
	},
	"access rules": {
		`allow_host = "a.test"`, `allow_dn = "/CN=b"`, []string{`change one + allow_dn "/CN=b" - allow_host "a.test"`},
	},
	"log level":       {`"info"`, `"debug"`, nil}, // another matter
	"log format":      {`level = "info"`, `format = "json"`, []string{"restart :4: log.format"}},
	"log file":        {"[log]", "[log]\nfile = \"a.log\"", []string{"restart :4: log.file"}},
	"log is gone":     {`level = "info"`, ``, nil}, // the preset
	"admin":           {"[log]", "[admin]\naddress = \"127.0.0.1:9307\"\n[log]", []string{"restart :4: admin.address"}},
	"reload interval": {"[log]", "reload_interval = \"0s\"\n[log]", nil},
	"of all tunnels":  {"host.pem", "other.pem", []string{"change one :2: tls.cert", "change two :2: tls.cert"}},
	"of one tunnel": {
		`allow_host = "a.test"`, "allow_host = \"a.test\"\ncert = \"other.pem\"", []string{"change one :8: tunnel.one.cert"},
	},
	"gone for all": {
		`cert = "host.pem"`, "", []string{"change one tls.cert is gone", "change two tls.cert is gone"},
	},
	"another CA file": {
		"[log]", "cafile = \"ca.pem\"\n[log]",
		[]string{"change one :3: tls.cafile", "change two :3: tls.cafile"},
	},
	"a target": {
		`"server1:3307"`, `["server1:3307", "server2:3307"]`, []string{"change two :10: tunnel.two.connect"},
	},
	"another address": {`"a.test"`, "\"a.test\"\naccept = \":3308\"", []string{"replace one :8: tunnel.one.accept"}},
	"another role": {
		"\"client\"\n", "\"server\"\nallow_all = true\n",
		[]string{"replace two :9: tunnel.two.role + allow_all"},
	},
	"another name": {"[tunnel.two]", "[tunnel.three]", []string{"add three", "remove two"}},
}

// TestCompare: every setting in which a file differs from what runs is named
// where the file has it; what does not matter is not.
func TestCompare(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gtunnel.toml")
	read := func(text string) *config.Config {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		return &c
	}
	running := read(changesBase)
	for name, test := range changesCases {
		changed := read(strings.Replace(changesBase, test.old, test.new, 1))
		changes := config.Compare(running, changed)
		got := changeLines(changes, file)
		for _, setting := range config.NeedRestart(running, changed) {
			got = append(got, "restart "+strings.TrimPrefix(setting, file))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// changeLines are changes, a line each.
func changeLines(changes config.Changes, file string) (lines []string) {
	line := func(words ...string) {
		lines = append(lines, strings.ReplaceAll(strings.Join(words, " "), file, ""))
	}
	for _, name := range changes.Added {
		line("add", name)
	}
	for _, name := range changes.Removed {
		line("remove", name)
	}
	for _, change := range changes.Changed {
		words := []string{"change", change.Name}
		if change.Replaced {
			words[0] = "replace"
		}
		if len(change.Settings) > 0 {
			words = append(words, strings.Join(change.Settings, ", "))
		}
		for _, rule := range change.RulesAdded {
			words = append(words, "+", rule)
		}
		for _, rule := range change.RulesRemoved {
			words = append(words, "-", rule)
		}
		line(words...)
	}
	return lines
}

package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
)

// restartBase is the configuration that runs.
const restartBase = `[tls]
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

// restartCases are changes of restartBase, and the settings that need a restart then.
var restartCases = map[string]struct {
	old, new string // in the text
	want     []string
}{
	"nothing":  {"", "", nil},
	"comments": {"[log]", "# more\n\n[log] # here", nil},
	"a preset": {"[log]", "max_depth = 10\n[log]", nil},
	"order": {
		restartBase[strings.Index(restartBase, "[tunnel.one]"):],
		"[tunnel.two]\nrole = \"client\"\nconnect = [\"server1:3307\"]\n[tunnel.one]\nrole = \"server\"\nallow_host = " +
			"\"a.test\"\n", nil,
	},
	"access rules":    {`allow_host = "a.test"`, `allow_dn = "/CN=b"`, nil},
	"log":             {`"info"`, `"debug"`, []string{":4: log.level"}},
	"log format":      {`level = "info"`, `format = "json"`, []string{":4: log.format"}},
	"log is gone":     {`level = "info"`, ``, nil}, // the preset
	"admin":           {"[log]", "[admin]\naddress = \"127.0.0.1:9307\"\n[log]", []string{":4: admin.address"}},
	"reload interval": {"[log]", "reload_interval = \"0s\"\n[log]", []string{":3: tls.reload_interval"}},
	"of all tunnels":  {"host.pem", "other.pem", []string{":2: tls.cert"}},
	"of one tunnel": {
		`allow_host = "a.test"`, "allow_host = \"a.test\"\ncert = \"other.pem\"", []string{":8: tunnel.one.cert"},
	},
	"gone for all":    {`cert = "host.pem"`, "", []string{"tls.cert is gone"}},
	"another CA file": {"[log]", "cafile = \"ca.pem\"\n[log]", []string{":3: tls.cafile"}},
	"a target":        {`"server1:3307"`, `["server1:3307", "server2:3307"]`, []string{":10: tunnel.two.connect"}},
	"another role":    {"\"client\"\n", "\"server\"\nallow_all = true\n", []string{":9: tunnel.two.role"}},
	"another name":    {"[tunnel.two]", "[tunnel.three]", []string{":8: tunnel.three", "tunnel.two is gone"}},
}

// TestNeedRestart: every setting in which a file differs from what runs is
// named where the file has it, once; access rules and what does not matter are
// not.
func TestNeedRestart(t *testing.T) {
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
	running := read(restartBase)
	for name, test := range restartCases {
		var want []string
		for _, w := range test.want {
			if strings.HasPrefix(w, ":") {
				w = file + w
			}
			want = append(want, w)
		}
		changed := read(strings.Replace(restartBase, test.old, test.new, 1))
		if got := config.NeedRestart(running, changed); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

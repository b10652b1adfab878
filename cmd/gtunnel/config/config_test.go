package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// TestAdminAddressText: the text of each admin address reads as the same one.
func TestAdminAddressText(t *testing.T) {
	for text, want := range map[string]config.AdminAddress{
		"none":               {None: true},
		"127.0.0.1:9307":     {Address: tunnel.Address{Network: "tcp", Host: "127.0.0.1", Port: "9307"}},
		"unix:/run/a/b.sock": {Address: tunnel.Address{Network: "unix", Path: "/run/a/b.sock"}},
	} {
		var got config.AdminAddress
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q gives %+v, %v", text, got, err)
		}
		if again, err := got.MarshalText(); err != nil || string(again) != text {
			t.Errorf("%q becomes %q, %v", text, again, err)
		}
	}
	if text, err := new(config.AdminAddress).MarshalText(); err != nil || len(text) > 0 {
		t.Errorf("the preset is %q, %v", text, err)
	}
}

// ExampleRead reads a file and says all that is wrong in it, each with its
// place.
func ExampleRead() {
	folder, err := os.MkdirTemp("", "gtunnel")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "gtunnel.toml")
	text := `[tls]
crl = "requir"
[tunnel.mysql]
role = "server"
idle_timeout = 10
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		panic(err)
	}
	c, err := config.Read(file)
	if err != nil {
		panic(err) // no TOML
	}
	for _, err := range usage.Split(usage.Join(c.Faults())) {
		fmt.Println(strings.TrimPrefix(err.Error(), folder+"/"))
	}
	// Output:
	// gtunnel.toml:2: tls.crl: "requir" is none of if-present, require, if-valid, ignore
	// gtunnel.toml:3: tunnel.mysql: no access rule: nobody could connect
	// gtunnel.toml:5: tunnel.mysql.idle_timeout: is the number 10
}

// ExampleAddFlags: the flags of a command write into a configuration.
func ExampleAddFlags() {
	c, t := config.New("client"), config.NewTunnel("client", tunnel.Client)
	cmd := &cobra.Command{RunE: func(cmd *cobra.Command, _ []string) error {
		t.TrustFlagsOnly(cmd.Flags())
		t.Complete()
		c.Tunnels = []config.Tunnel{t}
		return usage.Join(c.Faults())
	}}
	config.AddFlags(cmd, t.Role, append(t.Settings(), c.Settings()...))
	cmd.SetArgs([]string{"--connect", "server1.domain.one:3307", "--cafile", "ca.pem"})
	if err := cmd.Execute(); err != nil {
		panic(err)
	}
	fmt.Println(c.Tunnels[0].Accept, c.Tunnels[0].Connect, c.Tunnels[0].CApath, c.Tunnels[0].CAfile)
	// Output: 127.0.0.1:3307 [server1.domain.one:3307]  ca.pem
}

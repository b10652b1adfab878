package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/tunnel"
)

// defaultConfig is where the packages and the systemd units put the
// configuration file.
const defaultConfig = "/etc/gtunnel/gtunnel.toml"

func (m *Main) runCommand() *cobra.Command {
	file, check := defaultConfig, false
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Every tunnel of a configuration file",
		Long: `Serves every tunnel of a configuration file in one process. The file is TOML:

  [tls]                        # for all tunnels; every key may be left out
  cert = "/etc/grid-security/hostcert.pem"

  [log]
  level = "info"

  [admin]
  address = "unix:/run/gtunnel/admin.sock"

  [tunnel.mysql]               # a name of your own
  role = "server"
  allow_host = ["server2.domain.two"]

The keys of [tunnel.NAME] are role ("server" or "client") and the flags of
that command with underscores; those of its certificates may stand in [tls].
Durations are written as "10s". Relative paths begin at the file's folder. A
section with cafile and without capath trusts nothing else. SIGHUP puts changed
access rules in force, and names other changes: those need a restart.`,
		Example: `  gtunnel run --check        is all well, the certificates too?
  gtunnel run --config /etc/gtunnel/two-masters.toml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := readConfig(file)
			if err != nil {
				return err
			}
			if check {
				return m.check(config)
			}
			return m.serve(cmd.Context(), config)
		},
	}
	addFlags(cmd, "", []setting{
		{name: "config", arg: "FILE", target: &file, file: true, usage: "the file"},
		{name: "check", target: &check, usage: "only say what is wrong with it or its certificates"},
	})
	return cmd
}

// check builds every tunnel without listening and prints a line for each, and
// what is doubtful.
func (m *Main) check(config Config) error {
	p, err := newProcess(config, nil)
	if err != nil {
		return err
	}
	for _, doubt := range config.doubts() {
		fmt.Fprintf(m.Stderr, "warning: %v\nhint: %s\n", doubt, doubt.Hint())
	}
	for i, c := range config.Tunnels {
		fmt.Fprintf(m.Stdout, "tunnel %s: %s, accept %s, connect %s, as %s: ok\n",
			c.Name, c.Role, c.Accept, addressList(c.Connect), certs.ShowDN(p.endpoints[i].Credential.Identity().DN))
	}
	return nil
}

func addressList(addresses []tunnel.Address) string {
	var texts []string
	for _, a := range addresses {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, " ")
}

package main

import (
	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/tunnel"
)

func (m *Main) serverCommand() *cobra.Command {
	return m.tunnelCommand(tunnel.Server, &cobra.Command{
		Use:   "server",
		Short: "The master's end: accepts TLS, connects to MySQL",
		Long: `Accepts TLS connections from verified hosts and passes them to a plain target.
SIGTERM, Ctrl-C and the end of its terminal let open connections go on for a
while (--drain-timeout); any other SIGHUP reads the files again.`,
		Example: `  gtunnel server --allow-host server2.domain.two
  gtunnel server --allow-dn '/DC=two/*' --connect unix:/run/mysqld/mysqld.sock`,
	})
}

// tunnelCommand completes the command of a role: its flags make a Config of
// one tunnel, which is served like any other.
func (m *Main) tunnelCommand(role tunnel.Role, cmd *cobra.Command) *cobra.Command {
	config := newConfig(string(role))
	only := newTunnelConfig(string(role), role)
	cmd.Args = noArguments
	addFlags(cmd, role, append(only.settings(), config.settings()...))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		only.trustOnly(cmd.Flags().Changed("capath"), cmd.Flags().Changed("cafile"))
		only.complete()
		config.Tunnels = []TunnelConfig{only}
		config.origin.flagsFile = m.Getenv(flagsFileVariable)
		return m.serve(cmd.Context(), config)
	}
	return cmd
}

package main

import (
	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
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

func (m *Main) clientCommand() *cobra.Command {
	return m.tunnelCommand(tunnel.Client, &cobra.Command{
		Use:   "client",
		Short: "The slave's end: accepts plain TCP, connects to a server by TLS",
		Long: `Accepts plain connections on this host, passes them to a verified server by TLS.
SIGTERM, Ctrl-C and the end of its terminal let open connections go on for a
while (--drain-timeout); any other SIGHUP reads the files again.`,
		Example: `  gtunnel client --connect server1.domain.one:3307
  gtunnel client --connect server1:3307 --server-name server1.domain.one`,
	})
}

// tunnelCommand completes the command of a role: its flags make a configuration
// of one tunnel, which is served like any other.
func (m *Main) tunnelCommand(role tunnel.Role, cmd *cobra.Command) *cobra.Command {
	c, only := config.New(string(role)), config.NewTunnel(string(role), role)
	cmd.Args = noArguments
	check := false
	config.AddFlags(cmd, role, append(only.Settings(), c.Settings()...))
	config.AddFlags(cmd, role, []config.Setting{
		{Name: "check", Group: config.GroupTunnel, Target: &check, Usage: "only say what it would do, or what is wrong"},
	})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		only.TrustFlagsOnly(cmd.Flags())
		only.Complete()
		c.Tunnels = []config.Tunnel{only}
		c.FlagsFile = m.Getenv(flagsFileVariable)
		if check {
			return m.check(c)
		}
		return m.serve(cmd.Context(), c)
	}
	return cmd
}

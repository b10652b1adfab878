package main

import (
	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/tunnel"
)

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

package main

import "github.com/spf13/cobra"

func (m *Main) replicationCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replication",
		Short: "MySQL replication through the tunnel: set up, watch, compare",
		Long: `Sets MySQL or MariaDB replication up through the tunnel, watches it, and compares
both ends. gtunnel help findings lists what is found, by its codes.`,
		Example: `  gtunnel replication setup-master --databases voms    on the master
  gtunnel replication setup-slave                      on the slave`,
		Args: oneOfItsCommands,
		Run:  func(cmd *cobra.Command, _ []string) { showHelp(cmd) },
	}
	cmd.AddCommand(
		m.setupMasterCommand(),
		m.setupSlaveCommand(),
		m.replicationStatusCommand(),
		m.replicationCheckCommand(),
		m.replicationCompareCommand(),
	)
	return cmd
}

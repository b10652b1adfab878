package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap/zapcore"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

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
		m.replicationDumpCommand(),
		m.replicationStatusCommand(),
		m.monitorCommand(),
		m.replicationCheckCommand(),
		m.replicationCompareCommand(),
		m.promoteCommand(),
		m.switchoverCommand(),
		m.demoteCommand(),
		m.guardCommand(),
		m.rejoinCommand(),
		m.followCommand(),
	)
	return cmd
}

// startInnerTunnel runs a client tunnel inside this process until stop, for
// what is done before the service is set up. Its warnings and errors go to the
// standard error.
func (m *Main) startInnerTunnel(ctx context.Context, inner config.Tunnel) (stop func(), err error) {
	inner.Timeouts.Drain = time.Second
	inner.Complete()
	c := config.New("setup")
	c.LogLevel, c.Tunnels = zapcore.WarnLevel, []config.Tunnel{inner}
	p, err := newProcess(c, newLogger(c, m.log, m.Getenv))
	if err != nil {
		return nil, err
	}
	if err := p.listen(ctx); err != nil {
		return nil, usage.WithHint(err, "if gtunnel client runs there already, leave --connect out: its tunnel is used")
	}
	serving, end := context.WithCancel(context.WithoutCancel(ctx)) // what ctx ends still speaks to the master
	ended := make(chan error, 1)
	go func() { ended <- p.tunnels[0].Serve(serving) }()
	return func() {
		end()
		if err := <-ended; err != nil {
			fmt.Fprintf(m.Stderr, "gtunnel: the tunnel of this command: %v\n", err)
		}
	}, nil
}

// innerTunnelConfig is the configuration of the tunnel of --connect.
func innerTunnelConfig() config.Tunnel {
	return config.NewTunnel("setup", tunnel.Client)
}

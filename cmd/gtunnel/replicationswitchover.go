package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/failover"
)

// switchover is the command line of switchover.
type switchover struct {
	pair    pairFlags
	plan    planFlags
	cluster bool
}

func (m *Main) switchoverCommand() *cobra.Command {
	s := &switchover{plan: planFlags{atAStretch: true}}
	cmd := &cobra.Command{
		Use:   "switchover",
		Short: "Make this host's slave the master, and the master the slave: both alive",
		Long: `Run it on the slave: its server becomes the master, and the other one its slave.
Nothing is lost, and nobody can write for a moment, whose length it prints: it waits
until the slave is close behind, for at most ten seconds, before it begins. The
guards of both hosts must run. Shows its plan first. What fails before the new
master has its term is taken back; afterwards, the same command again ends it.

If the other host cannot be reached: gtunnel replication promote. Where a cluster
manager decides (guard = "cluster" in [pair]), it gives --cluster; there, the other
host may have been made read-only before, by gtunnel replication demote.`,
		Example: `  gtunnel replication switchover --dry-run
  gtunnel replication switchover`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.switchover(cmd.Context(), s) },
	}
	settings := append([]config.Setting{clusterSetting(&s.cluster)}, s.plan.settings()...)
	config.AddFlags(cmd, "", append(settings, s.pair.settings()...))
	return cmd
}

func (m *Main) switchover(ctx context.Context, s *switchover) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := m.mustBeOrdered(s.pair.config, s.cluster); err != nil {
		return err
	}
	host, err := m.openHost(ctx, &s.pair)
	if err != nil {
		return err
	}
	host.Ordered = s.cluster
	host.Tell = m.logEvents(s.pair.config)
	talk, end := m.dialogue(ctx, s.plan)
	command := &failover.Switchover{Host: host, Dialogue: talk, Nonce: newNonce()}
	outcome, err := command.Run(ctx)
	end()
	if err != nil || !outcome.Changed {
		return err
	}
	defer m.tellFurther(host.Slaves)
	return m.tellSwitched(host.Name, host.Peer, outcome)
}

// newNonce is that of a new term: 128 random bits.
func newNonce() string { return strings.ToLower(rand.Text()) }

// tellSwitched says what has come of a switchover.
func (m *Main) tellSwitched(own, peer string, outcome *failover.Switched) error {
	fmt.Fprintf(m.Stdout, "\n%s is the master, by the term %d.\n", own, outcome.Term.Number)
	if outcome.Pause > 0 {
		fmt.Fprintf(m.Stdout, "Nobody could write for at most %s.\n", outcome.Pause.Round(time.Millisecond))
	}
	if !outcome.Follows {
		return usage.WithHint(fmt.Errorf("%s does not follow it yet", peer),
			"on "+peer+": "+m.inCommands("gtunnel replication status")+" says why; systemctl status gtunnel-guard")
	}
	fmt.Fprintf(m.Stdout, "%s follows it.\n", peer)
	return nil
}

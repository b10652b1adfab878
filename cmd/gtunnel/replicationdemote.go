package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/server"
)

// demotion is the command line of demote.
type demotion struct {
	pair    pairFlags
	plan    planFlags
	cluster bool
	timeout time.Duration
}

func (m *Main) demoteCommand() *cobra.Command {
	d := &demotion{plan: planFlags{atAStretch: true}, timeout: 30 * time.Second}
	cmd := &cobra.Command{
		Use:   "demote",
		Short: "Make this host's server read-only, for a cluster manager",
		Long: `Run by a cluster manager on the master, before it lets the other host be the
master, or stops this one. It makes the server read-only, ends what accounts with
all rights have begun, and waits until nothing is written to the binary log any
more. Clients that are in the way for too long are disconnected. The term stays:
this host is the master until the other one is made that, and promote --cluster
makes it writable again.

On a slave, and on a server that is read-only, there is nothing to do: exit 0.`,
		Example: `  gtunnel replication demote --cluster --yes`,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return m.demote(cmd.Context(), d) },
	}
	settings := []config.Setting{
		clusterSetting(&d.cluster),
		{Name: "timeout", Arg: "TIME", Target: &d.timeout, Usage: "how long the server is waited for"},
	}
	config.AddFlags(cmd, "", append(append(settings, d.plan.settings()...), d.pair.settings()...))
	return cmd
}

func (m *Main) demote(ctx context.Context, d *demotion) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := m.mustBeOrdered(d.pair.config, d.cluster); err != nil {
		return err
	}
	if d.timeout <= 0 {
		return &usage.Error{Where: "--timeout", Message: "is not more than 0", Cure: "write it as in 30s"}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, usage.WithHint(
		fmt.Errorf("the server of this host was not seen to be read-only within %s", d.timeout),
		"stop the server, so that it cannot serve; or give it longer by --timeout"))
	defer cancel()
	host, err := m.openHostInTime(ctx, &d.pair)
	if isDown(err) {
		return err
	}
	if err != nil {
		return orCause(ctx, err)
	}
	host.Ordered = d.cluster
	host.Tell = m.logEvents(d.pair.config)
	talk, end := m.dialogue(ctx, d.plan)
	changed, err := (&failover.Demote{Host: host, Dialogue: talk}).Run(ctx)
	end()
	if err != nil {
		return orCause(ctx, err)
	}
	if changed {
		fmt.Fprintf(m.Stdout, "\nThe server of %s is read-only. It stays so until the cluster manager promotes a host.\n",
			host.Name)
	}
	return nil
}

// openHostInTime is openHost as soon as the server answers, until ctx ends: one that has
// crashed is started again by its service, in less time than its host would be fenced.
func (m *Main) openHostInTime(ctx context.Context, f *pairFlags) (failover.Host, error) {
	for {
		host, err := m.openHost(ctx, f)
		if !isDown(err) || server.Pause(ctx, guardPatience) != nil {
			return host, err
		}
	}
}

// orCause is an error, or why ctx has ended if that was it.
func orCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

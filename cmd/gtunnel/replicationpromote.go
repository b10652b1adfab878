package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// promotion is the command line of promote.
type promotion struct {
	pair       pairFlags
	plan       planFlags
	fenced     string
	loseAtMost lossFlag
	cluster    bool
}

func (m *Main) promoteCommand() *cobra.Command {
	p := &promotion{}
	cmd := &cobra.Command{
		Use:   "promote",
		Short: "Make this host's slave the master, when the master cannot be reached",
		Long: `Run it on the slave when the master is lost. It says what was received and what may
be lost, applies all that was received, and makes this host's server the master.
The other host must be silent on every way, and somebody must state that it cannot
serve any more: at the question, by --fenced, or by the hook fence of [pair].

While both hosts live: gtunnel replication switchover, which loses nothing. Where
a cluster manager decides (guard = "cluster" in [pair]), it gives --cluster: on the
host that is the master already, that makes its server writable; it waits for the
other host to be heard for at most 30 s, but not for one that is --fenced.
What to do at three in the morning: gtunnel help failover.`,
		Example: `  gtunnel replication promote --dry-run
  gtunnel replication promote
  gtunnel replication promote --fenced server1.domain.one --lose-at-most 5s --yes`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return m.promote(cmd.Context(), p) },
	}
	config.AddFlags(cmd, "", p.settings())
	return cmd
}

// settings are the flags.
func (p *promotion) settings() []config.Setting {
	settings := []config.Setting{
		{
			Name: "fenced", Arg: "NAME", Target: &p.fenced, Preset: "asked",
			Usage: "the old master, of which you state that it is off or cut off for good",
		},
		{
			Name: "lose-at-most", Arg: "TIME", Target: &p.loseAtMost, Preset: "0s",
			Usage: "from when all was received to the last sign of the master; any: also if that is not known",
		},
	}
	settings = append(settings, clusterSetting(&p.cluster))
	return append(append(settings, p.plan.settings()...), p.pair.settings()...)
}

// lossFlag is a duration, or any.
type lossFlag failover.LoseAtMost

// UnmarshalText reads it.
func (f *lossFlag) UnmarshalText(text []byte) error {
	if string(text) == "any" {
		*f = lossFlag{Any: true}
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return &usage.Error{
			Message: fmt.Sprintf("%q is neither a time nor any", text), Cure: "write it as in 5s, 2m or any",
		}
	}
	*f = lossFlag{Time: d}
	return nil
}

func (m *Main) promote(ctx context.Context, p *promotion) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := m.mustBeOrdered(p.pair.config, p.cluster); err != nil {
		return err
	}
	host, err := m.openHost(ctx, &p.pair)
	if err != nil {
		return err
	}
	host.Ordered = p.cluster
	host.KeepRelayLog, host.Tell = failover.CopyRelayLog(p.pair.stateDir), m.logEvents(p.pair.config)
	talk, end := m.dialogue(ctx, p.plan)
	command := &failover.Promote{
		Host: host, Dialogue: talk, Nonce: strings.ToLower(rand.Text()),
		PromoteWant: failover.PromoteWant{
			Fenced: p.fenced, LoseAtMost: failover.LoseAtMost(p.loseAtMost), DryRun: p.plan.dryRun,
		},
		Ran: func(run *failover.HookRun) { fmt.Fprintf(m.Stdout, "    %s\n", terminal.Printable(run.String())) },
	}
	if p.plan.asJSON {
		m.promoteAsJSON(command, p.plan)
	} else {
		command.Report = m.tellOutage
	}
	if keyboard := terminal.OpenKeyboard(m.Stdin); keyboard != nil && !p.plan.dryRun {
		command.Ask = func(ctx context.Context, question, word string) (bool, error) {
			return m.typesWord(ctx, keyboard, question, word)
		}
	}
	result, err := command.Run(ctx)
	end()
	if err != nil || p.plan.dryRun {
		return err
	}
	if result.Changed {
		m.tellPromoted(host.Peer, result)
		m.tellFurther(host.Slaves)
	}
	return nil
}

// typesWord asks for a word.
func (m *Main) typesWord(ctx context.Context, keyboard *terminal.Keyboard, question, word string) (bool, error) {
	answer, err := keyboard.Ask(ctx, m.Stdout, question)
	if err != nil {
		fmt.Fprintln(m.Stdout)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			err = errStopped
		}
		return false, err
	}
	return answer == word, nil
}

// tellOutage says what is known before anything is changed.
func (m *Main) tellOutage(r *failover.PromoteReport) {
	screen := m.screen()
	for _, line := range r.Lines() {
		screen.Write(terminal.Head{}, line, terminal.Prose)
	}
	fmt.Fprintln(m.Stdout)
}

// promoteAsJSON prints the report with the plan.
func (m *Main) promoteAsJSON(command *failover.Promote, flags planFlags) {
	var report *failover.PromoteReport
	command.Report = func(r *failover.PromoteReport) { report = r }
	command.Agree = func(p *replication.Plan) (bool, error) {
		if !flags.dryRun {
			return false, &usage.Error{Where: "--json", Message: "shows a plan and does nothing", Cure: "give it with --dry-run"}
		}
		shown := struct {
			Report *failover.PromoteReport `json:"report"` // null if this host is the master already
			jsonPlan
		}{report, jsonPlan{
			Warnings: m.inCommandsOf(p.Warnings), Problems: m.inCommandsOf(p.Problems), Steps: listOf(p.Steps),
		}}
		if err := m.printJSON(shown); err != nil {
			return false, err
		}
		return false, p.Err()
	}
}

// tellPromoted says what has come of it, and where the time went.
func (m *Main) tellPromoted(peer string, r *failover.Promoted) {
	t := r.Times
	short := func(d time.Duration) string { return finding.FormatDuration(d.Round(10 * time.Millisecond)) }
	fmt.Fprintf(m.Stdout, "\nThis host is the master, by the term %d, and its server is writable.\n", r.Term.Number)
	fmt.Fprintf(m.Stdout, "It took %s: %s until %s had been silent for long enough, %s to apply what was received, "+
		"%s of hooks, %s to publish the new term, %s for the rest.\n",
		short(t.All), short(t.Silence), peer, short(t.Apply), short(t.Hooks), short(t.Announce), short(t.Rest()))
	fmt.Fprintf(m.Stdout, "When %s is back: its guard makes it read-only; then, there: %s\n", peer,
		m.inCommands("gtunnel replication rejoin"))
}

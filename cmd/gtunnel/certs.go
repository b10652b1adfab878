package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/finding"
)

func (m *Main) certsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Certificates: trusted CAs, what a peer proves, is this host ready",
		Long:  "Looks at certificates as the tunnels do, offline or against a server.",
		Example: `  gtunnel certs check --connect server1.domain.one:3307
  gtunnel certs verify --cert chain.pem --host server1.domain.one`,
		Args: oneOfItsCommands,
		Run:  func(cmd *cobra.Command, _ []string) { showHelp(cmd) },
	}
	cmd.AddCommand(m.certsListCommand(), m.certsShowCommand(), m.certsVerifyCommand(), m.certsCheckCommand())
	return cmd
}

// openStore loads what a command is told to trust. What is wrong with it is
// wrong usage or configuration.
func openStore(cmd *cobra.Command, t *config.Tunnel) (*certs.Store, error) {
	t.TrustFlagsOnly(cmd.Flags())
	store, err := certs.OpenStore(t.Trust())
	if err != nil {
		return nil, &usage.Error{Err: err}
	}
	return store, nil
}

// daysLeft counts the whole days until an end; negative after it.
func daysLeft(end, now time.Time) int { return int(math.Floor(end.Sub(now).Hours() / 24)) }

// validity is a certificate's end in words.
func validity(end, now time.Time) string {
	days := daysLeft(end, now)
	switch {
	case now.After(end):
		return fmt.Sprintf("expired %s", end.UTC().Format(time.DateOnly))
	case days == 0:
		return fmt.Sprintf("until %s, today", end.UTC().Format(time.DateTime+" UTC"))
	}
	return fmt.Sprintf("until %s, %s left", end.UTC().Format(time.DateOnly), finding.Count(days, "day"))
}

// names are the host names and addresses that an identity proves, each with
// the rule by which it does.
func names(hosts, ips []string, rule string) string {
	if len(hosts) == 0 || rule == "subjectAltName" {
		hosts, ips, rule = append(slices.Clone(hosts), ips...), nil, "subjectAltName"
	}
	var parts []string
	if len(hosts) > 0 {
		parts = append(parts, strings.Join(hosts, ", ")+" (by "+rule+")")
	}
	if len(ips) > 0 {
		parts = append(parts, strings.Join(ips, ", ")+" (by subjectAltName)")
	}
	if len(parts) == 0 {
		return "no host name"
	}
	return strings.Join(parts, ", ")
}

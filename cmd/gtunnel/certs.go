package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/certs"
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

// pick gives the settings of these names, in this order and in one group.
func pick(settings []setting, names ...string) []setting {
	var picked []setting
	for _, name := range names {
		i := slices.IndexFunc(settings, func(s setting) bool { return s.name == name })
		settings[i].group = ""
		picked = append(picked, settings[i])
	}
	return picked
}

// openStore loads what a command is told to trust. What is wrong with it is
// wrong usage or configuration.
func openStore(cmd *cobra.Command, c *TunnelConfig) (*certs.Store, error) {
	c.trustOnly(cmd.Flags().Changed("capath"), cmd.Flags().Changed("cafile"))
	store, err := certs.OpenStore(c.trust())
	if err != nil {
		return nil, &usageError{err: err}
	}
	return store, nil
}

// printJSON prints what a command found.
func (m *Main) printJSON(value any) error {
	encoder := json.NewEncoder(m.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
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
	return fmt.Sprintf("until %s, %s left", end.UTC().Format(time.DateOnly), count(days, "day"))
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

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/tunnel"
)

func (m *Main) logLevelCommand() *cobra.Command {
	var q tunnelQuestion
	cmd := &cobra.Command{
		Use:   "log-level [LEVEL]",
		Short: "The level of the running process's log, until its next start",
		Long: `Sets the level of the log of the running processes, debug, info, warn or error,
until their next start; --log-level, or level in [log] of the file, is what they
start with. Without a level it says what the level is.`,
		Example: `  gtunnel log-level debug
  gtunnel log-level info --admin unix:/run/gtunnel/client.sock`,
		ValidArgs: logLevels,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return noArguments(cmd, args[1:])
			case len(args) == 1 && !slices.Contains(logLevels, args[0]):
				return unknown("level", args[0], logLevels, "the levels are "+strings.Join(logLevels, ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			addresses, err := expand(q.admin)
			if err != nil {
				return err
			}
			return m.changeLogLevel(cmd.Context(), addresses, strings.Join(args, ""))
		},
	}
	config.AddFlags(cmd, "", config.Pick(q.settings(), "admin"))
	return cmd
}

// changeLogLevel gives each of the processes a level, or asks for it where it is
// empty. A dead socket is an error only if no process answers.
func (m *Main) changeLogLevel(ctx context.Context, addresses []tunnel.Address, level string) error {
	method := http.MethodPut
	if level == "" {
		method = http.MethodGet
	}
	var failed, dead []error
	for _, a := range addresses {
		body, err := askProcess(ctx, a, method, "/log-level", level)
		switch before := strings.TrimSpace(string(body)); {
		case errors.Is(err, syscall.ECONNREFUSED):
			dead = append(dead, err)
		case err != nil:
			failed = append(failed, err)
		case level == "":
			fmt.Fprintf(m.Stdout, "%s: %s\n", a, before)
		default:
			fmt.Fprintf(m.Stdout, "%s: was %s, is %s until the next start\n", a, before, level)
		}
	}
	if len(dead) == len(addresses) {
		failed = dead
	}
	return errors.Join(failed...)
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// reloadPatience is how long gtunnel reload waits for the result: folders of
// CAs may be on a slow disk. The admin server gives up a little later.
const reloadPatience = 25 * time.Second

func (m *Main) reloadCommand() *cobra.Command {
	var admin tunnel.Address
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Reads the files of the running process again",
		Long: `Asks the running processes to read their files again, as SIGHUP does, waits, and
prints what has changed. gtunnel run reads its configuration file too: tunnels
come, go and change, and connections of those that stay the same are not
touched. If anything is wrong with a file, nothing of it is put in force, all
that is wrong is printed, and the exit code is 1.`,
		Example: `  gtunnel reload
  gtunnel run --check && gtunnel reload --admin unix:/run/gtunnel/run.sock`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			addresses, err := expand(admin)
			if err != nil {
				return err
			}
			return m.reloadAll(cmd.Context(), addresses)
		},
	}
	config.AddFlags(cmd, "", []config.Setting{
		{Name: "admin", Arg: "ADDRESS", Target: &admin, Preset: "unix:" + adminSockets, Usage: "what its --admin is"},
	})
	return cmd
}

// reloadAll has each of the processes reload. A dead socket is an error only if
// no process answers.
func (m *Main) reloadAll(ctx context.Context, addresses []tunnel.Address) error {
	var failed, dead []error
	for _, a := range addresses {
		result, err := askReload(ctx, a)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			dead = append(dead, err)
		case err != nil:
			failed = append(failed, err)
		default:
			failed = append(failed, m.printReload(a, result)...)
		}
	}
	if len(dead) == len(addresses) {
		failed = dead
	}
	return errors.Join(failed...)
}

// printReload prints what a reload has done, and gives what was wrong.
func (m *Main) printReload(admin tunnel.Address, result reloadResult) (failed []error) {
	for _, change := range result.Changes {
		fmt.Fprintf(m.Stdout, "%s: %s\n", admin, change)
	}
	for _, setting := range result.Restart {
		fmt.Fprintf(m.Stdout, "%s: needs a restart: %s\n", admin, setting)
	}
	if len(result.Changes)+len(result.Restart)+len(result.Problems) == 0 {
		fmt.Fprintf(m.Stdout, "%s: nothing has changed\n", admin)
	}
	for _, problem := range result.Problems {
		failed = append(failed, usage.WithHint(errors.New(problem.Text), problem.Cure))
	}
	return failed
}

// reloadAnswer is how the reloads of one of several processes have gone.
type reloadAnswer struct {
	reloadStatus

	Admin string `json:"admin"` // address of the process
}

// askReloads asks processes how their reloads have gone. Those that do not say,
// such as older ones, are left out.
func askReloads(ctx context.Context, processes []answered) []reloadAnswer {
	answers := []reloadAnswer{}
	for _, p := range processes {
		answer := reloadAnswer{Admin: p.admin.String()}
		body, err := askProcess(ctx, p.admin, http.MethodGet, "/reload", "")
		if err == nil && json.Unmarshal(body, &answer.reloadStatus) == nil {
			answers = append(answers, answer)
		}
	}
	return answers
}

// writeReloads prints what of the files is not in force, if anything.
func writeReloads(out io.Writer, answers []reloadAnswer) {
	for _, answer := range answers {
		for _, problem := range answer.Problems {
			fmt.Fprintf(out, "\nRELOAD FAILED (the last good one: %s)\n%s\n", answer.LastGood.Local().Format(time.DateTime),
				problem.Text)
			if problem.Cure != "" {
				fmt.Fprintf(out, "hint: %s\n", problem.Cure)
			}
		}
		for _, setting := range answer.Restart {
			fmt.Fprintf(out, "\nNEEDS A RESTART: %s\n", setting)
		}
	}
}

// askReload has the process at an admin address reload, and gives the result.
func askReload(ctx context.Context, admin tunnel.Address) (result reloadResult, err error) {
	body, err := askWithin(ctx, reloadPatience, admin, http.MethodPost, "/reload", "")
	if err != nil {
		return result, err
	}
	if err := json.Unmarshal(body, &result); err != nil {
		return result, usage.WithHint(fmt.Errorf("%s did not answer as gtunnel does: %w", admin, err), notAdmin)
	}
	return result, nil
}

// handler adds to an admin handler:
//
//   - POST /reload: reloads, and answers a reloadResult as JSON.
//   - GET /reload: the reloadStatus.
func (r *reloads) handler(others http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", others)
	mux.HandleFunc("GET /reload", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, r.snapshot()) })
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, request *http.Request) {
		ctx, cancel := context.WithTimeout(request.Context(), reloadPatience)
		defer cancel()
		answer := make(chan reloadResult, 1)
		select {
		case r.requests <- answer:
		case <-ctx.Done():
			refuse(w, http.StatusServiceUnavailable, busy, busyHint)
			return
		}
		select {
		case result := <-answer:
			answerJSON(w, result)
		case <-ctx.Done():
			refuse(w, http.StatusServiceUnavailable, busy, busyHint)
		}
	})
	return mux
}

// Why a reload has no result, and what to do.
const (
	busy     = "the process is busy, or stops"
	busyHint = "gtunnel status tells how the reload went, once it is over"
)

func answerJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // fails only if the client has gone
}

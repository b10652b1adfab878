package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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
			var failed []error
			for _, a := range addresses {
				result, err := askReload(cmd.Context(), a)
				if err != nil {
					failed = append(failed, err)
					continue
				}
				failed = append(failed, m.printReload(a, result)...)
			}
			return errors.Join(failed...)
		},
	}
	config.AddFlags(cmd, "", []config.Setting{
		{Name: "admin", Arg: "ADDRESS", Target: &admin, Preset: "unix:" + adminSockets, Usage: "what its --admin is"},
	})
	return cmd
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
// such as older ones, are left out: whether they live, others ask.
func askReloads(ctx context.Context, addresses []tunnel.Address) []reloadAnswer {
	answers := []reloadAnswer{}
	for _, a := range addresses {
		answer := reloadAnswer{Admin: a.String()}
		if err := askAbout(ctx, a, http.MethodGet, &answer.reloadStatus); err == nil {
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
	err = askAbout(ctx, admin, http.MethodPost, &result)
	return result, err
}

// askAbout sends a request for /reload to the process at an admin address.
func askAbout(ctx context.Context, admin tunnel.Address, method string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, reloadPatience)
	defer cancel()
	at := admin
	if at.Network == "tcp" {
		at.Host = cmp.Or(at.Host, "127.0.0.1")
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		network, address := at.ForListen()
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, method, "http://localhost/reload", http.NoBody)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return usage.WithHint(fmt.Errorf("no answer from %s: %w", admin, errors.Unwrap(err)), statusHint(err))
	}
	defer func() { _ = response.Body.Close() }() // only read
	body := io.LimitReader(response.Body, maxStatus)
	if response.StatusCode == http.StatusForbidden {
		text, _ := io.ReadAll(body) // it says why
		return usage.WithHint(fmt.Errorf("%s: %s", admin, strings.TrimSpace(string(text))),
			"send it SIGHUP: systemctl reload, or kill -HUP")
	}
	if response.StatusCode != http.StatusOK {
		return usage.WithHint(fmt.Errorf("%s answered %s", admin, response.Status), notAdmin)
	}
	if err := json.NewDecoder(body).Decode(answer); err != nil {
		return usage.WithHint(fmt.Errorf("%s did not answer as gtunnel does: %w", admin, err), notAdmin)
	}
	return nil
}

// handler adds to an admin handler:
//
//   - POST /reload: reloads, and answers a reloadResult as JSON. It is taken at
//     unix sockets only: any user of this host can connect to a TCP port.
//   - GET /reload: the reloadStatus.
func (r *reloads) handler(others http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", others)
	mux.HandleFunc("GET /reload", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, r.snapshot()) })
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, request *http.Request) {
		local, ok := request.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if !ok || local.Network() != "unix" {
			http.Error(w, "a reload is taken at a unix socket only", http.StatusForbidden)
			return
		}
		ctx, cancel := context.WithTimeout(request.Context(), reloadPatience)
		defer cancel()
		answer := make(chan reloadResult, 1)
		select {
		case r.requests <- answer:
		case <-ctx.Done():
			http.Error(w, "the process is busy, or stops", http.StatusServiceUnavailable)
			return
		}
		select {
		case result := <-answer:
			answerJSON(w, result)
		case <-ctx.Done():
			http.Error(w, "the process is busy, or stops", http.StatusServiceUnavailable)
		}
	})
	return mux
}

func answerJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // fails only if the client has gone
}

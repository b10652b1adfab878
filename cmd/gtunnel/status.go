package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/tunnel"
)

// adminSockets is where the admin sockets are that commands preset.
const adminSockets = config.RuntimeFolder + "/*.sock"

// maxStatus bounds the answer of a process, in bytes.
const maxStatus = 64 << 20

func (m *Main) statusCommand() *cobra.Command {
	var admin tunnel.Address
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "What the running process says of its tunnels and connections",
		Long: `Asks the running processes for their tunnels and open connections. Each has a
socket in /run/gtunnel if root or systemd started it, else where its --admin, or
the [admin] of its file, says. A * in the path of a socket stands for any text.`,
		Example: `  gtunnel status
  gtunnel status --admin 127.0.0.1:9307 --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			addresses, err := expand(admin)
			if err != nil {
				return err
			}
			tunnels, dead, err := askAll(cmd.Context(), addresses)
			if len(tunnels) == 0 && err != nil {
				return err
			}
			reloads := askReloads(cmd.Context(), addresses)
			if printErr := m.printStatus(tunnels, reloads, asJSON); printErr != nil {
				return printErr
			}
			for _, a := range dead {
				fmt.Fprintf(m.Stderr, "note: no process answers at %s: one that was killed left it behind\n", a)
			}
			return err
		},
	}
	config.AddFlags(cmd, "", []config.Setting{
		{Name: "admin", Arg: "ADDRESS", Target: &admin, Preset: "unix:" + adminSockets, Usage: "what its --admin is"},
		{Name: "json", Target: &asJSON, Usage: "print JSON"},
	})
	return cmd
}

// expand lists the sockets that the pattern in an admin address finds. Other
// addresses stand for themselves; none for the usual folder.
func expand(admin tunnel.Address) ([]tunnel.Address, error) {
	if admin == (tunnel.Address{}) {
		admin = tunnel.Address{Network: "unix", Path: adminSockets}
	}
	if admin.Network != "unix" || !strings.Contains(admin.Path, "*") {
		return []tunnel.Address{admin}, nil
	}
	paths, err := filepath.Glob(admin.Path)
	if err != nil {
		return nil, &usage.Error{
			Where: "--admin", Message: fmt.Sprintf("%q is no pattern: %v", admin.Path, err),
			Cure: "write the path of one socket",
		}
	}
	if len(paths) == 0 {
		folder := filepath.Dir(admin.Path)
		if _, err := os.ReadDir(folder); errors.Is(err, fs.ErrPermission) { // which Glob keeps to itself
			err = fmt.Errorf("cannot look for admin sockets: %w", err)
			return nil, usage.WithHint(err, "run gtunnel status as root, or as the user of the process")
		}
		return nil, usage.WithHint(
			fmt.Errorf("no gtunnel process has an admin socket in %s", folder),
			"is one running (systemctl status 'gtunnel*'; journalctl -u 'gtunnel*' says why not)? "+
				"One of another user than root needs an --admin of its own, "+
				"and gtunnel status the same: gtunnel status --admin ADDRESS",
		)
	}
	var addresses []tunnel.Address
	for _, path := range paths {
		addresses = append(addresses, tunnel.Address{Network: "unix", Path: path})
	}
	return addresses, nil
}

// askAll asks each of the processes. A socket at which nobody listens is dead,
// not an error, if another process answers. The error joins the others'.
func askAll(
	ctx context.Context, addresses []tunnel.Address,
) (tunnels []tunnel.Status, dead []tunnel.Address, err error) {
	var failed, refused []error
	answered := false
	for _, a := range addresses {
		status, err := askStatus(ctx, a)
		switch {
		case err == nil:
			answered = true
			tunnels = append(tunnels, status.Tunnels...)
		case errors.Is(err, syscall.ECONNREFUSED):
			dead, refused = append(dead, a), append(refused, err)
		default:
			failed = append(failed, err)
		}
	}
	if !answered {
		return nil, nil, errors.Join(append(failed, refused...)...)
	}
	return tunnels, dead, errors.Join(failed...)
}

// printStatus prints what the processes answered.
func (m *Main) printStatus(tunnels []tunnel.Status, reloads []reloadAnswer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(m.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			tunnel.AdminStatus

			Reloads []reloadAnswer `json:"reloads"` // of each process
		}{AdminStatus: tunnel.AdminStatus{Tunnels: tunnels}, Reloads: reloads})
	}
	if err := writeStatus(m.Stdout, tunnels, time.Now()); err != nil {
		return err
	}
	writeReloads(m.Stdout, reloads)
	return nil
}

// askStatus asks the process at an admin address.
func askStatus(ctx context.Context, admin tunnel.Address) (tunnel.AdminStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	at := admin
	if at.Network == "tcp" {
		at.Host = cmp.Or(at.Host, "127.0.0.1")
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		network, address := at.ForListen() // a process with the same --admin listens there
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	var status tunnel.AdminStatus
	// The host only fills the request: the dialer knows where to go.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/status", http.NoBody)
	if err != nil {
		return status, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return status, usage.WithHint(fmt.Errorf("no answer from %s: %w", admin, errors.Unwrap(err)), statusHint(err))
	}
	defer func() { _ = response.Body.Close() }() // only read
	if response.StatusCode != http.StatusOK {
		return status, usage.WithHint(fmt.Errorf("%s answered %s", admin, response.Status), notAdmin)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxStatus)).Decode(&status); err != nil {
		return status, usage.WithHint(fmt.Errorf("%s did not answer with a status: %w", admin, err), notAdmin)
	}
	return status, nil
}

// notAdmin is what to do about an answer that is no status.
const notAdmin = "is it the admin address of a gtunnel process?"

func statusHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "the socket is its owner's alone: run gtunnel status as root, or as the user of the process"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return "no process serves there: start one with this --admin, " +
			"or see systemctl status 'gtunnel*' and journalctl -u 'gtunnel*'"
	}
	return notAdmin
}

// writeStatus prints the tunnels, how the revocation lists of their CAs stand,
// why connections came to nothing or were closed, what is tolerated, and the
// open connections.
func writeStatus(out io.Writer, tunnels []tunnel.Status, now time.Time) error {
	w := terminal.NewTable(out)
	fmt.Fprintln(w, "TUNNEL\tROLE\tACCEPT\tCONNECT\tOPEN\tACCEPTED\tREFUSED\tFROM PEER\tTO PEER")
	open, failures, closed, warned := 0, false, false, false
	for _, t := range tunnels {
		var refused uint64
		for _, n := range t.Refused {
			refused += n
		}
		open += len(t.Sessions)
		failures = failures || len(t.Refused)+len(t.DialFailures) > 0
		closed, warned = closed || len(t.SessionsRefused) > 0, warned || len(t.Warnings) > 0
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", t.Name, t.Role, t.Accept, strings.Join(t.Connect, " "),
			len(t.Sessions), t.Accepted, refused, finding.FormatBytes(t.BytesFromPeer), finding.FormatBytes(t.BytesToPeer))
	}
	fmt.Fprintln(w, "\nTUNNEL\tTRUST")
	for _, t := range tunnels {
		if t.CRLs != (certs.CRLReport{}) { // of a process that knew no such thing
			fmt.Fprintf(w, "%s\t%s\n", t.Name, inFlags(t.CRLs.String()))
		}
	}
	if failures {
		fmt.Fprintln(w, "\nTUNNEL\tCAME TO NOTHING\tTIMES")
		for _, t := range tunnels {
			for _, code := range slices.Sorted(maps.Keys(t.Refused)) {
				fmt.Fprintf(w, "%s\t%s\t%d\n", t.Name, code, t.Refused[code])
			}
			for _, target := range slices.Sorted(maps.Keys(t.DialFailures)) {
				fmt.Fprintf(w, "%s\ttarget %s unreachable\t%d\n", t.Name, target, t.DialFailures[target])
			}
		}
	}
	if closed {
		fmt.Fprintln(w, "\nTUNNEL\tCLOSED AS NO LONGER ACCEPTED\tTIMES")
		for _, t := range tunnels {
			for _, code := range slices.Sorted(maps.Keys(t.SessionsRefused)) {
				fmt.Fprintf(w, "%s\t%s\t%d\n", t.Name, code, t.SessionsRefused[code])
			}
		}
	}
	if warned {
		fmt.Fprintln(w, "\nTUNNEL\tWARNING\tABOUT")
		for _, t := range tunnels {
			for _, warning := range t.Warnings {
				fmt.Fprintf(w, "%s\t%s\t%s\n", t.Name, warning.Code, inFlags(warning.Text))
			}
		}
	}
	if open > 0 {
		fmt.Fprintln(w, "\nCONNECTION\tTUNNEL\tFROM\tTARGET\tOPEN FOR\tSILENT FOR\tFROM PEER\tTO PEER\tPEER")
		for _, t := range tunnels {
			for _, s := range t.Sessions {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, t.Name, s.PeerAddress, s.Target,
					age(now, s.Opened), age(now, s.LastActivity),
					finding.FormatBytes(s.BytesFromPeer), finding.FormatBytes(s.BytesToPeer), certs.ShowDN(s.PeerDN))
			}
		}
	}
	return w.Flush()
}

// age is how long ago a moment was, in whole seconds.
func age(now, then time.Time) string {
	return finding.FormatDuration(max(0, now.Sub(then)).Round(time.Second))
}

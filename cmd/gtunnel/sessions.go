package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/tunnel"
)

func (m *Main) sessionsCommand() *cobra.Command {
	var q tunnelQuestion
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "The open connections of the running process",
		Long: `Lists the open connections of the running processes: their IDs, which each of
their lines in the log has as conn, their peers, since when they are open and
what they carried. gtunnel close ID ends one.`,
		Example: `  gtunnel sessions
  gtunnel sessions --peer CN=server2.domain.two --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			processes, err := m.askTunnels(cmd.Context(), &q, askedStatus)
			if processes == nil {
				return err
			}
			if printErr := m.printSessions(tunnelsOf(processes), q.asJSON); printErr != nil {
				return printErr
			}
			return err
		},
	}
	config.AddFlags(cmd, "", q.settings())
	return cmd
}

// openSession is a connection with the tunnel that it is of.
type openSession struct {
	Tunnel string `json:"tunnel"`
	tunnel.SessionStatus
}

// printSessions prints the open connections.
func (m *Main) printSessions(tunnels []tunnel.Status, asJSON bool) error {
	if !asJSON {
		w := terminal.NewTable(m.Stdout)
		writeSessions(w, tunnels, time.Now())
		return w.Flush()
	}
	answer := struct {
		Sessions []openSession `json:"sessions"`
	}{Sessions: []openSession{}}
	for _, t := range tunnels {
		for _, s := range t.Sessions {
			answer.Sessions = append(answer.Sessions, openSession{t.Name, s})
		}
	}
	encoder := json.NewEncoder(m.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(answer)
}

// writeSessions prints the open connections as a table.
func writeSessions(w io.Writer, tunnels []tunnel.Status, now time.Time) {
	fmt.Fprintln(w, "CONNECTION\tTUNNEL\tFROM\tTARGET\tOPEN FOR\tSILENT FOR\tFROM PEER\tTO PEER\tPEER")
	for _, t := range tunnels {
		for _, s := range t.Sessions {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, t.Name, fromText(s), s.Target,
				age(now, s.Opened), age(now, s.LastActivity),
				finding.FormatBytes(s.BytesFromPeer), finding.FormatBytes(s.BytesToPeer), certs.ShowDN(s.PeerDN))
		}
	}
}

// fromText is where a connection comes from, with the proxy that has passed it on.
func fromText(s tunnel.SessionStatus) string {
	if s.ProxyAddress == "" {
		return s.PeerAddress
	}
	return s.PeerAddress + " by " + s.ProxyAddress
}

func (m *Main) closeCommand() *cobra.Command {
	var q tunnelQuestion
	cmd := &cobra.Command{
		Use:   "close ID...",
		Short: "Closes open connections of the running process",
		Long: `Closes connections by the IDs that gtunnel sessions shows: both sides get a
reset, and the log says who asked. A slave connects again by itself, after its
MASTER_CONNECT_RETRY. Of an ID that is not open none is closed. Two processes
may have the same ID: --tunnel says which is meant.`,
		Example: `  gtunnel close 17
  gtunnel close 17 18 --tunnel mysql`,
		ValidArgsFunction: completeSessions,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usage.Error{
					Message: "which connection is not said", Cure: "gtunnel sessions shows the IDs: gtunnel close ID",
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, ids []string) error { return m.closeSessions(cmd.Context(), &q, ids) },
	}
	config.AddFlags(cmd, "", config.Pick(q.settings(), "admin", "tunnel"))
	return cmd
}

// closing is a connection that shall be closed.
type closing struct {
	admin      tunnel.Address
	tunnel, id string
	peer       string
}

// closeSessions closes the connections of these IDs, or none if one is not open.
func (m *Main) closeSessions(ctx context.Context, q *tunnelQuestion, ids []string) error {
	processes, err := m.askTunnels(ctx, q, askedStatus)
	if err != nil {
		return err // it may be of the process that did not answer
	}
	var chosen []closing
	for _, id := range ids {
		found, err := findSession(processes, id)
		if err != nil {
			return err
		}
		if !slices.Contains(chosen, found) {
			chosen = append(chosen, found)
		}
	}
	for _, c := range chosen {
		path := "/tunnels/" + url.PathEscape(c.tunnel) + "/sessions/" + url.PathEscape(c.id)
		if _, err := askProcess(ctx, c.admin, http.MethodDelete, path, ""); err != nil {
			return err
		}
		fmt.Fprintf(m.Stdout, "closed connection %s of tunnel %s, %s\n", c.id, c.tunnel, certs.ShowDN(c.peer))
	}
	return nil
}

// sessionsNamed is how many connections an error lists.
const sessionsNamed = 10

// findSession finds the one connection of an ID.
func findSession(processes []answered, id string) (closing, error) {
	var found []closing
	var open, tunnels []string
	for _, p := range processes {
		for _, t := range p.tunnels {
			for _, s := range t.Sessions {
				open = append(open, s.ID)
				if s.ID == id {
					found = append(found, closing{admin: p.admin, tunnel: t.Name, id: id, peer: s.PeerDN})
					tunnels = append(tunnels, t.Name)
				}
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return closing{}, usage.WithHint(fmt.Errorf("more than one connection has the ID %s: of the tunnels %s", id,
			strings.Join(tunnels, ", ")), "add --tunnel NAME, and --admin unix:PATH if the names are the same")
	case len(open) == 0:
		return closing{}, fmt.Errorf("no connection %s is open, and no other", id)
	}
	there := strings.Join(open[:min(len(open), sessionsNamed)], ", ")
	if len(open) > sessionsNamed {
		there += fmt.Sprintf(" and %d more", len(open)-sessionsNamed)
	}
	return closing{}, usage.WithHint(fmt.Errorf("no connection %s is open; there is %s", id, there),
		"gtunnel sessions shows them")
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
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

func (m *Main) statusCommand() *cobra.Command {
	var q tunnelQuestion
	watch := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "What the running process says of its tunnels and connections",
		Long: `Asks the running processes for their tunnels, which of them carry no new
connections and why, when certificates and revocation lists end, whom they
refused lately and what to do about it, and the open connections. Each has a
socket in /run/gtunnel if root or systemd started it, else where its --admin, or
the [admin] of its file, says. A * in the path of a socket stands for any text.
With --watch it looks again every two seconds: on a terminal the screen is drawn
anew, elsewhere each change is a line. The exit code is 0 if every process has
answered, whatever of; /readyz at its socket answers 503 while one of its
tunnels is not ready.`,
		Example: `  gtunnel status --watch
  gtunnel status --admin 127.0.0.1:9307 --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if watch {
				return m.watchStatus(cmd.Context(), &q)
			}
			processes, err := m.askTunnels(cmd.Context(), &q, askedReady)
			if len(processes) == 0 && err != nil {
				return err
			}
			answer := newStatusAnswer(cmd.Context(), processes)
			if printErr := answer.print(m.Stdout, q.asJSON); printErr != nil {
				return printErr
			}
			return err
		},
	}
	config.AddFlags(cmd, "", append(q.settings(),
		config.Setting{Name: "watch", Target: &watch, Usage: "look again and again, until Ctrl-C"}))
	return cmd
}

// tunnelQuestion is what a command wants to know of the running processes.
type tunnelQuestion struct {
	admin  tunnel.Address // or a pattern of sockets
	name   string         // of the only tunnel; empty: all
	peer   string         // part of the DN of the only peers; empty: all
	asJSON bool
}

func (q *tunnelQuestion) settings() []config.Setting {
	return []config.Setting{
		{Name: "admin", Arg: "ADDRESS", Target: &q.admin, Preset: "unix:" + adminSockets, Usage: "what its --admin is"},
		{Name: "tunnel", Arg: "NAME", Target: &q.name, Usage: "only this tunnel"},
		{Name: "peer", Arg: "TEXT", Target: &q.peer, Usage: "only peers with this in their DN, in any case"},
		{Name: "json", Target: &q.asJSON, Usage: "print JSON"},
	}
}

// askTunnels asks the processes what askAll does, notes sockets at which none answers any more,
// and leaves what is in question. The error joins those of the processes that
// failed; others may have answered all the same.
func (m *Main) askTunnels(ctx context.Context, q *tunnelQuestion, what string) ([]answered, error) {
	processes, dead, err := askAll(ctx, q.admin, what)
	if processes == nil {
		return nil, err
	}
	for _, a := range dead {
		fmt.Fprintf(m.Stderr, "note: no process answers at %s: one that was killed left it behind\n", a)
	}
	if filterErr := q.filter(processes); filterErr != nil {
		return nil, filterErr
	}
	return processes, err
}

// filter leaves what is in question of the answers.
func (q *tunnelQuestion) filter(processes []answered) error {
	var names []string
	found := q.name == ""
	for i := range processes {
		p := &processes[i]
		for _, t := range p.tunnels {
			names = append(names, t.Name)
			found = found || t.Name == q.name
		}
		p.tunnels = slices.DeleteFunc(p.tunnels, func(t tunnel.Status) bool { return q.name != "" && t.Name != q.name })
		for j := range p.tunnels {
			t := &p.tunnels[j]
			t.Sessions = slices.DeleteFunc(t.Sessions, func(s tunnel.SessionStatus) bool { return !q.isPeer(s.PeerDN) })
			t.Refusals = slices.DeleteFunc(t.Refusals, func(r tunnel.Refusal) bool { return !q.isPeer(r.PeerDN) })
		}
	}
	if !found {
		return usage.WithHint(fmt.Errorf("no tunnel %s is running", q.name), "those that are: "+strings.Join(names, ", "))
	}
	return nil
}

// isPeer reports whether a peer of this DN, in slash form, is in question.
func (q *tunnelQuestion) isPeer(dn string) bool {
	return strings.Contains(strings.ToLower(dn), strings.ToLower(q.peer))
}

// tunnelsOf are the tunnels of all processes.
func tunnelsOf(processes []answered) []tunnel.Status {
	tunnels := []tunnel.Status{}
	for _, p := range processes {
		tunnels = append(tunnels, p.tunnels...)
	}
	return tunnels
}

// statusAnswer is what the processes answered, as JSON has it.
type statusAnswer struct {
	tunnel.AdminStatus

	Reloads []reloadAnswer `json:"reloads"` // of each process
}

// newStatusAnswer asks processes for their reloads, too.
func newStatusAnswer(ctx context.Context, processes []answered) *statusAnswer {
	return &statusAnswer{
		AdminStatus: tunnel.AdminStatus{Tunnels: tunnelsOf(processes)}, Reloads: askReloads(ctx, processes),
	}
}

// print prints it for a person, or as JSON.
func (a *statusAnswer) print(out io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(a)
	}
	if err := writeStatus(out, a.Tunnels, time.Now()); err != nil {
		return err
	}
	writeReloads(out, a.Reloads)
	return nil
}

// writeStatus prints the tunnels, which are not ready, how their certificates and the revocation
// lists of their CAs stand, why connections came to nothing or were closed, what
// is tolerated, and the open connections.
func writeStatus(out io.Writer, tunnels []tunnel.Status, now time.Time) error {
	w := terminal.NewTable(out)
	fmt.Fprintln(w, "TUNNEL\tROLE\tACCEPT\tCONNECT\tOPEN\tACCEPTED\tREFUSED\tFROM PEER\tTO PEER")
	for _, t := range tunnels {
		var refused uint64
		for _, n := range t.Refused {
			refused += n
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", shownName(&t), t.Role, t.Accept, strings.Join(t.Connect, " "),
			len(t.Sessions), t.Accepted, refused, finding.FormatBytes(t.BytesFromPeer), finding.FormatBytes(t.BytesToPeer))
	}
	writeNotReady(w, tunnels)
	writeTrust(w, tunnels, now)
	writeCounts(w, tunnels)
	writeRefusals(w, tunnels, now)
	if slices.ContainsFunc(tunnels, func(t tunnel.Status) bool { return len(t.Sessions) > 0 }) {
		fmt.Fprintln(w)
		writeSessions(w, tunnels, now)
	}
	return w.Flush()
}

// shownName is the name of a tunnel, with what tells it from another of its name.
func shownName(t *tunnel.Status) string {
	if t.Retired {
		return t.Name + " (leaving)"
	}
	return t.Name
}

// writeTrust prints when certificates and lists end, and how they stand.
func writeTrust(w io.Writer, tunnels []tunnel.Status, now time.Time) {
	fmt.Fprintln(w, "\nTUNNEL\tCERTIFICATE ENDS\tFIRST CRL ENDS\tTRUST")
	for _, t := range tunnels {
		if t.CRLs == (certs.CRLReport{}) { // of a process that knew no such thing
			continue
		}
		first := "-"
		if len(t.CRLEnds) > 0 {
			first = daysUntil(now, t.CRLEnds[0].NextUpdate)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", shownName(&t), daysUntil(now, t.Certificate.NotAfter), first,
			inFlags(t.CRLs.String()))
	}
}

// daysUntil says how far away an end is.
func daysUntil(now, end time.Time) string {
	days := int(end.Sub(now).Abs().Hours() / 24)
	switch {
	case end.IsZero():
		return "-"
	case !now.Before(end):
		return fmt.Sprintf("ended %s ago", finding.Count(days, "day"))
	}
	return "in " + finding.Count(days, "day")
}

// writeCounts prints why connections came to nothing or were closed, and what is
// tolerated.
func writeCounts(w io.Writer, tunnels []tunnel.Status) {
	head := func(text string) func() { // prints it before the first line only
		said := false
		return func() {
			if !said {
				fmt.Fprintln(w, "\n"+text)
			}
			said = true
		}
	}
	nothing := head("TUNNEL\tCAME TO NOTHING\tTIMES")
	for _, t := range tunnels {
		for _, code := range slices.Sorted(maps.Keys(t.Refused)) {
			nothing()
			fmt.Fprintf(w, "%s\t%s\t%d\n", t.Name, code, t.Refused[code])
		}
		for _, target := range slices.Sorted(maps.Keys(t.DialFailures)) {
			nothing()
			fmt.Fprintf(w, "%s\ttarget %s unreachable\t%d\n", t.Name, target, t.DialFailures[target])
		}
	}
	closed := head("TUNNEL\tCLOSED AS NO LONGER ACCEPTED\tTIMES")
	for _, t := range tunnels {
		for _, code := range slices.Sorted(maps.Keys(t.SessionsRefused)) {
			closed()
			fmt.Fprintf(w, "%s\t%s\t%d\n", t.Name, code, t.SessionsRefused[code])
		}
	}
	warned := head("TUNNEL\tWARNING\tABOUT")
	for _, t := range tunnels {
		for _, warning := range t.Warnings {
			warned()
			fmt.Fprintf(w, "%s\t%s\t%s\n", t.Name, warning.Code, inFlags(warning.Text))
		}
	}
}

// refusalsShown is how many refusals a person is shown.
const refusalsShown = 10

// writeRefusals prints who was refused last, and what to do about it.
func writeRefusals(w io.Writer, tunnels []tunnel.Status, now time.Time) {
	type refused struct {
		tunnel string
		tunnel.Refusal
	}
	var all []refused
	for _, t := range tunnels {
		for _, r := range t.Refusals {
			all = append(all, refused{t.Name, r})
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(a, b refused) int { return b.Time.Compare(a.Time) })
	fmt.Fprintln(w, "\nREFUSED LAST")
	for _, r := range all[:min(len(all), refusalsShown)] {
		line := fmt.Sprintf("%s: %s ago, %s, %d times", r.tunnel, age(now, r.Time), r.Code, r.Times)
		if r.Peer != "" {
			line += ", last from " + refusedFrom(&r.Refusal)
		}
		if r.PeerDN != "" {
			line += ", " + certs.ShowDN(r.PeerDN)
		}
		fmt.Fprintf(w, "%s\n  %s\n", terminal.Printable(line), terminal.Printable(inFlags(r.Reason)))
		if r.Cure != "" {
			fmt.Fprintf(w, "  hint: %s\n", terminal.Printable(inFlags(r.Cure)))
		}
	}
	if more := len(all) - refusalsShown; more > 0 {
		fmt.Fprintf(w, "and %d more: gtunnel status --json\n", more)
	}
}

// refusedFrom is where a refused connection came from, with the proxy that has passed it on.
func refusedFrom(r *tunnel.Refusal) string {
	return fromText(tunnel.SessionStatus{PeerAddress: r.Peer, ProxyAddress: r.Proxy})
}

// age is how long ago a moment was, in whole seconds.
func age(now, then time.Time) string {
	return finding.FormatDuration(max(0, now.Sub(then)).Round(time.Second))
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/tunnel"
)

// watchStatus looks again and again until ctx ends. On a terminal each look
// takes the place of the last; elsewhere there is a line for each change; as
// JSON, each look is a line. The first look must succeed; a process that is gone
// later may come back. The error is that of the last look.
func (m *Main) watchStatus(ctx context.Context, q *tunnelQuestion) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ready := newReadiness()
	asking.Go(func() { ready.keep(ctx, q.admin) })
	w := statusWatch{main: m, screen: terminal.NewScreen(m.Stdout, m.Getenv), question: q}
	for first := true; ; first = false {
		processes, err := m.askTunnels(ctx, q, askedStatus)
		switch {
		case ctx.Err() != nil:
			return w.failure
		case first && processes == nil:
			return err
		case first:
			ready.await(ctx, watchPause)
		}
		ready.fill(processes, time.Now())
		if err := w.show(newStatusAnswer(ctx, processes), err); err != nil {
			return err
		}
		if server.Pause(ctx, watchPause) != nil {
			return w.failure
		}
	}
}

// statusWatch is what a watch has shown.
type statusWatch struct {
	main     *Main
	screen   *terminal.Screen
	question *tunnelQuestion
	before   map[string]tunnel.Status // by name as it is shown; nil: nothing yet
	reloads  []string                 // what was said of them
	failure  error                    // of the last look
}

// show shows one look, which may have failed in part.
func (w *statusWatch) show(answer *statusAnswer, failure error) error {
	out := w.main.Stdout
	failed := failure != nil && fmt.Sprint(failure) != fmt.Sprint(w.failure)
	w.failure = failure
	switch {
	case w.question.asJSON:
		return json.NewEncoder(out).Encode(answer)
	case w.screen.IsTerminal():
		w.screen.Clear()
		if failure != nil {
			fmt.Fprintln(out, failure)
		}
		return answer.print(out, false)
	}
	line := func(format string, args ...any) {
		fmt.Fprintf(out, "%s %s\n", time.Now().UTC().Format(time.RFC3339), terminal.Printable(fmt.Sprintf(format, args...)))
	}
	if failed {
		line("%v", failure)
	}
	w.tellTunnels(answer.Tunnels, line)
	w.tellReloads(answer.Reloads, line)
	return nil
}

// tellTunnels says what is otherwise than at the last look.
func (w *statusWatch) tellTunnels(tunnels []tunnel.Status, line func(string, ...any)) {
	now := map[string]tunnel.Status{}
	var open []tunnel.SessionStatus // of all: a tunnel that is replaced keeps its own under another name
	for _, t := range tunnels {
		open = append(open, t.Sessions...)
	}
	for _, t := range tunnels {
		name := shownName(&t)
		now[name] = t
		before, known := w.before[name]
		if !known {
			line("%s: %s at %s, %s open", name, t.Role, t.Accept, finding.Count(len(t.Sessions), "connection"))
		}
		before.Sessions = slices.DeleteFunc(slices.Clone(before.Sessions), func(s tunnel.SessionStatus) bool {
			return !slices.ContainsFunc(t.Sessions, isSame(&s)) && slices.ContainsFunc(open, isSame(&s))
		})
		for _, change := range tunnelChanges(&before, &t, known) {
			line("%s: %s", name, change)
		}
		for _, change := range readyChanges(before.NotReady, t.NotReady) {
			line("%s: %s", name, change)
		}
		if t.NotReady == nil { // it is not known, so what was said of it stands
			t.NotReady = before.NotReady
			now[name] = t
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.before)) {
		if _, there := now[name]; !there {
			line("%s: is gone", name)
		}
	}
	w.before = now
}

// tellReloads says what of the files is not in force, and what was not and is.
func (w *statusWatch) tellReloads(reloads []reloadAnswer, line func(string, ...any)) {
	var now []string
	for _, r := range reloads {
		for _, problem := range r.Problems {
			text := r.Admin + ": reload failed: " + problem.Text
			if problem.Cure != "" {
				text += "; hint: " + problem.Cure
			}
			now = append(now, text)
		}
		for _, setting := range r.Restart {
			now = append(now, r.Admin+": needs a restart: "+setting)
		}
	}
	for _, text := range now {
		if !slices.Contains(w.reloads, text) {
			line("%s", text)
		}
	}
	for _, text := range w.reloads {
		answers := slices.ContainsFunc(reloads, func(r reloadAnswer) bool { return strings.HasPrefix(text, r.Admin+": ") })
		if answers && !slices.Contains(now, text) {
			line("no longer so: %s", text)
		}
	}
	w.reloads = now
}

// tunnelChanges says what is otherwise than it was; of a tunnel that was not known,
// what is open and warned of.
func tunnelChanges(before, now *tunnel.Status, known bool) []string {
	var changes []string
	say := func(format string, args ...any) { changes = append(changes, fmt.Sprintf(format, args...)) }
	if known && before.Accepting != now.Accepting {
		say("%s", map[bool]string{true: "accepts connections", false: "no longer accepts connections"}[now.Accepting])
	}
	if known && !before.Certificate.NotAfter.Equal(now.Certificate.NotAfter) {
		say("the certificate is another one, until %s", now.Certificate.NotAfter.UTC().Format(time.RFC3339))
	}
	if known && before.CRLs != now.CRLs {
		say("%s", inFlags(now.CRLs.String()))
	}
	open := map[string]bool{}
	for _, s := range now.Sessions {
		open[s.ID] = true
		if !slices.ContainsFunc(before.Sessions, isSame(&s)) {
			say("connection %s is open, from %s, %s", s.ID, fromText(s), certs.ShowDN(s.PeerDN))
		}
	}
	for _, s := range before.Sessions {
		if !slices.ContainsFunc(now.Sessions, isSame(&s)) {
			say("connection %s has ended: from peer %s, to peer %s, when it was seen last", s.ID,
				finding.FormatBytes(s.BytesFromPeer), finding.FormatBytes(s.BytesToPeer))
		}
	}
	for _, warning := range now.Warnings {
		if !slices.Contains(before.Warnings, warning) {
			say("warning: %s: %s", warning.Code, inFlags(warning.Text))
		}
	}
	if known {
		changes = append(changes, newRefusals(before, now)...)
	}
	return changes
}

// isSame finds a connection again. A process that was started anew counts from 1.
func isSame(s *tunnel.SessionStatus) func(tunnel.SessionStatus) bool {
	return func(other tunnel.SessionStatus) bool { return s.ID == other.ID && s.Opened.Equal(other.Opened) }
}

// newRefusals says who was refused since before, the oldest first.
func newRefusals(before, now *tunnel.Status) []string {
	var texts []string
	for _, r := range slices.Backward(now.Refusals) {
		if slices.ContainsFunc(before.Refusals, func(old tunnel.Refusal) bool { return old.Time.Equal(r.Time) }) {
			continue
		}
		text := fmt.Sprintf("refused: %s: %s", r.Code, inFlags(r.Reason))
		if r.Peer != "" {
			text += ", from " + refusedFrom(&r)
		}
		if r.PeerDN != "" {
			text += ", " + certs.ShowDN(r.PeerDN)
		}
		if r.Cure != "" {
			text += "; hint: " + inFlags(r.Cure)
		}
		texts = append(texts, text)
	}
	return texts
}

package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"

	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/term"
)

// toldStatus is what `status --json` says on a host.
type toldStatus struct {
	State    string
	Healthy  bool
	Summary  string
	Role     string
	Problems []toldProblem
	Warnings []toldProblem
	Pair     *struct {
		Term                    term.Term
		Peer_Term               *term.Term
		Writable                bool
		Peer_Writable           *bool
		Guard                   struct{ Runs bool }
		Peer_Guard              *bool
		Stands_Aside            *string
		Peer_Stands_Aside       *string
		Semi_Sync               *struct{}
		Name, Peer, Waits, Mode string
	}

	text string // all of it, or what was printed instead
}

type toldProblem struct{ On, Code, Text, Cure string }

// statusArgs are the arguments of status on a host that knows its pair.
func (h *pairHost) statusArgs(more ...string) []string {
	return append(append(h.watchArgs("status"), "--config", h.config), more...)
}

// tells is what status says; told is false if it could not ask the own server, and so knows
// nothing of the pair.
func (h *pairHost) tells() (s toldStatus, told bool) {
	h.t.Helper()
	cmd := h.command(h.statusArgs("--json")...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		h.t.Error(err)
		return s, false
	}
	s.text = string(out) + stderr.String()
	if strings.Contains(s.text, "panic") {
		h.t.Errorf("status on %s:\n%s", h.Name, s.text)
	}
	if len(out) == 0 {
		if !strings.Contains(stderr.String(), "gtunnel: ") {
			h.t.Errorf("status on %s says nothing, and ends with %v: %s", h.Name, err, &stderr)
		}
		return s, false
	}
	if err := json.Unmarshal(out, &s); err != nil {
		h.t.Errorf("status on %s: %v:\n%s", h.Name, err, s.text)
		return s, false
	}
	if s.Healthy != (err == nil) {
		h.t.Errorf("status on %s says healthy: %v, and ends with %v", h.Name, s.Healthy, err)
	}
	return s, s.Pair != nil && s.State != "server-down"
}

// truths are what is so of both hosts.
type truths struct{ own, peer failovertest.Truth }

func (h *pairHost) truths() truths { return truths{h.Truth(), h.peer.Truth()} }

// truthTries is how often status is asked. What changes while it looks, it may see by
// halves: only what it says wrongly each time is false.
const truthTries = 3

// tellTruth is tellsTruth of both, at once: where the link is silent each takes its time.
func (p *twoHosts) tellTruth(when string) {
	p.t.Helper()
	var looking sync.WaitGroup
	for _, h := range []*pairHost{p.a, p.b} {
		looking.Go(func() { h.tellsTruth(when) })
	}
	looking.Wait()
}

// tellsTruth holds what status says on the host against what is so, by the attempt of a
// client to write, the notes, and the servers themselves.
func (h *pairHost) tellsTruth(when string) {
	h.t.Helper()
	var wrong, text string
	for range truthTries {
		before := h.truths()
		said, told := h.tells()
		if h.t.Failed() {
			return
		}
		if after := h.truths(); after != before {
			continue
		}
		if wrong, text = untruth(&said, told, before), said.text; wrong == "" {
			return
		}
	}
	if wrong != "" {
		h.t.Errorf("when %s, the status of %s is not true: %s:\n%s", when, h.Name, wrong, text)
	}
}

// untruth is what of a status is not so; empty if all is.
func untruth(s *toldStatus, told bool, is truths) string {
	own, peer := is.own, is.peer
	switch {
	case !told && own.Answers:
		return "it says nothing, and its server answers"
	case !told:
		return ""
	case !own.Answers:
		return "it speaks of a server that does not answer"
	}
	p, isMaster := s.Pair, own.Note.Master == s.Pair.Name
	both, runs := own.Writes && peer.Writes, own.Receives && own.Applies
	for _, claim := range []struct {
		false bool
		text  string
	}{
		{p.Term.Number != own.Note.Number || p.Term.Nonce != own.Note.Nonce, "its term is not that of the note"},
		{
			p.Peer_Term != nil && (p.Peer_Term.Number != peer.Row.Number || p.Peer_Term.Nonce != peer.Row.Nonce),
			"the other's term is not that of its row",
		},
		{p.Writable != own.Writes, "whether this server can be written to"},
		{p.Peer_Writable != nil && *p.Peer_Writable != peer.Writes, "whether the other can be written to"},
		{!peer.Answers && (p.Peer_Writable != nil || p.Peer_Term != nil), "it has asked a server that does not answer"},
		{both && s.Healthy, "healthy, and both can be written to"},
		{both && p.Peer_Writable != nil && s.State != "split-brain", "both can be written to, and it has seen both"},
		{s.State == "split-brain" && !both && own.Note.Number != peer.Row.Number, "split-brain"},
		{s.Healthy && isMaster != own.Writes, "healthy, and the right to write is not the master's"},
		{s.Healthy && !isMaster && !runs, "healthy, and its slave does not run"},
		{s.State == "ok" && isMaster && (!peer.Follows || !peer.Answers), "ok, and nobody follows this master"},
		{s.State == "ok" && !isMaster && !runs, "ok, and its slave does not run"},
		{s.State == "ok" && own.Writes != isMaster, "ok, and the right to write is not the master's"},
		{!s.Healthy && len(s.Problems) == 0, "not healthy, and no problem is named"},
	} {
		if claim.false {
			return fmt.Sprintf("%s: %+v", claim.text, is)
		}
	}
	return ""
}

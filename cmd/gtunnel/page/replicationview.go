package page

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// monitorCommand starts gtunnel replication monitor, which watches the
// replication, as a service.
const monitorCommand = "systemctl enable --now gtunnel-monitor"

// replicationView is how the replication stands, where it is watched.
type replicationView struct {
	Watched  bool
	Level    level
	State    string
	Hint     string
	Command  string // that starts what would watch it
	Master   string
	Lag      string
	Since    moment
	For      string // how long it has been so
	Plot     *plot
	Compared string
	Notices  []notice
}

// replication says how the replication stands. That nobody watches it is no
// problem: this host may be the master.
func (s *sight) replication() *replicationView {
	w := s.checks.replication
	switch r := w.replication; {
	case r != nil:
		return s.replicationWatched(r)
	case w.problem != "":
		text := "The state of the replication is not known: " + plain(w.problem)
		hint := "look at the process that watches it: systemctl status gtunnel-monitor"
		return &replicationView{
			Level: warning, State: text, Hint: hint,
			Notices: []notice{{Level: warning, About: "Replication", Text: text, Cure: hint}},
		}
	case s.checks.at.IsZero():
		return &replicationView{State: "It is being looked for."}
	}
	return &replicationView{
		State: "Not watched on this host.", Command: monitorCommand,
		Hint: "on the slave, have gtunnel replication monitor watch it:",
	}
}

// replicationWatched is what the process says that watches it.
func (s *sight) replicationWatched(r *Replication) *replicationView {
	v := &replicationView{
		Watched: true, State: plain(sentence(withoutCode(r.Summary))), Hint: plain(r.Hint), Master: plain(r.Master),
		Lag: "not known",
	}
	if r.LagSeconds != nil {
		v.Lag = seconds(*r.LagSeconds)
	}
	if !r.Since.IsZero() {
		v.Since, v.For = at(s.now, r.Since), span(max(0, s.now.Sub(r.Since)))
	}
	for _, f := range r.Findings {
		n := notice{Level: warning, About: "Replication", Text: plain(sentence(f.Text)), Cure: plain(f.Cure)}
		if f.Level == "problem" {
			n.Level = problem
		}
		v.Level = max(v.Level, n.Level)
		v.Notices = append(v.Notices, n)
		if n.Cure == v.Hint {
			v.Hint = "" // it is said already
		}
	}
	stands := problem // what is not known to be good is not good
	switch r.State {
	case ReplicationRunning:
		stands = good
	case ReplicationUnknown:
		stands = warning
	case ReplicationStopped, ReplicationBroken:
	}
	if stands > v.Level {
		v.Level = stands
		v.Notices = append(v.Notices, notice{Level: stands, About: "Replication", Text: v.State, Cure: plain(r.Hint)})
	}
	v.Plot = s.lagPlot(r)
	if c := r.Compared; c != nil {
		v.Compared = fmt.Sprintf("%s (%s).", sentence(plain(c.Summary)), ago(s.now, c.At))
		if !c.Equal && !slices.ContainsFunc(r.Findings, isOfComparison) {
			v.Level = max(v.Level, warning)
			v.Notices = append(v.Notices, notice{
				Level: warning, About: "Replication", Text: "The last comparison: " + plain(c.Summary),
				Cure: "gtunnel replication compare",
			})
		}
	}
	return v
}

// isOfComparison reports whether a finding tells of a comparison that has found differences,
// as status does while the slave answers.
func isOfComparison(f ReplicationFinding) bool { return f.Code == "compared-unequal" }

// codeBefore is the code of a state before its text, as in "ok: ".
var codeBefore = regexp.MustCompile(`^[a-z]+(-[a-z]+)*: `)

// withoutCode is the text of a state for a person.
func withoutCode(text string) string { return strings.TrimPrefix(text, codeBefore.FindString(text)) }

// lagPlot is the plot of the lag.
func (s *sight) lagPlot(r *Replication) *plot {
	lag := line{name: "Behind the master"}
	for _, point := range r.History {
		y := math.NaN()
		if point.LagSeconds != nil && *point.LagSeconds >= 0 {
			y = *point.LagSeconds
		}
		lag.values = append(lag.values, value{at: point.At, y: y})
	}
	return newPlot("lag", s.now, time.Minute, []line{lag}, seconds)
}

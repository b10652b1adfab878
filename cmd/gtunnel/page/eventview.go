package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/tunnel"
)

// reloadView is how the last reload went.
type reloadView struct {
	Level   level
	State   string
	Last    moment
	Detail  string
	Notices []notice
}

// eventView is something that has happened.
type eventView struct {
	At                  moment
	Ago                 string
	Level               level
	About, Text, Detail string
	Code, Cure          string
	Times               uint64
}

// eventViews are the last events, the newest first.
func (s *sight) eventViews() []eventView {
	all := slices.Clone(s.events)
	for i := range s.statuses {
		for _, r := range s.statuses[i].Refusals {
			all = append(all, refusalEvent(s.statuses[i].Name, &r))
		}
	}
	slices.SortStableFunc(all, func(a, b event) int { return b.at.Compare(a.at) })
	var shown []eventView
	left := map[bool]int{true: othersShown, false: troubleShown} // by whether all is good
	for _, e := range all {
		if left[e.level == good]--; left[e.level == good] < 0 {
			continue
		}
		shown = append(shown, eventView{
			At: at(s.now, e.at), Ago: ago(s.now, e.at), Level: e.level, About: plain(cmp.Or(e.tunnel, "Process")),
			Text: plain(sentence(s.source.Words(e.text))), Detail: plain(s.source.Words(e.detail)),
			Code: e.code, Cure: plain(s.source.Cure(e.cure)), Times: e.times,
		})
	}
	return shown
}

// refusalEvent is a refusal as an event.
func refusalEvent(name string, r *tunnel.Refusal) event {
	who := r.Peer
	if r.PeerDN != "" {
		who = strings.TrimPrefix(who+", ", ", ") + certs.ShowDN(r.PeerDN)
	}
	return event{
		at: r.Time, level: warning, tunnel: name, text: r.Reason, detail: who,
		code: string(r.Code), cure: r.Cure, times: r.Times,
	}
}

// reloads is how the last reload went.
func (s *sight) reloads() reloadView {
	r := s.reload
	v := reloadView{Last: at(s.now, r.LastGood), State: "What the files say is in force."}
	v.Detail = fmt.Sprintf("Last good one %s; since the start %d good and %d failed.",
		ago(s.now, r.LastGood), r.Good, r.Failed)
	if r.Good+r.Failed == 0 {
		v.Detail = "Nobody has asked for a reload since the start, " + ago(s.now, s.source.Started) + "."
	}
	for _, p := range r.Problems {
		v.Level = problem
		v.Notices = append(v.Notices, notice{
			Level: problem, About: "Configuration", Text: plain(sentence(s.source.Words(p.Text))),
			Cure: plain(s.source.Cure(p.Cure)),
		})
	}
	if v.Level == problem {
		v.State = "What the files say is not in force: the configuration stays as it was."
	}
	if len(r.Restart) > 0 {
		v.Notices = append(v.Notices, notice{
			Level: warning, About: "Configuration",
			Text: "Settings in the file need a restart: " + plain(strings.Join(r.Restart, ", ")),
			Cure: "restart the service when its connections may be cut",
		})
		v.Level = max(v.Level, warning)
	}
	return v
}

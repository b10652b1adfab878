package page

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/tunnel"
)

// How much of each list is shown, and what is worth a warning. A certificate
// that ends within certificateSoon is warned of in the log too.
const (
	sessionsShown   = 25
	troubleShown    = 20
	othersShown     = 8
	listsShown      = 8
	certificateSoon = 14 * 24 * time.Hour
	refusedLately   = time.Hour
)

// sight is all that a view is made of.
type sight struct {
	source   *Source
	now      time.Time
	statuses []tunnel.Status
	checks   checks
	reload   Reload
	events   []event
	points   []point
}

// view is what the page shows.
type view struct {
	Host, Version string
	Now, Started  moment
	Uptime, Zone  string
	Level         level
	Headline      string // changes only if the state does: it is read aloud
	Title         string
	Attention     []notice
	Tunnels       []tunnelView
	Throughput    *plot
	Replication   *replicationView
	Certificates  []certificateView
	Tolerated     []notice
	Sessions      []sessionView
	MoreSessions  int
	Events        []eventView
	Reload        reloadView
}

// notice is something that a person should know or do.
type notice struct {
	Level       level
	About, Text string
	Cure        string
}

// tunnelView is a tunnel.
type tunnelView struct {
	Name, Task, State string
	Level             level
	Open              int
	Accepted, Refused uint64
	FromPeer, ToPeer  string
}

// certificateView is with what a tunnel proves this host, and the lists that it
// goes by.
type certificateView struct {
	Tunnel, DN, File string
	Level            level
	Left             string
	End              moment
	Lists            string
	ListsLevel       level
	First            []listView // to end
	More             int
}

// listView is the revocation list of a CA.
type listView struct {
	CA, Left string
	End      moment
	Level    level
}

// sessionView is an open connection.
type sessionView struct {
	Tunnel, ID, Peer, Address, Target string
	Opened                            moment
	Age, Last                         string
	FromPeer, ToPeer                  string
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

// reloadView is how the last reload went.
type reloadView struct {
	Level   level
	State   string
	Last    moment
	Detail  string
	Notices []notice
}

// newView makes the view. It asks nobody.
func newView(s *sight) *view {
	v := &view{
		Host: s.source.Host, Version: s.source.Version, Now: at(s.now, s.now), Started: at(s.now, s.source.Started),
		Uptime: span(s.now.Sub(s.source.Started)), Zone: s.now.Local().Format("MST"),
	}
	v.Replication = s.replication()
	v.Reload = s.reloads()
	for i := range s.statuses {
		t := &s.statuses[i]
		v.Tunnels = append(v.Tunnels, s.tunnel(t))
		if !t.Retired {
			v.addCertificate(s.certificate(t))
			v.Tolerated = append(v.Tolerated, s.tolerated(t)...)
			v.Attention = append(v.Attention, s.attention(t)...)
		}
	}
	v.Attention = together(slices.Concat(v.Attention, v.Replication.Notices, v.Reload.Notices))
	slices.SortStableFunc(v.Attention, func(a, b notice) int { return cmp.Compare(b.Level, a.Level) })
	v.Throughput = s.throughput()
	v.Sessions, v.MoreSessions = s.sessions()
	v.Events = s.eventViews()
	v.conclude(s)
	return v
}

// together makes one of notices that differ only in what they are about.
func together(notices []notice) []notice {
	var found []notice
	for _, n := range notices {
		i := slices.IndexFunc(found, func(before notice) bool {
			return before.Level == n.Level && before.Text == n.Text && before.Cure == n.Cure
		})
		if i < 0 {
			found = append(found, n)
		} else if found[i].About != n.About {
			found[i].About += ", " + strings.TrimPrefix(n.About, "Tunnel ")
		}
	}
	return found
}

// addCertificate adds what tunnels prove this host with. Those that do it alike
// are one.
func (v *view) addCertificate(c certificateView) {
	for i := range v.Certificates {
		before := &v.Certificates[i]
		same := c
		same.Tunnel = before.Tunnel
		if reflect.DeepEqual(*before, same) {
			before.Tunnel += ", " + c.Tunnel
			return
		}
	}
	v.Certificates = append(v.Certificates, c)
}

// conclude says how all of it stands.
func (v *view) conclude(s *sight) {
	for _, n := range v.Attention {
		v.Level = max(v.Level, n.Level)
	}
	for _, t := range v.Tunnels {
		v.Level = max(v.Level, t.Level)
	}
	switch n := len(v.Attention); {
	case n == 1:
		v.Headline = "1 thing needs attention"
	case n > 1:
		v.Headline = fmt.Sprintf("%d things need attention", n)
	case s.checks.at.IsZero():
		v.Headline = "The far ends are being checked"
	default:
		v.Headline = "All is well"
	}
	v.Title = fmt.Sprintf("%s: gtunnel on %s", v.Headline, v.Host)
}

// tunnel says how a tunnel stands.
func (s *sight) tunnel(t *tunnel.Status) tunnelView {
	task := fmt.Sprintf("Client: takes connections at %s, and carries them in TLS to %s.",
		t.Accept, strings.Join(t.Connect, " or "))
	if t.Role == tunnel.Server {
		task = fmt.Sprintf("Server: takes TLS at %s, and connects verified peers to %s.",
			t.Accept, strings.Join(t.Connect, " or "))
	}
	v := tunnelView{
		Name: plain(t.Name), Task: task, Open: len(t.Sessions), Accepted: t.Accepted, Refused: refusedBy(t),
		FromPeer: finding.FormatBytes(t.BytesFromPeer), ToPeer: finding.FormatBytes(t.BytesToPeer),
	}
	v.Level, v.State = s.tunnelState(t)
	return v
}

// refusedBy is how many connections came to nothing.
func refusedBy(t *tunnel.Status) uint64 {
	var n uint64
	for _, times := range t.Refused {
		n += times
	}
	return n
}

// tunnelState is the state of a tunnel in plain words.
func (s *sight) tunnelState(t *tunnel.Status) (level, string) {
	open := finding.Count(len(t.Sessions), "connection") + " open"
	problems, checked := s.checks.unready[t.Name]
	switch {
	case t.Retired:
		return good, "Leaving: the configuration has it no more; " + open + " to the end."
	case len(problems) > 0 && len(t.Sessions) > 0:
		return problem, "Carries no new connections; " + open + " already."
	case len(problems) > 0:
		return problem, "Carries no connections."
	case !t.Accepting:
		return problem, "Takes no connections."
	case len(t.Sessions) == 0 && !checked:
		return good, "Takes connections; whether it can carry them is being checked."
	case len(t.Sessions) == 0:
		return good, "Ready; no connection is open."
	}
	var last time.Time
	for _, session := range t.Sessions {
		if session.LastActivity.After(last) {
			last = session.LastActivity
		}
	}
	return good, fmt.Sprintf("Works: %s, last data %s.", open, ago(s.now, last))
}

// attention is what of a tunnel a person should see first.
func (s *sight) attention(t *tunnel.Status) []notice {
	var found []notice
	add := func(l level, text, cure string) {
		found = append(found, notice{
			Level: l, About: "Tunnel " + plain(t.Name), Text: plain(sentence(s.source.Words(text))),
			Cure: plain(s.source.Cure(cure)),
		})
	}
	for _, text := range s.checks.unready[t.Name] {
		p := splitCure(text)
		add(problem, p.Text, p.Cure)
	}
	if end := t.Certificate.NotAfter; s.now.Before(end) && end.Sub(s.now) < certificateSoon {
		add(warning, fmt.Sprintf("this host's certificate %s ends soon: %s", t.Certificate.File, until(s.now, end)),
			"ask your CA for a new one, and put it in the old one's place: it is used without a restart")
	}
	switch r := t.CRLs; {
	case r.Sound() || r.CAs > 0 && r.Refused == r.CAs && len(s.checks.unready[t.Name]) > 0: // said already
	case r.Refused > 0:
		add(problem, r.String(), "run fetch-crl, by a timer too; gtunnel certs list shows each")
	default:
		add(warning, r.String(), "run fetch-crl, by a timer too; gtunnel certs list shows each")
	}
	for _, r := range t.Refusals {
		if r.PeerDN != "" && s.now.Sub(r.Time) < refusedLately {
			add(warning, fmt.Sprintf("a host with a certificate was refused %s: %s", ago(s.now, r.Time), certs.ShowDN(r.PeerDN)),
				"the reason and the cure are under Last events")
			break
		}
	}
	return found
}

// certificate is with what a tunnel proves this host, and by which lists it goes.
func (s *sight) certificate(t *tunnel.Status) certificateView {
	v := certificateView{
		Tunnel: plain(t.Name), DN: plain(certs.ShowDN(t.Certificate.DN)), File: plain(t.Certificate.File),
		Level: endLevel(s.now, t.Certificate.NotAfter, certificateSoon),
		Left:  sentence(until(s.now, t.Certificate.NotAfter)), End: dayOf(t.Certificate.NotAfter),
		Lists: plain(sentence(s.source.Words(t.CRLs.String()))),
	}
	switch {
	case t.CRLs.Refused > 0:
		v.ListsLevel = problem
	case !t.CRLs.Sound():
		v.ListsLevel = warning
	}
	for _, end := range t.CRLEnds[:min(len(t.CRLEnds), listsShown)] {
		v.First = append(v.First, listView{
			CA: plain(certs.ShowDN(end.CA)), Left: sentence(until(s.now, end.NextUpdate)), End: at(s.now, end.NextUpdate),
			Level: endLevel(s.now, end.NextUpdate, 24*time.Hour),
		})
	}
	v.More = len(t.CRLEnds) - len(v.First)
	return v
}

// endLevel is how bad an end is that comes soon, or has come.
func endLevel(now, end time.Time, soon time.Duration) level {
	switch {
	case !now.Before(end):
		return problem
	case end.Sub(now) < soon:
		return warning
	}
	return good
}

// tolerated is what is not as it should be in the trust of a tunnel's peers.
func (s *sight) tolerated(t *tunnel.Status) []notice {
	var found []notice
	for _, w := range t.Warnings {
		found = append(found, notice{Level: warning, About: plain(t.Name), Text: plain(sentence(s.source.Words(w.Text)))})
	}
	return found
}

// sessions are the open connections, the oldest first.
func (s *sight) sessions() (shown []sessionView, more int) {
	for i := range s.statuses {
		for _, open := range s.statuses[i].Sessions {
			if len(shown) == sessionsShown {
				more++
				continue
			}
			shown = append(shown, sessionView{
				Tunnel: plain(s.statuses[i].Name), ID: open.ID, Peer: plain(certs.ShowDN(open.PeerDN)),
				Address: plain(open.PeerAddress), Target: plain(cmp.Or(open.Target, "is being dialled")),
				Opened: at(s.now, open.Opened), Age: span(max(0, s.now.Sub(open.Opened))), Last: ago(s.now, open.LastActivity),
				FromPeer: finding.FormatBytes(open.BytesFromPeer), ToPeer: finding.FormatBytes(open.BytesToPeer),
			})
		}
	}
	return shown, more
}

// throughput is the plot of what all tunnels carried.
func (s *sight) throughput() *plot {
	lines := []line{{name: "From peers"}, {name: "To peers"}}
	for _, p := range s.points {
		lines[0].values = append(lines[0].values, value{at: p.at, y: p.fromPeer})
		lines[1].values = append(lines[1].values, value{at: p.at, y: p.toPeer})
	}
	return newPlot("throughput", s.now, 3*sampleEvery, lines, rate)
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
	v.Detail = fmt.Sprintf("Last good one %s; since the start %d good and %d failed.", ago(s.now, r.LastGood), r.Good, r.Failed)
	if r.Good+r.Failed == 0 {
		v.Detail = "Nobody has asked for a reload since the start, " + ago(s.now, s.source.Started) + "."
	}
	for _, p := range r.Problems {
		v.Level = problem
		v.Notices = append(v.Notices, notice{
			Level: problem, About: "Configuration", Text: plain(sentence(s.source.Words(p.Text))), Cure: plain(s.source.Cure(p.Cure)),
		})
	}
	if v.Level == problem {
		v.State = "What the files say is not in force: the configuration stays as it was."
	}
	if len(r.Restart) > 0 {
		v.Notices = append(v.Notices, notice{
			Level: warning, About: "Configuration", Text: "Settings in the file need a restart: " + plain(strings.Join(r.Restart, ", ")),
			Cure: "restart the service when its connections may be cut",
		})
		v.Level = max(v.Level, warning)
	}
	return v
}

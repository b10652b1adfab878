package page

import (
	"cmp"
	"fmt"
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

// sessionView is an open connection.
type sessionView struct {
	Tunnel, ID, Peer, Address, Target string
	Opened                            moment
	Age, Last                         string
	FromPeer, ToPeer                  string
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

// conclude says how all of it stands.
func (v *view) conclude(s *sight) {
	for _, n := range v.Attention {
		v.Level = max(v.Level, n.Level)
	}
	for _, t := range v.Tunnels {
		v.Level = max(v.Level, t.Level)
	}
	for _, c := range v.Certificates {
		v.Level = max(v.Level, c.Level, c.ListsLevel)
	}
	switch n := len(v.Attention); {
	case n == 1:
		v.Headline = "1 thing needs attention"
	case n > 1:
		v.Headline = fmt.Sprintf("%d things need attention", n)
	case v.Level != good: // what is marked so is never all well
		v.Headline = "Something needs attention"
	case s.checks.at.IsZero():
		v.Headline = "The far ends are being checked"
	default:
		v.Headline = "All is well"
	}
	v.Title = fmt.Sprintf("%s: gtunnel on %s", v.Headline, v.Host)
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
				Address: plain(addressOf(&open)), Target: plain(cmp.Or(open.Target, "is being dialled")),
				Opened: at(s.now, open.Opened), Age: span(max(0, s.now.Sub(open.Opened))), Last: ago(s.now, open.LastActivity),
				FromPeer: finding.FormatBytes(open.BytesFromPeer), ToPeer: finding.FormatBytes(open.BytesToPeer),
			})
		}
	}
	return shown, more
}

// addressOf is where a connection comes from, with the proxy that has passed it on.
func addressOf(s *tunnel.SessionStatus) string {
	if s.ProxyAddress == "" {
		return s.PeerAddress
	}
	return s.PeerAddress + " by " + s.ProxyAddress
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

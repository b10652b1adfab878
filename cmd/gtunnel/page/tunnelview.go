package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/tunnel"
)

// tunnelView is a tunnel.
type tunnelView struct {
	Name, Task, State string
	Level             level
	Open              int
	Accepted, Refused uint64
	FromPeer, ToPeer  string
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
	switch end := t.Certificate.NotAfter; {
	case !s.now.Before(end) && found == nil: // otherwise it is said already
		add(problem, fmt.Sprintf("this host's certificate %s has %s: every peer refuses it",
			t.Certificate.File, until(s.now, end)),
			"ask your CA for a new one, and check this host's clock: timedatectl")
	case s.now.Before(end) && end.Sub(s.now) < certificateSoon:
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

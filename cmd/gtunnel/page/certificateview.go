package page

import (
	"reflect"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/tunnel"
)

// listView is the revocation list of a CA.
type listView struct {
	CA, Left string
	End      moment
	Level    level
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

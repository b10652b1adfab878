package certs_test

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// sent is what an Endpoint shows its peers.
func sent(t testing.TB, e *certs.Endpoint) []*x509.Certificate {
	t.Helper()
	config, _ := e.Configs()
	var chain []*x509.Certificate
	for _, der := range config.Certificates[0].Certificate {
		chain = append(chain, must(x509.ParseCertificate(der)))
	}
	return chain
}

// sentCase is what a host has of a subordinate, and what it sends.
type sentCase struct {
	file      []*x509.Certificate // after the host's own
	installed []*certstest.CA
	sent      []*x509.Certificate
	renewed   string // where the renewed one is; "-" if nothing has ended
}

// longEnded is for certificates whose year is over.
var longEnded = certstest.Options{NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.Add(-time.Hour)}

func sentCases(root, old, renewed *certstest.CA, host *certstest.Host) map[string]sentCase {
	future := must(old.Renew(certstest.Options{NotBefore: now.Add(time.Hour)}))
	otherKey := must(root.NewSubordinate("Sub", sound))
	return map[string]sentCase{
		"installed": {
			file: host.Chain[1:], installed: []*certstest.CA{root, renewed}, sent: []*x509.Certificate{renewed.Certificate},
			renewed: ".0",
		},
		"installed with more": {
			file: host.Chain[1:], installed: []*certstest.CA{root, otherKey, old, future, renewed},
			sent: []*x509.Certificate{renewed.Certificate}, renewed: ".3",
		},
		"nowhere": {
			file: host.Chain[1:], installed: []*certstest.CA{root, otherKey, future}, sent: []*x509.Certificate{old.Certificate},
		},
		"in the file": {
			file: []*x509.Certificate{old.Certificate, renewed.Certificate}, installed: []*certstest.CA{root},
			sent: []*x509.Certificate{renewed.Certificate}, renewed: "hostcert.pem",
		},
		"in both": {
			file: []*x509.Certificate{old.Certificate, renewed.Certificate}, installed: []*certstest.CA{root, renewed},
			sent: []*x509.Certificate{renewed.Certificate}, renewed: "hostcert.pem",
		},
		"not in the file": {
			installed: []*certstest.CA{root, old, renewed}, sent: []*x509.Certificate{renewed.Certificate}, renewed: "-",
		},
		"ended, not in the file": {
			installed: []*certstest.CA{root, old}, sent: []*x509.Certificate{old.Certificate}, renewed: "-",
		},
		"with a root that has ended": {
			file:      []*x509.Certificate{old.Certificate, must(certstest.NewCA("Root", longEnded)).Certificate},
			installed: []*certstest.CA{root, renewed}, sent: []*x509.Certificate{renewed.Certificate, nil}, renewed: ".0",
		},
	}
}

// TestRenewedSubordinateIsSent: in the place of a subordinate of the host's
// file that has ended goes the one of the same key that is installed, and a
// peer that has the root only accepts it.
func TestRenewedSubordinateIsSent(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	old := must(root.NewSubordinate("Sub", longEnded))
	renewed := must(old.Renew(sound))
	host := must(old.NewHost("host.test", sound))
	peer := openStore(t, root).Snapshot()

	for name, test := range sentCases(root, old, renewed, host) {
		t.Run(name, func(t *testing.T) {
			h := &certstest.Host{Certificate: host.Certificate, Key: host.Key, Chain: append(host.Chain[:1:1], test.file...)}
			e := &certs.Endpoint{Store: openStore(t, test.installed...), Credential: credential(t, h)}
			chain := sent(t, e)
			if len(chain) != 1+len(test.sent) || !chain[0].Equal(host.Certificate) {
				t.Fatalf("%d certificates are sent, want %d", len(chain), 1+len(test.sent))
			}
			for i, want := range test.sent {
				if want != nil && !chain[1+i].Equal(want) {
					t.Errorf("certificate %d is not the right one: it ends on %s", i+2, chain[1+i].NotAfter)
				}
			}
			_, err := certs.Verify(peer, chain, held(certs.PeerServer, "host.test", now, unbound))
			if slices.ContainsFunc(test.sent, renewed.Certificate.Equal) != (err == nil) {
				t.Errorf("a peer says %v", err)
			}
			notes := e.Credential.EndedCAs(e.Store.Snapshot(), now)
			switch {
			case test.renewed == "-" && len(notes) > 0, test.renewed != "-" && len(notes) != 1:
				t.Errorf("ended: %+v", notes)
			case len(notes) == 1 && (notes[0].DN != "/DC=test/DC=gtunnel/CN=Sub" ||
				!notes[0].NotAfter.Equal(old.Certificate.NotAfter) ||
				!strings.HasSuffix(notes[0].Renewed, test.renewed) || (test.renewed == "") != (notes[0].Renewed == "")):
				t.Errorf("ended: %+v, the renewed one in %q", notes, test.renewed)
			}
		})
	}
}

// TestSubordinateEndsWhileItIsSent: what is sent follows the clock, and the
// CApath.
func TestSubordinateEndsWhileItIsSent(t *testing.T) {
	end := now.Add(time.Hour).Truncate(time.Second)
	root := must(certstest.NewCA("Root", sound))
	old := must(root.NewSubordinate("Sub", certstest.Options{NotAfter: end}))
	renewed := must(old.Renew(sound))
	host := must(old.NewHost("host.test", sound))
	store, c := openStore(t, root, renewed), credential(t, host)
	for _, test := range []struct {
		at   time.Time
		want *certstest.CA
	}{{now, old}, {end, old}, {end.Add(time.Minute), renewed}, {now, old}} {
		if chain := c.SentAt(store.Snapshot(), test.at); len(chain) != 2 ||
			!slices.Equal(chain[1], test.want.Certificate.Raw) {
			t.Errorf("at %s another chain is sent", test.at)
		}
	}
}

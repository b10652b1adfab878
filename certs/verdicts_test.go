package certs_test

import (
	"crypto/x509"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestVerdictsAreRemembered: a peer that connects again is judged anew only
// if something has changed, which the Result shows: it is another one then.
func TestVerdictsAreRemembered(t *testing.T) {
	s, atServer, _ := newTwoSites(t)
	connect := func(t *testing.T) *certs.Result {
		t.Helper()
		server, client := s.again(t)
		if server.err != nil || client.err != nil {
			t.Fatalf("server: %v; client: %v", server.err, client.err)
		}
		return server.result
	}
	first := connect(t)
	for range 3 { // full handshakes and resumed sessions
		if connect(t) != first {
			t.Error("judged anew")
		}
	}
	host := must(s.root.NewHost("client.test", certstest.Options{}))
	for name, change := range map[string]func(t *testing.T){
		"a list comes": func(t *testing.T) {
			must(certstest.WriteCRL(atServer.dir, s.root, certstest.CRLOptions{}))
			reload(t, atServer.store)
		},
		"another policy": func(*testing.T) { s.server.Policy.EKU = certs.EKUStrict },
		"another access list": func(*testing.T) {
			s.server.Policy.Access = must(certs.NewAccess([]string{"client.test"}, nil, false))
		},
		"another certificate": func(t *testing.T) { s.client.Credential = credential(t, host) },
		"another chain, below": func(t *testing.T) {
			longer := *host // the tests have no order
			longer.Chain = append(slices.Clone(host.Chain), s.root.Certificate)
			s.client.Credential = credential(t, &longer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := connect(t)
			change(t)
			after := connect(t)
			if after == before {
				t.Error("not judged anew")
			}
			if connect(t) != after {
				t.Error("the new verdict is not remembered")
			}
		})
	}
}

// TestRememberedVerdictsEnd: a list that vouches for the peer goes stale.
func TestRememberedVerdictsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, atServer, _ := newTwoSites(t)
		s.server.Policy.CRL = certs.CRLRequire
		must(certstest.WriteCRL(atServer.dir, s.root, certstest.CRLOptions{NextUpdate: time.Now().Add(time.Hour)}))
		reload(t, atServer.store)
		connect := func() error {
			server, _ := s.meetInMemory(t)
			return server.err
		}
		for range 3 {
			if err := connect(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour - time.Second)
		if err := connect(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		wantRefusal(t, connect(), certs.CodeCRLExpired)
	})
}

// TestManyPeersAreRemembered: they do not fill the memory.
func TestManyPeersAreRemembered(t *testing.T) {
	ca := must(certstest.NewCA("Root", certstest.Options{}))
	store := openStore(t, ca)
	endpoint := &certs.Endpoint{Store: store, Policy: certs.Policy{Access: must(certs.NewAccess(nil, nil, true))}}
	verify := func(chain []*x509.Certificate) *certs.Result {
		return must(endpoint.VerifyClient(chain, time.Now()))
	}
	const peers = 300
	for range peers {
		host := must(ca.NewHost("host.test", certstest.Options{}))
		if first := verify(host.Chain); verify(host.Chain) != first {
			t.Error("the newest is not remembered")
		}
	}
	chain := must(ca.NewHost("host.test", certstest.Options{})).Chain
	if before := must(endpoint.VerifyClient(chain, now)); must(endpoint.VerifyClient(chain, now.Add(-time.Minute))) ==
		before {
		t.Error("a verdict of the future is remembered")
	}
	if n := endpoint.Remembered(); n > 256 {
		t.Errorf("%d are remembered", n)
	}
}

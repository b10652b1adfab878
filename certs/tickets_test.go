package certs_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestNoTicketsOfTLS12: they would let the server's ticket key decrypt what
// was sent. A client asks for none before it knows that the server speaks TLS
// 1.3, and for none any more when it does not.
func TestNoTicketsOfTLS12(t *testing.T) {
	t.Run("client", func(t *testing.T) {
		s := newSite(t)
		host := must(s.root.NewHost("server.test", certstest.Options{}))
		old, modern := newTicketServer(tls.VersionTLS12, host), newTicketServer(tls.VersionTLS13, host)
		for i, step := range []struct {
			server         *ticketServer
			asked, resumed bool
		}{
			{old, false, false},
			{old, false, false},
			{modern, false, false},
			{modern, true, false},
			{modern, true, true},
			{old, true, false}, // it was TLS 1.3 a moment ago
			{old, false, false},
			{modern, false, false},
		} {
			resumed, err := step.server.serve(t, s.client, "server.test")
			if err != nil || resumed != step.resumed {
				t.Fatalf("connection %d: resumed %t, %v", i+1, resumed, err)
			}
			if asked := step.server.asked[len(step.server.asked)-1]; asked != step.asked {
				t.Errorf("connection %d: asked for tickets: %t", i+1, asked)
			}
		}
	})
	t.Run("server", func(t *testing.T) {
		for name, version := range versions {
			s := newSite(t)
			config := stranger(version, tlsCertificate(must(s.root.NewHost("client.test", certstest.Options{}))))
			config.ServerName = "server.test"
			cache := &countingCache{ClientSessionCache: tls.NewLRUClientSessionCache(0)}
			config.ClientSessionCache = cache
			if ours, err := s.acceptFrom(t, config); ours.err != nil || err != nil {
				t.Fatalf("%s: %v, %v", name, ours.err, err)
			}
			if got, want := cache.put, int(version-tls.VersionTLS12); got != want {
				t.Errorf("%s: %d tickets, want %d", name, got, want)
			}
		}
	})
}

// countingCache counts the tickets of a client that is plain crypto/tls.
type countingCache struct {
	tls.ClientSessionCache
	put int
}

func (c *countingCache) Put(key string, session *tls.ClientSessionState) {
	if session != nil {
		c.put++
	}
	c.ClientSessionCache.Put(key, session)
}

// TestNoTicketWithoutVerdict: who is refused gets none.
func TestNoTicketWithoutVerdict(t *testing.T) {
	s := newSite(t)
	config := stranger(tls.VersionTLS13, tlsCertificate(must(s.root.NewHost("other.test", certstest.Options{}))))
	config.ServerName = "server.test"
	cache := &countingCache{ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	config.ClientSessionCache = cache
	ours, theirs := s.acceptFrom(t, config)
	checkRefused(t, ours, theirs, certs.CodeNotAllowed)
	if cache.put > 0 {
		t.Errorf("%d tickets for a peer that is refused", cache.put)
	}
}

// TestForgedTickets: whatever is not a ticket of this server leads to a full
// handshake, in which the peer proves its key or is refused.
func TestForgedTickets(t *testing.T) {
	s := newSite(t)
	peer := tlsCertificate(must(s.root.NewHost("client.test", certstest.Options{})))
	forge := func(change func(ticket []byte) []byte) (*tls.Config, *forgingCache) {
		config := stranger(tls.VersionTLS13, peer)
		config.ServerName = "server.test"
		cache := &forgingCache{change: change}
		config.ClientSessionCache = cache
		return config, cache
	}
	for name, change := range map[string]func(ticket []byte) []byte{
		"first byte":  func(ticket []byte) []byte { ticket[0] ^= 1; return ticket },
		"middle":      func(ticket []byte) []byte { ticket[len(ticket)/2] ^= 1; return ticket },
		"last byte":   func(ticket []byte) []byte { ticket[len(ticket)-1] ^= 1; return ticket },
		"cut off":     func(ticket []byte) []byte { return ticket[:len(ticket)-1] },
		"longer":      func(ticket []byte) []byte { return append(ticket, 0) },
		"one byte":    func([]byte) []byte { return []byte{0} },
		"only zeroes": func(ticket []byte) []byte { return make([]byte, len(ticket)) },
	} {
		t.Run(name, func(t *testing.T) {
			config, cache := forge(change)
			for range 2 {
				ours, err := s.acceptFrom(t, config)
				if ours.err != nil || err != nil || ours.conn.ConnectionState().DidResume {
					t.Fatalf("resumed, or %v, %v", ours.err, err)
				}
			}
			if !cache.used {
				t.Error("no ticket was used")
			}
		})
	}
	t.Run("without the key", func(t *testing.T) {
		config, cache := forge(func(ticket []byte) []byte { ticket[0] ^= 1; return ticket })
		if ours, err := s.acceptFrom(t, config); ours.err != nil || err != nil {
			t.Fatal(ours.err, err)
		}
		config.Certificates = nil
		ours, theirs := s.acceptFrom(t, config)
		checkRefused(t, ours, theirs, certs.CodeNoCertificate)
		if !cache.used {
			t.Error("no ticket was used")
		}
	})
}

// forgingCache holds one session, whose ticket it changes.
type forgingCache struct {
	change  func(ticket []byte) []byte
	session *tls.ClientSessionState
	used    bool
}

func (c *forgingCache) Get(string) (*tls.ClientSessionState, bool) {
	c.used = c.used || c.session != nil
	return c.session, c.session != nil
}

func (c *forgingCache) Put(_ string, session *tls.ClientSessionState) {
	if session == nil {
		c.session = nil
		return
	}
	ticket, state, err := session.ResumptionState()
	if err == nil {
		c.session = must(tls.NewResumptionState(c.change(bytes.Clone(ticket)),
			must(tls.ParseSessionState(must(state.Bytes())))))
	}
}

// TestTicketsEndWithTheCertificate: when either end has another one to show,
// the other end sees it.
func TestTicketsEndWithTheCertificate(t *testing.T) {
	for _, name := range []string{"server", "client"} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			changing := map[string]*certs.Endpoint{"server": s.server, "client": s.client}[name]
			dir := t.TempDir()
			write := func() (certFile, keyFile string) {
				host := must(s.root.NewHost(name+".test", certstest.Options{}))
				certFile, keyFile, err := host.Write(dir)
				if err != nil {
					t.Fatal(err)
				}
				return certFile, keyFile
			}
			changing.Credential = must(certs.LoadCredential(write()))
			s.prepare(t)
			s.wantResumed(t, true)
			write()
			if changed, err := changing.Credential.Reload(); err != nil || !changed {
				t.Fatalf("changed %t, %v", changed, err)
			}
			server, client := s.wantResumed(t, false)
			seen := map[string]*x509.Certificate{"server": client.result.Chain[0], "client": server.result.Chain[0]}[name]
			if !seen.Equal(changing.Credential.Certificate()) {
				t.Error("the old certificate is seen")
			}
			if name == "client" { // it has forgotten all, and learns anew
				s.wantResumed(t, false)
			}
			s.wantResumed(t, true)
		})
	}
}

// TestTicketsSurviveAReload: lists come several times a day. Tickets need not
// go with them, because resumed sessions are judged by what has come.
func TestTicketsSurviveAReload(t *testing.T) {
	s, atServer, atClient := newTwoSites(t)
	s.prepare(t)
	for _, x := range []*trust{atServer, atClient} {
		must(certstest.WriteCRL(x.dir, s.root, certstest.CRLOptions{}))
		reload(t, x.store)
	}
	s.wantResumed(t, true)
}

// TestTicketsOfOneEndpoint: a ticket of one tunnel is no good at another, not
// even if the other shows the same certificate.
func TestTicketsOfOneEndpoint(t *testing.T) {
	s := newSite(t)
	first := s.server
	second := &certs.Endpoint{Store: s.store, Credential: first.Credential, Policy: first.Policy}
	s.prepare(t)
	s.server = second
	s.wantResumed(t, false)
	s.server = first
	s.wantResumed(t, false) // the ticket of the second is no good here either
	s.wantResumed(t, true)
	s.server = second
	second.Policy.Access = must(certs.NewAccess([]string{"other.test"}, nil, false))
	server, client := s.again(t)
	wantRefusal(t, server.err, certs.CodeNotAllowed)
	wantPeerRefusedUs(t, client.err)
}

// TestTicketLifetime: an hour after a full handshake there is another one,
// however often the session was resumed in between.
func TestTicketLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		connect := func(resumed bool) {
			t.Helper()
			server, client := s.meetInMemory(t)
			if server.err != nil || client.err != nil {
				t.Fatalf("server: %v; client: %v", server.err, client.err)
			}
			if got := client.conn.ConnectionState().DidResume; got != resumed {
				t.Fatalf("resumed %t, want %t", got, resumed)
			}
		}
		connect(false)
		connect(false)
		for range 11 { // the keys change meanwhile, and the tickets go on
			time.Sleep(5 * time.Minute)
			connect(true)
		}
		time.Sleep(5*time.Minute + time.Second)
		connect(false)
		connect(true)
		time.Sleep(59 * time.Minute)
		connect(true)
		time.Sleep(24 * time.Hour)
		connect(false)
		connect(true)
	})
}

// queuedConn is a connection whose Write does not wait for the reader, as that
// of a socket does not.
type queuedConn struct {
	net.Conn
	writes chan []byte
}

func newQueuedConn(conn net.Conn) *queuedConn {
	c := &queuedConn{Conn: conn, writes: make(chan []byte, 100)}
	go func() {
		for data := range c.writes {
			_, _ = c.Conn.Write(data) // the reader misses what does not come
		}
	}()
	return c
}

func (c *queuedConn) Write(data []byte) (int, error) {
	c.writes <- bytes.Clone(data)
	return len(data), nil
}

// end ends the connection, to which nobody writes any more.
func (c *queuedConn) end() {
	close(c.writes)
	c.Close()
}

// TestLongChainsHaveNoTickets: they are accepted as ever, and cost a full
// handshake each time.
func TestLongChainsHaveNoTickets(t *testing.T) {
	s := newSite(t)
	host := must(s.root.NewHost("client.test", certstest.Options{}))
	for range 12 {
		host.Chain = append(host.Chain,
			must(s.root.NewHost("spare.test", certstest.Options{KeyType: certstest.RSA})).Certificate)
	}
	s.client.Credential = credential(t, host)
	for range 3 {
		s.wantResumed(t, false)
	}
}

// TestTicketsAreUsedOnce: also by connections that begin together.
func TestTicketsAreUsedOnce(t *testing.T) {
	s := newSite(t)
	server := newTicketServer(tls.VersionTLS13, must(s.root.NewHost("server.test", certstest.Options{})))
	for range 20 {
		var together sync.WaitGroup
		for range 8 {
			together.Go(func() {
				if _, err := server.serve(t, s.client, "server.test"); err != nil {
					t.Error(err)
				}
			})
		}
		together.Wait()
	}
	if len(server.tickets) < 100 {
		t.Errorf("only %d tickets were used", len(server.tickets))
	}
	slices.SortFunc(server.tickets, bytes.Compare)
	if n := len(slices.CompactFunc(slices.Clone(server.tickets), bytes.Equal)); n != len(server.tickets) {
		t.Errorf("%d tickets of %d were used twice", len(server.tickets)-n, len(server.tickets))
	}
}

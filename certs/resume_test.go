package certs_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// at gives a connection an address that is the same for all: a client uses
// tickets only where it got them.
type at struct {
	net.Conn
	address net.Addr
}

func (c at) RemoteAddr() net.Addr { return c.address }

var home = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3307}

// again connects to the server at home, under its name.
func (s *site) again(t testing.TB) (server, client outcome) {
	t.Helper()
	accepted, dialled := tcpPair(t)
	return s.meet(t, accepted, at{dialled, home}, "server.test")
}

// wantResumed connects once more, and checks which kind of handshake it takes.
func (s *site) wantResumed(t testing.TB, resumed bool) (server, client outcome) {
	t.Helper()
	server, client = s.again(t)
	if server.err != nil || client.err != nil {
		t.Fatalf("server: %v; client: %v", server.err, client.err)
	}
	for end, conn := range map[string]*tls.Conn{"server": server.conn, "client": client.conn} {
		if got := conn.ConnectionState().DidResume; got != resumed {
			t.Fatalf("%s: resumed %t, want %t", end, got, resumed)
		}
	}
	return server, client
}

// prepare connects as often as it takes until the client has a ticket: first
// it learns that the server speaks TLS 1.3.
func (s *site) prepare(t testing.TB) {
	t.Helper()
	s.wantResumed(t, false)
	s.wantResumed(t, false)
}

// newTwoSites is a site whose ends each have a CApath of their own.
func newTwoSites(t testing.TB) (s *site, atServer, atClient *trust) {
	t.Helper()
	s = newSite(t)
	atServer, atClient = newTrust(t, s.root), newTrust(t, s.root)
	s.server.Store, s.client.Store = atServer.store, atClient.store
	return s, atServer, atClient
}

// trust is a store with its CApath.
type trust struct {
	dir   string
	store *certs.Store
}

func newTrust(t testing.TB, cas ...*certstest.CA) *trust {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certificates")
	if err := certstest.WriteCApath(dir, cas...); err != nil {
		t.Fatal(err)
	}
	return &trust{dir: dir, store: must(certs.OpenStore(certs.StoreConfig{CApath: dir}))}
}

// revoke installs a list that names a certificate.
func (x *trust) revoke(t testing.TB, ca *certstest.CA, certificate *x509.Certificate) {
	t.Helper()
	must(certstest.WriteCRL(x.dir, ca, certstest.CRLOptions{Revoked: []*x509.Certificate{certificate}}))
	reload(t, x.store)
}

// replace leaves no CA but another one.
func (x *trust) replace(t testing.TB) {
	t.Helper()
	if err := os.RemoveAll(x.dir); err != nil {
		t.Fatal(err)
	}
	if err := certstest.WriteCApath(x.dir, must(certstest.NewCA("Other", certstest.Options{}))); err != nil {
		t.Fatal(err)
	}
	reload(t, x.store)
}

// TestResumption: a session is resumed from the third connection on, and each
// end knows as much of its peer as in a full handshake.
func TestResumption(t *testing.T) {
	s := newSite(t)
	s.wantResumed(t, false)
	fullServer, fullClient := s.wantResumed(t, false)
	for range 3 {
		server, client := s.wantResumed(t, true)
		for end, results := range map[string][2]*certs.Result{
			"server": {fullServer.result, server.result}, "client": {fullClient.result, client.result},
		} {
			full, resumed := results[0], results[1]
			sameChain := slices.EqualFunc(full.Chain, resumed.Chain, (*x509.Certificate).Equal)
			if !sameChain || !slices.Equal(full.Peer.Hosts, resumed.Peer.Hosts) || full.Peer.DN != resumed.Peer.DN ||
				len(full.Path) != len(resumed.Path) || !full.NextEvent.Equal(resumed.NextEvent) {
				t.Errorf("%s: %+v, resumed %+v", end, full, resumed)
			}
		}
	}
}

// TestServerJudgesResumedSessions: what has changed since the ticket was given
// counts, and the peer with the ticket gets what a peer without one gets.
func TestServerJudgesResumedSessions(t *testing.T) {
	soon := certstest.Options{NotAfter: time.Now().Add(3 * time.Second)}
	tests := map[string]struct {
		options certstest.Options // of the client
		change  func(t *testing.T, s *site, atServer *trust)
		code    certs.Code
		full    bool // crypto/tls does not take the ticket to begin with
	}{
		"revoked": {change: func(t *testing.T, s *site, atServer *trust) {
			atServer.revoke(t, s.root, s.client.Credential.Certificate())
		}, code: certs.CodeRevoked},
		"CA removed": {change: func(t *testing.T, _ *site, atServer *trust) {
			atServer.replace(t)
		}, code: certs.CodeUnknownCA},
		"no longer on the access list": {change: func(_ *testing.T, s *site, _ *trust) {
			s.server.Policy.Access = must(certs.NewAccess([]string{"other.test"}, nil, false))
		}, code: certs.CodeNotAllowed},
		"access rules gone": {change: func(_ *testing.T, s *site, _ *trust) {
			s.server.Policy.Access = nil
		}, code: certs.CodeNotAllowed},
		"lists required": {change: func(_ *testing.T, s *site, _ *trust) {
			s.server.Policy.CRL = certs.CRLRequire
		}, code: certs.CodeCRLMissing},
		"expired": {options: soon, change: func(*testing.T, *site, *trust) {
			time.Sleep(time.Until(soon.NotAfter) + time.Second)
		}, code: certs.CodeExpired, full: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, atServer, _ := newTwoSites(t)
			s.client.Credential = credential(t, must(s.root.NewHost("client.test", test.options)))
			s.prepare(t)
			s.wantResumed(t, true)
			test.change(t, s, atServer)
			server, client := s.again(t)
			wantRefusal(t, server.err, test.code)
			if server.conn != nil || server.result != nil {
				t.Error("a connection in spite of the refusal")
			}
			wantPeerRefusedUs(t, client.err)
			if resumed := client.conn.ConnectionState().DidResume; resumed == test.full {
				t.Errorf("resumed %t: it is not the resumed session that was judged", resumed)
			}
		})
	}
}

// TestClientJudgesResumedSessions: the server here is plain crypto/tls, which
// resumes everything and shows whether it has.
func TestClientJudgesResumedSessions(t *testing.T) {
	soon := certstest.Options{NotAfter: time.Now().Add(3 * time.Second)}
	tests := map[string]struct {
		options certstest.Options // of the server
		name    string            // that the client asks for in the end; empty: the server's
		change  func(t *testing.T, s *site, atClient *trust, server *x509.Certificate)
		code    certs.Code
		full    bool // the ticket is not used to begin with
	}{
		"revoked": {change: func(t *testing.T, s *site, atClient *trust, server *x509.Certificate) {
			atClient.revoke(t, s.root, server)
		}, code: certs.CodeRevoked},
		"CA removed": {change: func(t *testing.T, _ *site, atClient *trust, _ *x509.Certificate) {
			atClient.replace(t)
		}, code: certs.CodeUnknownCA},
		"lists required": {change: func(_ *testing.T, s *site, _ *trust, _ *x509.Certificate) {
			s.client.Policy.CRL = certs.CRLRequire
		}, code: certs.CodeCRLMissing},
		"expired": {options: soon, change: func(*testing.T, *site, *trust, *x509.Certificate) {
			time.Sleep(time.Until(soon.NotAfter) + time.Second)
		}, code: certs.CodeExpired, full: true},
		"another name dialled": {name: "other.test", code: certs.CodeWrongHost, full: true},
		"an address dialled":   {name: home.IP.String(), code: certs.CodeWrongHost, full: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _, atClient := newTwoSites(t)
			host := must(s.root.NewHost("server.test", test.options))
			server := newTicketServer(tls.VersionTLS13, host)
			for i, want := range []bool{false, false, true} {
				if got, err := server.serve(t, s.client, "server.test"); err != nil || got != want {
					t.Fatalf("connection %d: resumed %t, %v", i+1, got, err)
				}
			}
			if test.change != nil {
				test.change(t, s, atClient, host.Certificate)
			}
			dialled := "server.test"
			if test.name != "" {
				dialled = test.name
			}
			resumed, err := server.serve(t, s.client, dialled)
			wantRefusal(t, err, test.code)
			if resumed == test.full {
				t.Errorf("resumed %t: it is not the resumed session that was judged", resumed)
			}
			if test.full {
				return
			}
			// The ticket goes with the session that was refused.
			if resumed, err := server.serve(t, s.client, dialled); err == nil || resumed {
				t.Errorf("the next connection: resumed %t, %v", resumed, err)
			}
		})
	}
}

// ticketServer is a server of plain crypto/tls that gives a ticket to each
// client. It notes what clients ask for.
type ticketServer struct {
	config  *tls.Config
	mu      sync.Mutex
	asked   []bool   // of each hello: for tickets
	tickets [][]byte // that were offered
}

func newTicketServer(version uint16, host *certstest.Host) *ticketServer {
	server := &ticketServer{config: stranger(version, tlsCertificate(host))}
	server.config.SetSessionTicketKeys([][32]byte{{1}})
	config := server.config.Clone()
	server.config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		const sessionTicket, pskModes = 35, 45
		server.mu.Lock()
		defer server.mu.Unlock()
		server.asked = append(server.asked, slices.Contains(hello.Extensions, sessionTicket) || slices.Contains(hello.Extensions, pskModes))
		return nil, nil
	}
	server.config.UnwrapSession = func(ticket []byte, state tls.ConnectionState) (*tls.SessionState, error) {
		server.mu.Lock()
		server.tickets = append(server.tickets, bytes.Clone(ticket))
		server.mu.Unlock()
		return config.DecryptTicket(ticket, state)
	}
	server.config.WrapSession = config.EncryptTicket
	return server
}

// serve has one connection of a client, and tells whether it was resumed, and
// what the client made of it.
func (s *ticketServer) serve(t testing.TB, client *certs.Endpoint, name string) (resumed bool, err error) {
	t.Helper()
	accepted, dialled := tcpPair(t)
	server := tls.Server(accepted, s.config)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = server.Write([]byte("x")) // fails if the client refuses
		_, _ = server.Read(make([]byte, 1))
		accepted.Close()
	}()
	conn, _, err := client.Client(t.Context(), at{dialled, home}, name)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	dialled.Close()
	<-done
	return server.ConnectionState().DidResume, err
}

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
		c.session = must(tls.NewResumptionState(c.change(bytes.Clone(ticket)), must(tls.ParseSessionState(must(state.Bytes())))))
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
			accepted, dialled := net.Pipe()
			queued := newQueuedConn(accepted)
			defer queued.end()
			defer dialled.Close()
			server, client := s.meet(t, queued, dialled, "server.test")
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
		host.Chain = append(host.Chain, must(s.root.NewHost("spare.test", certstest.Options{KeyType: certstest.RSA})).Certificate)
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

// TestResumptionUnderReload has connections come while the credentials change.
func TestResumptionUnderReload(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	write := func() (certFile, keyFile string) {
		certFile, keyFile, err := must(s.root.NewHost("server.test", certstest.Options{})).Write(dir)
		if err != nil {
			t.Error(err)
		}
		return certFile, keyFile
	}
	s.server.Credential = must(certs.LoadCredential(write()))
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for range 25 {
				if server, client := s.again(t); server.err != nil || client.err != nil {
					t.Errorf("server: %v; client: %v", server.err, client.err)
				}
			}
		})
	}
	for range 10 {
		write()
		if _, err := s.server.Credential.Reload(); err != nil {
			t.Error(err)
		}
	}
	running.Wait()
}

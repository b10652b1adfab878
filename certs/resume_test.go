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
	return s.meet(t, accepted, at{Conn: dialled, address: home}, "server.test")
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

// meetInMemory connects without a network, for tests with a clock of their own.
func (s *site) meetInMemory(t testing.TB) (server, client outcome) {
	t.Helper()
	accepted, dialled := net.Pipe()
	queued := newQueuedConn(accepted)
	defer queued.end()
	defer dialled.Close()
	return s.meet(t, queued, dialled, "server.test")
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
	secondLook(t, x.store)
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
	tests := map[string]struct {
		change func(t *testing.T, s *site, atServer *trust)
		code   certs.Code
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
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, atServer, _ := newTwoSites(t)
			s.prepare(t)
			s.wantResumed(t, true)
			test.change(t, s, atServer)
			server, client := s.again(t)
			wantRefusal(t, server.err, test.code)
			if server.conn != nil || server.result != nil {
				t.Error("a connection in spite of the refusal")
			}
			wantPeerRefusedUs(t, client.err)
			if !client.conn.ConnectionState().DidResume {
				t.Error("it is not the resumed session that was judged")
			}
		})
	}
}

// TestResumedPeersExpire: crypto/tls does not take the ticket of a peer whose
// certificate has ended, and the full handshake fails.
func TestResumedPeersExpire(t *testing.T) {
	for _, name := range []string{"server", "client"} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			host := must(s.root.NewHost(name+".test", certstest.Options{NotAfter: time.Now().Add(30 * time.Minute)}))
			map[string]*certs.Endpoint{"server": s.server, "client": s.client}[name].Credential = credential(t, host)
			for range 3 {
				if server, client := s.meetInMemory(t); server.err != nil || client.err != nil {
					t.Fatalf("%s: server: %v; client: %v", name, server.err, client.err)
				}
			}
			time.Sleep(31 * time.Minute)
			server, client := s.meetInMemory(t)
			judge := map[string]outcome{"server": client, "client": server}[name]
			wantRefusal(t, judge.err, certs.CodeExpired)
		})
	}
}

// TestClientJudgesResumedSessions: the server here is plain crypto/tls, which
// resumes everything and shows whether it has.
func TestClientJudgesResumedSessions(t *testing.T) {
	tests := map[string]struct {
		name   string // that the client asks for in the end; empty: the server's
		change func(t *testing.T, s *site, atClient *trust, server *x509.Certificate)
		code   certs.Code
		full   bool // the ticket is not used to begin with
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
		"another name dialled": {name: "other.test", code: certs.CodeWrongHost, full: true},
		"an address dialled":   {name: home.IP.String(), code: certs.CodeWrongHost, full: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _, atClient := newTwoSites(t)
			host := must(s.root.NewHost("server.test", certstest.Options{}))
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
		server.asked = append(server.asked,
			slices.Contains(hello.Extensions, sessionTicket) || slices.Contains(hello.Extensions, pskModes))
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
	conn, _, err := client.Client(t.Context(), at{Conn: dialled, address: home}, name)
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	dialled.Close()
	<-done
	return server.ConnectionState().DidResume, err
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

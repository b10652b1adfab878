package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

// tcpPair makes the two ends of a TCP connection on loopback.
func tcpPair(t testing.TB) (accepted, dialled net.Conn) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialled, err = new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close() })
	accepted, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	deadline := time.Now().Add(patience)
	for _, conn := range []net.Conn{accepted, dialled} {
		if err := conn.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	return accepted, dialled
}

// site is a grid of one CA with a server and a client.
type site struct {
	root           *certstest.CA
	store          *certs.Store
	server, client *certs.Endpoint
}

func newSite(t testing.TB) *site {
	t.Helper()
	root := must(certstest.NewCA("Root", certstest.Options{}))
	s := &site{root: root, store: openStore(t, root)}
	s.server = s.endpoint(t, must(root.NewHost("server.test", certstest.Options{})))
	s.server.Policy.Access = must(certs.NewAccess([]string{"client.test"}, nil, false))
	s.client = s.endpoint(t, must(root.NewHost("client.test", certstest.Options{})))
	return s
}

func (s *site) endpoint(t testing.TB, host *certstest.Host) *certs.Endpoint {
	return &certs.Endpoint{Store: s.store, Credential: credential(t, host)}
}

// outcome is what one end saw.
type outcome struct {
	conn   *tls.Conn
	result *certs.Result
	err    error
}

// connect runs both ends over a new TCP connection.
func (s *site) connect(t testing.TB, name string) (server, client outcome) {
	t.Helper()
	accepted, dialled := tcpPair(t)
	return s.meet(t, accepted, dialled, name)
}

// meet runs both ends. Where both succeed, they exchange a word each way: only
// then has a TLS 1.3 client heard that the server accepts it.
func (s *site) meet(t testing.TB, accepted, dialled net.Conn, name string) (server, client outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.conn, server.result, server.err = s.server.Server(ctx, accepted)
		if server.err == nil {
			_, server.err = server.conn.Write([]byte("hello"))
		}
		if server.err == nil {
			_, server.err = io.ReadFull(server.conn, make([]byte, 5))
		}
		accepted.Close()
	}()
	client.conn, client.result, client.err = s.client.Client(ctx, dialled, name)
	if client.err == nil {
		if _, err := io.ReadFull(client.conn, make([]byte, 5)); err != nil {
			client.err = certs.Explain(err)
		} else if _, err := client.conn.Write([]byte("hello")); err != nil {
			client.err = err
		}
	}
	if client.err != nil {
		dialled.Close()
	}
	<-done
	return server, client
}

func TestEndpoints(t *testing.T) {
	s := newSite(t)
	server, client := s.connect(t, "server.test")
	if server.err != nil || client.err != nil {
		t.Fatalf("server: %v; client: %v", server.err, client.err)
	}
	if hosts := server.result.Peer.Hosts; !slices.Equal(hosts, []string{"client.test"}) {
		t.Errorf("the server's peer proves %v", hosts)
	}
	if hosts := client.result.Peer.Hosts; !slices.Equal(hosts, []string{"server.test"}) {
		t.Errorf("the client's peer proves %v", hosts)
	}
	if name := server.conn.ConnectionState().ServerName; name != "server.test" {
		t.Errorf("SNI %q", name)
	}
}

// stranger is the other end of a test: plain crypto/tls, which presents
// anything and takes everything.
func stranger(version uint16, certificates ...tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates: certificates, MinVersion: version, MaxVersion: version,
		InsecureSkipVerify: true, ClientAuth: tls.RequestClientCert, // #nosec G402 -- the peer under test
	}
}

// acceptFrom runs the server against a stranger.
func (s *site) acceptFrom(t testing.TB, config *tls.Config) (ours outcome, theirs error) {
	t.Helper()
	accepted, dialled := tcpPair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ours.conn, ours.result, ours.err = s.server.Server(t.Context(), accepted)
		if ours.err == nil {
			_, ours.err = ours.conn.Write([]byte("x"))
		}
		accepted.Close()
	}()
	_, theirs = io.ReadFull(tls.Client(dialled, config), make([]byte, 1))
	<-done
	return ours, theirs
}

// dialTo runs the client against a stranger.
func (s *site) dialTo(t testing.TB, config *tls.Config) (ours outcome, theirs error) {
	t.Helper()
	accepted, dialled := tcpPair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, theirs = io.ReadFull(tls.Server(accepted, config), make([]byte, 1))
		accepted.Close()
	}()
	ours.conn, ours.result, ours.err = s.client.Client(t.Context(), dialled, "server.test")
	if ours.err == nil {
		_, ours.err = ours.conn.Write([]byte("x"))
	} else {
		dialled.Close()
	}
	<-done
	return ours, theirs
}

// TestEndpointsRefuse has a stranger present each kind of certificate that an
// end must not take, in both directions and versions of TLS.
func TestEndpointsRefuse(t *testing.T) {
	foreign := must(certstest.NewCA("Foreign", certstest.Options{}))
	host := func(ca *certstest.CA, name string, o certstest.Options) []tls.Certificate {
		return []tls.Certificate{tlsCertificate(must(ca.NewHost(name, o)))}
	}
	tests := []struct {
		name           string
		present        func(root *certstest.CA, own string) []tls.Certificate
		client, server certs.Code // the refusals of a client and of a server; empty: accepted
	}{
		{"sound", func(root *certstest.CA, own string) []tls.Certificate {
			return host(root, own, certstest.Options{})
		}, "", ""},
		{"nothing", func(*certstest.CA, string) []tls.Certificate { return nil }, certs.CodeNoCertificate, ""},
		{"of another CA", func(_ *certstest.CA, own string) []tls.Certificate {
			return host(foreign, own, certstest.Options{})
		}, certs.CodeUnknownCA, certs.CodeUnknownCA},
		{"expired", func(root *certstest.CA, own string) []tls.Certificate {
			return host(root, own, ended())
		}, certs.CodeExpired, certs.CodeExpired},
		{"of another host", func(root *certstest.CA, _ string) []tls.Certificate {
			return host(root, "stranger.test", certstest.Options{})
		}, certs.CodeNotAllowed, certs.CodeWrongHost},
		{"for other uses", func(root *certstest.CA, own string) []tls.Certificate {
			return host(root, own, usages(x509.ExtKeyUsageCodeSigning))
		}, certs.CodeExtendedKeyUsage, certs.CodeExtendedKeyUsage},
		{"of a person who calls itself so", func(root *certstest.CA, own string) []tls.Certificate {
			return host(root, own, certstest.Options{CommonName: own + "\x00", DNSNames: []string{}})
		}, certs.CodeNotAllowed, certs.CodeWrongHost},
	}
	for name, version := range versions {
		s := newSite(t)
		for _, test := range tests {
			t.Run(name+", client: "+test.name, func(t *testing.T) {
				ours, theirs := s.acceptFrom(t, stranger(version, test.present(s.root, "client.test")...))
				checkRefused(t, ours, theirs, test.client)
			})
			if certificates := test.present(s.root, "server.test"); certificates != nil {
				t.Run(name+", server: "+test.name, func(t *testing.T) {
					ours, theirs := s.dialTo(t, stranger(version, certificates...))
					checkRefused(t, ours, theirs, test.server)
				})
			}
		}
		t.Run(name+", server without access rules", func(t *testing.T) {
			s := newSite(t)
			s.server.Policy.Access = nil
			ours, theirs := s.acceptFrom(t, stranger(version, host(s.root, "client.test", certstest.Options{})...))
			checkRefused(t, ours, theirs, certs.CodeNotAllowed)
		})
	}
	t.Run("client without a name to check", func(t *testing.T) {
		_, dialled := tcpPair(t)
		_, _, err := newSite(t).client.Client(t.Context(), dialled, "")
		wantRefusal(t, err, certs.CodeWrongHost)
	})
}

func checkRefused(t *testing.T, ours outcome, theirs error, code certs.Code) {
	t.Helper()
	if code == "" {
		if ours.err != nil || theirs != nil {
			t.Errorf("refused: %v; the other end: %v", ours.err, theirs)
		}
		return
	}
	wantRefusal(t, ours.err, code)
	if ours.conn != nil || ours.result != nil {
		t.Error("a connection in spite of the refusal")
	}
	if theirs == nil {
		t.Fatal("the refused end reads data")
	}
	if code == certs.CodeNoCertificate {
		// TLS 1.2 has no alert of its own for this.
		wantHandshakeError(t, certs.Explain(theirs), certs.CodePeerRefusedUs, certs.CodeProtocol, certs.CodeDisconnected)
		return
	}
	wantPeerRefusedUs(t, certs.Explain(theirs))
}

func wantPeerRefusedUs(t *testing.T, err error) {
	t.Helper()
	// A reset may overtake the alert.
	wantHandshakeError(t, err, certs.CodePeerRefusedUs, certs.CodeDisconnected)
}

func wantHandshakeError(t testing.TB, err error, codes ...certs.Code) *certs.HandshakeError {
	t.Helper()
	e, ok := errors.AsType[*certs.HandshakeError](err)
	if !ok || !slices.Contains(codes, e.Code) {
		t.Fatalf("got %v, want a handshake error with the code %v", err, codes)
	}
	if e.Reason == "" || e.Hint() == "" || e.Unwrap() == nil || strings.Contains(e.Error(), "\n") {
		t.Errorf("incomplete: %#v", e)
	}
	return e
}

func tlsCertificate(host *certstest.Host) tls.Certificate {
	c := tls.Certificate{PrivateKey: host.Key}
	for _, cert := range host.Chain {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	return c
}

// TestUnreadableCertificate: crypto/tls gives up before there is anything to
// verify.
func TestUnreadableCertificate(t *testing.T) {
	s := newSite(t)
	host := must(s.root.NewHost("server.test", certstest.Options{}))
	unreadable := tls.Certificate{
		Certificate: [][]byte{dertest.SelfSigned(encodeName(one(cn, universal, "\x00\x00\x00x")))}, PrivateKey: host.Key,
	}
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			ours, _ := s.dialTo(t, stranger(version, unreadable))
			e := wantHandshakeError(t, ours.err, certs.CodeProtocol)
			if !strings.Contains(e.Cure, "openssl x509 -text") {
				t.Errorf("cure %q", e.Cure)
			}
			ours, _ = s.acceptFrom(t, stranger(version, unreadable))
			wantHandshakeError(t, ours.err, certs.CodeProtocol)
		})
	}
}

// TestIssuerListDoesNotSuppressUs: a server that lists other CAs still gets
// our certificate.
func TestIssuerListDoesNotSuppressUs(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			pool := x509.NewCertPool()
			pool.AddCert(must(certstest.NewCA("Elsewhere", certstest.Options{})).Certificate)
			config := &tls.Config{
				Certificates: []tls.Certificate{tlsCertificate(must(s.root.NewHost("server.test", certstest.Options{})))},
				ClientAuth:   tls.RequestClientCert, ClientCAs: pool, MinVersion: version, MaxVersion: version,
			}
			accepted, dialled := tcpPair(t)
			conn := tls.Server(accepted, config)
			done := make(chan error, 1)
			go func() { done <- conn.HandshakeContext(t.Context()) }()
			if _, _, err := s.client.Client(t.Context(), dialled, "server.test"); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if sent := conn.ConnectionState().PeerCertificates; len(sent) != 1 || sent[0].Subject.CommonName != "client.test" {
				t.Errorf("the server got %d certificates", len(sent))
			}
		})
	}
}

// TestServerListsNoCAs: the names of all grid CAs would make a large message,
// and peers take a list for the only CAs that are welcome.
func TestServerListsNoCAs(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			accepted, dialled := tcpPair(t)
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _, _ = s.server.Server(t.Context(), accepted) // refuses: no certificate comes
				accepted.Close()
			}()
			var request *tls.CertificateRequestInfo
			conn := tls.Client(dialled, &tls.Config{
				InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, // #nosec G402 -- the peer under test
				GetClientCertificate: func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
					request = r
					return new(tls.Certificate), nil
				},
			})
			_, _ = conn.Read(make([]byte, 1)) // ends with the refusal
			<-done
			if request == nil || len(request.AcceptableCAs) != 0 {
				t.Errorf("request %+v", request)
			}
		})
	}
}

// TestChainIsCompleted: a host whose file holds only its own certificate
// sends the subordinates that its CApath has.
func TestChainIsCompleted(t *testing.T) {
	root := must(certstest.NewCA("Root", certstest.Options{}))
	sub1 := must(root.NewSubordinate("Sub1", certstest.Options{}))
	sub2 := must(sub1.NewSubordinate("Sub2", certstest.Options{}))
	host := func(name string) *certstest.Host { return must(sub2.NewHost(name, certstest.Options{})) }
	alone := func(h *certstest.Host) *certstest.Host { h.Chain = h.Chain[:1]; return h }
	everything, rootOnly := openStore(t, root, sub1, sub2), openStore(t, root)
	all := must(certs.NewAccess(nil, nil, true))
	s := &site{
		server: &certs.Endpoint{
			Store: rootOnly, Credential: credential(t, host("server.test")),
			Policy: certs.Policy{Access: all, Namespaces: certs.NamespacesIgnore},
		},
		client: &certs.Endpoint{Store: everything, Credential: credential(t, alone(host("client.test")))},
	}
	server, client := s.connect(t, "server.test")
	if server.err != nil || client.err != nil {
		t.Fatalf("server: %v; client: %v", server.err, client.err)
	}
	if n := len(server.result.Chain); n != 3 {
		t.Errorf("the client sent %d certificates, want its own and two subordinates", n)
	}
}

// TestMinimumVersion: TLS 1.2 is the least, whatever is asked for.
func TestMinimumVersion(t *testing.T) {
	for _, minimum := range []uint16{0, tls.VersionTLS10, tls.VersionTLS12, tls.VersionTLS13} {
		s := newSite(t)
		s.server.MinVersion = minimum
		refused := uint16(tls.VersionTLS11)
		if minimum == tls.VersionTLS13 {
			refused = tls.VersionTLS12
		}
		accepted, dialled := tcpPair(t)
		done := make(chan error, 1)
		go func() {
			_, _, err := s.server.Server(t.Context(), accepted)
			accepted.Close()
			done <- err
		}()
		// #nosec G402 -- the peer under test
		conn := tls.Client(dialled, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: refused})
		theirs := conn.HandshakeContext(t.Context())
		e := wantHandshakeError(t, <-done, certs.CodeProtocol)
		if !strings.Contains(e.Reason, "no TLS version in common") || !strings.Contains(e.Cure, "‹min-tls›") {
			t.Errorf("minimum %x: %q, %q", minimum, e.Reason, e.Cure)
		}
		if e := wantHandshakeError(t, certs.Explain(theirs), certs.CodeProtocol); !strings.Contains(e.Cure,
			"no TLS version in common") {
			t.Errorf("the other end: %q", e.Cure)
		}
	}
}

// insecureSwitches are the names in crypto/tls that weaken its verification.
var insecureSwitches = []string{
	"InsecureSkipVerify", "RequireAnyClientCert", "RequestClientCert", "VerifyPeerCertificate",
}

// TestInsecureSwitchesInOnePlace reads all of the program's source (what
// measures programs, tunnelbench, plays their strangers and is none): the
// switches appear in endpoint.go, together with the hook that replaces what
// they turn off, and nowhere else; nor does anything else make a tls.Config.
// probe.go alone changes one, and hands out no connection.
func TestInsecureSwitchesInOnePlace(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "tunnelbench" {
			return filepath.SkipDir
		}
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		uses := slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"crypto/tls"` })
		if !uses || path == filepath.Join("..", "certs", "endpoint.go") {
			return nil
		}
		words := append([]string{"tls.Config{", "tls.Client(", "tls.Server(", "tls.Dial", "tls.Listen"}, insecureSwitches...)
		if path == filepath.Join("..", "certs", "probe.go") {
			words = slices.DeleteFunc(words, func(word string) bool { return word == "tls.Client(" })
			words = append(words, "*tls.Conn")
		}
		for _, word := range words {
			if strings.Contains(string(source), word) {
				t.Errorf("%s uses %s: certs/endpoint.go alone may", path, word)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Errorf("only %d files were read", files)
	}
	source := string(must(os.ReadFile("endpoint.go")))
	if n := strings.Count(source, "&tls.Config{"); n != 1 {
		t.Errorf("endpoint.go makes a tls.Config in %d places, want one", n)
	}
	if !strings.Contains(source, "VerifyConnection:       judge.verifyConnection,") {
		t.Error("the one tls.Config has no VerifyConnection")
	}
}

// TestConfigsHaveTheHook looks at what crypto/tls is given.
func TestConfigsHaveTheHook(t *testing.T) {
	s := newSite(t)
	server, client := s.client.Configs()
	if server.ClientAuth != tls.RequireAnyClientCert || !client.InsecureSkipVerify {
		t.Error("crypto/tls verifies by its own rules")
	}
	resuming := must(server.GetConfigForClient(&tls.ClientHelloInfo{
		SupportedVersions: []uint16{tls.VersionTLS12, tls.VersionTLS13},
	}))
	if resuming.SessionTicketsDisabled || resuming.WrapSession == nil || resuming.UnwrapSession == nil ||
		resuming.MinVersion != tls.VersionTLS13 || resuming.ClientAuth != tls.RequireAnyClientCert {
		t.Errorf("for TLS 1.3: %+v", resuming)
	}
	if err := resuming.VerifyConnection(tls.ConnectionState{DidResume: true}); err == nil {
		t.Error("a session without a certificate is resumed")
	}
	if other := must(
		server.GetConfigForClient(&tls.ClientHelloInfo{SupportedVersions: []uint16{tls.VersionTLS12}}),
	); other != nil {
		t.Errorf("for TLS 1.2: %+v", other)
	}
	checked := must(server.GetConfigForClient(&tls.ClientHelloInfo{
		SupportedVersions: []uint16{tls.VersionTLS12, tls.VersionTLS13},
		SupportedProtos:   []string{"other", certs.CheckProtocol},
	}))
	if checked.ClientAuth != tls.RequireAnyClientCert {
		t.Errorf("for a check: %+v", checked)
	}
	for name, config := range map[string]*tls.Config{"server": server, "client": client, "server that is " +
		"checked": checked} {
		if config.VerifyConnection == nil {
			t.Fatalf("%s: no VerifyConnection", name)
		}
		if err := config.VerifyConnection(tls.ConnectionState{}); err == nil {
			t.Errorf("%s: the hook accepts a peer without a certificate", name)
		}
		if !config.SessionTicketsDisabled || config.ClientSessionCache != nil {
			t.Errorf("%s: sessions can be resumed", name)
		}
		if config.MinVersion != tls.VersionTLS12 || config.ClientCAs != nil || config.RootCAs != nil ||
			config.VerifyPeerCertificate != nil {
			t.Errorf("%s: %+v", name, config)
		}
	}
}

// TestAddressIsNoSNI: RFC 6066, section 3, allows names only.
func TestAddressIsNoSNI(t *testing.T) {
	s := newSite(t)
	s.server.Credential = credential(t, must(s.root.NewHost("server.test", certstest.Options{IPs: []string{"127.0.0.1"}})))
	server, client := s.connect(t, "127.0.0.1")
	if server.err != nil || client.err != nil {
		t.Fatalf("server: %v; client: %v", server.err, client.err)
	}
	if name := server.conn.ConnectionState().ServerName; name != "" {
		t.Errorf("SNI %q", name)
	}
}

// TestCipherSuites: TLS 1.2 is spoken with AEAD ciphers, and with no other,
// whichever end asks and whatever the kind of the keys.
func TestCipherSuites(t *testing.T) {
	root := must(certstest.NewCA("Root", sound))
	store := openStore(t, root)
	everybody := certs.Policy{Access: must(certs.NewAccess(nil, nil, true))}
	for _, kind := range []certstest.KeyType{certstest.ECDSA, certstest.RSA} {
		endpoint := &certs.Endpoint{
			Store: store, Credential: credential(t, must(root.NewHost("us.test", certstest.Options{KeyType: kind}))),
			Policy: everybody,
		}
		host := must(root.NewHost("host.test", certstest.Options{KeyType: kind}))
		for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
			if !slices.Contains(suite.SupportedVersions, uint16(tls.VersionTLS12)) {
				continue
			}
			aead := strings.Contains(suite.Name, "_GCM_") && strings.Contains(suite.Name, "_ECDHE_") ||
				strings.Contains(suite.Name, "_CHACHA20_")
			want := aead && strings.Contains(suite.Name,
				map[certstest.KeyType]string{certstest.ECDSA: "_ECDSA_", certstest.RSA: "_ECDHE_RSA_"}[kind])
			for _, role := range []certs.Role{certs.RoleClient, certs.RoleServer} {
				config := showing(tls.VersionTLS12,
					tls.Certificate{Certificate: [][]byte{host.Certificate.Raw}, PrivateKey: host.Key})
				config.CipherSuites = []uint16{suite.ID}
				if err := shakeWith(t, endpoint, role, config); (err == nil) != want {
					t.Errorf("%s key, %s, peer as %s: %v", kind, suite.Name, role, err)
				}
			}
		}
	}
}

package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/certs/internal/dertest"
)

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
			for _, role := range []certs.PeerRole{certs.PeerClient, certs.PeerServer} {
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

package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// serverTLS is a server that is not ours and takes any client of a version.
func serverTLS(host *certstest.Host, version uint16) *tls.Config {
	// #nosec G402 -- the peer under test
	config := &tls.Config{MinVersion: version, MaxVersion: version, ClientAuth: tls.RequireAnyClientCert}
	certificate := tls.Certificate{PrivateKey: host.Key}
	for _, c := range host.Chain {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	config.Certificates = []tls.Certificate{certificate}
	return config
}

// speakTLS runs a server that is not ours: it sends text, if the handshake
// comes to its end. The error is that of the handshake.
func speakTLS(t *testing.T, config *tls.Config, conn net.Conn, text string) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		defer conn.Close()
		server := tls.Server(conn, config)
		err := server.HandshakeContext(t.Context())
		done <- err
		if err == nil {
			io.WriteString(server, text)
			server.CloseWrite()
			io.Copy(io.Discard, conn) // or what was sent could be lost to a reset
		}
	}()
	return done
}

// TestQuietProbe: with a server that does not know certs.CheckProtocol the
// handshake does not come to its end there, whether it asks for a certificate
// or not; what it has proved is known.
func TestQuietProbe(t *testing.T) {
	s := newSite(t)
	host := must(s.root.NewHost("server.test", certstest.Options{}))
	for name, version := range versions {
		for _, asks := range []tls.ClientAuthType{tls.RequireAnyClientCert, tls.NoClientCert} {
			t.Run(name+" "+asks.String(), func(t *testing.T) {
				config := serverTLS(host, version)
				config.ClientAuth = asks
				accepted, dialled := tcpPair(t)
				done := speakTLS(t, config, accepted, "welcome")
				probing, err := s.client.Probe(t.Context(), dialled, "server.test", true)
				if err != nil {
					t.Fatal(err)
				}
				dialled.Close()
				if probing.Result == nil || probing.Result.Peer.Hosts[0] != "server.test" || probing.Checked || probing.Answered ||
					len(probing.Problems()) > 0 {
					t.Errorf("%+v", probing)
				}
				if err := <-done; err == nil {
					t.Error("the server has completed the handshake, and would connect to its target")
				}
			})
		}
	}
}

// TestQuietProbeRefuses: a server that this end refuses learns nothing of it,
// though it knows certs.CheckProtocol.
func TestQuietProbeRefuses(t *testing.T) {
	s := newSite(t)
	host := must(s.root.NewHost("server.test", certstest.Options{}))
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			config := serverTLS(host, version)
			config.NextProtos = []string{certs.CheckProtocol}
			shown := make(chan bool, 1)
			config.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error {
				shown <- true
				return nil
			}
			accepted, dialled := tcpPair(t)
			done := speakTLS(t, config, accepted, "accepted\n")
			probing, err := s.client.Probe(t.Context(), dialled, "other.test", true)
			if err != nil {
				t.Fatal(err)
			}
			dialled.Close()
			wantRefusal(t, probing.Refusal, certs.CodeWrongHost)
			if probing.Answered || len(probing.Problems()) != 1 {
				t.Errorf("%+v", probing)
			}
			if err := <-done; err == nil || len(shown) > 0 {
				t.Error("this end has shown its certificate")
			}
		})
	}
}

// TestQuietProbeOfForger: who shows a certificate without its key has proved
// nothing.
func TestQuietProbeOfForger(t *testing.T) {
	s := newSite(t)
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			host := *must(s.root.NewHost("server.test", certstest.Options{}))
			host.Key = must(s.root.NewHost("forger.test", certstest.Options{})).Key
			accepted, dialled := tcpPair(t)
			done := speakTLS(t, serverTLS(&host, version), accepted, "")
			probing, err := s.client.Probe(t.Context(), dialled, "server.test", true)
			if probing != nil {
				t.Errorf("%+v", probing)
			}
			wantHandshakeError(t, err, certs.CodeProtocol)
			dialled.Close()
			<-done
		})
	}
}

// TestLoudProbe goes to the end with a server that does not know
// certs.CheckProtocol.
func TestLoudProbe(t *testing.T) {
	s := newSite(t)
	host := must(s.root.NewHost("server.test", certstest.Options{}))
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			for text, code := range map[string]certs.Code{"welcome": "", "": certs.CodeDisconnected} {
				accepted, dialled := tcpPair(t)
				done := speakTLS(t, serverTLS(host, version), accepted, text)
				probing, err := s.client.Probe(t.Context(), dialled, "server.test", false)
				if err != nil {
					t.Fatal(err)
				}
				dialled.Close()
				if err := <-done; err != nil {
					t.Error(err)
				}
				if probing.Checked || probing.Answered != (code == "") {
					t.Errorf("%q: %+v", text, probing)
				}
				if code != "" {
					wantHandshakeError(t, probing.Objection, code)
				}
			}
		})
	}
}

// TestCheckAnswers: words of a later version count for nothing; what is no
// answer at all is an objection.
func TestCheckAnswers(t *testing.T) {
	s := newSite(t)
	host := must(s.root.NewHost("server.test", certstest.Options{}))
	for text, want := range map[string]struct {
		target certs.TargetState
		code   certs.Code
	}{
		"accepted\n": {certs.TargetUnknown, ""},
		"accepted since=monday target=down more\nmore": {certs.TargetDown, ""},
		"accepted target=tired\n":                      {certs.TargetUnknown, ""},
		"accepted target=up":                           {"", certs.CodeProtocol},
		"welcome\n":                                    {"", certs.CodeProtocol},
		"\n":                                           {"", certs.CodeProtocol},
		"":                                             {"", certs.CodeDisconnected},
		"accepted " + strings.Repeat("x", 1<<10) + "\n": {"", certs.CodeProtocol},
	} {
		for name, version := range versions {
			config := serverTLS(host, version)
			config.NextProtos = []string{certs.CheckProtocol}
			accepted, dialled := tcpPair(t)
			speakTLS(t, config, accepted, text)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			probing, err := s.client.Probe(ctx, dialled, "server.test", true)
			cancel()
			dialled.Close()
			if err != nil {
				t.Fatal(err)
			}
			if probing.Target != want.target || probing.Answered != (want.code == "") {
				t.Errorf("%s, %.40q: %+v", name, text, probing)
			}
			if want.code != "" {
				wantHandshakeError(t, probing.Objection, want.code)
			}
			if want.code == certs.CodeProtocol &&
				!strings.HasPrefix(probing.Objection.Error(), "tls-protocol: the other end answers gtunnel-check/1 with ") {
				t.Errorf("%s, %.40q: %v", name, text, probing.Objection)
			}
		}
	}
}

// TestCheckOfEachVersion: the server's end, with a client that is not ours.
func TestCheckOfEachVersion(t *testing.T) {
	s := newSite(t)
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			accepted, dialled := tcpPair(t)
			done := serve(t, s.server, accepted, certs.TargetUp)
			config := serverTLS(must(s.root.NewHost("client.test", certstest.Options{})), version)
			config.InsecureSkipVerify = true
			config.NextProtos = []string{"mysql", certs.CheckProtocol}
			answer, err := io.ReadAll(tls.Client(dialled, config)) // to its end in order
			if string(answer) != "accepted target=up\n" || err != nil {
				t.Errorf("%q, %v", answer, err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNoOtherProtocol: connections that carry data have no application
// protocol, and a client that offers others is let in as before.
func TestNoOtherProtocol(t *testing.T) {
	s := newSite(t)
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := s.connect(t, "server.test")
			if server.err != nil || client.err != nil {
				t.Fatal(server.err, client.err)
			}
			if certs.IsCheck(server.conn) || client.conn.ConnectionState().NegotiatedProtocol != "" {
				t.Error("a connection that carries data has a protocol")
			}
			accepted, dialled := tcpPair(t)
			done := make(chan error, 1)
			go func() {
				conn, _, err := s.server.Server(t.Context(), accepted)
				if err == nil && conn.ConnectionState().NegotiatedProtocol != "" {
					err = errors.New("a protocol was chosen")
				}
				done <- err
			}()
			config := serverTLS(must(s.root.NewHost("client.test", certstest.Options{})), version)
			config.InsecureSkipVerify = true
			config.NextProtos = []string{"mysql", "h2"} // none of ours
			if err := tls.Client(dialled, config).HandshakeContext(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

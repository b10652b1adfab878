package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// serve runs the server's end of one connection: what it answers to a check,
// and how it ended.
func serve(t *testing.T, s *certs.Endpoint, conn net.Conn, target certs.TargetState) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		defer conn.Close()
		tlsConn, _, err := s.Server(t.Context(), conn)
		switch {
		case err != nil:
		case certs.IsCheck(tlsConn):
			err = certs.AnswerCheck(tlsConn, target)
		default:
			err = errors.New("no check")
		}
		done <- err
	}()
	return done
}

// serveTLS is serve for a server that is not ours.
func serveTLS(t *testing.T, config *tls.Config, host *certstest.Host, conn net.Conn) <-chan error {
	t.Helper()
	certificate := tls.Certificate{PrivateKey: host.Key}
	for _, c := range host.Chain {
		certificate.Certificate = append(certificate.Certificate, c.Raw)
	}
	config.Certificates = []tls.Certificate{certificate}
	done := make(chan error, 1)
	go func() { done <- tls.Server(conn, config).HandshakeContext(t.Context()) }()
	return done
}

func TestFetchChain(t *testing.T) {
	s := newSite(t)
	sub := must(s.root.NewSubordinate("Sub", certstest.Options{}))
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			accepted, dialled := tcpPair(t)
			// #nosec G402 -- the peer under test
			config := &tls.Config{MinVersion: version, MaxVersion: version, ClientAuth: tls.RequireAnyClientCert}
			done := serveTLS(t, config, must(sub.NewHost("other.test", certstest.Options{})), accepted)
			chain, err := certs.FetchChain(t.Context(), dialled, "server.test")
			if err != nil {
				t.Fatal(err)
			}
			dialled.Close()
			if len(chain) != 2 || chain[0].Subject.CommonName != "other.test" {
				t.Errorf("%d certificates", len(chain))
			}
			if err := <-done; err == nil {
				t.Error("the server's handshake was completed")
			}
		})
	}
}

func TestFetchChainOfSomethingElse(t *testing.T) {
	accepted, dialled := tcpPair(t)
	go func() {
		io.WriteString(accepted, "SSH-2.0-OpenSSH_9.2\r\n")
		accepted.Close()
	}()
	_, err := certs.FetchChain(t.Context(), dialled, "server.test")
	wantHandshakeError(t, err, certs.CodeNotTLS)
}

// TestProbe: a server that knows certs.CheckProtocol.
func TestProbe(t *testing.T) {
	s := newSite(t)
	foreign := must(certstest.NewCA("Foreign", certstest.Options{}))
	stranger := &certs.Endpoint{
		Store: openStore(t, foreign), Credential: credential(t, must(foreign.NewHost("client.test", certstest.Options{}))),
	}
	unlisted := s.endpoint(t, must(s.root.NewHost("other.test", certstest.Options{})))
	for about, test := range map[string]struct {
		client  *certs.Endpoint
		host    string
		target  certs.TargetState
		refusal certs.Code // ours
		code    certs.Code // the server's
	}{
		"target up":      {s.client, "server.test", certs.TargetUp, "", ""},
		"target down":    {s.client, "server.test", certs.TargetDown, "", ""},
		"target unknown": {s.client, "server.test", certs.TargetUnknown, "", ""},
		"wrong host":     {s.client, "wrong.test", certs.TargetUp, certs.CodeWrongHost, ""},
		"not allowed":    {unlisted, "server.test", certs.TargetUp, "", certs.CodePeerRefusedUs},
		"both refuse":    {stranger, "server.test", certs.TargetUp, certs.CodeUnknownCA, certs.CodePeerRefusedUs},
	} {
		t.Run(about, func(t *testing.T) {
			accepted, dialled := tcpPair(t)
			done := serve(t, s.server, accepted, test.target)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			probing, err := test.client.Probe(ctx, dialled, test.host, false)
			if err != nil {
				t.Fatal(err)
			}
			dialled.Close()
			<-done
			if len(probing.Chain) == 0 || (probing.Result == nil) != (test.refusal != "") || !probing.Checked {
				t.Errorf("%+v", probing)
			}
			if test.refusal != "" {
				wantRefusal(t, probing.Refusal, test.refusal)
			} else if probing.Refusal != nil {
				t.Error(probing.Refusal)
			}
			if test.code != "" {
				wantHandshakeError(t, probing.Objection, test.code)
			} else if probing.Objection != nil || !probing.Answered || probing.Target != test.target {
				t.Errorf("%+v", probing)
			}
		})
	}
}

// TestProbeOfSomethingElse: where no certificate came there is nothing to tell
// but the error.
func TestProbeOfSomethingElse(t *testing.T) {
	s := newSite(t)
	accepted, dialled := tcpPair(t)
	if _, err := accepted.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n")); err != nil {
		t.Fatal(err)
	}
	probing, err := s.client.Probe(t.Context(), dialled, "server.test", false)
	if probing != nil {
		t.Errorf("%+v", probing)
	}
	wantHandshakeError(t, err, certs.CodeNotTLS)
}

// TestProbeTLS12: there the server judges before the handshake is over.
func TestProbeTLS12(t *testing.T) {
	s := newSite(t)
	accepted, dialled := tcpPair(t)
	config := &tls.Config{
		MaxVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert, // #nosec G402 -- the peer under test
		VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error { return errors.New("no") },
	}
	serveTLS(t, config, must(s.root.NewHost("server.test", certstest.Options{})), accepted)
	probing, err := s.client.Probe(t.Context(), dialled, "server.test", false)
	if err != nil {
		t.Fatal(err)
	}
	if probing.Refusal != nil || probing.Result == nil {
		t.Errorf("we refuse: %v", probing.Refusal)
	}
	wantHandshakeError(t, probing.Objection, certs.CodePeerRefusedUs)
}

// TestProbeWithoutKey: a server that shows a certificate without having its
// key has proved nothing, though the certificate itself is good.
func TestProbeWithoutKey(t *testing.T) {
	s := newSite(t)
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			host, other := must(s.root.NewHost("server.test", certstest.Options{})),
				must(s.root.NewHost("other.test", certstest.Options{}))
			host.Key = other.Key
			accepted, dialled := tcpPair(t)
			// #nosec G402 -- the peer under test
			config := &tls.Config{MinVersion: version, MaxVersion: version, NextProtos: []string{certs.CheckProtocol}}
			done := serveTLS(t, config, host, accepted)
			probing, err := s.client.Probe(t.Context(), dialled, "server.test", false)
			if err != nil {
				t.Fatal(err)
			}
			dialled.Close()
			<-done
			if probing.Result != nil || probing.Objection != nil {
				t.Errorf("accepted as %v, and the server objects: %v", probing.Result, probing.Objection)
			}
			wantHandshakeError(t, probing.Refusal, certs.CodeProtocol)
		})
	}
}

// TestProbeWithoutCertificate: a nil Credential shows nothing and is refused.
func TestProbeWithoutCertificate(t *testing.T) {
	s := newSite(t)
	s.client.Credential = nil
	accepted, dialled := tcpPair(t)
	done := serve(t, s.server, accepted, certs.TargetUp)
	probing, err := s.client.Probe(t.Context(), dialled, "server.test", false)
	if err != nil {
		t.Fatal(err)
	}
	wantHandshakeError(t, probing.Objection, certs.CodePeerRefusedUs)
	wantRefusal(t, <-done, certs.CodeNoCertificate)
}

// TestProbeOfSilence: a server that says nothing after the handshake is
// neither for nor against us.
func TestProbeOfSilence(t *testing.T) {
	s := newSite(t)
	accepted, dialled := tcpPair(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		host := must(s.root.NewHost("server.test", certstest.Options{}))
		if err := <-serveTLS(t, &tls.Config{MinVersion: tls.VersionTLS13}, host, accepted); err != nil {
			t.Error(err)
		}
		cancel()
	}()
	probing, err := s.client.Probe(ctx, dialled, "server.test", false)
	<-done
	if err != nil {
		// The end of ctx may overtake the client's own last step.
		wantHandshakeError(t, err, certs.CodeDisconnected)
		return
	}
	if probing.Answered || probing.Objection != nil && probing.Result == nil {
		t.Errorf("%+v", probing)
	}
}

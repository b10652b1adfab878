package tunnel_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/tunnel"
)

// expectNoLongerAccepted wants r to have closed one session for the code, and
// gives the log line.
func (r *running) expectNoLongerAccepted(t testing.TB, code certs.Code, dn string) map[string]any {
	t.Helper()
	line := r.entry(t, "peer no longer accepted", "code", string(code), "dn", dn)
	if reason, cure := line["reason"], line["cure"]; reason == "" || cure == "" || line["conn"] == "" {
		t.Errorf("the line has the reason %q, the cure %q and the connection %q", reason, cure, line["conn"])
	}
	r.entry(t, "closed", "reason", "the peer is no longer accepted: "+string(code))
	if got := r.Status().SessionsRefused; len(got) != 1 || got[string(code)] != 1 {
		t.Errorf("sessions refused: %v, want one for %s", got, code)
	}
	return line
}

// TestRevokedSession has a CRL revoke the peer of one session of two, at a
// server and at a client.
func TestRevokedSession(t *testing.T) {
	t.Run("at the server", func(t *testing.T) {
		p := newPKI(t)
		target, conns := held(t)
		atServer := p.party(t, serverHost, certstest.Options{}, letIn(t))
		atClient := p.party(t, clientHost, certstest.Options{}, certs.Policy{})
		server := atServer.serve(t, target)
		client := atClient.connect(t, server)
		other := p.party(t, otherHost, certstest.Options{}, certs.Policy{}).connect(t, server)
		near, far := openSession(t, client, conns)
		otherNear, otherFar := openSession(t, other, conns)

		began := time.Now()
		atServer.revoke(t, p.ca, atClient.host.Certificate)
		server.Recheck()
		expectReset(t, far)
		expectReset(t, near)
		t.Logf("closed %s after the CRL was written", time.Since(began).Round(time.Millisecond))
		line := server.expectNoLongerAccepted(t, certs.CodeRevoked, "/CN="+clientHost)
		if file, _ := line["file"].(string); !strings.HasPrefix(file, atServer.capath) || filepath.Ext(file) != ".r0" {
			t.Errorf("the file that decided is %q", file)
		}
		client.entry(t, "closed", "reason", "peer reset the connection")
		exchangeAcross(t, otherNear, otherFar)
		expectMetric(t, server, `gtunnel_sessions_refused_total{code="revoked",tunnel="server"} 1`)

		// A new session comes to nothing, and the reason is the same.
		expectRefusal(t, client.Addr())
		server.entry(t, "peer refused", "code", "revoked")
		exchangeAcross(t, otherNear, otherFar)
	})
	t.Run("at the client", func(t *testing.T) {
		p := newPKI(t)
		target, conns := held(t)
		atServer := p.party(t, serverHost, certstest.Options{}, letIn(t))
		atClient := p.party(t, clientHost, certstest.Options{}, certs.Policy{})
		server := atServer.serve(t, target)
		client := atClient.connect(t, server)
		near, far := openSession(t, client, conns)

		atClient.revoke(t, p.ca, atServer.host.Certificate)
		client.Recheck()
		expectReset(t, near)
		expectReset(t, far)
		client.expectNoLongerAccepted(t, certs.CodeRevoked, "/CN="+serverHost)
		server.entry(t, "closed", "reason", "peer reset the connection")
		expectRefusal(t, client.Addr())
		client.entry(t, "peer refused", "code", "revoked")
	})
}

// TestExpiredSession closes a session when the peer's certificate ends,
// without anybody's call.
func TestExpiredSession(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	target, conns := held(t)
	server := p.party(t, serverHost, certstest.Options{}, letIn(t)).serve(t, target)
	end := time.Now().Add(time.Hour).Truncate(time.Second) // time to open the sessions
	client := p.party(t, clientHost, certstest.Options{NotAfter: end}, certs.Policy{}).connect(t, server)
	other := p.party(t, otherHost, certstest.Options{}, certs.Policy{}).connect(t, server)
	otherNear, otherFar := openSession(t, other, conns)
	near, far := openSession(t, client, conns)
	if got := server.Status().Sessions[1]; got.NextEvent.Before(end) || got.NextEvent.After(end.Add(time.Second)) ||
		len(got.Path) != 2 || got.Path[0] != got.PeerDN {
		t.Errorf("the session is %+v, want its next event at %s", got, end)
	}

	passed := time.Until(end) - time.Second
	server.PassTime(passed)
	expectReset(t, far)
	if now := time.Now().Add(passed); now.Before(end) {
		t.Errorf("closed %s before the certificate ends", end.Sub(now))
	} else {
		t.Logf("closed %s after the certificate ended", now.Sub(end).Round(time.Millisecond))
	}
	expectReset(t, near)
	server.expectNoLongerAccepted(t, certs.CodeExpired, "/CN="+clientHost)
	exchangeAcross(t, otherNear, otherFar)
}

// TestStaleCRL lets a session live on for a while with a CRL that went stale.
func TestStaleCRL(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	target, conns := held(t)
	policy := letIn(t)
	policy.CRL, policy.CRLGrace = certs.CRLRequire, 2*time.Second
	atServer := p.party(t, serverHost, certstest.Options{}, policy)
	stale := time.Now().Add(time.Hour).Truncate(time.Second) // time to open the sessions
	atServer.list(t, p.ca, certstest.CRLOptions{NextUpdate: stale})
	atServer.reload(t)
	server := atServer.serve(t, target)
	client := p.party(t, clientHost, certstest.Options{}, certs.Policy{}).connect(t, server)
	near, far := openSession(t, client, conns)

	passed := time.Until(stale) - time.Second
	server.PassTime(passed)
	server.entry(t, "trust warning", "code", string(certs.CodeCRLExpired), "ca", "/CN=CA", "file", atServer.capath)
	if now := time.Now().Add(passed); now.Before(stale) {
		t.Errorf("the warning comes %s before the CRL is stale", stale.Sub(now))
	}
	expectMetric(t, server, `gtunnel_trust_warnings{ca="/DC=test/DC=gtunnel/CN=CA",code="crl-expired",tunnel="server"} 1`)
	expectReset(t, far)
	if now, end := time.Now().Add(passed), stale.Add(policy.CRLGrace); now.Before(end) {
		t.Errorf("closed %s before the grace is over", end.Sub(now))
	} else {
		t.Logf("closed %s after the grace was over", now.Sub(end).Round(time.Millisecond))
	}
	expectReset(t, near)
	server.expectNoLongerAccepted(t, certs.CodeCRLExpired, "")
}

// TestTrustWarnings logs what is tolerated once, however many sessions have
// it, and takes it back when it is put right.
func TestTrustWarnings(t *testing.T) {
	p := newPKI(t)
	target, conns := held(t)
	atServer := p.party(t, serverHost, certstest.Options{}, letIn(t))
	server := atServer.serve(t, target)
	client := p.party(t, clientHost, certstest.Options{}, certs.Policy{}).connect(t, server)
	for range 3 {
		openSession(t, client, conns)
	}
	server.Recheck()
	near, far := openSession(t, client, conns)
	server.entry(t, "trust warning", "code", string(certs.CodeCRLMissing), "ca", "/CN=CA")
	if got := server.Status().Warnings; len(got) != 1 || got[0].Code != certs.CodeCRLMissing || got[0].Text == "" {
		t.Errorf("warnings %+v, want one of a missing CRL", got)
	}

	atServer.list(t, p.ca, certstest.CRLOptions{})
	atServer.reload(t)
	server.Recheck()
	eventually(t, "the warning is over", func() bool { return len(server.Status().Warnings) == 0 })
	exchangeAcross(t, near, far)
	if n := server.logs.FilterMessage("trust warning").Len(); n != 1 {
		t.Errorf("%d warnings in the log, want 1", n)
	}
}

// TestRevokedInHandshake revokes a peer that was accepted in a handshake which
// is not over yet. It calls no Recheck, which may come before there is a
// session. In TLS 1.2 a client has judged the server when it sends its own
// certificate, and then waits for the server's last message.
func TestRevokedInHandshake(t *testing.T) {
	p := newPKI(t)
	atClient := p.party(t, clientHost, certstest.Options{}, certs.Policy{})
	h, err := p.ca.NewHost(serverHost, certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{
		MaxVersion:   tls.VersionTLS12,
		ClientAuth:   tls.RequireAnyClientCert,
		Certificates: []tls.Certificate{{Certificate: [][]byte{h.Certificate.Raw}, PrivateKey: h.Key}},
	}
	judged, revoked := make(chan struct{}), make(chan struct{})
	config.VerifyConnection = func(tls.ConnectionState) error {
		close(judged)
		<-revoked
		return nil
	}
	server := backend(t, func(conn *net.TCPConn) {
		secure := tls.Server(conn, config)
		_, _ = io.Copy(io.Discard, secure) // until it is reset
	})
	client := start(t, tunnel.Config{
		Name: "client", Role: tunnel.Client, Accept: address(t, "127.0.0.1:0"), Connect: []tunnel.Address{address(t, server)},
		ServerName: serverHost, Endpoint: atClient.Endpoint, Timeouts: tunnel.Timeouts{Handshake: patience},
	})
	near := dial(t, client.Addr())
	receive(t, "the client's certificate", judged)
	atClient.revoke(t, p.ca, h.Certificate)
	close(revoked)
	expectReset(t, near)
	client.entry(t, "peer verified", "conn", "")
	client.entry(t, "peer no longer accepted", "code", string(certs.CodeRevoked))
	eventually(t, "the session is gone", func() bool { return len(client.Status().Sessions) == 0 })
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.wait(t); err != nil {
		t.Error(err)
	}
	if n := client.logs.FilterMessage("closed").Len(); n > 0 {
		t.Error("a session that never began is closed")
	}
}

// TestRefusedOnce: a session that has ended is not refused again.
func TestRefusedOnce(t *testing.T) {
	p := newPKI(t)
	atServer := p.party(t, serverHost, certstest.Options{}, letIn(t))
	server := atServer.serve(t, unused(t))
	h := p.issue(t, clientHost, certstest.Options{}, t.TempDir())
	result, err := certs.Verify(atServer.Store.Snapshot(), h.Chain, certs.VerifyOptions{
		Role: certs.PeerClient, Anyone: true, Policy: atServer.Policy,
	})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	server.AddSession(near, result)
	atServer.revoke(t, p.ca, h.Certificate)
	server.JudgeAll()
	server.JudgeAll()
	if got := server.Status().SessionsRefused[string(certs.CodeRevoked)]; got != 1 ||
		server.logs.FilterMessage("peer no longer accepted").Len() != 1 {
		t.Errorf("it is refused %d times", got)
	}
}

// TestRevokedWhileDialling: a session that ends while its target is dialled
// does not get it.
func TestRevokedWhileDialling(t *testing.T) {
	p := newPKI(t)
	atServer := p.party(t, serverHost, certstest.Options{}, letIn(t))
	atClient := p.party(t, clientHost, certstest.Options{}, certs.Policy{})
	listener, free := tunnel.SilentListener(t, "127.0.0.1:0")
	server := atServer.serve(t, listener.Addr().String())
	client := atClient.connect(t, server)
	near := dial(t, client.Addr())
	eventually(t, "the target is dialled", func() bool { return len(server.Status().Sessions) == 1 })
	atServer.revoke(t, p.ca, atClient.host.Certificate)
	server.Recheck()
	expectReset(t, near)
	free()
	_ = listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	for err := error(nil); !errors.Is(err, syscall.ECONNRESET); { // others end in order
		conn, failed := listener.Accept()
		if failed != nil {
			t.Fatalf("the target is not reset: %v", failed)
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, err = conn.Read(make([]byte, 1))
		conn.Close()
	}
	eventually(t, "the session is gone", func() bool { return len(server.Status().Sessions) == 0 })
	if n := server.logs.FilterMessage("connected").Len(); n > 0 {
		t.Error("a session that had ended is connected")
	}
}

// TestRenewedCredential has new sessions prove the host with its new
// certificate, while an open one lives on.
func TestRenewedCredential(t *testing.T) {
	p := newPKI(t)
	target, conns := held(t)
	atServer := p.party(t, serverHost, certstest.Options{}, letIn(t))
	atClient := p.party(t, clientHost, certstest.Options{}, certs.Policy{})
	server := atServer.serve(t, target)
	client := atClient.connect(t, server)
	near, far := openSession(t, client, conns)

	for party, host := range map[*party]string{atServer: serverHost, atClient: clientHost} {
		p.issue(t, host, certstest.Options{CommonName: "host/" + host, DNSNames: []string{host}}, party.folder)
		if changed, err := party.Credential.Reload(); err != nil || !changed {
			t.Fatalf("Reload says %t, %v", changed, err)
		}
	}
	server.Recheck()
	client.Recheck()
	openSession(t, client, conns)
	for r, host := range map[*running]string{server: clientHost, client: serverHost} {
		sessions := r.Status().Sessions
		if len(sessions) != 2 || !strings.HasSuffix(sessions[0].PeerDN, "/CN="+host) ||
			!strings.HasSuffix(sessions[1].PeerDN, "/CN=host/"+host) {
			t.Errorf("%s has the sessions %+v", r.Status().Name, sessions)
		}
	}
	exchangeAcross(t, near, far)
}

// TestRecheckAtAnyTime calls Recheck when there is nothing to judge.
func TestRecheckAtAnyTime(t *testing.T) {
	p := newPKI(t)
	target, conns := held(t)
	server := p.party(t, serverHost, certstest.Options{}, letIn(t)).serve(t, target)
	client := p.party(t, clientHost, certstest.Options{}, certs.Policy{}).connect(t, server)
	near, far := openSession(t, client, conns)
	for range 1000 {
		server.Recheck()
		client.Recheck()
	}
	exchangeAcross(t, near, far)
	for _, r := range []*running{client, server} {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r.stop()
		if err := r.wait(t); err != nil {
			t.Fatal(err)
		}
		r.Recheck()
	}
}

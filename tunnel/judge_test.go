package tunnel_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/tunnel"
)

const otherHost = "client2.domain.two"

// party is a host with its own trust: its endpoint and what it consists of.
type party struct {
	*certs.Endpoint
	host   *certstest.Host
	folder string // of hostcert.pem and hostkey.pem
	capath string
}

// party makes a host of the CA with a CApath of its own that holds the CAs.
func (p *pki) party(t testing.TB, host string, o certstest.Options, policy certs.Policy, cas ...*certstest.CA) *party {
	t.Helper()
	result := &party{folder: t.TempDir(), capath: filepath.Join(t.TempDir(), "certificates")}
	if err := certstest.WriteCApath(result.capath, append(cas, p.ca)...); err != nil {
		t.Fatal(err)
	}
	result.host = p.issue(t, host, o, result.folder)
	credential, err := certs.LoadCredential(filepath.Join(result.folder, "hostcert.pem"),
		filepath.Join(result.folder, "hostkey.pem"))
	if err != nil {
		t.Fatal(err)
	}
	store, err := certs.OpenStore(certs.StoreConfig{CApath: result.capath})
	if err != nil {
		t.Fatal(err)
	}
	result.Endpoint = &certs.Endpoint{Store: store, Credential: credential, Policy: policy}
	return result
}

// issue makes a host's certificate and installs it in folder.
func (p *pki) issue(t testing.TB, host string, o certstest.Options, folder string) *certstest.Host {
	t.Helper()
	h, err := p.ca.NewHost(host, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Write(folder); err != nil {
		t.Fatal(err)
	}
	return h
}

// list installs a CRL of the CA, without making it known.
func (p *party) list(t testing.TB, ca *certstest.CA, o certstest.CRLOptions) {
	t.Helper()
	if _, err := certstest.WriteCRL(p.capath, ca, o); err != nil {
		t.Fatal(err)
	}
}

// reload reads the CApath again, in which something must have changed.
func (p *party) reload(t testing.TB) {
	t.Helper()
	if _, err := p.Store.Reload(); err != nil {
		t.Fatal(err)
	}
}

// revoke installs a CRL that names the certificates, and loads it.
func (p *party) revoke(t testing.TB, ca *certstest.CA, revoked ...*x509.Certificate) {
	t.Helper()
	p.list(t, ca, certstest.CRLOptions{Revoked: revoked})
	p.reload(t)
}

// serve runs a server of the party in front of target.
func (p *party) serve(t testing.TB, target string) *running {
	t.Helper()
	return start(t, tunnel.Config{
		Name: "server", Role: tunnel.Server, Accept: address(t, "127.0.0.1:0"), Connect: []tunnel.Address{address(t, target)},
		Endpoint: p.Endpoint, Timeouts: tunnel.Timeouts{Handshake: patience},
	})
}

// connect runs a client of the party to server.
func (p *party) connect(t testing.TB, server *running) *running {
	t.Helper()
	return start(t, tunnel.Config{
		Name: "client", Role: tunnel.Client, Accept: address(t, "127.0.0.1:0"),
		Connect: []tunnel.Address{address(t, server.Addr().String())}, ServerName: serverHost,
		Endpoint: p.Endpoint, Timeouts: tunnel.Timeouts{Handshake: patience},
	})
}

// letIn is the policy of a server for both clients of these tests.
func letIn(t testing.TB) certs.Policy {
	t.Helper()
	return certs.Policy{Access: allow(t, clientHost, otherHost)}
}

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

// openSession opens a session through client and gives both its ends.
func openSession(t testing.TB, client *running, conns <-chan *net.TCPConn) (near, far *net.TCPConn) {
	t.Helper()
	near = dial(t, client.Addr())
	far = receive(t, "a connection at the backend", conns)
	exchangeAcross(t, near, far)
	return near, far
}

// expectMetric wants a line among the tunnel's metrics.
func expectMetric(t testing.TB, r *running, line string) {
	t.Helper()
	if _, body := get(t, tunnel.AdminHandler([]*tunnel.Tunnel{r.Tunnel}), "/metrics"); !strings.Contains(body,
		"\n"+line+"\n") {
		t.Errorf("the metrics lack the line %s", line)
	}
}

// TestTrustChanges closes sessions whose peer a change of the CApath shuts
// out, and those only.
func TestTrustChanges(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t testing.TB, capath string, ca *certstest.CA)
		code   certs.Code
	}{
		"the CA is removed": {removeCA, certs.CodeUnknownCA},
		"the policy denies": {
			func(t testing.TB, capath string, ca *certstest.CA) {
				rewritePolicy(t, capath, ca, `"/DC=test/DC=gtunnel/*"`, `"/DC=test/DC=elsewhere/*"`)
			}, certs.CodePolicyDenied,
		},
		"the policy is removed": {removePolicy, certs.CodePolicyMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, q := newPKI(t), newNamedPKI(t, "Other CA")
			target, conns := held(t)
			atServer := p.party(t, serverHost, certstest.Options{}, letIn(t), q.ca)
			server := atServer.serve(t, target)
			client := q.party(t, clientHost, certstest.Options{}, certs.Policy{}, p.ca).connect(t, server)
			other := p.party(t, otherHost, certstest.Options{}, certs.Policy{}).connect(t, server)
			near, far := openSession(t, client, conns)
			otherNear, otherFar := openSession(t, other, conns)

			test.change(t, atServer.capath, q.ca)
			atServer.reload(t)
			if next := atServer.Store.NextLook(); !next.IsZero() { // a file is missing
				server.Recheck()
				exchangeAcross(t, near, far)
				time.Sleep(time.Until(next))
				atServer.reload(t)
			}
			server.Recheck()
			expectReset(t, far)
			expectReset(t, near)
			server.expectNoLongerAccepted(t, test.code, "/CN=")
			exchangeAcross(t, otherNear, otherFar)
		})
	}
}

// removeCA removes every file of the CA from a CApath.
func removeCA(t testing.TB, capath string, ca *certstest.CA) {
	t.Helper()
	removeFiles(t, capath, aliasOf(ca)+".")
}

// removePolicy removes the CA's signing policy.
func removePolicy(t testing.TB, capath string, ca *certstest.CA) {
	t.Helper()
	removeFiles(t, capath, aliasOf(ca)+".signing_policy")
}

// removeFiles removes the files whose name begins so, and the links to them.
func removeFiles(t testing.TB, folder, prefix string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	removed := 0
	for _, entry := range entries {
		file := filepath.Join(folder, entry.Name())
		link, _ := os.Readlink(file) // fails if it is no link
		if strings.HasPrefix(entry.Name(), prefix) || strings.HasPrefix(link, prefix) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			removed++
		}
	}
	if removed == 0 {
		t.Fatalf("no files of %s in %s", prefix, folder)
	}
}

// rewritePolicy changes the signing policy of the CA.
func rewritePolicy(t testing.TB, capath string, ca *certstest.CA, before, after string) {
	t.Helper()
	file := filepath.Join(capath, aliasOf(ca)+".signing_policy")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), before, after, 1)
	if changed == string(text) {
		t.Fatalf("%s holds no %q", file, before)
	}
	// As a package manager does it.
	if err := os.WriteFile(file+".new", []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// aliasOf is the name of the CA's files in a CApath.
func aliasOf(ca *certstest.CA) string {
	return strings.ReplaceAll(ca.Certificate.Subject.CommonName, " ", "-")
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
		Role: certs.RoleClient, Anyone: true, Policy: atServer.Policy,
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

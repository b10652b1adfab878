package tunnel_test

import (
	"crypto/x509"
	"net"
	"path/filepath"
	"strings"
	"testing"

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
	admin := tunnel.AdminHandler(func() []*tunnel.Tunnel { return []*tunnel.Tunnel{r.Tunnel} }, nil)
	if _, body := get(t, admin, "/metrics"); !strings.Contains(body, "\n"+line+"\n") {
		t.Errorf("the metrics lack the line %s", line)
	}
}

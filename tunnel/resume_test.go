package tunnel_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

// TestResumption has foreign peers keep their sessions: in TLS 1.3 they are
// resumed, and once the peer is revoked, refused. In TLS 1.2 there is a full
// handshake each time. A ticket of another server of the same name buys a full
// handshake too.
func TestResumption(t *testing.T) {
	p := newPKI(t)
	peer, err := p.ca.NewHost(clientHost, certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		for program, talk := range map[string]func(testing.TB, *certstest.Host, uint16) func(to string) (resumed bool,
			err error){
			"Go": talkByGo, "openssl": talkByOpenSSL,
		} {
			t.Run(name+" by "+program, func(t *testing.T) {
				talk := talk(t, peer, version)
				generous := ticketServer(t, p)
				for i, want := range []bool{false, true} {
					if resumed, err := talk(generous); err != nil || resumed != want {
						t.Fatalf("session %d with a server that resumes: resumed %t, %v", i+1, resumed, err)
					}
				}
				atServer := p.party(t, serverHost, certstest.Options{}, letIn(t))
				server := atServer.serve(t, backend(t, echo))
				for i := range 3 {
					want := i > 0 && version == tls.VersionTLS13
					if resumed, err := talk(server.Addr().String()); err != nil || resumed != want {
						t.Errorf("session %d: resumed %t, want %t; %v", i+1, resumed, want, err)
					}
				}
				atServer.revoke(t, p.ca, peer.Certificate)
				if _, err := talk(server.Addr().String()); err == nil {
					t.Error("the revoked peer has its session")
				}
				server.entry(t, "peer refused", "code", string(certs.CodeRevoked))
				if n := server.logs.FilterMessage("peer verified").Len(); n != 3 {
					t.Errorf("%d peers were verified, want 3", n)
				}
			})
		}
	}
}

// TestPairResumes: both ends of a tunnel resume, say so, and carry data the
// same. A server that is revoked is refused by the client that has a ticket.
func TestPairResumes(t *testing.T) {
	p := newPKI(t)
	atServer := p.party(t, serverHost, certstest.Options{}, letIn(t))
	atClient := p.party(t, clientHost, certstest.Options{}, certs.Policy{})
	server := atServer.serve(t, backend(t, echo))
	client := atClient.connect(t, server)
	const connections = 4
	for range connections {
		conn := dial(t, client.Addr())
		exchange(t, conn, greeting)
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		expectEnd(t, conn)
	}
	for name, end := range map[string]*running{"server": server, "client": client} {
		lines := end.logs.FilterMessage("peer verified").All()
		if len(lines) != connections {
			t.Fatalf("%s: %d peers verified", name, len(lines))
		}
		for i, line := range lines {
			if resumed := line.ContextMap()["resumed"]; resumed != (i >= 2) { // the first learns, the second gets a ticket
				t.Errorf("%s: connection %d: resumed %v", name, i+1, resumed)
			}
		}
	}
	atClient.revoke(t, p.ca, atServer.host.Certificate)
	expectRefusal(t, client.Addr())
	client.entry(t, "peer refused", "code", string(certs.CodeRevoked))
}

const greeting = "hello, gtunnel\n"

// talkByGo has Go's own client exchange a line with a server, and keep what
// it can resume.
func talkByGo(t testing.TB, peer *certstest.Host, version uint16) func(to string) (bool, error) {
	config := &tls.Config{
		ServerName: serverHost, MinVersion: version, MaxVersion: version,
		InsecureSkipVerify: true,
		Certificates:       []tls.Certificate{{Certificate: [][]byte{peer.Certificate.Raw}, PrivateKey: peer.Key}},
		ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
	return func(to string) (bool, error) {
		raw, err := net.DialTimeout("tcp", to, patience)
		if err != nil {
			return false, err
		}
		conn := tls.Client(raw, config)
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(conn, greeting); err != nil {
			return false, err
		}
		if _, err := io.ReadFull(conn, make([]byte, len(greeting))); err != nil {
			return false, err
		}
		return conn.ConnectionState().DidResume, nil
	}
}

// talkByOpenSSL has openssl s_client do so.
func talkByOpenSSL(t testing.TB, peer *certstest.Host, version uint16) func(to string) (bool, error) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		missing(t, "openssl is not installed")
	}
	certFile, keyFile, err := peer.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	session := filepath.Join(t.TempDir(), "session.pem")
	return func(to string) (bool, error) {
		args := []string{
			"-connect", to, "-cert", certFile, "-key", keyFile, "-sess_out", session,
			map[uint16]string{tls.VersionTLS12: "-tls1_2", tls.VersionTLS13: "-tls1_3"}[version],
		}
		if _, err := os.Stat(session); err == nil {
			args = append(args, "-sess_in", session)
		}
		out := opensslClient(t, args...)
		switch {
		case !strings.Contains(out, greeting):
			return false, errors.New("the line does not come back: " + out)
		case strings.Contains(out, "\nReused, TLSv1."):
			return true, nil
		case strings.Contains(out, "\nNew, TLSv1."):
			return false, nil
		default:
			return false, errors.New("not a word about the session: " + out)
		}
	}
}

// ticketServer is a server that gives tickets and resumes sessions, and
// echoes. It proves to be serverHost, and does not judge its peers.
func ticketServer(t testing.TB, p *pki) string {
	t.Helper()
	h, err := p.ca.NewHost(serverHost, certstest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{h.Certificate.Raw}, PrivateKey: h.Key}},
		ClientAuth:   tls.RequireAnyClientCert,
	}
	config.SetSessionTicketKeys([][32]byte{{1}})
	return backend(t, func(conn *net.TCPConn) {
		secure := tls.Server(conn, config)
		defer secure.Close()
		_, _ = io.Copy(secure, secure)
	})
}

// opensslClient runs openssl s_client until the server has echoed a line, or
// has closed the connection, and gives its output.
func opensslClient(t testing.TB, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", append([]string{"s_client"}, args...)...)
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	echoed := make(chan struct{})
	cmd.Stdout = &watcher{out: &out, text: greeting, seen: echoed}
	cmd.Stderr = cmd.Stdout
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // a refusal is an exit code
		close(ended)
	}()
	_, _ = io.WriteString(stdin, greeting) // fails if it has been refused already
	select {
	case <-echoed:
	case <-ended:
	}
	_ = stdin.Close() // ends it
	<-ended
	if ctx.Err() != nil {
		t.Fatalf("openssl does not end:\n%s", out.String())
	}
	return out.String()
}

// watcher closes seen when text was written.
type watcher struct {
	out  *bytes.Buffer
	text string
	seen chan struct{}
}

func (w *watcher) Write(p []byte) (int, error) {
	before := strings.Contains(w.out.String(), w.text)
	n, err := w.out.Write(p)
	if !before && strings.Contains(w.out.String(), w.text) {
		close(w.seen)
	}
	return n, err
}

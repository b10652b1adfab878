package main_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/certs/certstest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// stunnel is Debian's stunnel4 at one end of the tunnel.
type stunnel struct {
	address string // where it accepts
	log     string // file
}

// startStunnel runs stunnel4 until the test ends. settings are those of its
// one service, without accept.
func startStunnel(t *testing.T, settings string) stunnel {
	t.Helper()
	t.Attr("needs", "stunnel")
	if testing.Short() {
		t.Skip("left out by -short: needs stunnel")
	}
	program, err := exec.LookPath("stunnel4")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("stunnel4 is missing: .ci/install stunnel")
		}
		t.Skip("stunnel4 is not installed (.ci/install stunnel)")
	}
	folder := t.TempDir()
	s := stunnel{address: freeAddress(t), log: filepath.Join(folder, "log")}
	config := fmt.Sprintf("foreground = yes\npid =\ndebug = info\noutput = %s\n[mysql]\naccept = %s\n%s", s.log, s.address,
		settings)
	file := filepath.Join(folder, "stunnel.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, file)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		if t.Failed() {
			text, _ := os.ReadFile(s.log)
			t.Logf("stunnel4: %s%s", output.String(), text)
		}
	})
	// Its port is open before "Configuration successful" only if somebody
	// else has taken it.
	pairs.WaitFor(t, patience, "stunnel4", func() (string, bool) {
		text, _ := os.ReadFile(s.log)
		if bytes.Contains(text, []byte("Configuration successful")) {
			return "", true
		}
		select {
		case <-done:
			t.Fatalf("stunnel4 ended: %s%s", output.String(), text)
		default:
		}
		return string(text), false
	})
	return s
}

// freeAddress is a port of 127.0.0.1 that was free just now.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// exchange sends size random bytes to an echoing target and wants them back,
// both at once, in writes of many sizes, and then an orderly end each way.
func exchange(t *testing.T, address string, size int) {
	t.Helper()
	conn := dial(t, address)
	conn.SetDeadline(time.Now().Add(2 * patience))
	data := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(data)

	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() {
		for rest, n := data, 1; len(rest) > 0; n = n*3%70001 + 1 {
			n := min(n, len(rest))
			if _, err := conn.Write(rest[:n]); err != nil {
				t.Errorf("send: %v", err)
				return
			}
			rest = rest[n:]
		}
		if err := conn.CloseWrite(); err != nil {
			t.Errorf("half-close: %v", err)
		}
	})
	back, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("receive: %v after %d bytes", err, len(back))
	}
	if len(back) != size || sha256.Sum256(back) != sha256.Sum256(data) {
		t.Errorf("got %d bytes back, not the %d that were sent", len(back), size)
	}
}

// TestCheckStunnel: certs check goes on to the target of a server that does not
// know its protocol, to learn whether that accepts this host.
func TestCheckStunnel(t *testing.T) {
	s := newSite(t)
	for name, test := range map[string]struct {
		target string
		code   int
		want   string
	}{
		"MySQL": {startGreeter(t), 0, "ok       server %s: both ends accept each other, and its target answers\n"},
		"silent": {
			startBackend(t).address(), 0, "warning  server %s: it accepted the handshake and then sent nothing for 2s\n",
		},
		"closed": {freeAddress(t), 1, "problem  server %s: it does not go on: disconnected: "},
	} {
		end := startStunnel(t, fmt.Sprintf("connect = %s\ncert = %s\nkey = %s\nCApath = %s\nverifyChain = yes\nrequireCert "+
			"= yes\n",
			test.target, s.server.cert, s.server.key, s.capath))
		code, stdout, stderr := runMain(t, append([]string{
			"certs", "check", "--connect", end.address, "--capath", s.capath, "--timeout", "2s",
		}, s.client.flags()...)...)
		if want := strings.ReplaceAll(test.want, "%s", end.address); code != test.code || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit code %d, no %q in: %s%s", name, code, want, stdout, stderr)
		}
	}
}

// verifying is what a stunnel end should have, and MAN06's has not.
func (s *site) verifying(i identity, checkHost string) string {
	return fmt.Sprintf("cert = %s\nkey = %s\nCApath = %s\nverifyChain = yes\nrequireCert = yes\ncheckHost = %s\n", i.cert,
		i.key, s.capath, checkHost)
}

// TestStunnel runs Debian's stunnel at either end: sites replace one side of
// their tunnel at a time.
func TestStunnel(t *testing.T) {
	s := newSite(t)
	stranger := s.host(newCA(t, "Other CA"), "client.test", certstest.Options{IPs: []string{"127.0.0.1"}})
	for _, version := range []string{"TLSv1.2", "TLSv1.3"} {
		t.Run(version, func(t *testing.T) {
			s := s.in(t)
			b := startBackend(t)
			t.Run("slave", func(t *testing.T) { stunnelAtSlave(t, s.in(t), b, stranger, version) })
			t.Run("master", func(t *testing.T) { stunnelAtMaster(t, s.in(t), b, stranger, version) })
		})
	}
}

// stunnelAtSlave runs a stunnel at the slave's end, and one of a stranger.
func stunnelAtSlave(t *testing.T, s *site, b *backend, stranger identity, version string) {
	t.Helper()
	server, address := s.startServer(b.address())
	end := startStunnel(t,
		"client = yes\nconnect = "+address+"\nsslVersion = "+version+"\n"+s.verifying(s.client, "server.test"))
	conn := dial(t, end.address)
	echo(t, conn, "one small packet")
	exchange(t, end.address, 8<<20)
	server.waitMessage("connected")

	before := b.accepted.Load()
	bad := startStunnel(t,
		"client = yes\nconnect = "+address+"\nsslVersion = "+version+"\n"+s.verifying(stranger, "server.test"))
	dialToEnd(t, bad.address, "")
	if line := server.waitMessage("peer refused"); line.field("code") != "unknown-ca" {
		t.Errorf("refused with %q, want unknown-ca: %s", line.field("code"), line.text)
	}
	if b.accepted.Load() != before {
		t.Error("the target was reached by a stunnel that was refused")
	}
}

// stunnelAtMaster runs a stunnel at the master's end, and one of a stranger.
func stunnelAtMaster(t *testing.T, s *site, b *backend, stranger identity, version string) {
	t.Helper()
	end := startStunnel(t, "connect = "+b.address()+"\nsslVersion = "+version+"\n"+s.verifying(s.server, "client.test"))
	client, address := s.startClient(end.address)
	before := b.accepted.Load()
	tried := client.waitMessage("server reached and proven; whether it accepts this host shows at the first connection")
	if !strings.HasSuffix(tried.field("dn"), "/CN=server.test") {
		t.Errorf("the try at the start: %s", tried.text)
	}
	if n := b.accepted.Load() - before; n != 0 {
		t.Errorf("the try at the start made %d connections to the target", n)
	}
	conn := dial(t, address)
	echo(t, conn, "one small packet")
	exchange(t, address, 8<<20)
	client.waitMessage("connected")

	bad := startStunnel(t, "connect = "+b.address()+"\nsslVersion = "+version+"\n"+s.verifying(stranger, "client.test"))
	refusing, address := s.startClient(bad.address)
	dialToEnd(t, address, "")
	if line := refusing.waitMessage("peer refused"); line.field("code") != "unknown-ca" {
		t.Errorf("refused with %q, want unknown-ca: %s", line.field("code"), line.text)
	}

	// stunnel refuses a client that it has no CA for, and the
	// client says so.
	foreign := *s
	foreign.client = stranger
	refused, address := foreign.startClient(end.address)
	dialToEnd(t, address, "")
	if line := refused.waitMessage("peer refused"); line.field("code") != "peer-refused-us" {
		t.Errorf("refused with %q, want peer-refused-us: %s", line.field("code"), line.text)
	}
}

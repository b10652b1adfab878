package tunnel_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// wantReady wants a tunnel to be ready, or not for a reason with these words.
func (r *running) wantReady(t *testing.T, now time.Time, words ...string) {
	t.Helper()
	got := r.UnreadyText(t.Context(), now)
	if len(words) == 0 && got != "" {
		t.Errorf("not ready: %s", got)
	}
	for _, word := range words {
		if !strings.Contains(got, word) {
			t.Errorf("not ready is %q, want %q in it", got, word)
		}
	}
}

// TestReadyServer: a server is ready as long as MySQL listens, which is found
// out without a connection to it.
func TestReadyServer(t *testing.T) {
	mysql, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mysql.Close()
	server := start(t, newPKI(t).serverConfig(t, mysql.Addr().String()))
	eventually(t, "it accepts", func() bool { return server.Status().Accepting })
	server.wantReady(t, time.Now())
	admin := tunnel.AdminHandler(func() []*tunnel.Tunnel { return []*tunnel.Tunnel{server.Tunnel} }, nil)
	if code, body := get(t, admin, "/readyz"); code != http.StatusOK || body != "ready\n" {
		t.Errorf("%d %q", code, body)
	}
	if err := mysql.(*net.TCPListener).SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if conn, err := mysql.Accept(); err == nil {
		conn.Close()
		t.Error("MySQL was connected to")
	}
	mysql.Close()
	code, body := get(t, admin, "/readyz")
	if want := "tunnel server is not ready: nobody listens at " + mysql.Addr().String() +
		" any more; hint: is mysqld running?\n"; code != http.StatusServiceUnavailable || body != want {
		t.Errorf("%d %q, want %q", code, body, want)
	}
	server.wantReady(t, time.Now().AddDate(2, 0, 0), "its certificate ", "ended on ", "it trusts no CA")
}

// TestReadyServerElsewhere: of a target that the kernel does not know the last
// attempt tells.
func TestReadyServerElsewhere(t *testing.T) {
	server, client := startPair(t, unused(t))
	server.wantReady(t, time.Now(), "nothing has been tried yet")
	expectRefusal(t, client.Addr())
	server.entry(t, "connection refused")
	server.wantReady(t, time.Now(), "connection refused", "is mysqld running")
	server.stop()
	if err := server.wait(t); err != nil {
		t.Fatal(err)
	}
	server.wantReady(t, time.Now(), "does not accept connections")
}

// TestReadyClient: a client is ready if its server has proved itself lately, for
// which it is checked, but not at each question; and while a connection is open.
func TestReadyClient(t *testing.T) {
	target, conns := held(t)
	server, client := startPair(t, target)
	eventually(t, "it accepts", func() bool { return client.Status().Accepting })
	now := time.Now()
	for range 3 {
		client.wantReady(t, now)
	}
	if accepted := server.Status().Accepted; accepted != 1 || len(conns) > 0 {
		t.Errorf("%d checks, %d connections to MySQL", accepted, len(conns))
	}
	client.wantReady(t, now.Add(tunnel.ProvenFor+time.Minute))
	if accepted := server.Status().Accepted; accepted != 2 {
		t.Errorf("%d checks after a while", accepted)
	}
	openSession(t, client, conns)
	client.wantReady(t, now.Add(time.Hour))
	if accepted := server.Status().Accepted; accepted != 3 {
		t.Errorf("an open connection is checked: %d", accepted)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection has ended", func() bool { return len(client.Status().Sessions) == 0 })
	client.wantReady(t, time.Now().Add(time.Hour), "server not reached: connection refused", "is gtunnel server running")
	client.wantReady(t, time.Now().Add(tunnel.FailedFor/2), "server not reached")
}

// TestReadyClientOfMySQL: what speaks no TLS is not asked again, because MySQL
// blocks hosts that do so too often.
func TestReadyClientOfMySQL(t *testing.T) {
	asked := make(chan bool, 16)
	mysql := backend(t, func(conn *net.TCPConn) {
		asked <- true
		_, _ = conn.Write([]byte("\x4a\x00\x00\x00\x0a11.4.2-MariaDB\x00"))
		_, _ = io.Copy(io.Discard, conn)
	})
	client := start(t, newPKI(t).clientConfig(t, mysql))
	eventually(t, "it accepts", func() bool { return client.Status().Accepting })
	for i := range 3 {
		client.wantReady(t, time.Now().Add(time.Duration(i)*time.Hour), "MySQL", "hint: Point --connect at")
	}
	if n := len(asked); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestReadyAfterUpdate: how a target was that is no longer one does not count, nor
// does a tunnel that is retired.
func TestReadyAfterUpdate(t *testing.T) {
	target, _ := held(t)
	p := newPKI(t)
	server := start(t, p.serverConfig(t, target))
	config := p.clientConfig(t, unused(t))
	client := start(t, config)
	eventually(t, "they accept", func() bool { return client.Status().Accepting && server.Status().Accepting })
	client.wantReady(t, time.Now(), "server not reached")
	config.Connect = []tunnel.Address{address(t, server.Addr().String())}
	if err := client.Update(config); err != nil {
		t.Fatal(err)
	}
	client.wantReady(t, time.Now())
	config.Connect = []tunnel.Address{address(t, unused(t))}
	if err := client.Update(config); err != nil {
		t.Fatal(err)
	}
	client.wantReady(t, time.Now(), "server not reached")
	client.Retire()
	admin := tunnel.AdminHandler(func() []*tunnel.Tunnel { return []*tunnel.Tunnel{client.Tunnel, server.Tunnel} }, nil)
	if code, body := get(t, admin, "/readyz"); code != http.StatusOK {
		t.Errorf("%d %q", code, body)
	}
}

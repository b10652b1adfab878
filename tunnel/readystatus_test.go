package tunnel_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/tunnel"
)

// statusOf asks an admin handler for the status of its only tunnel.
func statusOf(t *testing.T, admin http.Handler, path string) (status tunnel.Status, text string) {
	t.Helper()
	code, text := get(t, admin, path)
	var answer tunnel.AdminStatus
	if err := json.Unmarshal([]byte(text), &answer); err != nil || code != http.StatusOK || len(answer.Tunnels) != 1 {
		t.Fatalf("%s: %d, %v: %s", path, code, err, text)
	}
	return answer.Tunnels[0], text
}

// TestReadyInStatus: a status says of readiness what /readyz says, but only where it is asked
// to, since a client may check its server for that.
func TestReadyInStatus(t *testing.T) {
	dead := unused(t)
	asked := make(chan net.Conn, 16)
	p := newPKI(t)
	client := start(t, p.clientConfig(t, dead))
	eventually(t, "it accepts", func() bool { return client.Status().Accepting })
	admin := tunnel.AdminHandler(func() []*tunnel.Tunnel { return []*tunnel.Tunnel{client.Tunnel} }, nil)
	if status, text := statusOf(t, admin, "/status"); status.NotReady != nil || strings.Contains(text, "not_ready") ||
		len(status.DialFailures) != 0 {
		t.Errorf("it was not asked for: %s", text)
	}
	status, _ := statusOf(t, admin, "/status?ready=1")
	if len(status.NotReady) != 1 || !strings.Contains(status.NotReady[0].Reason, "connection refused") ||
		status.NotReady[0].Cure == "" {
		t.Fatalf("not ready: %+v", status.NotReady)
	}
	code, ready := get(t, admin, "/readyz")
	if want := "tunnel client is not ready: " + status.NotReady[0].String() + "\n"; code != 503 || ready != want {
		t.Errorf("/readyz: %d %q, want %q", code, ready, want)
	}

	server := start(t, p.serverConfig(t, backend(t, func(conn *net.TCPConn) { asked <- conn })))
	config := p.clientConfig(t, server.Addr().String())
	config.Accept = address(t, client.Addr().String())
	if err := client.Update(config); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server accepts", func() bool { return server.Status().Accepting })
	if status, text := statusOf(t, admin, "/status?ready=1"); status.NotReady == nil || len(status.NotReady) > 0 ||
		!strings.Contains(text, `"not_ready":[]`) {
		t.Errorf("it is ready: %s", text)
	}
	client.Retire()
	if status, text := statusOf(t, admin, "/status?ready=1"); status.NotReady != nil {
		t.Errorf("it is retired: %s", text)
	}
	if len(asked) > 0 {
		t.Error("MySQL was connected to")
	}
}

// TestReadyOfASilentServer: a server that answers nothing is not asked again at each question,
// though the time for the question ends before any of the tunnel's own; but who asks and
// goes away says nothing about it.
func TestReadyOfASilentServer(t *testing.T) {
	asked := make(chan bool, 16)
	silent := backend(t, func(conn *net.TCPConn) {
		asked <- true
		_, _ = io.Copy(io.Discard, conn)
	})
	client := start(t, newPKI(t).clientConfig(t, silent))
	eventually(t, "it accepts", func() bool { return client.Status().Accepting })
	gone, leave := context.WithCancel(t.Context())
	go func() {
		<-asked
		leave()
	}()
	if text := client.UnreadyText(gone, time.Now()); !strings.Contains(text, "did not end in time") {
		t.Errorf("of who has gone: %s", text)
	}
	brief, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	first := client.UnreadyText(brief, time.Now())
	if !strings.Contains(first, "did not end in time; hint: ") ||
		!strings.HasSuffix(first, "gtunnel certs check --connect "+silent) {
		t.Errorf("not ready: %s", first)
	}
	if again := client.UnreadyText(t.Context(), time.Now()); again != first {
		t.Errorf("again: %s", again)
	}
	if n := len(asked); n > 1 {
		t.Errorf("asked %d times more", n)
	}
}

// TestProblemOf: a cure is taken off a reason only where it is the only one.
func TestProblemOf(t *testing.T) {
	for text, want := range map[string]tunnel.Problem{
		"it does not accept connections":  {Reason: "it does not accept connections"},
		"it has ended; hint: renew it":    {Reason: "it has ended", Cure: "renew it"},
		"a: x; hint: do y; b: z; hint: w": {Reason: "a: x; hint: do y; b: z; hint: w"},
	} {
		if got := tunnel.ProblemOf(text); got != want || got.String() != text {
			t.Errorf("%q is %+v, %q", text, got, got)
		}
	}
}

// TestRefusalsInWords: what a status says of settings is in the words of the handler's user,
// and a refusal names the proxy by which its connection came.
func TestRefusalsInWords(t *testing.T) {
	p := newPKI(t)
	server := proxied(t, p, func(c *tunnel.Config) { c.AllowFrom = []netip.Prefix{network("192.0.2.0/24")} })
	expectRefusal(t, start(t, p.clientConfig(t,
		proxy(t, "127.0.0.9", server.Addr(), headerOf(t, 2, "198.51.100.9:40001", "198.51.100.1:3307")))).Addr())
	server.entry(t, "connection refused", "code", string(tunnel.CodeSourceNotAllowed))
	words := func(text string) string { return strings.ReplaceAll(text, "allow-from", "allow_from") }
	admin := tunnel.AdminHandler(func() []*tunnel.Tunnel { return []*tunnel.Tunnel{server.Tunnel} }, words)
	status, text := statusOf(t, admin, "/status")
	if len(status.Refusals) != 1 {
		t.Fatal(text)
	}
	r := status.Refusals[0]
	if r.Peer != "198.51.100.9:40001" || !strings.HasPrefix(r.Proxy, "127.0.0.9:") ||
		!strings.Contains(r.Reason, "allow_from") || !strings.Contains(r.Cure, "allow_from") {
		t.Errorf("%+v", r)
	}
}

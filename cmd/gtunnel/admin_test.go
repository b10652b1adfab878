package main_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// askAdmin asks an admin address for a page by a request with this Host and
// Origin.
func askAdmin(t *testing.T, network, address, path, host, origin string) (code int, body string) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	if origin != "" {
		request.Header.Set("Origin", origin)
	}
	response, err := (&http.Client{Transport: transport, Timeout: patience}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// TestAdminAnswersThisHostOnly: a page of the web whose name leads to loopback
// learns nothing from the admin port.
func TestAdminAnswersThisHostOnly(t *testing.T) {
	s := newSite(t)
	port := freePort(t)
	s.startServer("127.0.0.1:1", "--admin", "127.0.0.1:"+port)
	for _, test := range []struct {
		host, origin string
		want         int
		says         string
	}{
		{"127.0.0.1:" + port, "", 200, ""},
		{"localhost:" + port, "", 200, ""},
		{"LOCALHOST.", "", 200, ""},
		{"[::1]", "", 200, ""},
		{"[::1]:" + port, "", 200, ""},
		{"127.0.0.1", "", 200, ""},
		{"localhost:9999", "", 200, ""}, // a forwarded port
		{"localhost:" + port, "http://localhost:" + port, 200, ""},

		{"evil.example:" + port, "", 403, `the host "evil.example:` + port + `" is not this one: ask localhost`},
		{"localhost.evil.example", "", 403, "is not this one"},
		{"127.0.0.1.evil.example:" + port, "", 403, "is not this one"},
		{"192.0.2.1:" + port, "", 403, "is not this one"},
		{"0.0.0.0:" + port, "", 403, "is not this one"},
		{"evil.example", "http://evil.example", 403, "is not this one"},
		{"localhost:" + port, "http://evil.example", 403, `pages of "http://evil.example" may not ask this`},
		{"localhost:" + port, "http://localhost:1", 403, "may not ask this"},
		{"localhost:" + port, "null", 403, "may not ask this"},
	} {
		code, body := askAdmin(t, "tcp", "127.0.0.1:"+port, "/status", test.host, test.origin)
		if code != test.want || !strings.Contains(body, test.says) {
			t.Errorf("Host %q, Origin %q: %d %q; want %d %q", test.host, test.origin, code, body, test.want, test.says)
		}
	}

	socket := filepath.Join(t.TempDir(), "admin.sock")
	s.startServer("127.0.0.1:1", "--admin", "unix:"+socket)
	if code, body := askAdmin(t, "unix", socket, "/status", "gtunnel", ""); code != 200 {
		t.Errorf("the unix socket answers %d %q", code, body)
	}
}

package main

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/tunnel"
)

// TestPageStreamOutlivesTimeouts: what bounds a request of the admin server does
// not end the stream of the page, and its end does.
func TestPageStreamOutlivesTimeouts(t *testing.T) {
	t.Parallel()
	same := func(text string) string { return text }
	overview := page.New(page.Source{
		Tunnels: func() []page.Tunnel { return nil }, Reload: func() page.Reload { return page.Reload{} },
		Events: new(page.Events), Words: same, Cure: same,
	})
	mux := http.NewServeMux()
	overview.Routes(mux)
	listener, err := listenAdmin(t.Context(), tunnel.Address{Network: "tcp", Host: "127.0.0.1", Port: "0"})
	if err != nil {
		t.Fatal(err)
	}
	admin := newAdminServer([]net.Listener{listener}, mux, zap.NewNop())
	admin.server.ReadTimeout, admin.server.WriteTimeout = time.Second, time.Second
	go admin.serve()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/events",
		http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for told := 0; told < 3; { // one in two seconds
		if !lines.Scan() {
			t.Fatalf("the stream ends after %d updates: %v", told, lines.Err())
		}
		if strings.HasPrefix(lines.Text(), "data: ") {
			told++
		}
	}
	admin.close()
	for lines.Scan() { // to its end
	}
}

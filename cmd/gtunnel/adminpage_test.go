package main_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestAdminPage: the page is for a browser of this host alone, and for what it
// loads itself; a link from elsewhere may lead to it. It takes nothing but GET.
func TestAdminPage(t *testing.T) {
	s := newSite(t)
	port := freePort(t)
	program, _ := s.startServer("127.0.0.1:1", "--admin", "127.0.0.1:"+port)
	if line := program.waitMessage("page for a browser on this host"); line.field("at") != "http://127.0.0.1:"+port+"/" {
		t.Errorf("the log says where the page is: %v", line)
	}
	for _, test := range []struct {
		method, path, host, site, mode string

		want int
		says string
	}{
		{"GET", "/", "127.0.0.1:" + port, "", "", 200, "<h3>server</h3>"},
		{"GET", "/", "localhost:9999", "none", "navigate", 200, "<h3>server</h3>"}, // a forwarded port, typed
		{"GET", "/", "localhost:" + port, "cross-site", "navigate", 200, "<h3>server</h3>"},
		{"GET", "/page.js", "localhost:" + port, "same-origin", "no-cors", 200, "EventSource"},
		{"HEAD", "/events", "localhost:" + port, "same-origin", "cors", 200, ""},

		{"GET", "/", "evil.example:" + port, "same-origin", "navigate", 403, "is not this one"},
		{"GET", "/events", "localhost:" + port, "cross-site", "no-cors", 403, "pages from elsewhere may not ask this"},
		{"GET", "/metrics", "localhost:" + port, "same-site", "no-cors", 403, "pages from elsewhere may not ask this"},
		{"POST", "/", "localhost:" + port, "same-origin", "cors", 403, "changes are taken at a unix socket only"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, "http://127.0.0.1:"+port+test.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = test.host
		if test.site != "" {
			request.Header.Set("Sec-Fetch-Site", test.site)
			request.Header.Set("Sec-Fetch-Mode", test.mode)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != test.want || !strings.Contains(string(body), test.says) {
			t.Errorf("%v: %d %v, want %d and %q: %.200s", test, response.StatusCode, err, test.want, test.says, body)
		}
	}
}

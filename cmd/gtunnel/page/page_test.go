package page_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/tunnel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a tunnel that says what a test wants.
type fake struct {
	mu      sync.Mutex // for those that change while they are shown
	status  tunnel.Status
	unready []string
	asked   atomic.Int64 // how often its far end was
}

func (f *fake) Status() tunnel.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status
}

// change changes the status while it is shown.
func (f *fake) change(how func(*tunnel.Status)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how(&f.status)
}

func (f *fake) Traffic() tunnel.Traffic {
	return tunnel.Traffic{BytesFromPeer: f.status.BytesFromPeer, BytesToPeer: f.status.BytesToPeer}
}

func (f *fake) Unready(context.Context, time.Time) []string {
	f.asked.Add(1)
	return f.unready
}

// sound is a tunnel that works.
func sound(name string) *fake {
	return &fake{status: tunnel.Status{
		Name: name, Role: tunnel.Server, Accept: ":3307", Connect: []string{"127.0.0.1:3306"}, Accepting: true,
		Certificate: tunnel.CertificateStatus{
			DN: "/CN=server.test", File: "hostcert.pem", NotAfter: time.Now().Add(90 * day),
		},
		CRLs: certs.CRLReport{Mode: certs.CRLRequire, CAs: 1, Current: 1},
	}}
}

const day = 24 * time.Hour

// source is what a page about tunnels is made of.
func source(tunnels ...page.Tunnel) page.Source {
	same := func(text string) string { return text }
	return page.Source{
		Tunnels: func() []page.Tunnel { return tunnels },
		Reload:  func() page.Reload { return page.Reload{LastGood: time.Now()} },
		Events:  new(page.Events), Words: same, Cure: same, Socket: "/nonexistent/" + page.SocketName,
		Host: "server.test", Version: "1.0", Started: time.Now(),
	}
}

// show gives the page, after its first check.
func show(t *testing.T, s page.Source) string {
	t.Helper()
	return request(t, running(t, page.New(s)), http.MethodGet, "/").Body.String()
}

// running runs a page until the test ends, and gives what answers for it.
func running(t *testing.T, p *page.Page) http.Handler {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return routes(p)
}

func routes(p *page.Page) http.Handler {
	mux := http.NewServeMux()
	p.Routes(mux)
	return mux
}

func request(t *testing.T, handler http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
	return recorder
}

var tag = regexp.MustCompile(`<[^>]*>|\s+`)

// words are the words of a page, as they are read.
func words(page string) string {
	text := strings.Join(strings.Fields(tag.ReplaceAllString(page, " ")), " ")
	return html.UnescapeString(text)
}

// answering answers at a socket: a status and no JSON, or a value as JSON.
func answering(t *testing.T, answer any) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "page") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	socket := filepath.Join(folder, page.SocketName)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/replication" {
				t.Errorf("asked for %s", r.URL.Path)
			}
			if code, ok := answer.(int); ok {
				w.WriteHeader(code)
				fmt.Fprint(w, "<html>")
				return
			}
			json.NewEncoder(w).Encode(answer)
		}),
	}}
	server.Start()
	t.Cleanup(server.Close)
	return socket
}

// TestHostileText: what a peer says is text, wherever it is shown, and changes
// neither the page nor the direction of writing.
func TestHostileText(t *testing.T) {
	const hostile = "</p><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202eevil\x00\x1b[2J"
	f := sound(hostile)
	f.unready = []string{hostile}
	f.status.Accept, f.status.Connect = hostile, []string{hostile}
	f.status.Certificate.DN, f.status.Certificate.File = hostile, hostile
	f.status.CRLEnds = []tunnel.CRLEnd{{CA: hostile, NextUpdate: time.Now().Add(day)}}
	f.status.Warnings = []tunnel.Warning{{Code: certs.Code(hostile), CA: hostile, File: hostile, Text: hostile}}
	f.status.Refusals = []tunnel.Refusal{{
		Time: time.Now(), Code: certs.Code(hostile), Peer: hostile, PeerDN: hostile, Reason: hostile, Cure: hostile,
	}}
	f.status.Sessions = []tunnel.SessionStatus{{ID: hostile, PeerAddress: hostile, PeerDN: hostile, Target: hostile}}
	s := source(f)
	s.Host, s.Version = hostile, hostile
	s.Reload = func() page.Reload {
		return page.Reload{Problems: []page.Problem{{Text: hostile, Cure: hostile}}, Restart: []string{hostile}}
	}
	s.Socket = answering(t, page.Replication{
		State: hostile, Summary: hostile, Hint: hostile, Master: hostile, Compared: &page.Comparison{Summary: hostile},
		Findings: []page.ReplicationFinding{{Level: hostile, Code: hostile, Text: hostile, Cure: hostile}},
	})
	zap.New(s.Events.Core()).Warn(hostile, zap.String("reason", hostile), zap.String("cure", hostile),
		zap.String(hostile, hostile))
	got := show(t, s)
	if n := strings.Count(got, "<script"); n != 1 { // the page's own
		t.Errorf("the page has %d scripts", n)
	}
	for _, never := range []string{"<img", "\u202e", "\x00", "\x1b", "onerror=alert(1)>"} {
		if strings.Contains(got, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if n := strings.Count(words(got), "alert(1)"); n < 25 {
		t.Errorf("the text is shown %d times only: is all of it?", n)
	}
}

// TestHeaders: nothing from elsewhere is loaded or may frame the page, and
// nothing but GET is taken.
func TestHeaders(t *testing.T) {
	handler := running(t, page.New(source(sound("main"))))
	outside := regexp.MustCompile(`(?:src|href|url|import)[=( ]*["']?(?:https?:|//)`)
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/page.css": "text/css; charset=utf-8", "/page.js": "text/javascript; charset=utf-8",
		"/icon.svg": "image/svg+xml",
	} {
		answer := request(t, handler, http.MethodGet, path)
		h, body := answer.Header(), answer.Body.String()
		if answer.Code != http.StatusOK || h.Get("Content-Type") != kind {
			t.Errorf("%s: %d %s", path, answer.Code, h.Get("Content-Type"))
		}
		policy := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") ||
			!strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: the headers are %v", path, h)
		}
		if at := outside.FindString(body); at != "" {
			t.Errorf("%s loads something from elsewhere: %s", path, at)
		}
		if strings.Contains(body, " style=") || strings.Contains(body, "<style") || strings.Contains(body, " onclick=") {
			t.Errorf("%s has what its policy forbids", path)
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			if answer := request(t, handler, method, path); answer.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, answer.Code)
			}
		}
	}
	if answer := request(t, handler, http.MethodGet, "/page.html.tmpl"); answer.Code != http.StatusNotFound {
		t.Errorf("another path: %d", answer.Code)
	}
	if answer := request(t, handler, http.MethodHead, "/events"); answer.Code != http.StatusOK || answer.Body.Len() > 0 {
		t.Errorf("HEAD of the stream: %d, %d bytes", answer.Code, answer.Body.Len())
	}
}

// TestChecks: far ends are asked while somebody looks, and never otherwise.
func TestChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sound("main")
		p := page.New(source(f))
		handler := running(t, p)
		time.Sleep(time.Hour)
		if n := f.asked.Load(); n != 0 {
			t.Errorf("the far end was asked %d times though nobody looks", n)
		}
		if n := p.Points(); n < 355 || n > 361 {
			t.Errorf("%d points of the last hour are kept", n)
		}
		request(t, handler, http.MethodGet, "/")
		if n := f.asked.Load(); n != 1 {
			t.Errorf("the far end was asked %d times at a first look", n)
		}
		for range 20 {
			request(t, handler, http.MethodGet, "/")
		}
		time.Sleep(time.Hour)
		if n := f.asked.Load(); n > 3 {
			t.Errorf("the far end was asked %d times", n)
		}
		if n := p.Points(); n > 361 {
			t.Errorf("%d points are kept", n)
		}
	})
}

// TestThroughput: the plot tells what was carried since the last sample, of
// tunnels that come and go too.
func TestThroughput(t *testing.T) {
	a, b := sound("a"), sound("b")
	a.status.BytesFromPeer = 1e12 // before the page looked
	tunnels := []page.Tunnel{a}
	s := source()
	s.Tunnels = func() []page.Tunnel { return tunnels }
	p := page.New(s)
	now := time.Now()
	p.Sample(now.Add(-30 * time.Second))
	a.status.BytesFromPeer += 20_000_000
	tunnels = []page.Tunnel{a, b}
	p.Sample(now.Add(-20 * time.Second))
	a.status.BytesFromPeer, b.status.BytesToPeer = a.status.BytesFromPeer+10_000_000, 5_000_000
	p.Sample(now.Add(-10 * time.Second))
	tunnels = []page.Tunnel{b}
	p.Sample(now)
	got := words(request(t, routes(p), http.MethodGet, "/").Body.String())
	for _, want := range []string{
		"From peers: 0 B/s now, 1 MB/s on average, at most 2 MB/s",
		"To peers: 0 B/s now, 166.7 kB/s on average, at most 500 kB/s",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q: %s", want, got)
		}
	}
}

// TestPlot: a line breaks where nothing is known, and the axis ends at a round
// number.
func TestPlot(t *testing.T) {
	now := time.Now()
	ago := func(minutes ...int) (times []time.Time) {
		for _, m := range minutes {
			times = append(times, now.Add(-time.Duration(m)*time.Minute))
		}
		return times
	}
	got := page.Trace(now, 20*time.Minute, 10, ago(70, 60, 45, 15, 0), []float64{9, 0, 5, 10, 5})
	if want := "M0.0 150.0 h0.1 L150.0 75.0M450.0 0.0 h0.1 L600.0 75.0"; got != want {
		t.Errorf("the path is %q, want %q", got, want)
	}
	for most, want := range map[float64]float64{0: 1, 1: 1, 1.5: 2, 2.2: 3, 5: 6, 99: 100, 101: 200, 2.1e6: 3e6} {
		if got := page.NiceTop(most); got != want {
			t.Errorf("the axis to %v ends at %v, want %v", most, got, want)
		}
	}
}

// TestEvents: what is remembered of the log is what a person wants to read, and
// a flood of one line does not drive out the others.
func TestEvents(t *testing.T) {
	s := source(sound("main"))
	logger := zap.New(s.Events.Core())
	logger.Info("accepted", zap.String("conn", "1"))
	logger.Warn("peer refused", zap.String("conn", "2"), zap.String("code", "no-tls"))
	logger.Debug("noise")
	logger.Info("trust changed", zap.String("capath", "/etc/grid-security/certificates"))
	for i := range 1000 {
		logger.Warn("the limit of open files is low", zap.Int("files", i%10))
	}
	got := words(show(t, s))
	for _, want := range []string{
		"Process: Trust changed capath: /etc/grid-security/certificates", "The limit of open files is low 100 times files: 9",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page does not say %q: %s", want, got)
		}
	}
	for _, never := range []string{"Process: Accepted", "Process: Peer refused", "Noise"} {
		if strings.Contains(got, never) {
			t.Errorf("the page says %q", never)
		}
	}
	s = source(sound("main"))
	zap.New(s.Events.Core()).With(zap.String("tunnel", "main")).Error("tunnel not changed", zap.Error(io.ErrUnexpectedEOF),
		zap.Strings("of", []string{"a", "b"}), zap.String("cure", "mend it"))
	want := "Problem main: Tunnel not changed unexpected EOF; of: a, b What to do: mend it"
	if got := words(show(t, s)); !strings.Contains(got, want) {
		t.Errorf("the page does not say %q: %s", want, got)
	}
}

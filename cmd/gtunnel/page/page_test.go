package page_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
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
	status  tunnel.Status
	unready []string
	asked   atomic.Int64 // how often its far end was
}

func (f *fake) Status() tunnel.Status { return f.status }

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
		Certificate: tunnel.CertificateStatus{DN: "/CN=server.test", File: "hostcert.pem", NotAfter: time.Now().Add(90 * day)},
		CRLs:        certs.CRLReport{Mode: certs.CRLRequire, CAs: 1, Current: 1},
	}}
}

const day = 24 * time.Hour

// source is what a page about tunnels is made of.
func source(tunnels ...page.Tunnel) page.Source {
	same := func(text string) string { return text }
	return page.Source{
		Tunnels: func() []page.Tunnel { return tunnels }, Reload: func() page.Reload { return page.Reload{LastGood: time.Now()} },
		Events: new(page.Events), Words: same, Cure: same, Socket: "/nonexistent/" + page.SocketName,
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
func words(html string) string {
	text := strings.Join(strings.Fields(tag.ReplaceAllString(html, " ")), " ")
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&lt;", "<", "&gt;", ">", "&#43;", "+", "&amp;", "&").Replace(text)
}

// TestStates: each state is told in plain words, with what to do, and the
// headline knows of it.
func TestStates(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*fake, *page.Source)
		want   []string
	}{
		"ready": {func(*fake, *page.Source) {}, []string{"All is well", "Good Ready; no connection is open."}},
		"works": {
			func(f *fake, _ *page.Source) {
				f.status.Sessions = []tunnel.SessionStatus{{ID: "7", PeerDN: "/CN=client.test", LastActivity: time.Now().Add(-3 * time.Minute)}}
			},
			[]string{"All is well", "Works: 1 connection open, last data 3 minutes ago.", "/CN=client.test main #7"},
		},
		"not ready": {
			func(f *fake, _ *page.Source) {
				f.unready = []string{"nobody listens at 127.0.0.1:3306 any more; hint: is mysqld running?"}
			},
			[]string{
				"1 thing needs attention", "Tunnel main: Nobody listens at 127.0.0.1:3306 any more What to do: is mysqld running?",
				"Problem Carries no connections.",
			},
		},
		"not ready with connections": {
			func(f *fake, _ *page.Source) {
				f.unready, f.status.Sessions = []string{"it is full"}, make([]tunnel.SessionStatus, 30)
			},
			[]string{"Carries no new connections; 30 connections open already.", "and 5 more: gtunnel sessions"},
		},
		"leaving": {
			func(f *fake, _ *page.Source) { f.status.Retired, f.status.Accepting = true, false },
			[]string{"All is well", "Leaving: the configuration has it no more; 0 connections open to the end."},
		},
		"certificate ends": {
			func(f *fake, _ *page.Source) { f.status.Certificate.NotAfter = time.Now().Add(13*day + time.Hour) },
			[]string{"1 thing needs attention", "hostcert.pem ends soon: 13 days left What to do: ask your CA for a new one", "Warning Certificate: 13 days left"},
		},
		"certificate has ended": {
			func(f *fake, _ *page.Source) { f.status.Certificate.NotAfter = time.Now().Add(-49 * time.Hour) },
			[]string{"Problem Certificate: Ended 2 days ago"},
		},
		"lists refuse": {
			func(f *fake, _ *page.Source) {
				f.status.CRLs = certs.CRLReport{Mode: certs.CRLRequire, CAs: 3, Current: 2, Stale: 1, Refused: 1}
			},
			[]string{"1 thing needs attention", "Problem Tunnel main: Revocation lists of 3 CAs: 2 current, 1 stale;", "What to do: run fetch-crl"},
		},
		"reload failed": {
			func(_ *fake, s *page.Source) {
				s.Reload = func() page.Reload {
					return page.Reload{Failed: 1, Problems: []page.Problem{{Text: "gtunnel.toml:3: no such key", Cure: "did you mean accept?"}}}
				}
			},
			[]string{"Configuration: Gtunnel.toml:3: no such key What to do: did you mean accept?", "What the files say is not in force"},
		},
		"restart": {
			func(_ *fake, s *page.Source) {
				s.Reload = func() page.Reload { return page.Reload{Good: 1, Restart: []string{"log-file"}} }
			},
			[]string{"1 thing needs attention", "Settings in the file need a restart: log-file"},
		},
		"refused": {
			func(f *fake, _ *page.Source) {
				f.status.Refusals = []tunnel.Refusal{{
					Time: time.Now(), Code: "access-denied", Peer: "192.0.2.1:5", PeerDN: "/CN=stranger", Reason: "no rule lets it in",
					Cure: "--allow-host stranger", Times: 4,
				}}
			},
			[]string{
				"1 thing needs attention", "A host with a certificate was refused just now: /CN=stranger",
				"Warning main: No rule lets it in access-denied 4 times 192.0.2.1:5, /CN=stranger What to do: --allow-host stranger",
			},
		},
		"nobody's port scan is news": {
			func(f *fake, _ *page.Source) {
				f.status.Refusals = []tunnel.Refusal{{Time: time.Now(), Code: "no-tls", Peer: "192.0.2.1:5", Reason: "no TLS", Times: 1}}
			},
			[]string{"All is well", "main: No TLS no-tls"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := sound("main")
			s := source(f)
			test.change(f, &s)
			got := words(show(t, s))
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("the page does not say %q: %s", want, got)
				}
			}
		})
	}
}

// TestReplication: what the process says that watches it is shown, and what
// nobody says is not taken for good.
func TestReplication(t *testing.T) {
	lag := 2.5
	running := page.Replication{
		State: page.ReplicationRunning, Summary: "keeps up", Master: "127.0.0.1:3307", LagSeconds: &lag,
		Since:    time.Now().Add(-3 * day),
		History:  []page.LagPoint{{At: time.Now().Add(-20 * time.Second), LagSeconds: &lag}, {At: time.Now().Add(-10 * time.Second)}},
		Compared: &page.Comparison{At: time.Now().Add(-5 * time.Hour), Equal: true, Summary: "all tables are equal"},
	}
	broken := running
	broken.State, broken.Summary, broken.Hint, broken.LagSeconds = page.ReplicationBroken, "it has stopped", "look at its error", nil
	different := running
	different.Compared = &page.Comparison{At: time.Now(), Summary: "2 tables differ"}
	odd := running
	odd.State = "odd"
	for name, test := range map[string]struct {
		answer any
		want   []string
	}{
		"running": {running, []string{
			"All is well", "Good Keeps up", "Behind the master 2.5 s", "So for 3 days", "Behind the master: not known now, 2.5 s on average",
			"All tables are equal (5 hours ago).",
		}},
		"broken":          {broken, []string{"1 thing needs attention", "Problem Replication: It has stopped What to do: look at its error", "Behind the master not known"}},
		"different":       {different, []string{"1 thing needs attention", "The last comparison: 2 tables differ What to do: gtunnel replication compare"}},
		"an unknown word": {odd, []string{"1 thing needs attention"}},
		"no JSON":         {http.StatusOK, []string{"1 thing needs attention", "The state of the replication is not known", "answers what cannot be read"}},
		"an error":        {http.StatusInternalServerError, []string{"1 thing needs attention", "answers 500"}},
		"nobody":          {nil, []string{"All is well", "Not watched on this host.", "gtunnel replication monitor"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(sound("main"))
			if test.answer != nil {
				s.Socket = answering(t, test.answer)
			}
			got := words(show(t, s))
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("the page does not say %q: %s", want, got)
				}
			}
		})
	}
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
	zap.New(s.Events.Core()).Warn(hostile, zap.String("reason", hostile), zap.String("cure", hostile), zap.String(hostile, hostile))
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

// TestStream: a stream tells all first, then only what has changed, and ends
// with its client.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := sound("main")
		p := page.New(source(f))
		ctx, cancel := context.WithCancel(t.Context())
		stream := newLines()
		var ended atomic.Bool
		go func() {
			routes(p).ServeHTTP(stream, httptest.NewRequestWithContext(ctx, http.MethodGet, "/events", http.NoBody))
			ended.Store(true)
		}()
		first := stream.next(t)
		if len(first.Parts) < 8 || !strings.Contains(first.Title, "server.test") {
			t.Errorf("first it tells %d parts with the title %q", len(first.Parts), first.Title)
		}
		time.Sleep(page.StreamEvery)
		stream.next(t)
		f.status.Accepted = 12345
		time.Sleep(page.StreamEvery)
		synctest.Wait()
		next := stream.next(t)
		if !strings.Contains(next.Parts["tunnel-list"], "12345") || next.Parts["session-list"] != "" {
			t.Errorf("of a change it tells %v", next.Parts)
		}
		if p.Streams() != 1 {
			t.Errorf("%d streams are open", p.Streams())
		}
		cancel()
		synctest.Wait()
		if !ended.Load() || p.Streams() != 0 {
			t.Errorf("the stream of a client that has gone: ended %t, %d open", ended.Load(), p.Streams())
		}
	})
}

// lines takes a stream.
type lines struct {
	header http.Header
	events chan string
}

func newLines() *lines { return &lines{header: http.Header{}, events: make(chan string, 100)} }

func (l *lines) Header() http.Header { return l.header }
func (l *lines) WriteHeader(int)     {}
func (l *lines) Flush()              {}
func (l *lines) Write(text []byte) (int, error) {
	l.events <- string(text)
	return len(text), nil
}

type update struct {
	Title string
	Parts map[string]string
}

// next is the next update.
func (l *lines) next(t *testing.T) update {
	t.Helper()
	text := <-l.events
	data, ok := strings.CutPrefix(text, "data: ")
	if !ok || !strings.HasSuffix(data, "\n\n") || strings.Count(data, "\n") != 2 {
		t.Fatalf("no server-sent event: %q", text)
	}
	var u update
	if err := json.Unmarshal([]byte(data), &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestStreamsAreBounded: more streams than there are places are refused, and a
// place comes free when one ends. All end with the server.
func TestStreamsAreBounded(t *testing.T) {
	p := page.New(source(sound("main")))
	server := httptest.NewServer(running(t, p))
	defer server.Close()
	open := func() *http.Response {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/events", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	var responses []*http.Response
	for range page.StreamsLimit {
		response := open()
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
			t.Fatalf("%s %v", response.Status, response.Header)
		}
		responses = append(responses, response)
	}
	refused := open()
	text, _ := io.ReadAll(refused.Body)
	refused.Body.Close()
	if refused.StatusCode != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") == "" ||
		!strings.Contains(string(text), "16 pages are open already: close one") {
		t.Errorf("one more: %s %q", refused.Status, text)
	}
	responses[0].Body.Close()
	for {
		again := open()
		responses = append(responses, again)
		if again.StatusCode == http.StatusOK {
			break
		}
	}
	server.CloseClientConnections()
	for _, response := range responses {
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
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
		"From peers: 0 B/s now, 1 MB/s on average, at most 2 MB/s", "To peers: 0 B/s now, 166.7 kB/s on average, at most 500 kB/s",
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
	if got, want := words(show(t, s)), "Problem main: Tunnel not changed unexpected EOF; of: a, b What to do: mend it"; !strings.Contains(got, want) {
		t.Errorf("the page does not say %q: %s", want, got)
	}
}

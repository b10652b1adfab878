package page_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/page"
	"github.com/gtunnel/gtunnel/tunnel"
)

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
		f.change(func(status *tunnel.Status) { status.Accepted = 12345 })
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
	if refused.StatusCode != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") == "" || !refused.Close ||
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

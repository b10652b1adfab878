package page

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

var templates = template.Must(template.ParseFS(assets, "assets/*.tmpl"))

// fragments are the parts of the page that change, by the id of their element,
// which is the name of their template.
var fragments = []string{
	"summary", "tunnel-list", "throughput-plot", "replication-state", "certificate-list", "session-list", "event-list",
	"reload-state", "process",
}

// policy is the Content-Security-Policy: nothing but what this page serves
// itself, and nobody may frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// writeTime bounds how long who reads a stream may take for what is new.
const writeTime = 20 * time.Second

// rendering is a view as HTML.
type rendering struct {
	view  *view
	parts map[string]string // by fragment
}

func newRendering(v *view) (*rendering, error) {
	r := &rendering{view: v, parts: make(map[string]string, len(fragments))}
	for _, name := range fragments {
		part, err := execute(name, v)
		if err != nil {
			return nil, err
		}
		r.parts[name] = part
	}
	return r, nil
}

// execute is what a template makes of a view.
func execute(name string, v *view) (string, error) {
	var b strings.Builder
	if err := templates.ExecuteTemplate(&b, name, v); err != nil {
		return "", err
	}
	return visible(b.String()), nil
}

// update is what a stream is told: the parts that are new.
type update struct {
	Title string            `json:"title"`
	Parts map[string]string `json:"parts"`
}

// since is what has changed since another rendering; nil is none.
func (r *rendering) since(before *rendering) update {
	u := update{Title: visible(r.view.Title), Parts: make(map[string]string)}
	for name, part := range r.parts {
		if before == nil || before.parts[name] != part {
			u.Parts[name] = part
		}
	}
	return u
}

// Routes adds the page, and what it loads, to those that mux answers: all of it
// by GET. Who may ask is for the caller to decide.
func (p *Page) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", p.serveIndex)
	mux.HandleFunc("GET /events", p.serveEvents)
	for path, kind := range map[string]string{
		"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		content, err := assets.ReadFile("assets/" + path)
		if err != nil {
			panic(err) // the program was built without its own files
		}
		mux.HandleFunc("GET /"+path, func(w http.ResponseWriter, _ *http.Request) {
			setHeaders(w, kind)
			_, _ = w.Write(content) // fails only if the client has gone
		})
	}
}

// setHeaders sets what every answer has.
func setHeaders(w http.ResponseWriter, kind string) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// serveIndex answers the page as it is now.
func (p *Page) serveIndex(w http.ResponseWriter, r *http.Request) {
	p.look(r.Context())
	now, err := p.render()
	text := ""
	if err == nil {
		text, err = execute("page", now.view)
	}
	if err != nil {
		http.Error(w, "the page cannot be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	setHeaders(w, "text/html; charset=utf-8")
	_, _ = io.WriteString(w, text) // fails only if the client has gone
}

// serveEvents streams what changes as server-sent events until the client goes
// or the server ends. At most streamsLimit are open at once.
func (p *Page) serveEvents(w http.ResponseWriter, r *http.Request) {
	select {
	case p.streams <- struct{}{}:
		defer func() { <-p.streams }()
	default:
		w.Header().Set("Retry-After", "30")
		w.Header().Set("Connection", "close") // which would take one of the server's places
		http.Error(w, fmt.Sprintf("%d pages are open already: close one", streamsLimit), http.StatusServiceUnavailable)
		return
	}
	setHeaders(w, "text/event-stream; charset=utf-8")
	if r.Method == http.MethodHead {
		return
	}
	ticker := time.NewTicker(streamEvery)
	defer ticker.Stop()
	s := stream{w: w, control: http.NewResponseController(w)}
	for {
		p.noteLook()
		if err := s.send(p); err != nil {
			return // the client has gone, or the page says why it cannot be made
		}
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}

// stream is one client.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	before  *rendering
}

// send tells what has changed since the last time.
func (s *stream) send(p *Page) error {
	now, err := p.render()
	if err != nil {
		return err
	}
	text, err := json.Marshal(now.since(s.before))
	if err != nil {
		return err
	}
	s.before = now
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTime)) // the server's own bounds the whole answer
	if _, err := fmt.Fprintf(s.w, "data: %s\n\n", text); err != nil {
		return err
	}
	return s.control.Flush()
}

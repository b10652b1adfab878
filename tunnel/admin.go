package tunnel

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// AdminStatus is what GET /status of AdminHandler answers.
type AdminStatus struct {
	Tunnels []Status `json:"tunnels"`
}

// AdminHandler answers what administrators and monitoring ask about tunnels,
// whose names must differ but for those that are retired, of which it tells the
// status alone:
//
//   - GET /status: an AdminStatus as JSON; with the query ready=1 each tunnel has NotReady,
//     for which is done what GET /readyz does.
//   - GET /metrics: the counters in Prometheus's text format, with those that
//     more collects.
//   - GET /healthz: 200 if every tunnel accepts connections, otherwise 503 and
//     the names of those that do not. It opens no connection.
//   - GET /readyz: 200 if every tunnel can carry new connections, as far as can
//     be found out without a connection to a target (Tunnel.Unready), otherwise 503 and
//     why not in plain words. A client without an open connection may check its
//     server for that, once a minute at most.
//
// Each request asks tunnels for those of its moment. Reasons and cures are put
// into the user's words by words; nil calls settings by their flags. The handler changes
// nothing, and knows no access control: serve it on a unix socket or on
// loopback.
func AdminHandler(
	tunnels func() []*Tunnel, words func(string) string, more ...prometheus.Collector,
) http.Handler {
	if words == nil {
		words = inFlags
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(more...)
	registry.MustRegister(newCollector(tunnels), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		asked := tunnels()
		answer := AdminStatus{Tunnels: []Status{}}
		for _, t := range asked {
			answer.Tunnels = append(answer.Tunnels, t.Status())
		}
		if r.URL.Query().Get("ready") == "1" {
			for i, problems := range askReady(r.Context(), asked) {
				answer.Tunnels[i].NotReady = problems
			}
		}
		for i := range answer.Tunnels {
			answer.Tunnels[i].putInto(words)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer) // fails only if the client has gone
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for _, t := range tunnels() {
			if !t.accepting.Load() && !t.isRetired() {
				w.WriteHeader(http.StatusServiceUnavailable)
				fmt.Fprintf(w, "tunnel %s does not accept connections\n", t.config().Name)
				return
			}
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { serveReady(w, r, tunnels(), words) })
	return mux
}

// readyTime bounds what a question about readiness may take: less than a probe waits, mostly.
const readyTime = 8 * time.Second

// askReady asks tunnels at once what keeps each from carrying new connections. One that is
// retired takes none, and has nil.
func askReady(ctx context.Context, tunnels []*Tunnel) [][]Problem {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	problems := make([][]Problem, len(tunnels))
	var asking sync.WaitGroup
	for i, t := range tunnels {
		if t.isRetired() {
			continue
		}
		asking.Go(func() {
			problems[i] = []Problem{}
			for _, text := range t.Unready(ctx, time.Now()) {
				problems[i] = append(problems[i], ProblemOf(text))
			}
		})
	}
	asking.Wait()
	return problems
}

// serveReady answers GET /readyz.
func serveReady(w http.ResponseWriter, r *http.Request, tunnels []*Tunnel, words func(string) string) {
	var text strings.Builder
	for i, problems := range askReady(r.Context(), tunnels) {
		for _, problem := range problems {
			fmt.Fprintf(&text, "tunnel %s is not ready: %s\n", tunnels[i].config().Name, oneLine(words(problem.String())))
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if text.Len() > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	} else {
		text.WriteString("ready\n")
	}
	fmt.Fprint(w, text.String())
}

// putInto puts what a status says of settings into a user's words.
func (s *Status) putInto(words func(string) string) {
	for i := range s.Refusals {
		r := &s.Refusals[i]
		r.Reason, r.Cure = words(r.Reason), words(r.Cure)
	}
	for i := range s.Warnings {
		s.Warnings[i].Text = words(s.Warnings[i].Text)
	}
	for i := range s.NotReady {
		p := &s.NotReady[i]
		p.Reason, p.Cure = words(p.Reason), words(p.Cure)
	}
}

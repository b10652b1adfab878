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
//   - GET /status: an AdminStatus as JSON.
//   - GET /metrics: the counters in Prometheus's text format, with those that
//     more collects.
//   - GET /healthz: 200 if every tunnel accepts connections, otherwise 503 and
//     the names of those that do not. It opens no connection.
//   - GET /readyz: 200 if every tunnel can carry new connections, as far as can
//     be found out without a connection to a target (Tunnel.Unready), otherwise 503 and
//     why not in plain words. A client without an open connection may check its
//     server for that, once a minute at most.
//
// Each request asks tunnels for those of its moment. The handler changes
// nothing, and knows no access control: serve it on a unix socket or on
// loopback.
func AdminHandler(tunnels func() []*Tunnel, more ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(more...)
	registry.MustRegister(newCollector(tunnels), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		answer := AdminStatus{Tunnels: []Status{}}
		for _, t := range tunnels() {
			answer.Tunnels = append(answer.Tunnels, t.Status())
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
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { serveReady(w, r, tunnels()) })
	return mux
}

// readyTime bounds what /readyz may take: less than a probe waits, mostly.
const readyTime = 8 * time.Second

// serveReady answers GET /readyz. The tunnels are asked at once.
func serveReady(w http.ResponseWriter, r *http.Request, tunnels []*Tunnel) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	problems := make([][]string, len(tunnels))
	var asking sync.WaitGroup
	for i, t := range tunnels {
		if !t.isRetired() {
			asking.Go(func() { problems[i] = t.Unready(ctx, time.Now()) })
		}
	}
	asking.Wait()
	var text strings.Builder
	for i, t := range tunnels {
		for _, problem := range problems[i] {
			fmt.Fprintf(&text, "tunnel %s is not ready: %s\n", t.config().Name, inFlags(problem))
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

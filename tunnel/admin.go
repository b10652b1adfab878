package tunnel

import (
	"encoding/json"
	"fmt"
	"net/http"

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
	return mux
}

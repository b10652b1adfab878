package tunnel_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/gtunnel/gtunnel/tunnel"
)

// get asks an admin handler.
func get(t testing.TB, handler http.Handler, path string) (int, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	body, err := io.ReadAll(recorder.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return recorder.Code, string(body)
}

// administered is a pair of tunnels with their admin handler. The server has one
// session, a target that is dead, a handshake that is pending and a refusal.
type administered struct {
	admin          http.Handler
	server, client *running
	good, dead     string // targets of the server
}

func TestAdmin(t *testing.T) {
	good, dead := backend(t, echo), unused(t)
	server, client := startPair(t, dead, func(server, _ *tunnel.Config) {
		server.Connect = append(server.Connect, address(t, good))
	})
	admin := tunnel.AdminHandler(func() []*tunnel.Tunnel { return []*tunnel.Tunnel{server.Tunnel, client.Tunnel} }, nil)
	a := &administered{admin: admin, server: server, client: client, good: good, dead: dead}
	exchange(t, dial(t, client.Addr()), "hello")
	dial(t, server.Addr()) // silent
	eventually(t, "a handshake is pending", func() bool { return server.Status().HandshakesPending == 1 })
	dial(t, server.Addr()).Close()
	server.entry(t, "peer refused")
	eventually(t, "the refused one is gone", func() bool { return server.Status().HandshakesPending == 1 })

	t.Run("status", a.checkStatus)
	t.Run("metrics", a.checkMetrics)
	t.Run("health", a.checkHealth)
	t.Run("nothing else", a.checkNothingElse)
}

// checkStatus is about GET /status.
func (a *administered) checkStatus(t *testing.T) {
	code, body := get(t, a.admin, "/status")
	var answer tunnel.AdminStatus
	if err := json.Unmarshal([]byte(body), &answer); err != nil || code != http.StatusOK {
		t.Fatalf("status %d, %v: %s", code, err, body)
	}
	if len(answer.Tunnels) != 2 {
		t.Fatalf("%d tunnels", len(answer.Tunnels))
	}
	s := answer.Tunnels[0]
	if s.Name != "server" || s.Role != tunnel.Server || s.Accept != a.server.Addr().String() ||
		!slices.Equal(s.Connect, []string{a.dead, a.good}) ||
		!s.Accepting || s.Accepted != 3 || s.Refused["disconnected"] != 1 || s.HandshakesPending != 1 ||
		s.DialFailures[a.dead] != 1 ||
		s.BytesFromPeer != 5 || s.BytesToPeer != 5 || len(s.Sessions) != 1 {
		t.Errorf("the server is %+v", s)
	}
	if len(s.Sessions) == 1 {
		session := s.Sessions[0]
		if session.ID == "" || session.PeerAddress == "" || session.Target != a.good || session.Opened.IsZero() ||
			session.LastActivity.Before(session.Opened) {
			t.Errorf("the session is %+v", session)
		}
	}
}

// checkMetrics is about GET /metrics.
func (a *administered) checkMetrics(t *testing.T) {
	code, body := get(t, a.admin, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("status %d: %s", code, body)
	}
	for _, line := range []string{
		`gtunnel_connections_accepted_total{role="server",tunnel="server"} 3`,
		`gtunnel_connections_accepted_total{role="client",tunnel="client"} 1`,
		`gtunnel_connections_refused_total{code="disconnected",tunnel="server"} 1`,
		`gtunnel_sessions{tunnel="server"} 1`,
		`gtunnel_handshakes_pending{tunnel="server"} 1`,
		`gtunnel_bytes_total{direction="from_peer",tunnel="server"} 5`,
		`gtunnel_bytes_total{direction="to_peer",tunnel="client"} 5`,
		`gtunnel_dial_failures_total{target="` + a.dead + `",tunnel="server"} 1`,
		`gtunnel_dial_failures_total{target="` + a.good + `",tunnel="server"} 0`,
		`gtunnel_accepting{tunnel="server"} 1`,
		`gtunnel_sessions_closed_total{reason="ended",tunnel="server"} 0`,
		`gtunnel_handshake_duration_seconds_count{tunnel="server"} 1`,
		`gtunnel_handshake_duration_seconds_bucket{tunnel="client",le="+Inf"} 1`,
		`gtunnel_dial_duration_seconds_count{tunnel="server"} 1`,
		`gtunnel_trust_warnings{ca="/DC=test/DC=gtunnel/CN=CA",code="crl-missing",tunnel="client"} 1`,
		`gtunnel_ca_without_current_crl{ca="/DC=test/DC=gtunnel/CN=CA",code="crl-missing",tunnel="server"} 1`,
		`gtunnel_crl_cas{state="missing",tunnel="server"} 1`,
		`gtunnel_crl_cas{state="current",tunnel="server"} 0`,
		`gtunnel_crl_refused_cas{tunnel="server"} 0`,
	} {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	if strings.Contains(body, "\ngtunnel_crl_expiry_timestamp_seconds{") { // there is no list
		t.Error("a list that is not there has an end")
	}
	const ofCA = `gtunnel_ca_expiry_timestamp_seconds{ca="/DC=test/DC=gtunnel/CN=CA",tunnel="client"} 1.`
	if !strings.Contains(body, "\n"+ofCA) {
		t.Error("the CA's certificate has no end")
	}
	if !strings.Contains(body, "\n"+`gtunnel_certificate_expiry_timestamp_seconds{tunnel="client"} 1.`) {
		t.Error("the client's certificate has no end")
	}
	if problems, err := promlint.New(strings.NewReader(body)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v, %v", problems, err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(tunnel.NewCollector(a.server.Tunnel, a.client.Tunnel))
	if families, err := registry.Gather(); err != nil || len(families) != 16 {
		t.Errorf("the collector gives %d metrics: %v", len(families), err)
	}
}

// checkHealth is about GET /healthz, at first and after the end of one tunnel.
func (a *administered) checkHealth(t *testing.T) {
	if code, body := get(t, a.admin, "/healthz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("%d %q", code, body)
	}
	accepted := a.server.Status().Accepted
	if err := a.client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.client.wait(t); err != nil {
		t.Fatal(err)
	}
	if code, body := get(t, a.admin, "/healthz"); code != http.StatusServiceUnavailable ||
		!strings.Contains(body, "tunnel client does not accept") {
		t.Errorf("%d %q", code, body)
	}
	if a.server.Status().Accepted != accepted {
		t.Error("the question opened a connection")
	}
}

// checkNothingElse is about what else may be asked.
func (a *administered) checkNothingElse(t *testing.T) {
	if code, _ := get(t, a.admin, "/"); code != http.StatusNotFound {
		t.Errorf("%d", code)
	}
	recorder := httptest.NewRecorder()
	a.admin.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/status", nil))
	if recorder.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST gives %d", recorder.Code)
	}
}

package tunnel

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gtunnel/gtunnel/certs"
)

// What a Collector tells of the files that a tunnel trusts and shows, whether
// a peer has come or not.
var (
	staleCADesc = prometheus.NewDesc("gtunnel_ca_without_current_crl",
		"1 for each trusted CA, expired ones aside, that has no current and verified CRL, by the code of the reason.", []string{"tunnel", "ca", "code"}, nil)
	crlStateDesc = prometheus.NewDesc("gtunnel_crl_cas",
		"Trusted CAs, expired ones aside, by the state of their CRLs: current for another day, ending within a day, stale, bad or missing.", []string{"tunnel", "state"}, nil)
	crlRefusedDesc = prometheus.NewDesc("gtunnel_crl_refused_cas",
		"Trusted CAs, expired ones aside, whose new peers are refused now for the state of their CRLs.", []string{"tunnel"}, nil)
	expiryDesc = prometheus.NewDesc("gtunnel_certificate_expiry_timestamp_seconds",
		"When this host's certificate ends, in seconds since 1970.", []string{"tunnel"}, nil)
)

// collectTrust sends how the files of a tunnel stand at the time now.
func collectTrust(t *Tunnel, now time.Time, metrics chan<- prometheus.Metric) {
	endpoint := t.config.Endpoint
	end := endpoint.Credential.Certificate().NotAfter
	metrics <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(end.Unix()), t.config.Name)
	if endpoint.Policy.CRL == certs.CRLIgnore {
		return
	}
	snapshot := endpoint.Store.Snapshot()
	report := snapshot.CRLReport(endpoint.Policy, now)
	for state, n := range map[string]int{
		"current": report.Current - report.Ending, "ending": report.Ending, "stale": report.Stale, "bad": report.Bad, "missing": report.Missing,
	} {
		metrics <- prometheus.MustNewConstMetric(crlStateDesc, prometheus.GaugeValue, float64(n), t.config.Name, state)
	}
	metrics <- prometheus.MustNewConstMetric(crlRefusedDesc, prometheus.GaugeValue, float64(report.Refused), t.config.Name)
	type labels struct{ dn, code string }
	seen := make(map[labels]bool) // CAs of one name may be in one state
	for _, ca := range snapshot.CAs() {
		code, _ := ca.CRLState(now)
		state := labels{ca.Subject.Slash(), string(code)}
		if code == "" || seen[state] || now.After(ca.Certificate.NotAfter) {
			continue
		}
		seen[state] = true
		metrics <- prometheus.MustNewConstMetric(staleCADesc, prometheus.GaugeValue, 1, t.config.Name, state.dn, state.code)
	}
}

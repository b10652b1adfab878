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
	seen := make(map[string]bool) // two CAs of one name share their lists
	for _, ca := range endpoint.Store.Snapshot().CAs() {
		code, _ := ca.CRLState(now)
		dn := ca.Subject.Slash()
		if code == "" || seen[dn] || now.After(ca.Certificate.NotAfter) {
			continue
		}
		seen[dn] = true
		metrics <- prometheus.MustNewConstMetric(staleCADesc, prometheus.GaugeValue, 1, t.config.Name, dn, string(code))
	}
}

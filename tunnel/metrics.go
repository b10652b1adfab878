package tunnel

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gtunnel/gtunnel/certs"
)

// What a Collector tells, by tunnel.
var (
	acceptedDesc = prometheus.NewDesc("gtunnel_connections_accepted_total",
		"Connections accepted, refused ones included.", []string{"tunnel", "role"}, nil)
	refusedDesc = prometheus.NewDesc("gtunnel_connections_refused_total",
		"Connections, and attempts at targets, that came to nothing, by the code of the reason.",
		[]string{"tunnel", "code"}, nil)
	sessionsRefusedDesc = prometheus.NewDesc("gtunnel_sessions_refused_total",
		"Open connections that were closed because their peer was no longer accepted, by the code of the reason.",
		[]string{"tunnel", "code"}, nil)
	warningsDesc = prometheus.NewDesc("gtunnel_trust_warnings",
		"Defects that were tolerated when peers were judged, such as a CA without a current CRL, by code and CA.",
		[]string{"tunnel", "code", "ca"}, nil)
	sessionsDesc = prometheus.NewDesc("gtunnel_sessions",
		"Open connections whose peer is verified.", []string{"tunnel"}, nil)
	handshakesDesc = prometheus.NewDesc("gtunnel_handshakes_pending",
		"Connections that are not verified yet.", []string{"tunnel"}, nil)
	dialFailuresDesc = prometheus.NewDesc("gtunnel_dial_failures_total",
		"Attempts to reach a target that failed.", []string{"tunnel", "target"}, nil)
	bytesDesc = prometheus.NewDesc("gtunnel_bytes_total",
		"Plain bytes carried, by direction: from_peer came out of TLS, to_peer went into it.",
		[]string{"tunnel", "direction"}, nil)
	closedDesc = prometheus.NewDesc("gtunnel_sessions_closed_total",
		"Verified connections that have ended, by why: the peer is behind TLS, plain is the other side.",
		[]string{"tunnel", "reason"}, nil)
	handshakeTimeDesc = prometheus.NewDesc("gtunnel_handshake_duration_seconds",
		"How long the TLS handshakes took whose peer was verified, in seconds.", []string{"tunnel"}, nil)
	dialTimeDesc = prometheus.NewDesc("gtunnel_dial_duration_seconds",
		"How long the connections to targets took that could be reached, in seconds.", []string{"tunnel"}, nil)
	acceptingDesc = prometheus.NewDesc("gtunnel_accepting",
		"1 while the tunnel accepts connections, 0 before and while it drains.", []string{"tunnel"}, nil)
)

// collector reads the counters of tunnels when it is scraped.
type collector struct{ tunnels func() []*Tunnel }

// newCollector tells Prometheus what the tunnels have done and are doing.
// Their names must differ.
func newCollector(tunnels func() []*Tunnel) prometheus.Collector { return collector{tunnels: tunnels} }

// Describe sends what the collector tells.
func (c collector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		acceptedDesc, refusedDesc, sessionsRefusedDesc, warningsDesc, sessionsDesc, handshakesDesc, dialFailuresDesc,
		bytesDesc, acceptingDesc, closedDesc, handshakeTimeDesc, dialTimeDesc,
		staleCADesc, crlStateDesc, crlRefusedDesc, expiryDesc, caExpiryDesc, crlExpiryDesc,
	} {
		descs <- desc
	}
}

// Collect sends the present values.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	for _, t := range c.tunnels() {
		if t.isRetired() {
			continue // another may have its name
		}
		status := t.Status()
		counter := func(desc *prometheus.Desc, value uint64, labels ...string) {
			metrics <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(value),
				append([]string{status.Name}, labels...)...)
		}
		gauge := func(desc *prometheus.Desc, value int, labels ...string) {
			metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value),
				append([]string{status.Name}, labels...)...)
		}
		counter(acceptedDesc, status.Accepted, string(status.Role))
		for code, n := range status.Refused {
			counter(refusedDesc, n, code)
		}
		for code, n := range status.SessionsRefused {
			counter(sessionsRefusedDesc, n, code)
		}
		for key, n := range countWarnings(status.Warnings) {
			gauge(warningsDesc, n, string(key.code), key.ca)
		}
		for _, target := range status.Connect {
			counter(dialFailuresDesc, status.DialFailures[target], target)
		}
		counter(bytesDesc, status.BytesFromPeer, "from_peer")
		counter(bytesDesc, status.BytesToPeer, "to_peer")
		gauge(sessionsDesc, len(status.Sessions))
		gauge(handshakesDesc, status.HandshakesPending)
		accepting := 0
		if status.Accepting {
			accepting = 1
		}
		gauge(acceptingDesc, accepting)
		for _, code := range closeCodes {
			counter(closedDesc, status.SessionsClosed[string(code)], string(code))
		}
		metrics <- t.handshakeTimes.metric(handshakeTimeDesc, status.Name)
		metrics <- t.dialTimes.metric(dialTimeDesc, status.Name)
		collectTrust(t, time.Now(), metrics)
	}
}

type warningKey struct {
	code certs.Code
	ca   string
}

// countWarnings counts the warnings by what they have in common.
func countWarnings(warnings []Warning) map[warningKey]int {
	counts := make(map[warningKey]int)
	for _, warning := range warnings {
		counts[warningKey{code: warning.Code, ca: warning.CA}]++
	}
	return counts
}

// What a Collector tells of the files that a tunnel trusts and shows, whether
// a peer has come or not.
var (
	staleCADesc = prometheus.NewDesc("gtunnel_ca_without_current_crl",
		"1 for each trusted CA, expired ones aside, that has no current and verified CRL, by the code of the reason.",
		[]string{"tunnel", "ca", "code"}, nil)
	crlStateDesc = prometheus.NewDesc("gtunnel_crl_cas",
		"Trusted CAs, expired ones aside, by the state of their CRLs: current for another day, ending within a day, "+
			"stale, bad or missing.", []string{"tunnel", "state"}, nil)
	crlRefusedDesc = prometheus.NewDesc("gtunnel_crl_refused_cas",
		"Trusted CAs, expired ones aside, whose new peers are refused now for the state of their CRLs.",
		[]string{"tunnel"}, nil)
	expiryDesc = prometheus.NewDesc("gtunnel_certificate_expiry_timestamp_seconds",
		"When this host's certificate ends, in seconds since 1970.", []string{"tunnel"}, nil)
	caExpiryDesc = prometheus.NewDesc("gtunnel_ca_expiry_timestamp_seconds",
		"When the certificate of a trusted CA ends, in seconds since 1970.", []string{"tunnel", "ca"}, nil)
	crlExpiryDesc = prometheus.NewDesc("gtunnel_crl_expiry_timestamp_seconds",
		"When the verified CRL of a trusted CA ends, expired CAs aside, in seconds since 1970. It is not there for a "+
			"CA without a verified CRL, or with one that does not end.", []string{"tunnel", "ca"}, nil)
)

// collectTrust sends how the files of a tunnel stand at the time now.
func collectTrust(t *Tunnel, now time.Time, metrics chan<- prometheus.Metric) {
	endpoint := t.config().Endpoint
	end := endpoint.Credential.Certificate().NotAfter
	metrics <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(end.Unix()), t.config().Name)
	snapshot := endpoint.Store.Snapshot()
	collectEnds(t, snapshot, now, metrics)
	if endpoint.Policy.CRL == certs.CRLIgnore {
		return
	}
	report := snapshot.CRLReport(endpoint.Policy, now)
	for state, n := range map[string]int{
		"current": report.Current - report.Ending, "ending": report.Ending, "stale": report.Stale, "bad": report.Bad,
		"missing": report.Missing,
	} {
		metrics <- prometheus.MustNewConstMetric(crlStateDesc, prometheus.GaugeValue, float64(n), t.config().Name, state)
	}
	refused := float64(report.Refused)
	metrics <- prometheus.MustNewConstMetric(crlRefusedDesc, prometheus.GaugeValue, refused, t.config().Name)
	type labels struct{ dn, code string }
	seen := make(map[labels]bool) // CAs of one name may be in one state
	for _, ca := range snapshot.CAs() {
		code, _ := ca.CRLState(now)
		state := labels{dn: ca.Subject.Slash(), code: string(code)}
		if code == "" || seen[state] || now.After(ca.Certificate.NotAfter) {
			continue
		}
		seen[state] = true
		metrics <- prometheus.MustNewConstMetric(staleCADesc, prometheus.GaugeValue, 1, t.config().Name, state.dn, state.code)
	}
}

// collectEnds sends when the CAs of a tunnel and their lists end. Of CAs of one
// name the last end counts.
func collectEnds(t *Tunnel, snapshot *certs.Snapshot, now time.Time, metrics chan<- prometheus.Metric) {
	cas := make(map[string]time.Time)
	for _, ca := range snapshot.CAs() {
		if dn := ca.Subject.Slash(); ca.Certificate.NotAfter.After(cas[dn]) {
			cas[dn] = ca.Certificate.NotAfter
		}
	}
	lists := make(map[string]time.Time)
	for _, end := range t.crlEnds(now) {
		if end.NextUpdate.After(lists[end.CA]) {
			lists[end.CA] = end.NextUpdate
		}
	}
	for desc, ends := range map[*prometheus.Desc]map[string]time.Time{caExpiryDesc: cas, crlExpiryDesc: lists} {
		for dn, end := range ends {
			metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(end.Unix()), t.config().Name, dn)
		}
	}
}

package tunnel

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gtunnel/gtunnel/certs"
)

// Status is a snapshot of what a tunnel has done and is doing.
type Status struct {
	Name      string   `json:"name"`
	Role      Role     `json:"role"`
	Accept    string   `json:"accept"` // as bound, once it is
	Connect   []string `json:"connect"`
	Accepting bool     `json:"accepting"`
	Retired   bool     `json:"retired"` // open connections go on, and another may have its name: Tunnel.Retire
	Accepted  uint64   `json:"accepted"`

	// Refused counts connections, and attempts at targets, that came to nothing, by code.
	Refused map[string]uint64 `json:"refused"`

	// SessionsRefused counts sessions that were closed because their peer was no longer
	// accepted, by code.
	SessionsRefused map[string]uint64 `json:"sessions_refused"`

	// SessionsClosed counts sessions that have ended, by why: ended in order, idle, reset by
	// the peer (peer-reset) or on the plain side (plain-reset), and so on.
	SessionsClosed map[string]uint64 `json:"sessions_closed"`

	// NotReady is what keeps new connections from being carried: see Tunnel.Unready. It is nil
	// where that was not asked, and empty where nothing does.
	NotReady []Problem `json:"not_ready,omitzero"`

	// Warnings are what is not as it should be in the trust of this tunnel's peers, and is
	// tolerated.
	Warnings []Warning `json:"warnings"`

	Certificate CertificateStatus `json:"certificate"` // with which this host proves itself
	CRLEnds     []CRLEnd          `json:"crl_ends"`    // the first to end first, CAs with a verified list only
	Refusals    []Refusal         `json:"refusals"`    // the last of each code, the newest first

	CRLs              certs.CRLReport   `json:"crls"`               // how the lists of the trusted CAs stand now
	HandshakesPending int               `json:"handshakes_pending"` // connections that are not verified yet
	DialFailures      map[string]uint64 `json:"dial_failures"`      // by target
	BytesFromPeer     uint64            `json:"bytes_from_peer"`    // plain bytes out of TLS
	BytesToPeer       uint64            `json:"bytes_to_peer"`      // plain bytes into TLS
	Sessions          []SessionStatus   `json:"sessions"`           // the oldest first
}

// SessionStatus is one live connection.
type SessionStatus struct {
	ID            string    `json:"id"` // as in the field conn of the log
	PeerAddress   string    `json:"peer_address"`
	ProxyAddress  string    `json:"proxy_address,omitempty"` // which passed it on; empty: it came here itself
	PeerDN        string    `json:"peer_dn"`                 // slash form
	Path          []string  `json:"path"`                    // DNs of the verified path, slash form, the peer's own first
	NextEvent     time.Time `json:"next_event"`              // when the peer is judged again, unless files change before
	Target        string    `json:"target"`                  // empty while it is being dialled
	Opened        time.Time `json:"opened"`
	LastActivity  time.Time `json:"last_activity"`
	BytesFromPeer uint64    `json:"bytes_from_peer"`
	BytesToPeer   uint64    `json:"bytes_to_peer"`
}

// CertificateStatus is a certificate of this host.
type CertificateStatus struct {
	DN       string    `json:"dn"` // slash form
	File     string    `json:"file"`
	NotAfter time.Time `json:"not_after"`
}

// CRLEnd is until when a trusted CA has a verified revocation list. It may be
// in the past. A list without a nextUpdate has no end.
type CRLEnd struct {
	CA         string    `json:"ca"` // DN, slash form
	NextUpdate time.Time `json:"next_update"`
}

// Warning is a defect that was tolerated when a peer was judged, since the
// trust has changed or in an open session.
type Warning struct {
	Code certs.Code `json:"code"` // with which the peer would be refused otherwise
	CA   string     `json:"ca"`   // DN of the CA that it is about, slash form
	File string     `json:"file"` // empty if it is missing
	Text string     `json:"text"`
}

// Traffic is how much a tunnel has done since it was made.
type Traffic struct {
	Accepted      uint64 // connections, refused ones included
	BytesFromPeer uint64 // plain bytes out of TLS
	BytesToPeer   uint64 // plain bytes into TLS
}

// Traffic says how much the tunnel has done so far. It waits for nothing, so it
// may be asked often.
func (t *Tunnel) Traffic() Traffic {
	return Traffic{Accepted: t.accepted.Load(), BytesFromPeer: t.fromPeer.Load(), BytesToPeer: t.toPeer.Load()}
}

// Status says what the tunnel has done and is doing.
func (t *Tunnel) Status() Status {
	traffic := t.Traffic()
	status := Status{
		Name:              t.config().Name,
		Role:              t.config().Role,
		Accept:            t.config().Accept.String(),
		Connect:           []string{},
		Accepting:         t.accepting.Load(),
		Retired:           t.isRetired(),
		Accepted:          traffic.Accepted,
		Refused:           map[string]uint64{},
		SessionsRefused:   map[string]uint64{},
		SessionsClosed:    map[string]uint64{},
		Warnings:          []Warning{},
		Certificate:       t.certificateStatus(),
		CRLEnds:           t.crlEnds(time.Now()),
		Refusals:          t.refusals.list(),
		CRLs:              t.config().Endpoint.Store.Snapshot().CRLReport(t.config().Endpoint.Policy, time.Now()),
		HandshakesPending: t.handshakes.pending(),
		BytesFromPeer:     traffic.BytesFromPeer,
		BytesToPeer:       traffic.BytesToPeer,
		Sessions:          []SessionStatus{},
	}
	if bound := t.Addr(); bound != nil {
		status.Accept = t.config().Accept.bound(bound)
	}
	for _, target := range t.config().Connect {
		status.Connect = append(status.Connect, target.String())
	}
	t.mu.Lock()
	for code, n := range t.refused {
		status.Refused[string(code)] = n
	}
	for code, n := range t.sessionsRefused {
		status.SessionsRefused[string(code)] = n
	}
	for code, n := range t.sessionsClosed {
		status.SessionsClosed[string(code)] = n
	}
	status.DialFailures = maps.Clone(t.dialFailures)
	t.mu.Unlock()
	for _, warning := range t.warnings.list() {
		status.Warnings = append(status.Warnings, Warning(warning))
	}
	for _, s := range t.sessions.list() {
		status.Sessions = append(status.Sessions, s.status())
	}
	return status
}

// certificateStatus says with what the tunnel proves this host.
func (t *Tunnel) certificateStatus() CertificateStatus {
	credential := t.config().Endpoint.Credential
	file, _ := credential.Files()
	return CertificateStatus{
		DN: credential.Identity().DN, File: file, NotAfter: credential.Certificate().NotAfter,
	}
}

// crlEnds says when the verified lists of the trusted CAs end, expired CAs
// aside. It is empty where the tunnel does not look at lists.
func (t *Tunnel) crlEnds(now time.Time) []CRLEnd {
	ends := []CRLEnd{}
	if t.config().Endpoint.Policy.CRL == certs.CRLIgnore {
		return ends
	}
	for _, ca := range t.config().Endpoint.Store.Snapshot().CAs() {
		if end := crlEnd(ca, now); !end.IsZero() && now.Before(ca.Certificate.NotAfter) {
			ends = append(ends, CRLEnd{CA: ca.Subject.Slash(), NextUpdate: end})
		}
	}
	slices.SortFunc(ends, func(a, b CRLEnd) int { return a.NextUpdate.Compare(b.NextUpdate) })
	return ends
}

// crlEnd is when the last verified list of a CA ends; zero if it has none, or one
// that does not end.
func crlEnd(ca *certs.CA, now time.Time) (end time.Time) {
	for _, list := range ca.CRLs {
		code, _ := list.State(now)
		switch {
		case code != "" && code != certs.CodeCRLExpired:
		case list.NextUpdate.IsZero():
			return time.Time{}
		case list.NextUpdate.After(end):
			end = list.NextUpdate
		}
	}
	return end
}

// CloseSession resets both sides of the open connection with this
// SessionStatus.ID, for a reason that its last line in the log gives. It
// reports whether there is one.
func (t *Tunnel) CloseSession(id, reason string) bool {
	number, err := strconv.ParseUint(id, 10, 64)
	if err != nil {
		return false
	}
	s := t.sessions.get(number)
	if s == nil {
		return false
	}
	s.abort(closedByAdmin, reason)
	return true
}

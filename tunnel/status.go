package tunnel

import (
	"maps"
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
	Accepted  uint64   `json:"accepted"`

	// Refused counts connections, and attempts at targets, that came to nothing, by code.
	Refused map[string]uint64 `json:"refused"`

	// SessionsRefused counts sessions that were closed because their peer was no longer
	// accepted, by code.
	SessionsRefused map[string]uint64 `json:"sessions_refused"`

	// Warnings are what is not as it should be in the trust of this tunnel's peers, and is
	// tolerated.
	Warnings []Warning `json:"warnings"`

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
	PeerDN        string    `json:"peer_dn"`    // slash form
	Path          []string  `json:"path"`       // DNs of the verified path, slash form, the peer's own first
	NextEvent     time.Time `json:"next_event"` // when the peer is judged again, unless files change before
	Target        string    `json:"target"`     // empty while it is being dialled
	Opened        time.Time `json:"opened"`
	LastActivity  time.Time `json:"last_activity"`
	BytesFromPeer uint64    `json:"bytes_from_peer"`
	BytesToPeer   uint64    `json:"bytes_to_peer"`
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
		Accepted:          traffic.Accepted,
		Refused:           map[string]uint64{},
		SessionsRefused:   map[string]uint64{},
		Warnings:          []Warning{},
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

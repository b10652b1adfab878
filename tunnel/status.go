package tunnel

import (
	"maps"
	"time"

	"github.com/gtunnel/gtunnel/certs"
)

// Status is a snapshot of what a tunnel has done and is doing.
type Status struct {
	Name              string            `json:"name"`
	Role              Role              `json:"role"`
	Accept            string            `json:"accept"` // as bound, once it is
	Connect           []string          `json:"connect"`
	Accepting         bool              `json:"accepting"`
	Accepted          uint64            `json:"accepted"`
	Refused           map[string]uint64 `json:"refused"`            // connections and attempts at targets that came to nothing, by code
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
	PeerDN        string    `json:"peer_dn"` // slash form
	Target        string    `json:"target"`  // empty while it is being dialled
	Opened        time.Time `json:"opened"`
	LastActivity  time.Time `json:"last_activity"`
	BytesFromPeer uint64    `json:"bytes_from_peer"`
	BytesToPeer   uint64    `json:"bytes_to_peer"`
}

// Status says what the tunnel has done and is doing.
func (t *Tunnel) Status() Status {
	status := Status{
		Name:              t.config.Name,
		Role:              t.config.Role,
		Accept:            t.config.Accept.String(),
		Connect:           []string{},
		Accepting:         t.accepting.Load(),
		Accepted:          t.accepted.Load(),
		Refused:           map[string]uint64{},
		HandshakesPending: t.handshakes.count(),
		BytesFromPeer:     t.fromPeer.Load(),
		BytesToPeer:       t.toPeer.Load(),
		Sessions:          []SessionStatus{},
	}
	if bound := t.Addr(); bound != nil && bound.Network() == "tcp" {
		status.Accept = bound.String()
	}
	for _, target := range t.config.Connect {
		status.Connect = append(status.Connect, target.String())
	}
	t.mu.Lock()
	for code, n := range t.refused {
		status.Refused[string(code)] = n
	}
	status.DialFailures = maps.Clone(t.dialFailures)
	t.mu.Unlock()
	for _, s := range t.sessions.list() {
		status.Sessions = append(status.Sessions, s.status())
	}
	return status
}

// countRefused counts a connection that came to nothing.
func (t *Tunnel) countRefused(code certs.Code) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused[code]++
}

// countDialFailure counts a target that could not be reached.
func (t *Tunnel) countDialFailure(target Address) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dialFailures[target.String()]++
}

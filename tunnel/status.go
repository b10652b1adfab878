package tunnel

import "time"

// Status is a snapshot of what a tunnel has done and is doing.
type Status struct {
	Name          string            `json:"name"`
	Role          Role              `json:"role"`
	Accept        string            `json:"accept"`
	Connect       []string          `json:"connect"`
	Accepted      uint64            `json:"accepted"`
	Refused       map[string]uint64 `json:"refused"`         // by code
	BytesFromPeer uint64            `json:"bytes_from_peer"` // plain bytes out of TLS
	BytesToPeer   uint64            `json:"bytes_to_peer"`   // plain bytes into TLS
	Sessions      []SessionStatus   `json:"sessions"`
}

// SessionStatus is one live connection.
type SessionStatus struct {
	ID            string    `json:"id"`
	PeerAddress   string    `json:"peer_address"`
	PeerDN        string    `json:"peer_dn"`
	Target        string    `json:"target"`
	Opened        time.Time `json:"opened"`
	LastActivity  time.Time `json:"last_activity"`
	BytesFromPeer uint64    `json:"bytes_from_peer"`
	BytesToPeer   uint64    `json:"bytes_to_peer"`
}

// Status says what the tunnel has done and is doing.
func (t *Tunnel) Status() Status { return Status{} }

package certs

import (
	"crypto/x509"
	"errors"
	"time"
)

// Role is what the peer does on the connection.
type Role int

// The roles of a peer.
const (
	RoleAny    Role = iota // usages are not judged
	RoleClient             // the peer opened the connection
	RoleServer             // the peer accepted the connection
)

// EKURule says which extended key usages a host certificate must carry.
// It implements encoding.TextMarshaler and TextUnmarshaler: host, strict.
type EKURule int

// The rules for extended key usages.
const (
	EKUHost   EKURule = iota // a client may hold clientAuth or serverAuth, a server serverAuth, either any or none
	EKUStrict                // a client must hold clientAuth, a server serverAuth, if usages are given
)

// HostMode says where a host's names are read from.
// It implements encoding.TextMarshaler and TextUnmarshaler: grid, san-only.
type HostMode int

// The places of host names.
const (
	HostModeGrid    HostMode = iota // subjectAltName; without dNSName the last CN: fqdn, host/fqdn, service/fqdn
	HostModeSANOnly                 // subjectAltName only
)

// Policy is what a verification demands beyond the path itself. The zero
// value is the grid's default.
type Policy struct {
	EKU      EKURule
	HostMode HostMode
	MaxDepth int     // CA certificates above the peer's own; 0 means 10
	Access   *Access // nil: access is not judged (a client that knows the host's name)
}

// Identity is who a certificate says that its holder is.
type Identity struct {
	DN      string   // slash form, as OpenSSL's oneline prints it
	RFC4514 string   // the same name as RFC 4514 writes it
	Hosts   []string // host names that it proves, lower case, wildcards as written
	IPs     []string // IP addresses that it proves
	Rule    string   // where Hosts come from: "subjectAltName" or "common name"
}

// Link is one certificate of a verified path.
type Link struct {
	Certificate *x509.Certificate
	DN          string // slash form
	File        string // the file of the CApath it came from; empty if the peer sent it
}

// Result is a verdict in the peer's favour.
type Result struct {
	Path      []Link    // the peer's certificate first, the anchor last
	Peer      Identity  // who the peer is
	NextEvent time.Time // the earliest moment that could change the verdict without a change of files
}

// Verify judges a peer's chain, its own certificate first, at the time now.
// host is the name or IP address that the peer must prove; empty means any.
// The error is always a *Refusal.
func Verify(snapshot *Snapshot, chain []*x509.Certificate, role Role, host string, now time.Time, policy Policy) (*Result, error) {
	return nil, errors.ErrUnsupported
}

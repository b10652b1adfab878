package certs

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Policy is what a verification demands of every peer, whoever it is. The zero
// value is the grid's default, and tolerates no stale CRL.
type Policy struct {
	EKU      EKURule
	HostMode HostMode
	MaxDepth int     // CA certificates above the peer's own; 0 means 10
	Access   *Access // whom to admit; nil: access is not judged, see VerifyOptions

	// CRL says what a CA without a usable list means. CRLGrace is how long a
	// list past its nextUpdate is tolerated: under CRLIfPresent, and by Recheck
	// under CRLRequire; 0: not at all.
	CRL      CRLMode
	CRLGrace time.Duration

	// Namespaces says which signing policies bind CAs; those of the CA file are
	// never bound.
	Namespaces NamespacesMode
}

// PeerRole is what the peer does on the connection: where this end is the server, the
// peer is the client.
type PeerRole int

// The roles of a peer. The first asks the most of a certificate.
const (
	PeerServer PeerRole = iota // the peer accepted the connection
	PeerClient                 // the peer opened the connection
	PeerAny                    // usages are not judged
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

// String is the peer's role as a word.
func (r PeerRole) String() string {
	switch r {
	case PeerClient:
		return "client"
	case PeerServer:
		return "server"
	default:
		return "any"
	}
}

// MarshalText writes the rule's name.
func (r EKURule) MarshalText() ([]byte, error) { return marshalWord(int(r), ekuRules, "EKU rule") }

// UnmarshalText reads the rule's name.
func (r *EKURule) UnmarshalText(text []byte) error {
	i, err := unmarshalWord(text, ekuRules, "EKU rule")
	*r = EKURule(i)
	return err
}

// MarshalText writes the mode's name.
func (m HostMode) MarshalText() ([]byte, error) { return marshalWord(int(m), hostModes, "host mode") }

// UnmarshalText reads the mode's name.
func (m *HostMode) UnmarshalText(text []byte) error {
	i, err := unmarshalWord(text, hostModes, "host mode")
	*m = HostMode(i)
	return err
}

var (
	ekuRules  = []string{EKUHost: "host", EKUStrict: "strict"}
	hostModes = []string{HostModeGrid: "grid", HostModeSANOnly: "san-only"}
)

func marshalWord(i int, words []string, what string) ([]byte, error) {
	if i < 0 || i >= len(words) {
		return nil, fmt.Errorf("no %s has the number %d", what, i)
	}
	return []byte(words[i]), nil
}

func unmarshalWord(text []byte, words []string, what string) (int, error) {
	i := slices.Index(words, string(text))
	if i < 0 {
		return 0, fmt.Errorf("%q is no %s: it is one of %s", text, what, strings.Join(words, ", "))
	}
	return i, nil
}

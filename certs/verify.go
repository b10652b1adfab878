package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
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

// String is the peer's role as a word.
func (r Role) String() string {
	switch r {
	case RoleClient:
		return "client"
	case RoleServer:
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

// Policy is what a verification demands beyond the path itself. The zero
// value is the grid's default, and tolerates no stale CRL.
type Policy struct {
	EKU      EKURule
	HostMode HostMode
	MaxDepth int     // CA certificates above the peer's own; 0 means 10
	Access   *Access // nil: access is not judged (a client that knows the host's name)

	CRL        CRLMode
	CRLGrace   time.Duration  // how long a CRL past its nextUpdate is tolerated: under CRLIfPresent, and by Recheck under CRLRequire; 0: not at all
	Namespaces NamespacesMode // which signing policies bind CAs; those of the CA file are never bound
}

// Identity is who a certificate says that its holder is.
type Identity struct {
	DN      string   // slash form, see Name.Slash
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
	Path      []Link              // the peer's certificate first, the anchor last
	Chain     []*x509.Certificate // what the peer sent, to judge it again later
	Peer      Identity            // who the peer is
	NextEvent time.Time           // the earliest moment that could change the verdict or the warnings without a change of files
	Warnings  []Warning           // what is not as it should be, and is tolerated

	// What Recheck goes by.
	role     Role
	host     string
	policy   Policy
	snapshot *Snapshot
	judged   time.Time
	path     []*element
}

// Warning is a defect that the Policy tolerates.
type Warning struct {
	Code Code   // with which it would be refused otherwise
	CA   string // DN of the CA that it is about, slash form, shortened if it is very long
	File string // the file in question; empty if it is missing
	Text string // one clause in plain words that names the CA and the file
}

// String is the warning's text with its code.
func (w Warning) String() string { return string(w.Code) + ": " + w.Text }

// defaultMaxDepth is how many CA certificates a path may have when the Policy
// does not say.
const defaultMaxDepth = 10

// Verify judges a peer's chain, its own certificate first, at the time now.
// host is the name or IP address that the peer must prove; empty means any.
// Certificates after the first may come in any order and need not be part of
// the path. The error is always a *Refusal; where several paths fail, it is
// that of the path that went furthest.
//
// The work does not depend on how many CAs the snapshot holds, nor on how
// many entries their lists have. What a peer that has proved nothing can
// cause is bounded: by the size of the chain, the length of its names, the
// steps of the search for paths, which goes by names, and the number of
// signature checks, for which a key of the chain is used only after an
// installed key has certified it.
func Verify(snapshot *Snapshot, chain []*x509.Certificate, role Role, host string, now time.Time, policy Policy) (*Result, error) {
	s := &search{snapshot: snapshot, role: role, now: now, policy: policy}
	result, refusal := s.judge(chain, host)
	if refusal != nil {
		return nil, refusal
	}
	return result, nil
}

// judge does the work of Verify and Recheck.
func (s *search) judge(chain []*x509.Certificate, host string) (*Result, *Refusal) {
	result := &Result{Chain: chain, role: s.role, host: host, snapshot: s.snapshot, policy: s.policy, judged: s.now}
	if len(chain) == 0 {
		return nil, refuse(nil, 0, CodeNoCertificate, "the peer sent no certificate")
	}
	if s.policy.MaxDepth <= 0 {
		s.policy.MaxDepth = defaultMaxDepth
	}
	if refusal := judgeSize(chain); refusal != nil {
		return nil, refusal
	}
	leaf, err := newElement(chain[0])
	if err != nil {
		return nil, refuse(nil, 0, CodeMalformed, "the peer's certificate is malformed: %v", err)
	}
	s.identity = identify(leaf, s.policy.HostMode)
	if n := len(s.identity.DN); n > maxSentNameBytes {
		return nil, refuse(leaf, 0, CodeMalformed, "its subject has %d characters in slash form, more than %d", n, maxSentNameBytes)
	}
	s.receive(chain[1:])
	if refusal := s.judgeHolder(leaf); refusal != nil {
		return nil, refusal
	}
	if reason := unusableKey(leaf.cert); reason != "" {
		return nil, refuse(leaf, 0, CodeUnsupported, "%s", reason)
	}
	path, refusal := s.findPath(leaf)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := judgeHost(leaf, s.identity, host); refusal != nil {
		return nil, refusal
	}
	if refusal := s.policy.Access.judge(leaf, s.identity); refusal != nil {
		return nil, refusal
	}
	for _, e := range path {
		result.Path = append(result.Path, Link{Certificate: e.cert, DN: e.subject.Slash(), File: e.file})
	}
	result.Peer, result.Warnings, result.NextEvent, result.path = s.identity, s.warnings, s.nextEvent, path
	return result, nil
}

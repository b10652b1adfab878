package certs

import (
	"crypto/x509"
	"time"
)

// Verify judges a peer's chain, its own certificate first, by the trust of a
// Snapshot. Certificates after the first may come in any order and need not be
// part of the path. The error is always a *Refusal; where several paths fail,
// it is that of the path that went furthest.
//
// The work does not depend on how many CAs the snapshot holds, nor on how
// many entries their lists have. What a peer that has proved nothing can
// cause is bounded: by the size of the chain, the length of its names, the
// steps of the search for paths, which goes by names, and the number of
// signature checks, for which a key of the chain is used only after an
// installed key has certified it.
func Verify(snapshot *Snapshot, chain []*x509.Certificate, options VerifyOptions) (*Result, error) {
	result, refusal := newSearch(snapshot, options).judge(chain, options)
	if refusal != nil {
		return nil, refusal
	}
	return result, nil
}

// VerifyOptions is what a peer is held to. The zero value refuses every peer:
// it does not say who the peer may be.
type VerifyOptions struct {
	Role PeerRole // what the peer does; its usages must allow it

	// Host is the name or IP address that the peer must prove, and
	// Policy.Access says whom to admit. One of them must be given, unless
	// Anyone is set: then the peer may be whoever a trusted CA vouches for.
	Host   string
	Anyone bool

	Time   time.Time // of the verdict; zero: now
	Policy Policy
}

// Result is a verdict in the peer's favour.
type Result struct {
	Path     []Link              // the peer's certificate first, the anchor last
	Chain    []*x509.Certificate // what the peer sent, to judge it again later
	Peer     Identity            // who the peer is
	Warnings []Warning           // what is not as it should be, and is tolerated

	// NextEvent is the earliest moment that could change the verdict or the
	// warnings without a change of files.
	NextEvent time.Time

	// What Recheck and Checks go by.
	options  VerifyOptions // with the time of the verdict
	snapshot *Snapshot
	path     []*element
	tolerant bool // see search
}

// Link is one certificate of a verified path.
type Link struct {
	Certificate *x509.Certificate
	DN          string // slash form
	File        string // the file of the CApath it came from; empty if the peer sent it
}

// Identity is who a certificate says that its holder is.
type Identity struct {
	DN      string   // slash form, see Name.Slash
	RFC4514 string   // the same name as RFC 4514 writes it
	Hosts   []string // host names that it proves, lower case, wildcards as written
	IPs     []string // IP addresses that it proves
	Rule    string   // where Hosts come from: "subjectAltName" or "common name"
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

// judge does the work of Verify and Recheck. options are those of the search.
func (s *search) judge(chain []*x509.Certificate, options VerifyOptions) (*Result, *Refusal) {
	if refusal := options.refuseUnsaid(); refusal != nil {
		return nil, refusal
	}
	if len(chain) == 0 {
		return nil, refuse(nil, 0, CodeNoCertificate, "the peer sent no certificate")
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
		return nil, refuse(leaf, 0, CodeMalformed, "its subject has %d characters in slash form, more than %d",
			n, maxSentNameBytes)
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
	if refusal := judgeHost(leaf, s.identity, options.Host); refusal != nil {
		return nil, refusal
	}
	if refusal := s.policy.Access.judge(leaf, s.identity); refusal != nil {
		return nil, refusal
	}
	options.Time = s.now
	result := &Result{
		Chain: chain, Peer: s.identity, NextEvent: s.nextEvent, Warnings: s.warnings,
		options: options, snapshot: s.snapshot, path: path, tolerant: s.tolerant,
	}
	for _, e := range path {
		result.Path = append(result.Path, Link{Certificate: e.cert, DN: e.subject.Slash(), File: e.file})
	}
	return result, nil
}

// refuseUnsaid refuses every peer where nothing says who it may be.
func (o VerifyOptions) refuseUnsaid() *Refusal {
	switch {
	case o.Host != "" || o.Policy.Access != nil || o.Anyone:
		return nil
	case o.Role == PeerServer:
		r := refuse(nil, 0, CodeWrongHost, "there is no host name that the server could be held to")
		r.Cure = "Give the server's name with ‹server-name›."
		return r
	default:
		return refuse(nil, 0, CodeNotAllowed, "there is no access rule that could name the peer")
	}
}

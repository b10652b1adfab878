package certs

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// search finds a path from a peer's certificate to an anchor, depth first:
// for each certificate every issuer of the right canonical name is tried, the
// installed ones before those that the peer sent.
type search struct {
	snapshot *Snapshot
	role     Role
	now      time.Time
	policy   Policy
	identity Identity              // of the peer's own certificate
	sent     map[string][]*element // the peer's other certificates by canonical subject
	tolerant bool                  // of stale lists under CRLRequire, for Policy.CRLGrace
	earlier  []*element            // a path of the same chain whose signatures were checked before

	path       []*element // under construction, the peer's certificate first
	signatures int        // checked so far
	sentKeys   int        // of those, with keys that the peer sent
	compared   int        // names with name constraints, see maxConstraintWork
	best       *Refusal   // of the attempt that went furthest
	bestRank   int
	warnings   []Warning // about the path that was judged last
	nextEvent  time.Time // of that path
}

// The ranks of failures. A path that reached an anchor went further than one
// that did not; the others went as far as they are long.
const (
	rankNoIssuer     = 0
	rankBadSignature = 1
	rankWeak         = 2
	rankTooDeep      = 3
	rankPerElement   = 10
	rankExhausted    = 1 << 20
	rankAnchored     = 1 << 21
)

// receive takes the certificates that the peer sent beside its own.
// Malformed ones and those that are installed anyway cannot help.
func (s *search) receive(certificates []*x509.Certificate) {
	s.sent = make(map[string][]*element, len(certificates))
	seen := make(map[string]bool, len(certificates))
	for _, cert := range certificates {
		raw := string(cert.Raw)
		if _, installed := s.snapshot.byDER[raw]; installed || seen[raw] {
			continue
		}
		seen[raw] = true
		if e, err := newElement(cert); err == nil {
			s.sent[e.subjectKey] = append(s.sent[e.subjectKey], e)
		}
	}
}

// findPath returns the path, the peer's certificate first and an anchor last,
// or the best reason why there is none.
func (s *search) findPath(leaf *element) ([]*element, *Refusal) {
	s.path = []*element{leaf}
	s.bestRank = -1
	if s.extend() {
		return s.path, nil
	}
	return nil, s.best
}

// extend completes the path from its last element and reports whether it did.
func (s *search) extend() bool {
	child := s.path[len(s.path)-1]
	if child.anchor {
		refusal, passed := s.judgePath()
		s.fail(refusal, rankAnchored+passed)
		return refusal == nil
	}
	candidates := slices.Concat(s.snapshot.issuers(child), likeliest(child, s.sent[child.issuerKey]))
	candidates = slices.DeleteFunc(candidates, func(candidate *element) bool {
		return slices.ContainsFunc(s.path, candidate.sameKey)
	})
	depth := len(s.path) - 1
	rank := len(s.path) * rankPerElement
	if len(candidates) == 0 {
		s.fail(s.noIssuer(child, depth), rank+rankNoIssuer)
		return false
	}
	if reason := weakSignature(child.cert); reason != "" {
		s.fail(refuse(child, depth, CodeWeakSignature, "%s", reason), rank+rankWeak)
		return false
	}
	if len(s.path) > s.policy.MaxDepth {
		s.fail(refuse(child, depth, CodeTooDeep, "the path is longer than %d CA certificates", s.policy.MaxDepth), rank+rankTooDeep)
		return false
	}
	for _, issuer := range candidates {
		if s.signatures >= maxSignatureChecks || issuer.file == "" && s.sentKeys >= maxSentSignatureChecks {
			s.fail(refuse(child, depth, CodeTooMuchWork, "no path found after %d signature checks", s.signatures), rankExhausted)
			return false
		}
		if reason := hugeKey(issuer); reason != "" {
			s.fail(refuse(issuer, depth+1, CodeTooMuchWork, "%s", reason), rank+rankBadSignature)
			continue
		}
		if !s.signed(child, issuer) {
			s.fail(refuse(child, depth, CodeBadSignature, "its signature was not made with the key of %s%s",
				issuer.subject.brief(), issuer.source()), rank+rankBadSignature)
			continue
		}
		s.path = append(s.path, issuer)
		if s.extend() {
			return true
		}
		s.path = s.path[:len(s.path)-1]
	}
	return false
}

// signed checks a signature, unless the earlier path shows that it is good:
// that never changes.
func (s *search) signed(child, issuer *element) bool {
	for i := range len(s.earlier) - 1 {
		if bytes.Equal(s.earlier[i].cert.Raw, child.cert.Raw) &&
			bytes.Equal(s.earlier[i+1].cert.RawSubjectPublicKeyInfo, issuer.cert.RawSubjectPublicKeyInfo) {
			return true
		}
	}
	s.signatures++
	if issuer.file == "" {
		s.sentKeys++
	}
	return issuer.signed(child)
}

// fail remembers the refusal of the attempt that went furthest.
func (s *search) fail(refusal *Refusal, rank int) {
	if refusal != nil && rank > s.bestRank {
		s.best, s.bestRank = refusal, rank
	}
}

// source says where a CA certificate comes from, for messages.
func (e *element) source() string {
	if e.file == "" {
		return " (sent by the peer)"
	}
	return " (" + position(e.file, e.line) + ")"
}

// noIssuer explains that the search ended at a certificate.
func (s *search) noIssuer(child *element, depth int) *Refusal {
	if child.selfSigned() {
		what := "it is self-signed"
		if depth > 0 {
			what = "it is a root that is not installed here"
		}
		r := refuse(child, depth, CodeUnknownCA, "%s", what)
		if depth > 0 {
			r.Cure = s.installCA(child.subject)
		} else {
			r.Cure = "The peer needs a certificate that a trusted CA issued; a self-signed one proves nothing."
		}
		return r
	}
	r := refuse(child, depth, CodeUnknownCA, "its issuer %s is neither installed here nor sent by the peer", child.issuer.brief())
	r.Cure = s.installCA(child.issuer)
	return r
}

// weakSignature says why a certificate's signature cannot be relied on, or
// nothing if it can.
func weakSignature(cert *x509.Certificate) string {
	switch cert.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
		x509.PureEd25519:
		return ""
	case x509.UnknownSignatureAlgorithm:
		return "it is signed with an algorithm that is not supported"
	default:
		return "it is signed with " + cert.SignatureAlgorithm.String() + ", which can be forged"
	}
}

// The smallest RSA moduli, in bits. Old CAs that a site has installed may
// have the smaller one.
const (
	minRSABits          = 2048
	minInstalledRSABits = 1024
)

// weakKey says why a key is too small, or nothing if it is not.
func weakKey(e *element) string {
	key, ok := e.cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return ""
	}
	least := minRSABits
	if e.file != "" {
		least = minInstalledRSABits
	}
	if bits := key.N.BitLen(); bits < least {
		return fmt.Sprintf("its RSA key has %d bits, fewer than %d", bits, least)
	}
	return ""
}

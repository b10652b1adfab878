package certs

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// search finds a path from a peer's certificate to an anchor, depth first:
// for each certificate every issuer of the right canonical name is tried, the
// installed ones before those that the peer sent.
//
// Anybody can send certificates whose keys are made to cost much. So the names
// alone lead the way up, and wherever they come to an installed CA, the
// signatures are checked from there down: a key that the peer sent is used
// only after an installed key has certified it.
type search struct {
	snapshot *Snapshot
	role     PeerRole
	now      time.Time
	policy   Policy
	identity Identity              // of the peer's own certificate
	sent     map[string][]*element // the peer's other certificates by canonical subject
	tolerant bool                  // of stale lists under CRLRequire, for Policy.CRLGrace
	earlier  []*element            // a path of the same chain whose signatures were checked before

	path       []*element              // under construction, the peer's certificate first
	named      map[*element][]*element // the issuers of certificates by their names alone
	steps      int                     // certificates that were put on a path
	links      map[signature]bool      // whether the signatures are good that were checked
	signatures int                     // of those, the ones that were not known from earlier
	wasted     int                     // work for signatures that are not good, see maxWastedWork
	compared   int                     // names with name constraints, see maxConstraintWork
	best       *Refusal                // of the attempt that went furthest
	bestRank   int
	warnings   []Warning // about the path that was judged last
	nextEvent  time.Time // of that path

	permits  [][]LinkCheck // what permitted each certificate of the path; nil: nobody asks
	checking string        // the check that is being made, one of the Link constants
}

// defaultMaxDepth is how many CA certificates a path may have when the Policy
// does not say.
const defaultMaxDepth = 10

// newSearch begins a search by the trust of a Snapshot.
func newSearch(snapshot *Snapshot, options VerifyOptions) *search {
	s := &search{snapshot: snapshot, role: options.Role, now: options.Time, policy: options.Policy}
	if s.now.IsZero() {
		s.now = wallClock()
	}
	if s.policy.MaxDepth <= 0 {
		s.policy.MaxDepth = defaultMaxDepth
	}
	return s
}

// signature is that of a certificate, by the key that may have made it.
type signature struct{ child, issuer *element }

// The ranks of failures. A path that reached an anchor went further than one
// with a bad signature, which came to an installed CA by its names at least,
// and that one further than one that did not; those went as far as they are
// long.
const (
	rankNoIssuer     = 0
	rankWeak         = 1
	rankTooDeep      = 2
	rankPerElement   = 10
	rankBadSignature = 1 << 19 // and one more for each good signature above it
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
	s.named, s.links = make(map[*element][]*element), make(map[signature]bool)
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
		if refusal != nil {
			s.fail(rankAnchored+passed, func() *Refusal { return refusal })
		}
		return refusal == nil
	}
	depth := len(s.path) - 1
	rank := len(s.path) * rankPerElement
	candidates := s.issuers(child)
	if len(candidates) == 0 {
		s.fail(rank+rankNoIssuer, func() *Refusal { return s.noIssuer(child, depth) })
		return false
	}
	if refusal := refuseSignature(child, depth); refusal != nil {
		s.fail(rank+rankWeak, func() *Refusal { return refusal })
		return false
	}
	if len(s.path) > s.policy.MaxDepth {
		s.fail(rank+rankTooDeep, func() *Refusal {
			return refuse(child, depth, CodeTooDeep, "the path is longer than %d CA certificates", s.policy.MaxDepth)
		})
		return false
	}
	for _, issuer := range candidates {
		if good, checked := s.links[signature{child: child, issuer: issuer}]; checked && !good {
			continue
		}
		if s.steps >= maxPathSteps {
			s.fail(rankExhausted, func() *Refusal {
				return refuse(child, depth, CodeTooMuchWork,
					"no path found after %d steps from a certificate to one of its issuer's name", maxPathSteps)
			})
			return false
		}
		s.steps++
		s.path = append(s.path, issuer)
		if (issuer.file == "" || s.certify()) && s.extend() {
			return true
		}
		s.path = s.path[:len(s.path)-1]
	}
	return false
}

// issuers are the certificates that may come next on the path, by their names
// alone.
func (s *search) issuers(child *element) []*element {
	named, known := s.named[child]
	if !known {
		named = slices.Concat(s.snapshot.issuers(child), likeliest(child, s.sent[child.issuerKey]))
		s.named[child] = named
	}
	return slices.DeleteFunc(slices.Clone(named), func(candidate *element) bool {
		return slices.ContainsFunc(s.path, candidate.sameKey)
	})
}

// certify checks the signatures of the path from its last element down, which
// is an installed CA, and reports whether all are good.
func (s *search) certify() bool {
	top := len(s.path) - 2
	for depth := top; depth >= 0; depth-- {
		child, issuer := s.path[depth], s.path[depth+1]
		link := signature{child: child, issuer: issuer}
		good, checked := s.links[link]
		if !checked {
			if s.signatures >= maxSignatureChecks || s.wasted >= maxWastedWork {
				s.fail(rankExhausted, func() *Refusal {
					return refuse(child, depth, CodeTooMuchWork,
						"no path found after %d signature checks", s.signatures)
				})
				return false
			}
			good = s.signed(child, issuer)
			s.links[link] = good
			if !good {
				s.wasted += checkWork(issuer.cert)
			}
		}
		if !good {
			s.fail(rankBadSignature+top-depth, func() *Refusal { return s.badSignature(child, issuer, depth) })
			return false
		}
	}
	return true
}

// signed reports whether a signature is good: it checks it, unless the earlier
// path shows that it is, which never changes.
func (s *search) signed(child, issuer *element) bool {
	for i := range len(s.earlier) - 1 {
		if bytes.Equal(s.earlier[i].cert.Raw, child.cert.Raw) &&
			bytes.Equal(s.earlier[i+1].cert.RawSubjectPublicKeyInfo, issuer.cert.RawSubjectPublicKeyInfo) {
			return true
		}
	}
	s.signatures++
	return issuer.signed(child)
}

// element is a certificate that a path may hold, with its names taken apart.
type element struct {
	cert       *x509.Certificate
	subject    *dn.Name
	issuer     *dn.Name
	subjectKey string // canonical forms
	issuerKey  string
	hashes     [2]string // file names in a CApath, of an installed CA; see hashNames
	file       string    // where it is installed; empty if a peer sent it
	line       int
	anchor     bool // installed and self-signed: a path ends here
	fromCAfile bool // installed by the CA file: it needs no signing policy
}

func newElement(cert *x509.Certificate) (*element, error) {
	subject, err := dn.Parse(cert.RawSubject)
	if err != nil {
		return nil, fmt.Errorf("subject: %w", err)
	}
	issuer, err := dn.Parse(cert.RawIssuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	return &element{
		cert:       cert,
		subject:    subject,
		issuer:     issuer,
		subjectKey: subject.Canonical(),
		issuerKey:  issuer.Canonical(),
	}, nil
}

// selfIssued reports whether subject and issuer are the same name (RFC 5280,
// section 3.2).
func (e *element) selfIssued() bool { return e.subjectKey == e.issuerKey }

// selfSigned reports whether the certificate names itself as its issuer, by
// its names and, where it has them, its key identifiers: a CA that changed
// its key may have issued itself a certificate with the old one. The
// signature is not checked: roots signed with SHA-1 are as good as others,
// since they are trusted for being installed.
func (e *element) selfSigned() bool {
	if !e.selfIssued() {
		return false
	}
	return keyIdentifierRank(e, e) != 2
}

// mayBeCA reports whether a certificate says of itself that it is a CA's. Old
// roots of X.509 version 1 have no way to say it.
func (e *element) mayBeCA() bool {
	if e.cert.BasicConstraintsValid {
		return e.cert.IsCA
	}
	return e.cert.Version < 3 && e.selfSigned()
}

// isValid reports whether a time lies between the certificate's dates, both
// included.
func (e *element) isValid(now time.Time) bool {
	return !now.Before(e.cert.NotBefore) && !now.After(e.cert.NotAfter)
}

// sameKey reports whether two certificates are of one name and key, so that a
// path with both would run in a circle (RFC 4158, section 5.2).
func (e *element) sameKey(other *element) bool {
	return e.subjectKey == other.subjectKey &&
		string(e.cert.RawSubjectPublicKeyInfo) == string(other.cert.RawSubjectPublicKeyInfo)
}

// same reports whether two are one certificate.
func (e *element) same(other *element) bool { return e.cert.Equal(other.cert) }

// hashNames are the two hashes under which a CApath holds the files of a CA.
func (e *element) hashNames() [2]string {
	if e.hashes[0] != "" {
		return e.hashes
	}
	return [2]string{e.subject.Hash(), e.subject.HashOld()}
}

// formatTime is how messages write a certificate's dates.
func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

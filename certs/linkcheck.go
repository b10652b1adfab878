package certs

import (
	"fmt"
	"net/netip"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// LinkCheck is one check of a certificate of a verified path, and what
// permitted the certificate there.
type LinkCheck struct {
	Name string // one of the Link constants
	Text string // what permitted it, or why nothing was asked, in plain words; see Setting

	// File is the file that permitted it, a CA, a policy or a list; empty if
	// none did. Line is the line in it, counted from 1; 0 if none.
	File string
	Line int
}

// The values of LinkCheck.Name, in the order of the checks.
const (
	LinkSignature          = "signature" // of the anchor: that it is installed
	LinkDates              = "dates"
	LinkKey                = "key"
	LinkCriticalExtensions = "critical-extensions"
	LinkBasicConstraints   = "basic-constraints"
	LinkPathLength         = "path-length"
	LinkKeyUsage           = "key-usage"
	LinkExtendedKeyUsage   = "extended-key-usage"
	LinkNameConstraints    = "name-constraints" // what it asks of the names below
	LinkPolicy             = "policy"           // of a signing_policy or namespaces file; one check for each
	LinkRevocation         = "revocation"
	LinkHost               = "host" // of the peer's own certificate
	LinkAccess             = "access"
)

// Checks tells for each Link of the Path, in its order, which checks were made
// and what permitted the certificate. It judges the path again, as at the time
// of the verdict and without the signatures, so that a verdict costs nothing
// for it.
func (r *Result) Checks() [][]LinkCheck {
	if len(r.path) == 0 {
		return nil
	}
	s := newSearch(r.snapshot, r.options)
	s.path, s.identity, s.tolerant = r.path, r.Peer, r.tolerant
	s.permits = make([][]LinkCheck, len(r.path))
	s.checking = LinkSignature
	for depth, e := range r.path {
		s.permit(depth, func() LinkCheck { return signedBy(r.path, depth, e) })
	}
	if refusal, _ := s.judgePath(); refusal != nil {
		return nil // cannot be: it was not refused
	}
	s.checking = LinkHost
	s.permit(0, func() LinkCheck { return proofOf(r.options.Host, r.Peer) })
	s.checking = LinkAccess
	if access := r.options.Policy.Access; access != nil {
		s.permit(0, func() LinkCheck {
			if access.all {
				return LinkCheck{Text: "every host is admitted"}
			}
			return LinkCheck{Text: "an access rule names it"}
		})
	}
	return s.permits
}

// signedBy says whose key has signed a certificate of a path.
func signedBy(path []*element, depth int, e *element) LinkCheck {
	if e.anchor {
		return LinkCheck{Text: "not checked: a root is trusted for being installed", File: e.file, Line: e.line}
	}
	issuer := path[depth+1]
	return LinkCheck{
		Text: fmt.Sprintf("%s by the key of %s", e.cert.SignatureAlgorithm, issuer.subject.Brief()),
		File: issuer.file, Line: issuer.line,
	}
}

// proofOf says by what an identity proves a host.
func proofOf(host string, identity Identity) LinkCheck {
	rule := identity.Rule
	if _, err := netip.ParseAddr(host); err == nil {
		rule = ruleSubjectAltName
	}
	if host == "" {
		return LinkCheck{Text: "no name is asked for"}
	}
	return LinkCheck{Text: fmt.Sprintf("it proves %s by %s", dn.Escape(host), rule)}
}

// permit notes what permits a certificate in the check that is being made,
// where Checks asks. Nothing is made of it where a peer is judged.
func (s *search) permit(depth int, why func() LinkCheck) {
	if s.permits == nil {
		return
	}
	check := why()
	check.Name = s.checking
	s.permits[depth] = append(s.permits[depth], check)
}

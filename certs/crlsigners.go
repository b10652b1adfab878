package certs

import (
	"crypto/x509"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/certs/internal/crl"
)

// crlSigner is a certificate whose key may sign lists for what a CA has
// issued, from one moment to another; zero: as long as the path itself is
// good.
type crlSigner struct {
	*element
	from, until time.Time
}

// validAt reports whether the certificate vouches at the time now, its last
// moment included.
func (c crlSigner) validAt(now time.Time) bool {
	return !now.Before(c.from) && (c.until.IsZero() || !now.After(c.until))
}

// crlSigners is the rule of whose lists count for what a CA has issued. above
// are the certificates of a path from that CA up to the anchor; candidates are
// other certificates of the CA's name; signed checks a signature.
//
// Who signs a list must bear the name of the CA, and its certificate must be
// valid up to the anchor of a path to the CA (RFC 5280, section 6.3.3, f). So
// the lists of the CA's own key count, those of each certificate of its name on
// the path, and those of each other certificate of its name that one of these,
// or of the CAs above, has signed: a CA that changes its key certifies the new
// one with the old, or has the CA above certify it anew. Where it certifies the
// old key with the new one, the new one's root is an anchor of another path to
// the CA. Keys that merely bear the same name do not vouch for each other,
// whoever has installed them.
func crlSigners(above, candidates []*element, signed func(child, issuer *element) bool) []crlSigner {
	issuer := above[0]
	left := slices.DeleteFunc(slices.Clone(candidates), func(c *element) bool {
		return !c.maySignLists() || slices.ContainsFunc(above, func(e *element) bool { return e.cert.Equal(c.cert) })
	})
	vouching := make([]crlSigner, 0, len(above))
	for _, e := range above {
		vouching = append(vouching, crlSigner{element: e})
	}
	for _, again := range left {
		if !again.sameKey(issuer) || !again.mayBeCA() {
			continue
		}
		for _, root := range left {
			if root.anchor && root.subjectKey == again.issuerKey && signed(again, root) {
				again := crlSigner{element: again, from: again.cert.NotBefore, until: again.cert.NotAfter}
				vouching = append(vouching, again.vouchFor(root))
			}
		}
	}
	for i := 0; i < len(vouching) && len(left) > 0; i++ {
		by := vouching[i]
		left = slices.DeleteFunc(left, func(c *element) bool {
			if c.issuerKey != by.subjectKey || !by.mayBeCA() || !signed(c, by.element) {
				return false
			}
			vouching = append(vouching, by.vouchFor(c))
			return true
		})
	}
	return slices.DeleteFunc(vouching, func(c crlSigner) bool { return c.subjectKey != issuer.subjectKey })
}

// vouchFor is another signer, as long as both certificates are valid.
func (c crlSigner) vouchFor(e *element) crlSigner {
	next := crlSigner{element: e, from: later(c.from, e.cert.NotBefore), until: e.cert.NotAfter}
	if !c.until.IsZero() && c.until.Before(next.until) {
		next.until = c.until
	}
	return next
}

// maySignLists reports whether a certificate that is no part of a path is fit
// to vouch for lists: it is a CA's or says that it signs lists, and nothing in
// it would refuse it in a path.
func (e *element) maySignLists() bool {
	return (e.mayBeCA() || e.cert.KeyUsage&x509.KeyUsageCRLSign != 0) &&
		(e.anchor || refuseSignature(e, 0) == nil) && weakKey(e) == "" &&
		refuseExtensions(e, 0) == nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// listSigners finds the crlSigners for one certificate of a path. It looks
// beyond the path only if it must: where a list is of another key.
type listSigners struct {
	search *search
	above  []*element // from the certificate's issuer up
	judged *element   // it cannot vouch for what proves itself good

	signers []crlSigner
	revoked []*element // those that would vouch if no list named them
	beyond  bool
}

func newListSigners(s *search, path []*element, depth int) *listSigners {
	l := &listSigners{search: s, above: path[depth+1:], judged: path[depth]}
	l.signers = crlSigners(l.above, nil, nil)
	return l
}

// of gives who signed the list and vouches now, and does so longest; nil if
// nobody does.
func (l *listSigners) of(list *crl.List) *crlSigner {
	if signer := l.find(list); signer != nil || l.beyond {
		return signer
	}
	s := l.search
	candidates := slices.Concat(s.snapshot.bySubject[l.judged.issuerKey], s.sent[l.judged.issuerKey])
	candidates = slices.DeleteFunc(candidates, func(c *element) bool { return c.cert.Equal(l.judged.cert) })
	l.signers = crlSigners(l.above, candidates, func(child, issuer *element) bool {
		if s.signatures >= maxSignatureChecks || !s.signed(child, issuer) {
			return false
		}
		if s.snapshot.revokedSigner(child, l.above) {
			l.revoked = append(l.revoked, child)
			return false
		}
		return true
	})
	l.beyond = true
	return l.find(list)
}

func (l *listSigners) find(list *crl.List) *crlSigner {
	var best *crlSigner
	for i := range l.signers {
		c := &l.signers[i]
		switch {
		case list.SignedBy(c.cert) != nil:
		case l.search.now.Before(c.from):
			l.search.event(c.from)
		case !c.validAt(l.search.now):
		case c.until.IsZero():
			return c
		case best == nil || c.until.After(best.until):
			best = c
		}
	}
	return best
}

// whyNot says why the certificate of the key that signed a list does not vouch
// for it; empty if there is none.
func (l *listSigners) whyNot(list *crl.List) string {
	for _, c := range l.revoked {
		if list.SignedBy(c.cert) == nil {
			return "the certificate of the key that signed it is revoked"
		}
	}
	for _, c := range l.signers {
		switch {
		case list.SignedBy(c.cert) != nil:
		case l.search.now.Before(c.from):
			return "the certificate of the key that signed it vouches for it from " + formatTime(c.from) + " on"
		case !c.validAt(l.search.now):
			return "the certificate of the key that signed it vouched for it until " + formatTime(c.until)
		}
	}
	return ""
}

// signed reports whether the element's key made the signature of another.
func (e *element) signed(child *element) bool {
	c := child.cert
	return e.cert.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// revokedSigner reports whether a list that an installed CA or one of the path
// has signed names a certificate that would vouch.
func (s *Snapshot) revokedSigner(c *element, path []*element) bool {
	return slices.ContainsFunc(s.lists[c.issuerKey], func(list *installedCRL) bool {
		if !list.verifiedBy(path) {
			return false
		}
		_, named := list.list.Lookup(c.cert.SerialNumber)
		return named
	})
}

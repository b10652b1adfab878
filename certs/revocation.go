package certs

import (
	"crypto/x509"
	"fmt"
	"time"
)

// checkRevocation asks the lists of a certificate's issuer about it. A list
// belongs to the issuer if it bears the issuer's name and one of the
// installed keys of that name has signed it, or one of the path: a CA that
// changed its key speaks for what the old one signed (RFC 5280, section
// 6.3.3).
//
// Every such list that names the certificate refuses it, however old the
// list is and whatever else is wrong with it. That the certificate is good
// takes one list that is current, sound, of the right scope and signed by a
// key that vouches, see vouched.
//
// A self-issued CA is exempt: a CA that changes its key certifies itself. The
// peer's own certificate never is, though it may bear its CA's name.
func checkRevocation(s *search, path []*element, depth int) *Refusal {
	e := path[depth]
	if depth == len(path)-1 || depth > 0 && e.selfIssued() || s.policy.CRL == CRLIgnore {
		return nil
	}
	var signers []*element
	for _, above := range path[depth+1:] {
		if above.subjectKey == e.issuerKey {
			signers = append(signers, above)
		}
	}
	var proof listProof
	for _, c := range s.snapshot.lists[e.issuerKey] {
		if err := c.signed(signers); err != nil {
			proof.object(CodeCRLInvalid, c, "it is not used: "+err.Error())
			continue
		}
		r, named := c.list.lookup(e.cert.SerialNumber)
		released := c.list.scope.delta && r.Reason == "removeFromCRL"
		if named && !released {
			return revoked(e, depth, c, r)
		}
		if until, why := s.vouched(c.list, path[depth+1]); why != "" {
			proof.object(CodeCRLInvalid, c, why)
		} else {
			proof.consider(c, e, s.now, until)
		}
	}
	if proof.current {
		s.event(proof.until)
		return nil
	}
	s.event(proof.from)
	refusal := s.noList(path, depth, &proof)
	if proof.code == CodeCRLExpired && s.tolerant && s.now.Before(proof.until.Add(s.policy.CRLGrace)) {
		s.event(proof.until.Add(s.policy.CRLGrace))
	} else if s.policy.CRL == CRLRequire {
		return refusal
	}
	s.warn(Warning{Code: refusal.Code, CA: path[depth+1].subject.brief(), File: refusal.File, Text: refusal.Reason})
	return nil
}

// vouched says why a list is no proof that a certificate of the issuer is
// good; empty if it is one. It is if the issuer's key signed it, or that of
// another installed CA certificate of its name that is valid now: what an
// older key signed says nothing of what a newer one issued. until is when
// the latter expires; zero if there is no such end.
func (s *search) vouched(list *crl, issuer *element) (until time.Time, why string) {
	if list.signedBy(issuer.cert) == nil {
		return time.Time{}, ""
	}
	for _, other := range s.snapshot.bySubject[issuer.subjectKey] {
		if list.signedBy(other.cert) != nil {
			continue
		}
		if validAt(other.cert, s.now) && other.cert.NotAfter.After(until) {
			until = other.cert.NotAfter
		} else if s.now.Before(other.cert.NotBefore) {
			s.event(other.cert.NotBefore)
		}
	}
	if until.IsZero() {
		return until, otherKey
	}
	return until, ""
}

// otherKey is why a list of another key of the CA's name proves nothing.
const otherKey = "another key of this CA signed it, of which no certificate is valid now"

func validAt(cert *x509.Certificate, now time.Time) bool {
	return !now.Before(cert.NotBefore) && !now.After(cert.NotAfter)
}

// revoked is the refusal of a certificate that a list names.
func revoked(e *element, depth int, c *installedCRL, r revocation) *Refusal {
	since := ""
	if !r.Date.IsZero() {
		since = " since " + formatTime(r.Date)
	}
	reason := ""
	if r.Reason != "" && r.Reason != "unspecified" {
		reason = " (" + r.Reason + ")"
	}
	if r.Unconfirmed {
		reason = " (the file has changed since it was loaded: the date is not known)"
	}
	refusal := refuse(e, depth, CodeRevoked, "it is revoked%s by %s%s", since, c.list.file, reason)
	refusal.File, refusal.Line = c.list.file, 0
	switch {
	case r.Reason == "certificateHold":
		refusal.Cure = "The CA has suspended the certificate: ask it why, and to release it or to issue a new one."
	case depth > 0:
		refusal.Cure = "The CA above has revoked this one: ask for a new certificate of another CA."
	}
	return refusal
}

// listProof is what lists say of a certificate that none of them names.
type listProof struct {
	current bool      // one of them proves that it is good
	until   time.Time // the latest end of those that prove it, or nextUpdate of those that did; zero: for ever
	from    time.Time // the earliest thisUpdate of those that are going to; zero: none

	code   Code // the objection to the best list that proves nothing; empty if there is none
	list   *installedCRL
	reason string
}

// objections are why a list proves nothing, the least serious one last.
var objections = []Code{"", CodeCRLInvalid, CodeCRLUnusable, CodeCRLNotYetValid, CodeCRLExpired}

func (p *listProof) object(code Code, c *installedCRL, reason string) bool {
	rank := func(code Code) int {
		for i, known := range objections {
			if known == code {
				return i
			}
		}
		return 0
	}
	if rank(code) <= rank(p.code) {
		return false
	}
	p.code, p.list, p.reason = code, c, reason
	return true
}

// consider takes a verified list into account. Its signer's certificate
// expires at signerEnd; zero if that does not matter.
func (p *listProof) consider(c *installedCRL, e *element, now, signerEnd time.Time) {
	list := c.list
	end := list.nextUpdate
	if !signerEnd.IsZero() && (end.IsZero() || signerEnd.Before(end)) {
		end = signerEnd
	}
	if defect := list.defect(); defect != "" {
		p.object(CodeCRLUnusable, c, defect)
		return
	}
	if why, ok := list.covers(e.cert); !ok {
		p.object(CodeCRLUnusable, c, why)
		return
	}
	switch list.age(now) {
	case crlFuture:
		p.object(CodeCRLNotYetValid, c, "it begins on "+formatTime(list.thisUpdate))
		if p.from.IsZero() || list.thisUpdate.Before(p.from) {
			p.from = list.thisUpdate
		}
	case crlStale:
		if p.object(CodeCRLExpired, c, "") || p.code == CodeCRLExpired && list.nextUpdate.After(p.list.list.nextUpdate) {
			p.list, p.reason = c, "the next one was due on "+formatTime(list.nextUpdate)
		}
		if !p.current && list.nextUpdate.After(p.until) {
			p.until = list.nextUpdate
		}
	default:
		if !p.current {
			p.until = end
		} else if !p.until.IsZero() && (end.IsZero() || end.After(p.until)) {
			p.until = end
		}
		p.current = true
	}
}

// noList explains that no list proves a certificate good.
func (s *search) noList(path []*element, depth int, proof *listProof) *Refusal {
	e, issuer := path[depth], path[depth+1]
	dn := issuer.subject.brief()
	if proof.code != "" {
		r := refuse(e, depth, proof.code, "no current list of %s: %s: %s", dn, proof.list.list.file, proof.reason)
		r.File, r.Line = proof.list.list.file, 0
		return r
	}
	for _, hash := range issuer.hashNames() {
		for _, p := range s.snapshot.brokenLists[hash] {
			r := refuse(e, depth, CodeCRLInvalid, "no current list of %s: %s", dn, p)
			r.File, r.Line = p.File, p.Line
			return r
		}
	}
	r := refuse(e, depth, CodeCRLMissing, "there is no list of %s", dn)
	r.File, r.Line = "", 0
	if place := s.snapshot.config.CApath; place != "" {
		hashes := issuer.hashNames()
		r.Cure = fmt.Sprintf("Fetch the CA's list with fetch-crl (its timer or cron job may be off); it belongs in %s as %s.r0 or %s.r0.", place, hashes[0], hashes[1])
	}
	return r
}

// warn notes what is tolerated, once for each CA.
func (s *search) warn(warning Warning) {
	for _, known := range s.warnings {
		if known.Code == warning.Code && known.CA == warning.CA {
			return
		}
	}
	s.warnings = append(s.warnings, warning)
}

// event notes a moment that could change the verdict or the warnings. A zero
// time is none.
func (s *search) event(at time.Time) {
	if !at.IsZero() && (s.nextEvent.IsZero() || at.Before(s.nextEvent)) {
		s.nextEvent = at
	}
}

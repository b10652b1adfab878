package certs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/certs/internal/crl"
	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// checkRevocation asks the lists of a certificate's issuer about it. A list is
// asked if it bears the issuer's name and an installed key of that name has
// signed it, or one of the path, or one that vouches for lists on this path,
// see crlSigners.
//
// Every such list that names the certificate refuses it, however old the list
// is, whatever else is wrong with it, and whichever key of the name signed it:
// an issuer's name and a serial number are of one certificate (RFC 5280,
// section 4.1.2.2). That the certificate is good takes one list that is
// current, sound, of the right scope and signed by a key that vouches.
//
// A CA that changes its key certifies itself, and needs no list to do so. The
// peer's own certificate does, though it may bear its CA's name.
func checkRevocation(s *search, path []*element, depth int) *Refusal {
	e := path[depth]
	if depth == len(path)-1 {
		return nil
	}
	if s.policy.CRL == CRLIgnore {
		s.permit(depth, func() LinkCheck { return LinkCheck{Text: "not asked: ‹crl› ignore"} })
		return nil
	}
	signers := newListSigners(s, path, depth)
	var proof listProof
	for _, c := range s.snapshot.lists[e.issuerKey] {
		signer := signers.of(c.list)
		if signer == nil && !c.verifiedBy(path) {
			why := c.whyUnverified(path[depth+1])
			if proof.object(CodeCRLInvalid, c, "it is not used: "+cmp.Or(signers.whyNot(c.list), why.Error())) {
				proof.unverified = why
			}
			continue
		}
		r, named := c.list.Lookup(e.cert.SerialNumber)
		released := c.list.IsDelta() && r.Reason == "removeFromCRL"
		switch {
		case named && !released:
			return revoked(e, depth, c, r)
		case signer == nil:
			proof.otherKey, proof.whyOther = c, cmp.Or(signers.whyNot(c.list), noVoucher)
		default:
			proof.consider(c, e, s.now, signer.until)
		}
	}
	if proof.current {
		s.event(proof.until)
		s.permit(depth, proof.permit)
		return nil
	}
	s.event(proof.from)
	refusal := s.noList(path, depth, &proof)
	if refusal.Code == CodeCRLMissing && depth > 0 && e.selfIssued() {
		s.permit(depth, func() LinkCheck { return LinkCheck{Text: "a CA that certifies itself needs no list"} })
		return nil
	}
	until, tolerated := s.policy.toleratesCRL(refusal.Code, proof.until, s.now, s.tolerant)
	if !tolerated {
		return refusal
	}
	s.tolerate(path, depth, refusal, until)
	return nil
}

// tolerate warns of what would refuse a certificate for the state of a list,
// and does not: until a moment, or for ever if it is zero.
func (s *search) tolerate(path []*element, depth int, refusal *Refusal, until time.Time) {
	text := refusal.Reason
	if !until.IsZero() {
		s.event(until)
		if s.policy.CRL == CRLRequire {
			text += "; new connections are refused, and open ones are closed from " + formatTime(until) + " on"
		} else {
			text += "; the peers of this CA are refused from " + formatTime(until) + " on"
		}
	}
	s.warn(Warning{Code: refusal.Code, CA: path[depth+1].subject.Brief(), File: refusal.File, Text: text})
	s.permit(depth, func() LinkCheck {
		return LinkCheck{
			Text: fmt.Sprintf("tolerated by ‹crl› %s: %s: %s", s.policy.CRL, refusal.Code, refusal.Reason),
			File: refusal.File, Line: refusal.Line,
		}
	})
}

// revoked is the refusal of a certificate that a list names.
func revoked(e *element, depth int, c *installedCRL, r crl.Revocation) *Refusal {
	since := ""
	if !r.Date.IsZero() {
		since = " since " + formatTime(r.Date)
	}
	reason := ""
	if r.Reason != "" && r.Reason != "unspecified" {
		reason = " (" + r.Reason + ")"
	}
	if r.Unconfirmed {
		reason = " (the file has changed since it was loaded, or cannot be read: the date is not known)"
	}
	refusal := refuse(e, depth, CodeRevoked, "it is revoked%s by %s%s",
		since, files.Position(c.list.File, c.list.Line), reason)
	refusal.File, refusal.Line = c.list.File, c.list.Line
	switch {
	case r.Reason == "certificateHold":
		refusal.Cure = "The CA has suspended the certificate: ask it why, and to release it or to issue a new one."
	case depth > 0 && e.selfIssued():
		refusal.Cure = "The CA has revoked the certificate by which it changed its key: " +
			"the peer needs the CA's current certificates in its hostcert.pem, or a new certificate of its own."
	case depth > 0:
		refusal.Cure = "The CA above has revoked this one: ask for a new certificate of another CA."
	}
	return refusal
}

// listProof is what lists say of a certificate that none of them names.
type listProof struct {
	current bool          // one of them proves that it is good
	until   time.Time     // the latest end of those that prove it, or nextUpdate of those that did; zero: for ever
	best    *installedCRL // of those that prove it, the one with that end
	from    time.Time     // the earliest thisUpdate of those that are going to; zero: none

	code   Code // the objection to the best list that proves nothing; empty if there is none
	list   *installedCRL
	reason string

	unverified error // of a list that is not used, why nobody's key has signed it

	otherKey *installedCRL // a list of another key of the name, which says nothing of this one's certificates
	whyOther string
}

// objections are why a list proves nothing, the least serious one last.
var objections = []Code{"", CodeCRLInvalid, CodeCRLUnusable, CodeCRLNotYetValid, CodeCRLExpired}

// objectionRank is how little an objection is; 0 if it is none of a list's.
func objectionRank(code Code) int { return max(0, slices.Index(objections, code)) }

// object notes why a list proves nothing, and reports whether that is a better
// reason than the one before.
func (p *listProof) object(code Code, c *installedCRL, reason string) bool {
	if objectionRank(code) <= objectionRank(p.code) {
		return false
	}
	p.code, p.list, p.reason = code, c, reason
	return true
}

// consider takes a verified list into account. Its signer's certificate
// expires at signerEnd; zero if that does not matter.
func (p *listProof) consider(c *installedCRL, e *element, now, signerEnd time.Time) {
	list := c.list
	end := list.NextUpdate
	if !signerEnd.IsZero() && (end.IsZero() || signerEnd.Before(end)) {
		end = signerEnd.Add(time.Nanosecond) // its last moment is included
	}
	if defect := list.Defect(); defect != "" {
		p.object(CodeCRLUnusable, c, defect)
		return
	}
	if why, ok := list.Covers(e.cert); !ok {
		p.object(CodeCRLUnusable, c, why)
		return
	}
	switch list.Age(now) {
	case crl.Future:
		p.object(CodeCRLNotYetValid, c, "it begins on "+formatTime(list.ThisUpdate))
		if p.from.IsZero() || list.ThisUpdate.Before(p.from) {
			p.from = list.ThisUpdate
		}
	case crl.Stale:
		if p.object(CodeCRLExpired, c, "") ||
			p.code == CodeCRLExpired && list.NextUpdate.After(p.list.list.NextUpdate) {
			p.list, p.reason = c, "the next one was due on "+formatTime(list.NextUpdate)
		}
		if !p.current && list.NextUpdate.After(p.until) {
			p.until = list.NextUpdate
		}
	default:
		if !p.current || !p.until.IsZero() && (end.IsZero() || end.After(p.until)) {
			p.until, p.best = end, c
		}
		p.current = true
	}
}

// permit says which list proves a certificate good.
func (p *listProof) permit() LinkCheck {
	list := p.best.list
	text := "not on the list of " + formatTime(list.ThisUpdate)
	if !list.NextUpdate.IsZero() {
		text += ", the next one due on " + formatTime(list.NextUpdate)
	}
	if p.best.kept {
		text += ", which the file held before it became bad"
	}
	return LinkCheck{Text: text, File: list.File, Line: list.Line}
}

// noList explains that no list proves a certificate good.
func (s *search) noList(path []*element, depth int, proof *listProof) *Refusal {
	e, issuer := path[depth], path[depth+1]
	dn := issuer.subject.Brief()
	if proof.code != "" {
		list := proof.list.list
		r := refuse(e, depth, proof.code, "no current list of %s: %s: %s",
			dn, files.Position(list.File, list.Line), proof.reason)
		r.File, r.Line = list.File, list.Line
		why, ok := errors.AsType[*crl.SignatureError](proof.unverified)
		if ok && proof.code == CodeCRLInvalid && why.Fault != crl.FaultList {
			r.Cure = signatureCures[why.Fault] + whileUnusable
		}
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
	if proof.otherKey != nil {
		list := proof.otherKey.list
		r.Reason += fmt.Sprintf(": %s is of another key of this name: %s", files.Position(list.File, list.Line),
			proof.whyOther)
		r.File, r.Line = list.File, list.Line
		r.Cure = "Fetch the list of this key too: fetch-crl. A list of another key counts " +
			"where a certificate of the CA joins the two keys: install that (HASH.1) or have the peer send it."
	} else if other := crl.OtherIssuer(e.cert, e.issuer); other != nil {
		r.Reason += fmt.Sprintf(": the certificate says that %s publishes it (cRLIssuer), "+
			"and the lists of others than the CA itself, indirect ones, are not supported", other.Brief())
		r.Cure = "Ask the CA for a list of its own. Until then ‹crl› if-present accepts its peers with a warning."
	} else if place := s.snapshot.config.CApath; place != "" {
		hashes := issuer.hashNames()
		r.Cure = fmt.Sprintf("Fetch the CA's list with fetch-crl (its timer or cron job may be off); it belongs in %s as "+
			"%s.r0 or %s.r0. "+
			ifPublishesNone, place, hashes[0], hashes[1])
	}
	return r
}

// signatureCures are what to do about lists that nobody's key has signed, where
// fetching them again does not help.
var signatureCures = map[crl.Fault]string{
	crl.FaultAlgorithm: "Ask the CA to sign its lists with SHA-256: fetching this one again does not help. ",
	crl.FaultKeyUsage: "Ask the CA: its certificate must say that it signs lists, and one that does must be installed " +
		"here or sent by the peer. " +
		"Fetching the list again does not help. ",
}

// noVoucher is why a list of another key of the CA's name proves nothing.
const noVoucher = "no certificate vouches for that key"

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

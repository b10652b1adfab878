package certs

import (
	"cmp"
	"crypto/tls"
	"slices"
	"time"
)

// wireChain remembers what a key pair sends under a snapshot.
type wireChain struct {
	pair        *keyPair
	snapshot    *Snapshot
	made        time.Time
	certificate *tls.Certificate
}

// wireChainAge is how long a wireChain is good at most: certificates end.
const wireChainAge = time.Minute

// holds reports whether the key pair would send the same again.
func (w *wireChain) holds(pair *keyPair, snapshot *Snapshot, now time.Time) bool {
	age := now.Sub(w.made)
	return w.pair == pair && w.snapshot == snapshot && age >= 0 && age < wireChainAge
}

// tlsCertificate is what goes over the wire: the chain of the file, with the
// installed one in the place of a subordinate that has ended and was renewed
// with the same key, and, if it ends before an installed root, the installed
// subordinates above it, so that peers need not hold them. Roots are not
// sent. A nil Credential sends nothing.
func (c *Credential) tlsCertificate(snapshot *Snapshot, now time.Time) *tls.Certificate {
	if c == nil {
		return new(tls.Certificate)
	}
	pair := c.current.Load()
	if wire := c.wire.Load(); wire != nil && wire.holds(pair, snapshot, now) {
		return wire.certificate
	}
	certificate := &tls.Certificate{PrivateKey: pair.key, Leaf: pair.chain[0].cert}
	for _, e := range pair.complete(snapshot, now) {
		certificate.Certificate = append(certificate.Certificate, e.cert.Raw)
	}
	c.wire.Store(&wireChain{pair: pair, snapshot: snapshot, made: now, certificate: certificate})
	return certificate
}

// complete gives the certificates that are sent, the host's own first.
func (pair *keyPair) complete(snapshot *Snapshot, now time.Time) []*element {
	chain := []*element{pair.chain[0]}
	for _, e := range pair.chain[1:] {
		if newer := pair.renewed(e, snapshot, now); newer != nil {
			e = newer
		}
		if !slices.ContainsFunc(chain, e.same) {
			chain = append(chain, e)
		}
	}
	for range defaultMaxDepth {
		next := snapshot.issuerOf(chain[len(chain)-1], now)
		if next == nil || next.anchor {
			break
		}
		chain = append(chain, next)
	}
	return chain
}

// renewed gives a certificate that is valid now, of the same CA and key as e,
// which is not; nil if e is valid or there is none. The file's own come first.
func (pair *keyPair) renewed(e *element, snapshot *Snapshot, now time.Time) *element {
	if e.isValid(now) {
		return nil
	}
	for _, other := range slices.Concat(pair.chain[1:], snapshot.bySubject[e.subjectKey]) {
		if other.sameKey(e) && other.isValid(now) && !other.selfSigned() {
			return other
		}
	}
	return nil
}

// issuerOf gives the installed CA whose key signed a certificate, one that is
// valid now if there is one; nil if there is none, or if the certificate is a
// root itself.
func (s *Snapshot) issuerOf(child *element, now time.Time) *element {
	if child.selfSigned() {
		return nil
	}
	var found *element
	for _, issuer := range s.issuers(child) {
		valid := issuer.isValid(now)
		if found != nil && !valid || !issuer.signed(child) {
			continue
		}
		if found = issuer; valid {
			break
		}
	}
	return found
}

// EndedCA is a subordinate CA's certificate in a Credential's file that is
// past its notAfter.
type EndedCA struct {
	DN       string // slash form, shortened if it is very long
	NotAfter time.Time
	Renewed  string // the file with the renewed certificate, which is sent in its place; empty if there is none
}

// EndedCAs lists the subordinates of the file that have ended, in its order.
func (c *Credential) EndedCAs(snapshot *Snapshot, now time.Time) []EndedCA {
	pair := c.current.Load()
	var ended []EndedCA
	for _, e := range pair.chain[1:] {
		if !now.After(e.cert.NotAfter) || e.selfSigned() {
			continue
		}
		found := EndedCA{DN: e.subject.Brief(), NotAfter: e.cert.NotAfter}
		if newer := pair.renewed(e, snapshot, now); newer != nil {
			found.Renewed = cmp.Or(newer.file, c.certFile)
		}
		ended = append(ended, found)
	}
	return ended
}

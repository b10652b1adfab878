package certs

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// fail remembers the refusal of the attempt that went furthest.
func (s *search) fail(rank int, why func() *Refusal) {
	if rank > s.bestRank {
		s.best, s.bestRank = why(), rank
	}
}

// source says where a CA certificate comes from, for messages.
func (e *element) source() string {
	if e.file == "" {
		return " (sent by the peer)"
	}
	return " (" + files.Position(e.file, e.line) + ")"
}

// noIssuer explains that the search ended at a certificate, the last of the
// path.
func (s *search) noIssuer(child *element, depth int) *Refusal {
	issuer := child.issuer.Brief()
	bad := s.snapshot.unusable(child.issuer)
	below := s.issuerBelow(child)
	var r *Refusal
	switch {
	case below == keyBelow && !child.selfSigned():
		r = refuse(child, depth, CodeUnknownCA,
			"its issuer %s is below it on the path: these certificates vouch for each other in a circle, "+
				"and none of them is a root that is installed here", issuer)
		r.Cure = fmt.Sprintf("Have the peer send the certificate by which a CA that is installed here vouches for %s; "+
			"or install the root above it, if you trust that.", issuer)
	case len(bad) > 0:
		r = refuse(child, depth, CodeUnknownCA,
			"its issuer %s was not sent by the peer, and the file that is here for it cannot be used: %s", issuer, bad[0])
		if child.selfSigned() {
			r = refuse(child, depth, CodeUnknownCA,
				"it names itself as its issuer, and the file that is here for it cannot be used: %s", bad[0])
		}
		r.File, r.Line, r.Cure = bad[0].File, bad[0].Line, mendFile(bad[0], child.issuer)
	case child.selfSigned() && depth == 0:
		r = refuse(child, depth, CodeUnknownCA, "it is self-signed: it names itself as its issuer")
		r.Cure = "The peer needs a certificate that a trusted CA issued; a self-signed one proves nothing."
	case child.selfSigned():
		r = refuse(child, depth, CodeUnknownCA, "it names itself as its issuer: a root that is not installed here")
		r.Cure = s.installCA(child.subject)
	case child.selfIssued() || below == nameBelow:
		r = refuse(child, depth, CodeUnknownCA,
			"its issuer is another key of the name %s, of which a certificate is neither installed here nor sent by the peer",
			issuer)
		r.Cure = s.installCA(child.issuer)
	default:
		r = refuse(child, depth, CodeUnknownCA, "its issuer %s is neither installed here nor sent by the peer", issuer)
		r.Cure = s.installCA(child.issuer)
	}
	return r
}

// Whether the issuer of the last certificate of a path is below it already.
const (
	notBelow  = iota
	nameBelow // another key of its name is, by the key identifiers
	keyBelow  // it is, as far as one can tell
)

func (s *search) issuerBelow(child *element) int {
	found := notBelow
	for _, e := range s.path {
		switch {
		case e.subjectKey != child.issuerKey || e.sameKey(child):
		case keyIdentifierRank(child, e) == 2:
			found = max(found, nameBelow)
		default:
			return keyBelow
		}
	}
	return found
}

// badSignature explains that the key of an installed or certified issuer did
// not verify a signature.
func (s *search) badSignature(child, issuer *element, depth int) *Refusal {
	if reason := unsupportedKey(issuer.cert); reason != "" {
		r := refuse(issuer, depth+1, CodeUnsupported, "%s", reason)
		r.Cure = anotherCA
		return r
	}
	if reason := weakKey(issuer); reason != "" {
		return refuse(issuer, depth+1, CodeWeakSignature, "%s", reason)
	}
	r := refuse(child, depth, CodeBadSignature, "its signature was not made with the key of %s%s", issuer.subject.Brief(),
		issuer.source())
	if bad := s.snapshot.unusable(child.issuer); len(bad) > 0 {
		r.Cure = fmt.Sprintf("There is another file of this CA, which may be the right one: %s. %s", bad[0],
			mendFile(bad[0], child.issuer))
	}
	return r
}

// anotherCA is what to do about a CA's keys and signatures that are not
// supported.
const anotherCA = "The peer needs a certificate of a CA whose keys and signatures are RSA, " +
	"ECDSA of a NIST curve that is named, or Ed25519."

// refuseSignature refuses a signature of an algorithm that cannot be relied
// on, or that is not supported.
func refuseSignature(child *element, depth int) *Refusal {
	algorithm := child.cert.SignatureAlgorithm
	switch algorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
		x509.PureEd25519:
		return nil
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		return refuse(child, depth, CodeWeakSignature, "it is signed with %s, which can be forged", algorithm)
	case x509.DSAWithSHA1, x509.DSAWithSHA256, x509.UnknownSignatureAlgorithm:
	}
	reason := "it is signed with an algorithm that is not supported"
	if algorithm != x509.UnknownSignatureAlgorithm {
		reason = "it is signed with " + algorithm.String() + ", which is not supported"
	}
	r := refuse(child, depth, CodeUnsupported, "%s", reason)
	r.Cure = anotherCA
	return r
}

// unusable lists what is wrong with the files that are installed for a CA of
// this name and cannot be used, by their content or by their hash.
func (s *Snapshot) unusable(subject *dn.Name) []Problem {
	found := slices.Clone(s.unusableCAs[subject.Canonical()])
	hash, oldHash := subject.Hash(), subject.HashOld()
	for _, p := range s.problems {
		name, ok := parseTrustName(p.File, filepath.Base(p.File))
		if ok && name.kind == kindCA && (name.hash == hash || name.hash == oldHash) && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	return slices.DeleteFunc(found, func(p Problem) bool { return strings.HasSuffix(p.Message, keptMessage) })
}

// installCA says which CA is missing, and under which names it is looked for.
func (s *search) installCA(subject *dn.Name) string {
	place := s.snapshot.config.CApath
	if place == "" {
		return fmt.Sprintf("Add the certificate of the CA %s to %s, if you trust it.",
			subject.Brief(), s.snapshot.config.CAfile)
	}
	return fmt.Sprintf("If you trust the CA %s, install its package; its certificate belongs in %s as %s.0 or %s.0.",
		subject.Brief(), place, subject.Hash(), subject.HashOld())
}

// mendFile is what to do about a file of a CA that cannot be used.
func mendFile(p Problem, subject *dn.Name) string {
	return fmt.Sprintf("Put %s right, or install the CA's package anew, if you trust it: "+
		"the certificate of %s belongs there, as %s.0 or %s.0.",
		files.Position(p.File, p.Line), subject.Brief(), subject.Hash(), subject.HashOld())
}

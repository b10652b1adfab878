package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// pathChecks is everything that is asked of each certificate of a path,
// beyond its signature, in the order in which it is asked. A check sees the
// whole path and judges the certificate at depth; RFC 5280, section 6.1, is
// where the rules come from. Signing policies and revocation lists come at
// the end: that a certificate is revoked is the best reason of all.
var pathChecks = []struct {
	name  string
	judge func(s *search, path []*element, depth int) *Refusal
}{
	{name: LinkDates, judge: checkDates},
	{name: LinkKey, judge: checkKeySize},
	{name: LinkCriticalExtensions, judge: checkCriticalExtensions},
	{name: LinkBasicConstraints, judge: checkBasicConstraints},
	{name: LinkPathLength, judge: checkPathLength},
	{name: LinkKeyUsage, judge: checkKeyUsage},
	{name: LinkExtendedKeyUsage, judge: checkExtendedKeyUsage},
	{name: LinkNameConstraints, judge: checkNameConstraints},
	{name: LinkPolicy, judge: checkPolicies},
	{name: LinkRevocation, judge: checkRevocation},
}

// judgePath runs all checks on the complete path, from the anchor down, and
// says how many of them passed.
func (s *search) judgePath() (refusal *Refusal, passed int) {
	s.warnings, s.nextEvent = nil, time.Time{}
	for i, check := range pathChecks {
		s.checking = check.name
		for depth := range slices.Backward(s.path) {
			if refusal := check.judge(s, s.path, depth); refusal != nil {
				return refusal, i
			}
		}
	}
	return nil, len(pathChecks)
}

func checkDates(s *search, path []*element, depth int) *Refusal {
	e := path[depth]
	// A certificate is good up to and including its notAfter.
	s.event(e.cert.NotAfter.Add(time.Nanosecond))
	if s.now.After(e.cert.NotAfter) {
		return refuse(e, depth, CodeExpired, "it ended on %s", formatTime(e.cert.NotAfter))
	}
	if s.now.Before(e.cert.NotBefore) {
		return refuse(e, depth, CodeNotYetValid, "it begins on %s, and here it is %s",
			formatTime(e.cert.NotBefore), formatTime(s.now))
	}
	s.permit(depth, func() LinkCheck {
		return LinkCheck{Text: fmt.Sprintf("from %s to %s", formatTime(e.cert.NotBefore), formatTime(e.cert.NotAfter))}
	})
	return nil
}

func checkKeySize(s *search, path []*element, depth int) *Refusal {
	e := path[depth]
	if reason := weakKey(e); reason != "" {
		return refuse(e, depth, CodeWeakSignature, "%s", reason)
	}
	s.permit(depth, func() LinkCheck { return LinkCheck{Text: describeKey(e.cert)} })
	return nil
}

var (
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidNameConstraints  = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidProxyRFC3820     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 14}
	oidProxyDraft       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 3536, 1, 222}
)

// extension gives the value of an extension.
func extension(cert *x509.Certificate, oid asn1.ObjectIdentifier) (value []byte, present bool) {
	i := slices.IndexFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oid) })
	if i < 0 {
		return nil, false
	}
	return cert.Extensions[i].Value, true
}

func checkCriticalExtensions(s *search, path []*element, depth int) *Refusal {
	if refusal := refuseExtensions(path[depth], depth); refusal != nil {
		return refusal
	}
	s.permit(depth, func() LinkCheck { return LinkCheck{Text: "none that is not understood"} })
	return nil
}

// refuseExtensions refuses critical extensions that neither crypto/x509 nor
// this package understands. Subject alternative names and name constraints are
// read here in full, of which crypto/x509 knows a part.
func refuseExtensions(e *element, depth int) *Refusal {
	for _, oid := range e.cert.UnhandledCriticalExtensions {
		if !oid.Equal(oidSubjectAltName) && !oid.Equal(oidNameConstraints) {
			r := refuse(e, depth, CodeCriticalExtension, "its critical extension %s is not understood",
				dn.Shorten(oid.String(), dn.MaxQuoted))
			if depth > 0 {
				r.Cure = "The CA's own certificate has the extension: the peer needs a certificate of another CA," +
					" unless this one is issued anew without it, or with it not critical."
			}
			return r
		}
	}
	// Certificate policies mean nothing here, unless a CA insists on them.
	// RFC 5280, section 4.2.1.11, has the extension critical; one that is not
	// means the same.
	if e.cert.RequireExplicitPolicy > 0 || e.cert.RequireExplicitPolicyZero {
		r := refuse(e, depth, CodeCriticalExtension,
			"it requires explicit certificate policies (requireExplicitPolicy), which are not supported")
		r.Cure = "Certificate policies are not judged here:" +
			" the peer needs a certificate below CAs none of which requires them."
		return r
	}
	return nil
}

func checkBasicConstraints(s *search, path []*element, depth int) *Refusal {
	e := path[depth]
	var why string
	switch {
	case depth == 0:
		why = "it is no CA" // judgeHolder has seen to it
	case e.cert.BasicConstraintsValid && e.cert.IsCA:
		why = "it is a CA"
	case !e.cert.BasicConstraintsValid && e.cert.Version < 3 && e.anchor:
		why = "it is a root from before there were basicConstraints"
	default:
		return refuse(e, depth, CodeNotCA, "it issued %s and is not a CA by its basicConstraints",
			path[depth-1].subject.Brief())
	}
	s.permit(depth, func() LinkCheck { return LinkCheck{Text: why} })
	return nil
}

// checkPathLength counts the CA certificates below one with a
// pathLenConstraint; self-issued ones do not count (RFC 5280, section
// 4.2.1.9).
func checkPathLength(s *search, path []*element, depth int) *Refusal {
	e := path[depth]
	if depth == 0 {
		return nil
	}
	if !e.cert.BasicConstraintsValid || e.cert.MaxPathLen < 0 {
		s.permit(depth, func() LinkCheck { return LinkCheck{Text: "not limited"} })
		return nil
	}
	below := 0
	for _, ca := range path[1:depth] {
		if !ca.selfIssued() {
			below++
		}
	}
	if below > e.cert.MaxPathLen {
		return refuse(e, depth, CodePathLength, "it allows %d CA certificates below it, and here are %d",
			e.cert.MaxPathLen, below)
	}
	s.permit(depth, func() LinkCheck {
		return LinkCheck{Text: fmt.Sprintf("%d allowed below it, %d here", e.cert.MaxPathLen, below)}
	})
	return nil
}

func checkKeyUsage(s *search, path []*element, depth int) *Refusal {
	e := path[depth]
	why := "digitalSignature"
	if depth > 0 {
		why = "keyCertSign"
	}
	switch _, limited := extension(e.cert, oidKeyUsage); {
	case !limited:
		why = "not limited"
	case depth > 0 && lacksKeyUsage(e.cert, x509.KeyUsageCertSign):
		return refuse(e, depth, CodeKeyUsage, "it issued %s and its keyUsage lacks keyCertSign",
			path[depth-1].subject.Brief())
	case depth > 0:
	case s.role == PeerAny:
		why = notAskedOfAny
	default:
		if reason := unfitKeyUsage(e.cert); reason != "" {
			return refuse(e, depth, CodeKeyUsage, "%s", reason)
		}
	}
	s.permit(depth, func() LinkCheck { return LinkCheck{Text: why} })
	return nil
}

// notAskedOfAny is why usages permit what they do where no role is asked for.
const notAskedOfAny = "not asked for: the peer's role is not said"

// unfitKeyUsage says why the keyUsage of a host's certificate, if it has one,
// keeps it from a TLS handshake; empty if it does not.
func unfitKeyUsage(cert *x509.Certificate) string {
	if lacksKeyUsage(cert, x509.KeyUsageDigitalSignature) {
		return "its keyUsage lacks digitalSignature"
	}
	return ""
}

// lacksKeyUsage reports whether a certificate limits its key's usage to others.
func lacksKeyUsage(cert *x509.Certificate, usage x509.KeyUsage) bool {
	_, limited := extension(cert, oidKeyUsage)
	return limited && cert.KeyUsage&usage == 0
}

// checkExtendedKeyUsage asks for a usage that the whole path down to this
// certificate has in common: a CA's extKeyUsage limits what lies below it.
func checkExtendedKeyUsage(s *search, path []*element, depth int) *Refusal {
	wanted := wantedUsages(s.role, s.policy.EKU)
	if wanted == nil {
		s.permit(depth, func() LinkCheck { return LinkCheck{Text: notAskedOfAny} })
		return nil
	}
	var left []x509.ExtKeyUsage
	for _, usage := range wanted {
		if !slices.ContainsFunc(path[depth:], func(e *element) bool { return !allowsUsage(e.cert, usage) }) {
			left = append(left, usage)
		}
	}
	if len(left) == 0 {
		return refuseUsages(s.role, wanted, path[depth], depth)
	}
	s.permit(depth, func() LinkCheck {
		if _, limited := extension(path[depth].cert, oidExtendedKeyUsage); !limited {
			return LinkCheck{Text: "not limited"}
		}
		return LinkCheck{Text: usageNames(left, " and ")}
	})
	return nil
}

// refuseUsages explains that a path has none of the wanted usages in common,
// down to the certificate e.
func refuseUsages(role PeerRole, wanted []x509.ExtKeyUsage, e *element, depth int) *Refusal {
	own := slices.ContainsFunc(wanted, func(usage x509.ExtKeyUsage) bool { return allowsUsage(e.cert, usage) })
	reason := fmt.Sprintf("a %s needs the extended key usage %s, and here is %s",
		role, usageNames(wanted, " or "), dn.Shorten(usageList(e.cert), dn.MaxQuoted))
	if own {
		reason += ", which the CAs above do not allow"
	}
	r := refuse(e, depth, CodeExtendedKeyUsage, "%s", reason)
	switch {
	case depth > 0:
		r.Cure = "This CA does not vouch for such a host:" +
			" the peer needs a certificate of a CA whose own usages allow it."
	case own:
		r.Cure = "The peer needs a certificate with a usage that the CAs above it allow too, or one of another CA."
	}
	return r
}

// wantedUsages are the usages of which a peer needs one; nil if none is
// asked for.
func wantedUsages(role PeerRole, rule EKURule) []x509.ExtKeyUsage {
	switch {
	case role == PeerServer:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	case role == PeerClient && rule == EKUStrict:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case role == PeerClient:
		// CAs cease to give clientAuth to hosts.
		return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	default:
		return nil
	}
}

// allowsUsage reports whether a certificate's extended key usages, if it has
// some, include one.
func allowsUsage(cert *x509.Certificate, usage x509.ExtKeyUsage) bool {
	if _, limited := extension(cert, oidExtendedKeyUsage); !limited {
		return true
	}
	return slices.Contains(cert.ExtKeyUsage, usage) || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// usageList names the extended key usages of a certificate that has some.
func usageList(cert *x509.Certificate) string {
	var names []string
	for _, usage := range cert.ExtKeyUsage {
		names = append(names, usageName(usage))
	}
	for _, oid := range cert.UnknownExtKeyUsage {
		names = append(names, oid.String())
	}
	return strings.Join(names, ", ")
}

// usageNames names usages, with a word between them.
func usageNames(usages []x509.ExtKeyUsage, between string) string {
	var names []string
	for _, usage := range usages {
		names = append(names, usageName(usage))
	}
	return strings.Join(names, between)
}

func usageName(usage x509.ExtKeyUsage) string {
	switch usage {
	case x509.ExtKeyUsageAny:
		return "any"
	case x509.ExtKeyUsageServerAuth:
		return "serverAuth"
	case x509.ExtKeyUsageClientAuth:
		return "clientAuth"
	case x509.ExtKeyUsageCodeSigning:
		return "codeSigning"
	case x509.ExtKeyUsageEmailProtection:
		return "emailProtection"
	case x509.ExtKeyUsageTimeStamping:
		return "timeStamping"
	case x509.ExtKeyUsageOCSPSigning:
		return "OCSPSigning"
	default:
		return fmt.Sprintf("number %d of crypto/x509", int(usage))
	}
}

// judgeHolder refuses certificates that no host has, before any path is
// looked for: users' proxies and the certificates of CAs.
func (s *search) judgeHolder(leaf *element) *Refusal {
	if reason := s.proxyReason(leaf); reason != "" {
		return refuse(leaf, 0, CodeProxy, "%s", reason)
	}
	_, installed := s.snapshot.byDER[string(leaf.cert.Raw)]
	if installed || leaf.cert.BasicConstraintsValid && leaf.cert.IsCA {
		return refuse(leaf, 0, CodeCAAsHost, "it is the certificate of a CA, not of a host")
	}
	return nil
}

// proxyReason says why a certificate is a proxy, or nothing if it is none.
// Proxies are certificates that a user's own certificate signed: of RFC 3820,
// of its draft, and the older ones of Globus Toolkit 2, known by their last
// common name only.
func (s *search) proxyReason(leaf *element) string {
	if _, ok := extension(leaf.cert, oidProxyRFC3820); ok {
		return "it is a proxy certificate (RFC 3820)"
	}
	if _, ok := extension(leaf.cert, oidProxyDraft); ok {
		return "it is a proxy certificate (of the draft before RFC 3820)"
	}
	for _, word := range leaf.subject.LastCommonNames() {
		if word == "proxy" || word == "limited proxy" {
			return "it is a proxy certificate (of Globus Toolkit 2), or looks like one:" +
				" its last common name is " + word
		}
	}
	if leaf.subject.Extends(leaf.issuer) {
		for _, issuer := range s.sent[leaf.issuerKey] {
			if !issuer.mayBeCA() {
				return "it looks like a proxy certificate: its issuer is no CA," +
					" and its name is the issuer's with a common name more"
			}
		}
	}
	return ""
}

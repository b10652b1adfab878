package certs

import (
	"fmt"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// Code is the stable name of a reason for which a peer is refused. Codes are
// the same in errors, logs, JSON and metrics, and never change their meaning.
type Code string

// The reasons for which Verify refuses a peer.
const (
	CodeNoCertificate     Code = "no-certificate"             // the peer sent no certificate
	CodeMalformed         Code = "malformed-certificate"      // a certificate cannot be read
	CodeUnknownCA         Code = "unknown-ca"                 // no trusted CA issued the chain
	CodeBadSignature      Code = "bad-signature"              // a signature does not verify
	CodeWeakSignature     Code = "weak-signature"             // MD5, SHA-1 or a key too small
	CodeUnsupported       Code = "unsupported-algorithm"      // a key or a signature of a kind that is not supported
	CodeExpired           Code = "expired"                    // a certificate is past its notAfter
	CodeNotYetValid       Code = "not-yet-valid"              // a certificate is before its notBefore
	CodeNotCA             Code = "not-a-ca"                   // an issuer is no CA by its basicConstraints
	CodePathLength        Code = "path-length"                // a pathLenConstraint is exceeded
	CodeKeyUsage          Code = "key-usage"                  // keyUsage forbids this use
	CodeExtendedKeyUsage  Code = "extended-key-usage"         // extKeyUsage forbids this use
	CodeNameConstraints   Code = "name-constraints"           // a CA may not issue for this name
	CodeCriticalExtension Code = "unknown-critical-extension" // a critical extension is not understood, or requires certificate policies
	CodeTooDeep           Code = "path-too-deep"              // more certificates than --max-depth
	CodeTooMuchWork       Code = "too-much-work"              // the chain is larger, or would cost more work, than any sound one
	CodeCAAsHost          Code = "ca-as-host"                 // the peer presents a CA's certificate as its own
	CodeProxy             Code = "proxy-certificate"          // the peer presents a user's proxy
	CodePolicyMissing     Code = "policy-missing"             // no signing_policy or namespaces file speaks of a CA
	CodePolicyMalformed   Code = "policy-malformed"           // a signing_policy or namespaces file cannot be read
	CodePolicyDenied      Code = "policy-denied"              // a CA may not sign this name
	CodeRevoked           Code = "revoked"                    // a CRL names a certificate
	CodeCRLMissing        Code = "crl-missing"                // there is no CRL of a CA, or only one of another key of its name
	CodeCRLInvalid        Code = "crl-invalid"                // a CRL is malformed, or not signed by its CA
	CodeCRLUnusable       Code = "crl-unusable"               // a CRL cannot tell that a certificate is good
	CodeCRLNotYetValid    Code = "crl-not-yet-valid"          // a CRL is before its thisUpdate
	CodeCRLExpired        Code = "crl-expired"                // a CRL is past its nextUpdate
	CodeWrongHost         Code = "wrong-host"                 // the certificate proves another host's name
	CodeNotAllowed        Code = "not-allowed"                // no access rule names the peer
)

// Refusal says why a peer is refused. It is the only error that Verify
// returns.
type Refusal struct { //nolint:errname // a refusal is what it is called everywhere
	Code    Code
	Depth   int    // position in the path, 0 is the peer's own certificate
	Subject string // DN of the certificate at Depth, slash form, shortened if it is very long; "(empty DN)" if it has none; empty if there is no certificate to name
	File    string // the file that decided, if one did
	Line    int    // the line in File, counted from 1; 0 if none
	Reason  string // one clause in plain words
	Cure    string // what to do about it, a sentence
}

// Error gives the reason with the certificate and the file that decided, on
// one line.
func (r *Refusal) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", r.Code)
	if r.Subject != "" {
		fmt.Fprintf(&b, "the certificate of %s", r.Subject)
		if r.File != "" && !strings.Contains(r.Reason, r.File) {
			fmt.Fprintf(&b, " (%s)", files.Position(r.File, r.Line))
		}
		b.WriteString(" is refused: ")
	}
	b.WriteString(r.Reason)
	return b.String()
}

// Hint is the cure, for the hint line of the command line.
func (r *Refusal) Hint() string { return r.Cure }

// refuse makes a Refusal about the certificate at depth, with the usual cure
// of its code. e is nil if the peer sent nothing to name.
func refuse(e *element, depth int, code Code, reason string, args ...any) *Refusal {
	r := &Refusal{Code: code, Depth: depth, Reason: dn.Shorten(fmt.Sprintf(reason, args...), maxReason)}
	if e != nil {
		r.Subject, r.File, r.Line = e.subject.Brief(), e.file, e.line
	}
	r.Cure = cure(code, depth, r.File)
	return r
}

// cure is what to do about a refusal: the peer's administrator renews its own
// certificate, the CA's files are renewed where they are installed.
func cure(code Code, depth int, file string) string {
	renew := "Ask the peer's CA for a new host certificate and install it on the peer."
	if depth > 0 {
		renew = "The peer must send the current certificate of this CA in its hostcert.pem."
	}
	if file != "" {
		renew = "Update the CA's files on this host (its package of CAs), or ask the CA."
	}
	switch code {
	case CodeNoCertificate:
		return "Configure a host certificate and its key on the peer (cert and key in stunnel, --cert and --key in gtunnel)."
	case CodeMalformed:
		return "Look at what the peer sends: openssl x509 -text -in hostcert.pem; its CA must issue it anew."
	case CodeUnknownCA:
		return "Install the CA that issued the peer's certificate in the CApath, or have the peer use a certificate of a CA that is installed here."
	case CodeBadSignature:
		return "The peer's chain or the installed CA is not the one that issued the certificate: compare the CA's certificate with the CA's own publication."
	case CodeWeakSignature:
		return "The certificate must be issued anew with SHA-256 and a key of 2048 bits or more (RSA) or 256 bits (ECDSA). " + renew
	case CodeUnsupported:
		return keyCure
	case CodeExpired:
		return renew
	case CodeNotYetValid:
		return "Check the clocks of both hosts (timedatectl); if they are right, wait until the certificate begins."
	case CodeNotCA:
		return "Only a CA may issue host certificates: the peer needs one that a CA issued itself."
	case CodePathLength, CodeNameConstraints:
		return "The CA issued what it may not issue: ask it for a certificate that its own rules allow."
	case CodeKeyUsage:
		return "Ask the CA for a certificate with this usage: digitalSignature for hosts, keyCertSign for CAs."
	case CodeExtendedKeyUsage:
		return "Ask the peer's CA for a host certificate with serverAuth (and clientAuth where --eku strict is used)."
	case CodeCriticalExtension:
		return "Ask the peer's CA for a certificate without this extension, or with it not critical."
	case CodeTooDeep:
		return "Raise --max-depth if a path of this length is meant; otherwise have the peer send only its own chain."
	case CodeTooMuchWork:
		return "Have the peer send only its own certificate and the subordinates above it."
	case CodeCAAsHost:
		return "Configure the host's own certificate on the peer, first in its file, not the CA's."
	case CodeProxy:
		return "Configure the host's own certificate on the peer (/etc/grid-security/hostcert.pem), not a user's proxy."
	case CodePolicyMissing:
		return "Install the signing_policy or namespaces file of the CA in the CApath (it comes with the CA's package), give the CA with --cafile, or choose another --namespaces mode."
	case CodePolicyMalformed:
		return "Put the policy file right; it comes with the CA's package."
	case CodePolicyDenied:
		return "The peer needs a certificate of a CA that may sign its name; if this one may, its policy file must say so."
	case CodeRevoked:
		return "Ask the CA for a new certificate: a revoked one stays revoked."
	case CodeCRLMissing:
		return "Fetch the CA's list: fetch-crl (its timer or cron job may be off). If the CA publishes none, --crl if-present accepts its peers with a warning."
	case CodeCRLExpired:
		return "Fetch the CA's current list: fetch-crl -v shows what fails (its timer or cron job may be off, or a firewall in the way). " + whileUnusable
	case CodeCRLInvalid:
		return "Fetch the CA's list anew: fetch-crl. If it stays like this, update the CA's package or ask the CA. " + whileUnusable
	case CodeCRLUnusable:
		return "Ask the CA for a complete list of what it has issued: fetching this one again does not help. " + whileUnusable
	case CodeCRLNotYetValid:
		return "Check this host's clock (timedatectl); if it is right, the CA's is wrong."
	case CodeWrongHost:
		return "Connect to a name that the certificate proves, or ask the peer's CA for a certificate with the right subjectAltName."
	case CodeNotAllowed:
		return "Add an --allow-host or --allow-dn that names the peer, if it may use this tunnel."
	default:
		return ""
	}
}

// whileUnusable ends the cures of lists that cannot be used.
const whileUnusable = "Until then --crl if-valid accepts its peers with a warning, but for those that a verified list names."

// installCA says which CA is missing, and under which names it is looked for.
func (s *search) installCA(subject *dn.Name) string {
	place := s.snapshot.config.CApath
	if place == "" {
		return fmt.Sprintf("Add the certificate of the CA %s to %s, if you trust it.", subject.Brief(), s.snapshot.config.CAfile)
	}
	return fmt.Sprintf("If you trust the CA %s, install its package; its certificate belongs in %s as %s.0 or %s.0.",
		subject.Brief(), place, subject.Hash(), subject.HashOld())
}

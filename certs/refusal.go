package certs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// Refusal says why a peer is refused. It is the only error that Verify
// returns.
type Refusal struct { //nolint:errname // a refusal is what it is called everywhere
	Code  Code
	Depth int // position in the path, 0 is the peer's own certificate

	// Subject is the DN of the certificate at Depth in slash form, shortened if
	// it is very long; "(empty DN)" if it has none; empty if there is no
	// certificate to name.
	Subject string

	File   string // the file that decided, if one did
	Line   int    // the line in File, counted from 1; 0 if none
	Reason string // one clause in plain words, see Setting
	Cure   string // what to do about it, a sentence or more, see Setting
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
	r.Cure = usualCure(code, depth, r.File)
	return r
}

// Code is the stable name of a reason for which a peer is refused, a handshake
// fails, or a warning is given. Codes are the same in errors, logs, JSON and
// metrics, and never change their meaning, which Codes tells.
type Code string

// The codes of a HandshakeError.
const (
	CodeNotTLS        Code = "not-tls"
	CodeSilent        Code = "silent"
	CodeTimeout       Code = "timeout"
	CodeDisconnected  Code = "disconnected"
	CodePeerRefusedUs Code = "peer-refused-us"
	CodePeerBusy      Code = "peer-busy"
	CodeProtocol      Code = "tls-protocol"
)

// The codes of a Refusal or a Warning.
const (
	CodeNoCertificate     Code = "no-certificate"
	CodeMalformed         Code = "malformed-certificate"
	CodeProxy             Code = "proxy-certificate"
	CodeCAAsHost          Code = "ca-as-host"
	CodeUnknownCA         Code = "unknown-ca"
	CodeBadSignature      Code = "bad-signature"
	CodeWeakSignature     Code = "weak-signature"
	CodeUnsupported       Code = "unsupported-algorithm"
	CodeTooDeep           Code = "path-too-deep"
	CodeTooMuchWork       Code = "too-much-work"
	CodeExpired           Code = "expired"
	CodeNotYetValid       Code = "not-yet-valid"
	CodeCriticalExtension Code = "unknown-critical-extension"
	CodeNotCA             Code = "not-a-ca"
	CodePathLength        Code = "path-length"
	CodeKeyUsage          Code = "key-usage"
	CodeExtendedKeyUsage  Code = "extended-key-usage"
	CodeNameConstraints   Code = "name-constraints"
	CodePolicyMissing     Code = "policy-missing"
	CodePolicyMalformed   Code = "policy-malformed"
	CodePolicyDenied      Code = "policy-denied"
	CodeRevoked           Code = "revoked"
	CodeCRLMissing        Code = "crl-missing"
	CodeCRLInvalid        Code = "crl-invalid"
	CodeCRLUnusable       Code = "crl-unusable"
	CodeCRLNotYetValid    Code = "crl-not-yet-valid"
	CodeCRLExpired        Code = "crl-expired"
	CodeWrongHost         Code = "wrong-host"
	CodeNotAllowed        Code = "not-allowed"
)

// Meaning is what there is to know of a Code.
type Meaning struct {
	Code    Code
	Meaning string // a clause, see Setting
	Cure    string // what to do about it if nothing more is known, a sentence or more, see Setting
}

// Codes lists every Code of this package in the order of a verification, the
// handshake first: those of HandshakeError, Refusal and Warning.
func Codes() []Meaning {
	list := make([]Meaning, 0, len(codes))
	for _, c := range codes {
		list = append(list, Meaning{Code: c.code, Meaning: c.meaning, Cure: usualCure(c.code, 0, "")})
	}
	return list
}

// usualCure is what to do about a code where nothing more is known than the
// place of the certificate in the path, and its file if it is installed.
func usualCure(code Code, depth int, file string) string {
	i := slices.IndexFunc(codes, func(c codeEntry) bool { return c.code == code })
	if i < 0 {
		return ""
	}
	if codes[i].renew {
		return strings.TrimSpace(codes[i].cure + " " + renew(depth, file))
	}
	return codes[i].cure
}

// renew is who has to renew a certificate: the peer's administrator its own,
// the CA's files are renewed where they are installed.
func renew(depth int, file string) string {
	switch {
	case file != "":
		return "Update the CA's files on this host (its package of CAs), or ask the CA."
	case depth > 0:
		return "The peer must send the current certificate of this CA in its hostcert.pem."
	default:
		return "Ask the peer's CA for a new host certificate and install it on the peer."
	}
}

// codeEntry is a code with its meaning and its usual cure. renew has the cure
// end with who renews the certificate.
type codeEntry struct {
	code    Code
	meaning string
	cure    string
	renew   bool
}

// codes is the table of all codes, in the order of a verification.
var codes = []codeEntry{
	{
		code:    CodeNotTLS,
		meaning: "the other end does not speak TLS",
		cure:    pointConnect + ".",
	},
	{
		code:    CodeSilent,
		meaning: "the other end sent nothing before the deadline",
		cure: "Look whether a gtunnel server (or stunnel) listens there: something that waits for another protocol," +
			" or a firewall, is silent like this.",
	},
	{
		code:    CodeTimeout,
		meaning: "the other end did not finish the handshake before the deadline",
		cure: "Look whether the network between the hosts loses packets or cuts large ones (MTU)," +
			" and at the other end's log.",
	},
	{
		code:    CodeDisconnected,
		meaning: "the other end closed or reset the connection",
		cure:    lookInLog,
	},
	{
		code:    CodePeerRefusedUs,
		meaning: "the other end refused our certificate",
		cure:    "Look in the other end's log: it says there what it objects to.",
	},
	{
		code:    CodePeerBusy,
		meaning: "the other end takes no connection now, mostly because it is at a limit",
		cure: "Its log says why: a gtunnel server is at its limit max-connections, max-connections-per-peer, " +
			"max-handshakes or max-handshakes-per-source; another program has failed inside.",
	},
	{
		code:    CodeProtocol,
		meaning: "no common TLS version or cipher, or a malformed message",
		cure:    lookInLog,
	},
	{
		code:    CodeNoCertificate,
		meaning: "the peer sent no certificate",
		cure: "Configure a host certificate and its key on the peer (cert and key in stunnel," +
			" ‹cert› and ‹key› in gtunnel).",
	},
	{
		code:    CodeMalformed,
		meaning: "a certificate cannot be read",
		cure:    "Look at what the peer sends: openssl x509 -text -in hostcert.pem; its CA must issue it anew.",
	},
	{
		code:    CodeProxy,
		meaning: "the peer presents a user's proxy certificate, or what looks like one",
		cure: "Configure the host's own certificate on the peer (/etc/grid-security/hostcert.pem), " +
			"not a user's proxy.",
	},
	{
		code:    CodeCAAsHost,
		meaning: "the peer presents a CA's certificate as its own",
		cure:    "Configure the host's own certificate on the peer, first in its file, not the CA's.",
	},
	{
		code:    CodeUnknownCA,
		meaning: "no installed CA issued the chain",
		cure: "Install the CA that issued the peer's certificate in the CApath," +
			" or have the peer use a certificate of a CA that is installed here.",
	},
	{
		code:    CodeBadSignature,
		meaning: "a signature was not made with the issuer's key",
		cure: "The peer's chain or the installed CA is not the one that issued the certificate:" +
			" compare the CA's certificate with the CA's own publication.",
	},
	{
		code:    CodeWeakSignature,
		meaning: "a signature of MD5 or SHA-1, or a key that is too small",
		cure: "The certificate must be issued anew with SHA-256" +
			" and a key of 2048 bits or more (RSA) or 256 bits (ECDSA).",
		renew: true,
	},
	{
		code: CodeUnsupported,
		meaning: "a key or a signature of a kind that is not supported," +
			" or with which no TLS handshake is possible",
		cure: keyCure,
	},
	{
		code:    CodeTooDeep,
		meaning: "the path has more CA certificates than ‹max-depth›",
		cure: "Raise ‹max-depth› if a path of this length is meant;" +
			" otherwise have the peer send only its own chain.",
	},
	{
		code:    CodeTooMuchWork,
		meaning: "the chain is larger, or would cost more work, than any sound one",
		cure:    "Have the peer send only its own certificate and the subordinates above it.",
	},
	{
		code:    CodeExpired,
		meaning: "a certificate is past its notAfter",
		renew:   true,
	},
	{
		code:    CodeNotYetValid,
		meaning: "a certificate is before its notBefore",
		cure: "Check the clocks of both hosts (timedatectl);" +
			" if they are right, wait until the certificate begins.",
	},
	{
		code: CodeCriticalExtension,
		meaning: "a certificate has a critical extension that is not understood," +
			" or requires certificate policies",
		cure: "Ask the peer's CA for a certificate without this extension, or with it not critical.",
	},
	{
		code:    CodeNotCA,
		meaning: "an issuer is no CA by its basicConstraints",
		cure:    "Only a CA may issue host certificates: the peer needs one that a CA issued itself.",
	},
	{
		code:    CodePathLength,
		meaning: "a CA's pathLenConstraint is exceeded",
		cure:    againstItsRules,
	},
	{
		code:    CodeKeyUsage,
		meaning: "keyUsage forbids this use",
		cure:    "Ask the CA for a certificate with this usage: digitalSignature for hosts, keyCertSign for CAs.",
	},
	{
		code:    CodeExtendedKeyUsage,
		meaning: "extKeyUsage forbids this use",
		cure: "Ask the peer's CA for a host certificate with serverAuth" +
			" (and clientAuth where ‹eku› strict is used).",
	},
	{
		code:    CodeNameConstraints,
		meaning: "a CA's name constraints forbid a name",
		cure:    againstItsRules,
	},
	{
		code:    CodePolicyMissing,
		meaning: "no signing_policy or namespaces file speaks of a CA",
		cure: "Install the signing_policy or namespaces file of the CA in the CApath" +
			" (it comes with the CA's package), give the CA with ‹cafile›, or choose another ‹namespaces› mode.",
	},
	{
		code:    CodePolicyMalformed,
		meaning: "a signing_policy or namespaces file cannot be read",
		cure:    "Put the policy file right; it comes with the CA's package.",
	},
	{
		code:    CodePolicyDenied,
		meaning: "a signing_policy or namespaces file forbids a CA to sign a name",
		cure: "The peer needs a certificate of a CA that may sign its name;" +
			" if this one may, its policy file must say so.",
	},
	{
		code:    CodeRevoked,
		meaning: "a CA has revoked a certificate",
		cure:    "Ask the CA for a new certificate: a revoked one stays revoked.",
	},
	{
		code:    CodeCRLMissing,
		meaning: "there is no CRL of a CA, or only one of another key of its name",
		cure: "Fetch the CA's list: fetch-crl (its timer or cron job may be off). " +
			ifPublishesNone,
	},
	{
		code:    CodeCRLInvalid,
		meaning: "a CRL is malformed, or not signed by its CA",
		cure: "Fetch the CA's list anew: fetch-crl. If it stays like this, update the CA's package or ask the CA. " +
			whileUnusable,
	},
	{
		code: CodeCRLUnusable,
		meaning: "a CRL cannot tell that a certificate is good: a delta or indirect one, one of another scope," +
			" or with a critical extension that is not understood",
		cure: "Ask the CA for a complete list of what it has issued: fetching this one again does not help. " +
			whileUnusable,
	},
	{
		code:    CodeCRLNotYetValid,
		meaning: "a CRL is before its thisUpdate",
		cure:    "Check this host's clock (timedatectl); if it is right, the CA's is wrong.",
	},
	{
		code:    CodeCRLExpired,
		meaning: "a CRL is past its nextUpdate",
		cure: "Fetch the CA's current list: fetch-crl -v shows what fails" +
			" (its timer or cron job may be off, or a firewall in the way). " + whileUnusable,
	},
	{
		code:    CodeWrongHost,
		meaning: "the certificate proves another host's name",
		cure: "Connect to a name that the certificate proves," +
			" or ask the peer's CA for a certificate with the right subjectAltName.",
	},
	{
		code:    CodeNotAllowed,
		meaning: "no access rule names the peer",
		cure:    "Add an ‹allow-host› or ‹allow-dn› that names the peer, if it may use this tunnel.",
	},
}

// What several cures say.
const (
	pointConnect    = "Point ‹connect› at the gtunnel server's port, usually 3307"
	lookInLog       = "Look in the other end's log for the reason."
	againstItsRules = "The CA issued what it may not issue: ask it for a certificate that its own rules allow."
	ifPublishesNone = "If the CA publishes none, ‹crl› if-present accepts its peers with a warning."
	whileUnusable   = "Until then ‹crl› if-valid accepts its peers with a warning," +
		" but for those that a verified list names."
)

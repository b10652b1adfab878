package certs

import "slices"

// Meaning is a Code with what it means.
type Meaning struct {
	Code    Code
	Meaning string // a clause
}

// codes lists every code of this package in the order of a verification, the
// handshake first.
var codes = []Meaning{
	{CodeNotTLS, "the other end does not speak TLS"},
	{CodeSilent, "the other end sent nothing before the deadline"},
	{CodeTimeout, "the other end did not finish the handshake before the deadline"},
	{CodeDisconnected, "the other end closed or reset the connection"},
	{CodePeerRefusedUs, "the other end refused our certificate"},
	{CodePeerBusy, "the other end takes no connection now, mostly because it is at a limit"},
	{CodeProtocol, "no common TLS version or cipher, or a malformed message"},

	{CodeNoCertificate, "the peer sent no certificate"},
	{CodeMalformed, "a certificate cannot be read"},
	{CodeProxy, "the peer presents a user's proxy certificate, or what looks like one"},
	{CodeCAAsHost, "the peer presents a CA's certificate as its own"},
	{CodeUnknownCA, "no installed CA issued the chain"},
	{CodeBadSignature, "a signature was not made with the issuer's key"},
	{CodeWeakSignature, "a signature of MD5 or SHA-1, or a key that is too small"},
	{CodeUnsupported, "a key or a signature of a kind that is not supported, or with which no TLS handshake is possible"},
	{CodeTooDeep, "the path has more CA certificates than --max-depth"},
	{CodeTooMuchWork, "the chain is larger, or would cost more work, than any sound one"},
	{CodeExpired, "a certificate is past its notAfter"},
	{CodeNotYetValid, "a certificate is before its notBefore"},
	{CodeCriticalExtension, "a certificate has a critical extension that is not understood, or requires certificate policies"},
	{CodeNotCA, "an issuer is no CA by its basicConstraints"},
	{CodePathLength, "a CA's pathLenConstraint is exceeded"},
	{CodeKeyUsage, "keyUsage forbids this use"},
	{CodeExtendedKeyUsage, "extKeyUsage forbids this use"},
	{CodeNameConstraints, "a CA's name constraints forbid a name"},
	{CodePolicyMissing, "no signing_policy or namespaces file speaks of a CA"},
	{CodePolicyMalformed, "a signing_policy or namespaces file cannot be read"},
	{CodePolicyDenied, "a signing_policy or namespaces file forbids a CA to sign a name"},
	{CodeRevoked, "a CA has revoked a certificate"},
	{CodeCRLMissing, "there is no CRL of a CA, or only one of another key of its name"},
	{CodeCRLInvalid, "a CRL is malformed, or not signed by its CA"},
	{CodeCRLUnusable, "a CRL cannot tell that a certificate is good: a delta or indirect one, one of another scope, or with a critical extension that is not understood"},
	{CodeCRLNotYetValid, "a CRL is before its thisUpdate"},
	{CodeCRLExpired, "a CRL is past its nextUpdate"},
	{CodeWrongHost, "the certificate proves another host's name"},
	{CodeNotAllowed, "no access rule names the peer"},
}

// Codes lists every Code of this package with its meaning: those of Refusal,
// HandshakeError and Warning.
func Codes() []Meaning { return slices.Clone(codes) }

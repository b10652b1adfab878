package certs

import "fmt"

// Code is the stable name of a reason for which a peer is refused. Codes are
// the same in errors, logs, JSON and metrics, and never change their meaning.
type Code string

// The reasons for which Verify refuses a peer.
const (
	CodeNoCertificate     Code = "no-certificate"             // the peer sent no certificate
	CodeUnknownCA         Code = "unknown-ca"                 // no trusted CA issued the chain
	CodeBadSignature      Code = "bad-signature"              // a signature does not verify
	CodeWeakSignature     Code = "weak-signature"             // MD5, SHA-1 or a key too small
	CodeExpired           Code = "expired"                    // a certificate is past its notAfter
	CodeNotYetValid       Code = "not-yet-valid"              // a certificate is before its notBefore
	CodeNotCA             Code = "not-a-ca"                   // an issuer is no CA by its basicConstraints
	CodePathLength        Code = "path-length"                // a pathLenConstraint is exceeded
	CodeKeyUsage          Code = "key-usage"                  // keyUsage forbids this use
	CodeExtendedKeyUsage  Code = "extended-key-usage"         // extKeyUsage forbids this use
	CodeNameConstraints   Code = "name-constraints"           // a CA may not issue for this name
	CodeCriticalExtension Code = "unknown-critical-extension" // a critical extension is not understood
	CodeTooDeep           Code = "path-too-deep"              // more certificates than --max-depth
	CodeTooMuchWork       Code = "too-much-work"              // the chain would cost too many signature checks
	CodeCAAsHost          Code = "ca-as-host"                 // the peer presents a CA's certificate as its own
	CodeProxy             Code = "proxy-certificate"          // the peer presents a user's proxy
	CodeWrongHost         Code = "wrong-host"                 // the certificate proves another host's name
	CodeNotAllowed        Code = "not-allowed"                // no access rule names the peer
)

// Refusal says why a peer is refused. It is the only error that Verify
// returns.
type Refusal struct {
	Code    Code
	Depth   int    // position in the path, 0 is the peer's own certificate
	Subject string // DN of the certificate at Depth, slash form; may be empty
	File    string // the file that decided, if one did
	Line    int    // the line in File, counted from 1; 0 if none
	Reason  string // one clause in plain words
	Cure    string // what to do about it, a sentence
}

// Error gives the reason with the certificate and the file that decided, on
// one line.
func (r *Refusal) Error() string {
	return fmt.Sprintf("%s: %s", r.Code, r.Reason)
}

// Hint is the cure, for the hint line of the command line.
func (r *Refusal) Hint() string { return r.Cure }

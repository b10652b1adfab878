// Package certs decides whether the other end of a TLS connection may be
// trusted, the way grid middleware decides it.
//
// A [Store] holds what the host trusts (a CApath as grid sites install it,
// with signing policies and revocation lists, or a single CA file) as an
// immutable [Snapshot], and reads it again as its files change. A
// [Credential] holds what the host proves itself with. [Verify] is the one
// door: every verdict about a peer, in a handshake or offline, is made there
// and nowhere else. An [Endpoint] runs TLS handshakes whose only judge is
// Verify, and asks again about sessions that are already open; the standard
// library's own verification is never used, because it compares names byte by
// byte and knows no signing policies (see golang/go 31440).
//
// The walk of a peer's certificate, from the handshake to its effect:
//
//  1. Endpoint.Server and Client (endpoint.go) bound what the peer sends (observed.go); crypto/tls hands the chain to
//     judge.verifyConnection, which asks Verify, or verdicts that remembers it (verdicts.go).
//  2. Verify (verify.go) bounds the chain (limits.go), reads who the peer is (identity.go, internal/dn), and has search
//     find a path of names and signatures up to an installed CA (path.go; nopath.go says why there is none).
//  3. search.judgePath (checks.go) asks pathChecks of each certificate, constraints.go for names, at last checkPolicies
//     (policycheck.go, internal/policy) and checkRevocation (revocation.go, crlsigners.go, internal/crl).
//  4. Verify asks judgeHost and Access.judge (identity.go, access.go); a Result with the path, the peer's names and its
//     NextEvent comes out, or a Refusal with code, file, line and cure (refusal.go).
//  5. The session that was opened keeps the Result: Endpoint.Recheck (verdicts.go) judges the same chain again after
//     Store.Reload (store.go, load.go), after SetAccess and at NextEvent, and whoever it refuses is cut off.
//
// All types are safe for concurrent use unless their documentation says
// otherwise.
package certs

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
// All types are safe for concurrent use unless their documentation says
// otherwise.
package certs

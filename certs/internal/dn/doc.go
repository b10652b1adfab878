// Package dn is all that certs knows about distinguished names (DNs).
//
// It promises one parser, one canonical form (by which certificates find
// their issuers), one slash form (which people read and write), and every
// comparison of a name: with the subtrees of name constraints, the DNs of
// access rules, the patterns of a signing_policy and the expressions of a
// namespaces file. Names that are equal by RFC 5280 read alike everywhere,
// whatever their string types; a name that could be read as another one is
// ambiguous, and nothing permits it.
//
// It decides about no peer, and reads no file. All types are immutable, but
// for Rules while rules are added.
package dn

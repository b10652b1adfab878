package certs_test

import (
	"time"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/certs/certstest"
)

type lists []certstest.CRLOptions

// revocationCase is a case of TestRevocation.
type revocationCase struct {
	name    string
	signer  *certstest.CA // nil: root
	lists   lists
	require certs.Code // under CRLRequire; empty: accepted; the same under CRLIfPresent, but for a missing list
	valid   certs.Code // under CRLIfValid; empty: accepted
	warning certs.Code // under CRLIfValid, and CRLIfPresent where it accepts; empty: none
	file    int        // the list that decided; -1: none
}

// timelyListCases are current and stale lists of the CA.
func timelyListCases(host, other *certstest.Host) []revocationCase {
	return []revocationCase{
		{name: "current", lists: lists{naming(current, other)}},
		{name: "empty and current", lists: lists{current}},
		{name: "none", require: certs.CodeCRLMissing, warning: certs.CodeCRLMissing, file: -1},
		{name: "revoked", lists: lists{naming(current, host)}, require: certs.CodeRevoked, valid: certs.CodeRevoked},
		{name: "stale", lists: lists{stale}, require: certs.CodeCRLExpired, warning: certs.CodeCRLExpired},
		{
			name: "revoked by a stale list", lists: lists{naming(stale, host)}, require: certs.CodeRevoked,
			valid: certs.CodeRevoked,
		},
		{name: "not yet valid", lists: lists{notYet}, require: certs.CodeCRLNotYetValid, warning: certs.CodeCRLNotYetValid},
		{name: "stale beside current", lists: lists{stale, current}},
		{name: "stale leftover", lists: lists{current, stale}},
		{
			name: "revoked by a stale leftover", lists: lists{current, naming(stale, host)}, require: certs.CodeRevoked,
			valid: certs.CodeRevoked, file: 1,
		},
		{
			name: "revoked beside a later list without it", lists: lists{naming(current, host), current},
			require: certs.CodeRevoked, valid: certs.CodeRevoked,
		},
		{
			name:    "two stale lists",
			lists:   lists{stale, {ThisUpdate: now.Add(-72 * time.Hour), NextUpdate: now.Add(-time.Hour)}},
			require: certs.CodeCRLExpired, warning: certs.CodeCRLExpired, file: 1,
		},
	}
}

// foreignListCases are lists that another key of the CA's name signed.
func foreignListCases(host *certstest.Host) []revocationCase {
	impostor := must(certstest.NewCA("Root", sound)) // the same name, and not installed
	return []revocationCase{
		{
			name: "another key", signer: impostor, lists: lists{current}, require: certs.CodeCRLInvalid,
			warning: certs.CodeCRLInvalid,
		},
		{
			name: "revoked by another key", signer: impostor, lists: lists{naming(current, host)}, require: certs.CodeCRLInvalid,
			warning: certs.CodeCRLInvalid,
		},
	}
}

// limitedListCases are lists whose extensions limit what they say.
func limitedListCases(host, other *certstest.Host) []revocationCase {
	return []revocationCase{
		{name: "delta", lists: lists{deltaList}, require: certs.CodeCRLUnusable, warning: certs.CodeCRLUnusable},
		{
			name: "revoked by a delta", lists: lists{current, naming(deltaList, host)}, require: certs.CodeRevoked,
			valid: certs.CodeRevoked, file: 1,
		},
		{
			name: "indirect", lists: lists{naming(indirect, other)}, require: certs.CodeCRLUnusable,
			warning: certs.CodeCRLUnusable,
		},
		{
			name: "revoked by an indirect list", lists: lists{naming(indirect, host)}, require: certs.CodeRevoked,
			valid: certs.CodeRevoked,
		},
		{name: "some reasons", lists: lists{someReason}, require: certs.CodeCRLUnusable, warning: certs.CodeCRLUnusable},
		{
			name: "unknown critical extension", lists: lists{critical}, require: certs.CodeCRLUnusable,
			warning: certs.CodeCRLUnusable,
		},
		{
			name: "revoked by a list with an unknown critical extension", lists: lists{naming(critical, host)},
			require: certs.CodeRevoked, valid: certs.CodeRevoked,
		},
		{name: "unknown extension", lists: lists{remark}},
		{name: "unusable beside current", lists: lists{critical, current, deltaList}},
		{name: "for users", lists: lists{onlyUsers}},
		{name: "for CAs", lists: lists{onlyCAs}, require: certs.CodeCRLUnusable, warning: certs.CodeCRLUnusable},
		{
			name: "unusable and stale", lists: lists{critical, stale}, require: certs.CodeCRLExpired,
			warning: certs.CodeCRLExpired, file: 1,
		},
	}
}

package certs

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// checkDecision asserts what holds of every decision.
func checkDecision(t *testing.T, d policyDecision) {
	t.Helper()
	switch d.Verdict {
	case policySilent:
		if d.Line != 0 || d.Reason != "" {
			t.Fatalf("silent with a line or a reason: %+v", d)
		}
	case policyPermits, policyDenies:
		if d.Line < 1 || d.Reason == "" {
			t.Fatalf("decided without a line or a reason: %+v", d)
		}
	default:
		t.Fatalf("verdict %d", d.Verdict)
	}
	if d.File != "f" {
		t.Fatalf("file %q", d.File)
	}
}

// checkProblems asserts what holds of every outcome of a parser.
func checkProblems(t *testing.T, content string, parsed bool, problems []Problem) {
	t.Helper()
	if parsed == (len(problems) > 0) {
		t.Fatalf("parsed %t with problems %v", parsed, problems)
	}
	lines := strings.Count(content, "\n") + 1
	for _, p := range problems {
		if p.File != "f" || p.Message == "" || p.Line < 0 || p.Line > lines {
			t.Fatalf("problem %+v of a file of %d lines", p, lines)
		}
	}
}

func FuzzSigningPolicy(f *testing.F) {
	f.Add(goodSigningPolicy, "/O=Grid/CN=CA", "/O=Grid/CN=x")
	f.Add("access_id_CA X509 '/CN=A\\'b' pos_rights globus CA:sign cond_subjects globus '\"/a\\\"*\" \"\\x41\"'", "/CN=A'b", "/a\"b")
	f.Add("access_id_ANYBODY\naccess_id_CA X509 a pos_rights a b pos_rights globus CA:sign cond_subjects globus *", "a", "b")
	f.Add("access_id_CA X509 'a' neg_rights globus CA:sign", "", "")
	f.Fuzz(func(t *testing.T, content, issuer, subject string) {
		policy, problems := parseSigningPolicy("f", []byte(content))
		checkProblems(t, content, policy != nil, problems)
		if policy == nil {
			return
		}
		checkDecision(t, policy.judge(issuer, subject))
		for name, entry := range policy.issuers {
			got := policy.judge(name, subject)
			if checkDecision(t, got); got.Verdict == policySilent && normalizeDN(name) == name {
				t.Fatalf("silent on its own issuer %q", name)
			}
			for _, right := range entry.rights {
				if len(right) != 1 || normalizeDN(name) != name {
					continue
				}
				pattern := right[0].patterns[0]
				permitted := pattern.folded
				if pattern.star {
					permitted += "!"
				}
				if normalizeDN(permitted) == permitted && policy.judge(name, permitted).Verdict != policyPermits {
					t.Fatalf("%q does not permit %q", pattern.raw, permitted)
				}
			}
		}
	})
}

func FuzzNamespaces(f *testing.F) {
	f.Add(goodNamespaces, "/O=Grid/CN=CA", "/O=Grid/CN=x")
	f.Add("TO Issuer SELF DENY Subject \"[^a-z[:digit:]\\]]+(?:x|y){2,3}?\\xc3\xc3\xb6\"\n", "/CN=A", "/CN=b")
	f.Add("TO Issuer \"a\\\"\" \\\r\n PERMIT Subject \"\\\"\\\n.*\" # c\n#NAMESPACES-VERSION: 1.0", "a\"", "\"/E=x/UID=y")
	f.Add("to issuer \"/CN=x\" permit subject \"a)|(b\"", "/CN=x", "a")
	f.Fuzz(func(t *testing.T, content, issuer, subject string) {
		policy, problems := parseNamespaces("f", []byte(content))
		checkProblems(t, content, policy != nil, problems)
		if policy == nil {
			return
		}
		checkDecision(t, policy.judge(issuer, subject, false))
		checkDecision(t, policy.judge(issuer, subject, true))
		for _, s := range policy.statements {
			if normalizeDN(s.issuer) != s.issuer {
				continue
			}
			got := policy.judge(s.issuer, subject, s.self)
			if checkDecision(t, got); got.Verdict == policySilent {
				t.Fatalf("silent on its own issuer %q", s.issuer)
			}
			if !s.permit && s.matches(spellings(subject)) && got.Verdict != policyDenies {
				t.Fatalf("a DENY that matches does not win: %+v", got)
			}
		}
	})
}

func FuzzCRL(f *testing.F) {
	key := testKeys().ecdsa
	ca := testCA(f, key, x509.KeyUsageCRLSign)
	full := testList{
		version: 2, nextUpdate: testThisUpdate.AddDate(0, 1, 0),
		entries: []testEntry{
			{serial: []byte{1}, date: testThisUpdate, extensions: []testExtension{reason(1)}},
			{serial: []byte{0, 0x80}, date: testThisUpdate.AddDate(30, 0, 0)},
			{serial: []byte{0x9a}, date: testThisUpdate},
		},
		extensions: []testExtension{
			{oid: oidAuthorityKeyID, value: []byte{0x30, 5, 0x80, 3, 9, 8, 7}},
			{oid: oidCRLNumber, value: []byte{2, 2, 1, 0}},
			issuingDistributionPoint(f, []string{"http://a/"}, 1, 3),
			{oid: asn1.ObjectIdentifier{1, 2, 3}, critical: true, value: []byte{1}},
		},
	}
	f.Add(full.der(f))
	f.Add(testList{entries: full.entries}.der(f))
	f.Add(testList{}.der(f))
	block := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: full.der(f)})
	f.Add(block)
	f.Add(slices.Concat(block, []byte("text\n"), block[:len(block)-30], block))
	f.Add(append(full.der(f), testList{}.der(f)...))
	pss := full
	pss.algorithm = algorithmIdentifier(f, oidRSAPSS, pssParameters(f, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, 32))
	f.Add(pss.der(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		lists, problems := parseCRLs("f", data)
		if len(lists)+len(problems) == 0 {
			t.Fatal("neither a list nor a problem")
		}
		var sound [][]byte
		for _, block := range splitLists(data) {
			if _, err := parseCRL("f", block.der); err == nil {
				sound = append(sound, block.der)
			}
		}
		if len(sound) != len(lists) {
			t.Fatalf("%d lists of %d sound ones", len(lists), len(sound))
		}
		for i, c := range lists {
			c.source.read = func() ([]byte, error) { return data, nil }
			_ = c.checkSignature(ca)
			_, _ = c.covers(ca)
			if r, revoked := c.lookup(big.NewInt(1)); revoked && r.Unconfirmed {
				t.Fatal("a list is not found again")
			}
			if c.age(c.thisUpdate) == crlFuture || c.defect() == "" && (c.scope.indirect || c.scope.delta) {
				t.Fatalf("list %+v", c)
			}
			if want, err := x509.ParseRevocationList(sound[i]); err == nil {
				sameAsStandardLibrary(t, c, want)
			}
		}
	})
}

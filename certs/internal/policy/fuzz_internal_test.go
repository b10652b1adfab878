package policy

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
	"github.com/gtunnel/gtunnel/certs/internal/files"
)

// checkDecision asserts what holds of every decision.
func checkDecision(t *testing.T, d Decision) {
	t.Helper()
	switch d.Verdict {
	case Silent:
		if d.Line != 0 || d.Reason != "" {
			t.Fatalf("silent with a line or a reason: %+v", d)
		}
	case Permits, Denies:
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
func checkProblems(t *testing.T, content string, parsed bool, problems []files.Problem) {
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
	f.Add(GoodSigningPolicy, "/O=Grid/CN=CA", "/O=Grid/CN=x")
	f.Add("access_id_CA X509 '/CN=A\\'b' pos_rights globus CA:sign cond_subjects globus '\"/a\\\"*\" \"\\x41\"'",
		"/CN=A'b", "/a\"b")
	f.Add("access_id_ANYBODY\naccess_id_CA X509 a pos_rights a b pos_rights globus CA:sign cond_subjects globus *", "a",
		"b")
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
			if checkDecision(t, got); got.Verdict == Silent && dn.Normalize(name) == name {
				t.Fatalf("silent on its own issuer %q", name)
			}
			for _, right := range entry.rights {
				if len(right) != 1 || dn.Normalize(name) != name {
					continue
				}
				pattern := right[0].patterns[0]
				permitted, more := pattern.Normal()
				if more {
					permitted += "!"
				}
				if dn.Normalize(permitted) == permitted && policy.judge(name, permitted).Verdict != Permits {
					t.Fatalf("%v does not permit %q", pattern, permitted)
				}
			}
		}
	})
}

func FuzzNamespaces(f *testing.F) {
	f.Add(GoodNamespaces, "/O=Grid/CN=CA", "/O=Grid/CN=x")
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
			if dn.Normalize(s.issuer) != s.issuer {
				continue
			}
			got := policy.judge(s.issuer, subject, s.self)
			if checkDecision(t, got); got.Verdict == Silent {
				t.Fatalf("silent on its own issuer %q", s.issuer)
			}
			if !s.permit && s.subject.Match(dn.Spellings(subject)) && got.Verdict != Denies {
				t.Fatalf("a DENY that matches does not win: %+v", got)
			}
		}
	})
}

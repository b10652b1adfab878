package dn_test

import (
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// TestPatterns: a pattern is a whole name or, with a star, the beginning of
// longer ones.
func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		raw, slash string
		want       bool
	}{
		{"/O=Grid/CN=x", "/o=grid/cn=X", true},
		{"/O=Grid/CN=x", "/O=Grid/CN=x/CN=proxy", false},
		{"/O=Grid/*", "/O=Grid/CN=x", true},
		{"/O=Grid/*", "/O=Grid/", false},
		{"/O=My  Grid*", "/O=My Grid/CN=x", true},
		{"/O=My *", "/O=Mysite", false},
		{"/O=My *", "/O=My site", true},
		{"*", "/C=XX", true},
		{`/CN=\*`, "/CN=*", true},
		{`/CN=\*`, "/CN=x", false},
		{`/CN=\x4a\x6F`, "/CN=Jo", true},
		{"/Email=a@b", "/emailAddress=a@b", true},
		{"/UID=u", "/uid=u", false},
		{"/userid=u", "/UID=u", true},
	} {
		pattern, err := dn.ParsePattern(test.raw)
		if err != nil {
			t.Errorf("%s: %v", test.raw, err)
		} else if got := pattern.Match(dn.Normalize(test.slash)); got != test.want {
			t.Errorf("%v matches %s: %t", pattern, test.slash, got)
		}
	}
	if _, err := dn.ParsePattern(""); err == nil || err.Error() != "a pattern is empty" {
		t.Errorf("an empty pattern: %v", err)
	}
	if _, err := dn.ParsePattern(`/CN=\x`); err == nil {
		t.Error("a broken escape is none")
	}
	pattern := must(dn.ParsePattern("/O=*/CN=x*"))
	if normal, more := pattern.Normal(); normal != "/o=*/cn=x" || !more || pattern.String() != `"/O=*/CN=x*"` {
		t.Errorf("%v: %s, %t", pattern, normal, more)
	}
}

// TestIssuers: an issuer is a name, whatever its last character is.
func TestIssuers(t *testing.T) {
	for raw, want := range map[string]string{
		"/O=Grid/CN=CA":  "/o=grid/cn=ca",
		"/CN=CA*":        "/cn=ca*",
		"/CN=My  CA":     "/cn=my ca",
		`/CN=Z\xC3\xBCr`: `/cn=z\xc3\xbcr`,
	} {
		if got, err := dn.ParseIssuer(raw); err != nil || got != want {
			t.Errorf("%s: %s, %v", raw, got, err)
		}
	}
	if _, err := dn.ParseIssuer(`/CN=x\`); err == nil {
		t.Error("a backslash at the end is no name")
	}
}

// TestExpressions: an expression matches whole names, by any spelling of a type,
// ignoring case.
func TestExpressions(t *testing.T) {
	for _, test := range []struct {
		raw, slash string
		want       bool
	}{
		{"/O=Grid/.*", "/o=grid/CN=x", true},
		{"/O=Grid", "/O=Grid/CN=x", false},
		{"/O=Grid/CN=[a-c[:digit:]]+", "/O=Grid/CN=b7", true},
		{`/CN=[]x]`, "/CN=]", true},
		{`/CN=[^]x]`, "/CN=]", false},
		{"/O=My  Grid", "/O=My Grid", true},
		{"/O=My  *Grid", "/O=My Grid", true},
		{`/CN=\x41\.b`, "/CN=a.b", true},
		{`/CN=J\xC3\xB6rg`, `/CN=J\xC3\xB6rg`, true},
		{"/CN=Jörg", `/CN=J\xC3\xB6rg`, true},
		{"/CN=(?:a|b){2}", "/CN=ab", true},
		{".*/E=a@b", "/CN=x/emailAddress=a@b", true},
		{"/USERID=u", "/UID=u", true},
		{"/UID=u", "/uid=u", false},
	} {
		expression, err := dn.ParseExpression(test.raw)
		if err != nil {
			t.Errorf("%s: %v", test.raw, err)
		} else if got := expression.Match(dn.Spellings(test.slash)); got != test.want {
			t.Errorf("%v matches %s: %t", expression, test.slash, got)
		}
	}
}

// TestUnsupportedExpressions: what would be read in two ways is not read.
func TestUnsupportedExpressions(t *testing.T) {
	for raw, why := range map[string]string{
		"":                               "is empty",
		"(?=x)":                          "lookahead (?= is not supported",
		"(?<!x)":                         "lookbehind (?<! is not supported",
		"(?>x)":                          "an atomic group (?> is not supported",
		`(x)\1`:                          `octal escape \1 is not supported`,
		`\Qx\E`:                          `quoting with \Q is not supported`,
		"[a&&b]":                         "an intersection && in a class",
		"[a[b]]":                         "a '[' in a class",
		"[[:alpha]":                      "[: is not closed by :]",
		"[ö]":                            "a byte outside ASCII in a class",
		`[\xc3]`:                         "a byte outside ASCII in a class",
		`\xg0`:                           "two hexadecimal digits",
		"\\ö":                            "outside ASCII is not supported",
		`x\`:                             "ends with a backslash",
		"a)|(b":                          "unexpected )",
		".{999}.{999}.{999}.{999}.{999}": "is too large",
	} {
		if _, err := dn.ParseExpression(raw); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", raw, err, why)
		}
	}
}

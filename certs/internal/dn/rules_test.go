package dn_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs/internal/dertest"
	"github.com/gtunnel/gtunnel/certs/internal/dn"
)

// rules makes rules of one.
func rules(t *testing.T, rule string) *dn.Rules {
	t.Helper()
	r := new(dn.Rules)
	if err := r.Add(rule); err != nil {
		t.Fatal(err)
	}
	return r
}

// utf32 encodes a text as the content of a UniversalString.
func utf32(text string) string {
	var octets []byte
	for _, r := range text {
		octets = binary.BigEndian.AppendUint32(octets, uint32(r))
	}
	return string(octets)
}

// latin1 encodes a text as T61Strings have it.
func latin1(text string) string {
	var octets []byte
	for _, r := range text {
		octets = append(octets, byte(r))
	}
	return string(octets)
}

// escapedRules are rules, values and whether the one names the other.
var escapedRules = []struct {
	about string
	rule  string
	tag   int
	value string
	named bool
}{
	{"octets of a BMPString that spell the name", "/CN=db", bmp, "db", false},
	{"octets of a longer one", "/CN=server2.domain", bmp, "server2.domain", false},
	{"their beginning", "/CN=ser*", bmp, "server2.domain", false},
	{"octets of a T61String that are UTF-8", "/CN=ö", t61, "\xc3\xb6", false},
	{"the same, escaped", `/CN=\xC3\xB6`, t61, "\xc3\xb6", false},
	{"as an older tool shows a T61String", `/CN=J\xF6rg`, t61, "J\xf6rg", true},
	{"that form and a UTF8String", `/CN=J\xF6rg`, utf8String, "Jörg", false},
	{"as an older tool shows a BMPString", `/CN=\x00d\x00b`, bmp, "\x00d\x00b", true},
	{"that form and NUL characters", `/CN=\x00d\x00b`, utf8String, "\x00d\x00b", false},
	{"that form and NUL characters of Latin-1", `/CN=\x00d\x00b`, t61, "\x00d\x00b", false},
	{"control characters", `/CN=d\x07b`, utf8String, "d\x07b", false},
	{"a backslash and letters", `/CN=\xC3\xB6`, utf8String, `\XC3\XB6`, false},
	{"an escaped slash", `/CN=host\/db`, utf8String, `host\/db`, false},
	{"a backslash at the end", `/CN=a\/O=b`, utf8String, `a\`, false},
	{"a single backslash", `/CN=a\b`, utf8String, `a\b`, true},
	{"a tab", `/CN=a\x09b`, utf8String, "a b", true},
	{"a character whose octets look like an escape", "/CN=屸", bmp, dertest.BMP("屸"), true},
	{"octets that are no text", "/CN=db", 4, "db", false},
	{"octets that look like no text", `/CN=\x00db`, 3, "\x00db", true},
}

// TestAccessStringTypes: a rule names what a value says, whatever its string
// type, and never what its octets would say in another one.
func TestAccessStringTypes(t *testing.T) {
	const numeric = 18
	plain := func(text string) string { return text }
	types := []struct {
		name   string
		tag    int
		encode func(string) string
		texts  []string
	}{
		{"PrintableString", printable, plain, []string{"db.site.test", "a b"}},
		{"UTF8String", utf8String, plain, []string{"db.site.test", "Jörg", "Žofie", "a \t b", "日本"}},
		{"IA5String", ia5, plain, []string{"db.site.test", "a  b"}},
		{"T61String", t61, latin1, []string{"db.site.test", "Jörg", "Ã¶", "é"}},
		{"BMPString", bmp, dertest.BMP, []string{"db.site.test", "Jörg", "Žofie", "扢"}},
		{"UniversalString", universal, utf32, []string{"db.site.test", "Jörg", "Žofie", "😀"}},
		{"VisibleString", visible, plain, []string{"db.site.test"}},
		{"NumericString", numeric, plain, []string{"123 45"}},
	}
	for _, typ := range types {
		for _, text := range typ.texts {
			name := must(dn.Parse(encode(one(o, utf8String, "Site"), one(cn, typ.tag, typ.encode(text)))))
			for _, rule := range []string{name.Slash(), "/O=Site/CN=" + text, "/O=site/cn=" + text + "*", "/O=Site/*"} {
				if !rules(t, rule).Match(name) {
					t.Errorf("%s %q: the rule %q does not name it", typ.name, text, rule)
				}
			}
			// It names no value of another text, nor the same octets of
			// another type.
			for _, other := range types {
				octets := must(dn.Parse(encode(one(o, utf8String, "Site"), one(cn, utf8String, "x"))))
				if other.tag != typ.tag {
					if parsed, err := dn.Parse(encode(one(o, utf8String, "Site"), one(cn, other.tag, typ.encode(text)))); err == nil {
						octets = parsed
					}
				}
				if octets.Equal(name) {
					continue // the same text in either type
				}
				if rules(t, "/O=Site/CN="+text).Match(octets) && typ.tag != numeric && other.tag != numeric {
					t.Errorf("the rule for %q names the octets of a %s as %s", text, typ.name, other.name)
				}
			}
		}
	}

	for _, test := range escapedRules {
		name := must(dn.Parse(encode(one(cn, test.tag, test.value))))
		if got := rules(t, test.rule).Match(name); got != test.named {
			t.Errorf("%s: the rule %s names %q: %v", test.about, test.rule, test.value, got)
		}
	}
}

// TestSpellings: each spelling of each type, in every combination.
func TestSpellings(t *testing.T) {
	t.Parallel()
	if got := dn.Spellings("/O=Grid/CN=x"); len(got) != 1 || got[0] != "/O=Grid/CN=x" {
		t.Errorf("spellings = %q", got)
	}
	if got := dn.Spellings("/UID=x/EMAIL=y"); len(got) != 6 || got[0] != "/UID=x/emailAddress=y" ||
		got[5] != "/USERID=x/E=y" {
		t.Errorf("spellings = %q", got)
	}
}

// TestRulesThatMatchNobody: a rule that is none says why.
func TestRulesThatMatchNobody(t *testing.T) {
	for rule, why := range map[string]string{
		"*":             "it names no DN",
		"/*":            "it names no DN",
		"":              "it is empty",
		`""`:            "it is empty",
		"/":             "it is empty",
		"/DC=*/CN=x":    "a '*' stands only at the end",
		`"/DC=org/CN=x`: "its quotes do not pair",
		"CN=x,DC=org":   "it is not a DN in slash form",
		"/hosts/CN=x*":  "it is not a DN in slash form",
		"/DC=org/CN=":   "its last attribute has no value",
	} {
		if err := new(dn.Rules).Add(rule); err == nil || err.Error() != why {
			t.Errorf("%q: %v, want %q", rule, err, why)
		} else if errors.Is(err, dn.ErrEveryDN) != (rule == "*" || rule == "/*") {
			t.Errorf("%q: %v", rule, err)
		}
	}
}

// TestRulesOfBeginnings: a beginning may end anywhere, but a slash before the
// star begins an attribute, unless it is one of a common name.
func TestRulesOfBeginnings(t *testing.T) {
	host := must(dn.Parse(encode(one(dc, ia5, "org"), one(cn, utf8String, "host/db.site.org"))))
	other := must(dn.Parse(encode(one(dc, ia5, "org"), one(o, utf8String, "hosts/evil"))))
	none := must(dn.Parse(encode()))
	for rule, named := range map[string]struct{ host, other bool }{
		"/*D":                             {},
		"/D*":                             {host: true, other: true},
		"/DC=org/*":                       {host: true, other: true},
		`"/dc=ORG/cn=host/*"`:             {host: true},
		"/DC=org/O=hosts/*":               {},
		"/DC=org/O=hosts*":                {other: true},
		"/DC=org/CN=host/db.site.org":     {host: true},
		"/DC=org/CN=host/db.site.org*":    {host: true},
		"/DC=org/CN=host/db.site.org/O=*": {},
		"/DC=org/O=hosts/evil":            {other: true},
	} {
		r := new(dn.Rules)
		if err := r.Add(rule); err != nil {
			if named.host || named.other {
				t.Errorf("%s: %v", rule, err)
			}
			continue
		}
		if r.Match(host) != named.host || r.Match(other) != named.other || r.Match(none) {
			t.Errorf("%s: %t and %t, and of no name %t", rule, r.Match(host), r.Match(other), r.Match(none))
		}
	}
	if new(dn.Rules).Match(host) {
		t.Error("no rule names somebody")
	}
}

// TestNoRule: of which names no rule can be made, and why.
func TestNoRule(t *testing.T) {
	for why, name := range map[string][]byte{
		"":                                     encode(one(cn, utf8String, "db")),
		"its DN is empty":                      encode(),
		"its DN in slash form stands for":      encode(one(o, utf8String, "Site/CN=db")),
		"its DN holds control characters":      encode(one(cn, utf8String, "a\x07b")),
		"its DN holds a '*'":                   encode(one(cn, utf8String, "*.site.org")),
		"its DN in slash form stands for othe": encode(one(cn, utf8String, `a\xC3`)),
	} {
		if got := dn.NoRule(must(dn.Parse(name))); !strings.HasPrefix(got, why) || (got == "") != (why == "") {
			t.Errorf("%q, want %q", got, why)
		}
	}
}

package dn

import (
	"strings"
	"testing"
)

// TestPolicyText: names, expressions and quotations of policy files.
func TestPolicyText(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"/CN=a\nb": "beyond its line",
		"/CN=a\rb": "beyond its line",
		`/CN=a\`:   "ends with a backslash",
		`/CN=\x`:   "two hexadecimal digits",
		`/CN=\x4`:  "two hexadecimal digits",
		`/CN=\xg1`: "two hexadecimal digits",
		`/CN=\x1g`: "two hexadecimal digits",
		`/CN=\x41`: "",
	} {
		name, _, err := unescape(raw)
		if want == "" {
			if err != nil || name != "/CN=A" {
				t.Errorf("%q: %q, %v", raw, name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v, want %q", raw, name, err, want)
		}
	}
	for raw, want := range map[string]string{
		"":        "is empty",
		`x\`:      "ends with a backslash",
		`\Q.`:     `quoting with \Q`,
		`x\E`:     `quoting with \E`,
		"x\\\x01": "outside ASCII",
		"x\\é":    "outside ASCII",
	} {
		if _, err := ParseExpression(raw); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", raw, err, want)
		}
	}
	long := strings.Repeat("x", 100)
	for text, want := range map[string]string{long: `"` + long + `"`, long + "x": `"` + long + `"...`} {
		if got := Quote(text); got != want {
			t.Errorf("%s of %d octets", got, len(text))
		}
	}
}

package policy

import "testing"

// TestPolicyText: what messages say of a file's content.
func TestPolicyText(t *testing.T) {
	t.Parallel()
	for want, permitted := range map[string][]string{
		"nothing": nil, "only a": {"a"}, "only a, b, c": {"a", "b", "c"}, "only a, b, c and 1 more": {"a", "b", "c", "d"},
	} {
		if got := summarise(permitted); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := (namespaceWord{text: `a\"b`, quoted: true}).String(); got != `"a\"b"` {
		t.Errorf("a quoted word is shown as %s", got)
	}
}

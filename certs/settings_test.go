package certs_test

import (
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
)

func TestNameSettings(t *testing.T) {
	flag := func(s certs.Setting) string { return "--" + string(s) }
	for message, want := range map[string]string{
		"":                           "",
		"no setting, -- and crl":     "no setting, -- and crl",
		"‹crl› if-valid":             "--crl if-valid",
		"‹allow-host› or ‹allow-dn›": "--allow-host or --allow-dn",
		"‹unknown› and ‹key›":        "‹unknown› and --key",
	} {
		if got := certs.NameSettings(message, flag); got != want {
			t.Errorf("%q becomes %q, want %q", message, got, want)
		}
	}
	if got := certs.NameSettings(certs.SettingMinTLS.String(), func(certs.Setting) string { return "min_tls" }); got !=
		"min_tls" {
		t.Errorf("min-tls is called %q", got)
	}
}

// TestSettingsOfMessages: every setting that a message names has a constant,
// and the other way round; and no message names a flag.
func TestSettingsOfMessages(t *testing.T) {
	mark, flag := regexp.MustCompile(`‹([^›]*)›`), regexp.MustCompile(`(^|[ (])--[a-z]`)
	named := make(map[string]bool)
	for file, source := range sources() {
		ast.Inspect(source, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text := must(strconv.Unquote(literal.Value))
			if flag.MatchString(text) {
				t.Errorf("%s: %q names a flag", file, text)
			}
			for _, match := range mark.FindAllStringSubmatch(text, -1) {
				named[match[1]] = true
			}
			return true
		})
	}
	declared := constants("Setting")
	got, want := slices.Sorted(maps.Keys(named)), slices.Sorted(maps.Values(declared))
	if len(want) < 10 || !slices.Equal(got, want) {
		t.Errorf("messages name %q, declared are %q", got, want)
	}
	all := ""
	for _, setting := range want {
		all += certs.Setting(setting).String()
	}
	if left := certs.NameSettings(all, func(certs.Setting) string { return "" }); strings.Contains(left, "‹") {
		t.Errorf("NameSettings does not know %s", left)
	}
}

package tunnel_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/tunnel"
)

// TestCodesAreComplete holds the list against the constants of the source: each
// is there once, with a meaning of its own and a cure.
func TestCodesAreComplete(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared, listed, meanings []string
	ast.Inspect(source, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Error(err)
		}
		declared = append(declared, code)
		return true
	})
	for _, known := range tunnel.Codes() {
		listed = append(listed, string(known.Code))
		meanings = append(meanings, known.Meaning)
		if known.Meaning == "" || strings.HasSuffix(known.Meaning, ".") || !strings.HasSuffix(known.Cure, ".") {
			t.Errorf("%s means %q, cure %q", known.Code, known.Meaning, known.Cure)
		}
	}
	slices.Sort(declared)
	slices.Sort(listed)
	slices.Sort(meanings)
	if len(declared) < 8 || !slices.Equal(declared, listed) {
		t.Errorf("listed %q, declared %q", listed, declared)
	}
	if len(slices.Compact(meanings)) != len(listed) {
		t.Error("two codes mean the same")
	}
}

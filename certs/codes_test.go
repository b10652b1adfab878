package certs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
)

// TestCodesAreComplete holds the list against the constants of the package's
// source: each is there once, in kebab-case, with a meaning of its own.
func TestCodesAreComplete(t *testing.T) {
	var declared []string
	for _, file := range must(filepath.Glob("*.go")) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source := must(parser.ParseFile(token.NewFileSet(), file, must(os.ReadFile(file)), 0))
		ast.Inspect(source, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Code" && len(spec.Values) == 1 {
				declared = append(declared, must(strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)))
			}
			return true
		})
	}
	var listed, meanings []string
	for _, known := range certs.Codes() {
		listed = append(listed, string(known.Code))
		meanings = append(meanings, known.Meaning)
		if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(string(known.Code)) {
			t.Errorf("the code %q", known.Code)
		}
		if known.Meaning == "" || strings.HasSuffix(known.Meaning, ".") {
			t.Errorf("the code %q means %q", known.Code, known.Meaning)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(meanings)))) != len(meanings) {
		t.Error("two codes mean the same")
	}
	slices.Sort(listed)
	slices.Sort(declared)
	if len(declared) < 30 || !slices.Equal(listed, declared) {
		t.Errorf("listed %q, declared %q", listed, declared)
	}
}

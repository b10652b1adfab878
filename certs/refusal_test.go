package certs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
)

// sources are the files of this package and of those inside it, without tests,
// by their names.
func sources() map[string]*ast.File {
	files := make(map[string]*ast.File)
	for _, file := range slices.Concat(must(filepath.Glob("*.go")), must(filepath.Glob("internal/*/*.go"))) {
		if !strings.HasSuffix(file, "_test.go") {
			files[file] = must(parser.ParseFile(token.NewFileSet(), file, must(os.ReadFile(file)), 0))
		}
	}
	return files
}

// constants gives the text constants of a type in the package's source by
// their identifiers.
func constants(kind string) map[string]string {
	declared := make(map[string]string)
	for _, source := range sources() {
		ast.Inspect(source, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == kind && len(spec.Values) == 1 {
				declared[spec.Names[0].Name] = must(strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value))
			}
			return true
		})
	}
	return declared
}

// TestCodesAreProduced: every code is that of something which this package
// makes, beyond the table of codes.
func TestCodesAreProduced(t *testing.T) {
	used := make(map[string]bool)
	for file, source := range sources() {
		ast.Inspect(source, func(n ast.Node) bool {
			if name, ok := n.(*ast.Ident); ok && file != "refusal.go" {
				used[name.Name] = true
			}
			return true
		})
	}
	for name, code := range constants("Code") {
		if !used[name] {
			t.Errorf("nothing has the code %s (%s)", code, name)
		}
	}
}

// TestCodesAreComplete holds the list against the constants of the package's
// source: each is there once, in kebab-case, with a meaning of its own and a
// cure.
func TestCodesAreComplete(t *testing.T) {
	declared := slices.Collect(maps.Values(constants("Code")))
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
		if !strings.HasSuffix(known.Cure, ".") || known.Cure != certs.Cure(known.Code, 0, "") {
			t.Errorf("the code %q has the cure %q", known.Code, known.Cure)
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

package rules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/rules"
)

// TestCodesAreComplete holds the list of codes against the source of all rooms of
// replication: it has each that is used, and no other.
func TestCodesAreComplete(t *testing.T) {
	used := codesInSource(t, "..", "rules/codes.go")
	listed := map[string]bool{}
	for _, c := range rules.Codes() {
		listed[c.Code] = true
		if !used[c.Code] {
			t.Errorf("the code %s is listed, and used nowhere", c.Code)
		}
		if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`).MatchString(c.Code) {
			t.Errorf("the code %q is not in lower case with hyphens", c.Code)
		}
		if c.Meaning == "" || strings.HasSuffix(c.Meaning, ".") || strings.ContainsAny(c.Meaning, "\n%") {
			t.Errorf("the code %s means %q", c.Code, c.Meaning)
		}
		if c.At == 0 {
			t.Errorf("the code %s is found nowhere", c.Code)
		}
	}
	for _, code := range slices.Sorted(maps.Keys(used)) {
		if !listed[code] {
			t.Errorf("the code %s is used, and not listed: give it a rule, or a line in codes.go", code)
		}
	}
	if len(used) < 100 {
		t.Errorf("only %d codes were found in the source: does this test still know how they are given?", len(used))
	}
}

// codesInSource are the codes in the Go files below a directory, but for tests
// and one file: what is given to a parameter with the name code, and to a field
// with the name Code, and constants of a type Code.
func codesInSource(t *testing.T, root, but string) map[string]bool {
	t.Helper()
	var files []*ast.File
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			path == filepath.Join(root, but) {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		files = append(files, file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s := source{constants: map[string]string{}, parameters: map[string]int{}, codes: map[string]bool{}}
	for _, visit := range []func(ast.Node) bool{s.declared, s.used} {
		for _, file := range files {
			ast.Inspect(file, visit)
		}
	}
	return s.codes
}

// source is what is known of the source of packages. Names are taken for the same
// in all of them.
type source struct {
	constants  map[string]string
	parameters map[string]int // at which place functions have the parameter code
	codes      map[string]bool
}

// declared notes constants and functions.
func (s *source) declared(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ValueSpec:
		if n.Type != nil && nameOf(n.Type) == "Code" {
			for _, value := range n.Values {
				s.take(value)
			}
		}
		for i, value := range n.Values {
			if text, ok := stringOf(value); ok {
				s.constants[n.Names[i].Name] = text
			}
		}
	case *ast.FuncDecl:
		s.note(n.Name.Name, n.Type)
	case *ast.AssignStmt: // of a function without a name
		for i, value := range n.Rhs {
			if function, ok := value.(*ast.FuncLit); ok {
				if name, ok := n.Lhs[i].(*ast.Ident); ok {
					s.note(name.Name, function.Type)
				}
			}
		}
	}
	return true
}

// note notes at which place a function has the parameter code.
func (s *source) note(name string, function *ast.FuncType) {
	place := 0
	for _, field := range function.Params.List {
		for _, parameter := range field.Names {
			if parameter.Name == "code" {
				s.parameters[name] = place
			}
			place++
		}
	}
}

// used notes codes.
func (s *source) used(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		if place, ok := s.parameters[nameOf(n.Fun)]; ok && place < len(n.Args) {
			s.take(n.Args[place])
		}
	case *ast.KeyValueExpr:
		if nameOf(n.Key) == "Code" {
			s.take(n.Value)
		}
	}
	return true
}

// take takes the value of an expression, if it is a constant.
func (s *source) take(value ast.Expr) {
	text, ok := stringOf(value)
	if !ok {
		text, ok = s.constants[nameOf(value)]
	}
	if ok && text != "" { // what is well has none
		s.codes[text] = true
	}
}

// nameOf is the name in an expression, without its package or receiver.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// stringOf is the text of a literal.
func stringOf(e ast.Expr) (string, bool) {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}

package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// kind is which checks are taken away.
type kind string

const (
	// refusing checks end by saying no: an error, a refusal, a reason, false.
	refusing kind = "refusing"
	// passing checks only pass an err on.
	passing kind = "passing"
	// other conditions choose between ways.
	other kind = "other"
)

// check is one reason to say no: an operand of a condition. In
// `if a || b { return err }` each of the two is one, and in `return a && b`.
type check struct {
	kind       kind
	file       string // absolute
	line       int
	start, end int // in bytes
	text       string
	// needed says that the check says no where it is false.
	needed bool
}

// String is the check on one line.
func (c check) String() string {
	return fmt.Sprintf("%s:%d: %s", filepath.Base(c.file), c.line, strings.Join(strings.Fields(c.text), " "))
}

// checks finds the checks in the files of the folder, tests aside, and gives
// the text of the files that have one.
func (m mutation) checks() ([]check, map[string][]byte, error) {
	paths, err := filepath.Glob(filepath.Join(m.folder, "*.go"))
	if err != nil {
		return nil, nil, err
	}
	var found []check
	sources := map[string][]byte{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") || !m.files.MatchString(filepath.Base(path)) {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, path, source, 0)
		if err != nil {
			return nil, nil, err
		}
		finder{set: set, path: path, source: source, add: func(c check) {
			if c.kind == m.kind || m.kind == "all" {
				found = append(found, c)
				sources[path] = source
			}
		}}.find(tree)
	}
	if len(found) == 0 {
		return nil, nil, fmt.Errorf("no check of the kind %q in %s", m.kind, m.folder)
	}
	return found, sources, nil
}

// finder finds the checks of one file.
type finder struct {
	set    *token.FileSet
	path   string
	source []byte
	add    func(check)
}

func (f finder) find(tree *ast.File) {
	ast.Inspect(tree, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.IfStmt:
			f.condition(node.Cond, node.Body.List)
		case *ast.SwitchStmt:
			for _, clause := range node.Body.List {
				if clause := clause.(*ast.CaseClause); node.Tag == nil {
					for _, condition := range clause.List {
						f.condition(condition, clause.Body)
					}
				}
			}
		case *ast.ReturnStmt:
			for _, result := range node.Results {
				if and := operands(result, token.LAND); len(and) > 1 {
					for _, operand := range and {
						f.found(operand, refusing, true)
					}
				}
			}
		}
		return true
	})
}

// condition adds the operands of a condition, each of which leads to body.
func (f finder) condition(condition ast.Expr, body []ast.Stmt) {
	for _, operand := range operands(condition, token.LOR) {
		switch {
		case !saysNo(body):
			f.found(operand, other, false)
		case isErr(operand):
			f.found(operand, passing, false)
		default:
			f.found(operand, refusing, false)
		}
	}
}

func (f finder) found(operand ast.Expr, kind kind, needed bool) {
	start, end := f.set.Position(operand.Pos()), f.set.Position(operand.End())
	f.add(check{
		kind: kind, file: f.path, line: start.Line, start: start.Offset, end: end.Offset,
		text: string(f.source[start.Offset:end.Offset]), needed: needed,
	})
}

// operands are those of an operator, or the expression itself.
func operands(expression ast.Expr, operator token.Token) []ast.Expr {
	switch e := expression.(type) {
	case *ast.ParenExpr:
		return operands(e.X, operator)
	case *ast.BinaryExpr:
		if e.Op == operator {
			return append(operands(e.X, operator), operands(e.Y, operator)...)
		}
	}
	return []ast.Expr{expression}
}

// isErr reports whether a condition is err != nil.
func isErr(condition ast.Expr) bool {
	comparison, ok := condition.(*ast.BinaryExpr)
	if !ok || comparison.Op != token.NEQ {
		return false
	}
	left, ok := comparison.X.(*ast.Ident)
	return ok && strings.HasPrefix(strings.ToLower(left.Name), "err")
}

// isNamed reports whether an expression is one of the identifiers.
func isNamed(expression ast.Expr, names ...string) bool {
	identifier, ok := expression.(*ast.Ident)
	return ok && slices.Contains(names, identifier.Name)
}

// saysNo reports whether statements end by returning something that is no
// plain yes.
func saysNo(body []ast.Stmt) bool {
	if len(body) == 0 {
		return false
	}
	result, ok := body[len(body)-1].(*ast.ReturnStmt)
	if !ok || len(result.Results) == 0 {
		return false
	}
	if first, last := result.Results[0], result.Results[len(result.Results)-1]; isNamed(first, "nil") && first != last &&
		!isNamed(last, "nil", "true") {
		return true // an error of whatever name
	}
	return slices.ContainsFunc(result.Results, func(value ast.Expr) bool {
		switch value := value.(type) {
		case *ast.Ident:
			return value.Name == "false" || strings.HasPrefix(strings.ToLower(value.Name), "err") || value.Name == "refusal" ||
				value.Name == "r"
		case *ast.BasicLit:
			return value.Kind == token.STRING && value.Value != `""`
		case *ast.CallExpr, *ast.UnaryExpr, *ast.BinaryExpr:
			return true
		}
		return false
	})
}

package help

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	tables "github.com/yuin/goldmark/extension/ast"
)

const (
	columnGap = 2  // between columns
	leastLast = 34 // the least width of a last column whose text is broken into lines
	below     = "    "
)

// rows are the cells of a table, the heads first.
func (r renderer) rows(n *tables.Table) [][]string {
	var rows [][]string
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []string
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			text := strings.ReplaceAll(r.inline(cell), keptSpace, " ")
			if cell == row.FirstChild() { // names need no quotes
				text = strings.ReplaceAll(text, "`", "")
			}
			cells = append(cells, text)
		}
		rows = append(rows, cells)
	}
	return rows
}

// table shows a table in columns if all of them but the last leave that enough room,
// else with the first cell of each row alone, and the others below it.
func (r renderer) table(n *tables.Table, width int) []string {
	rows := r.rows(n)
	widths, fit := columnWidths(rows, width)
	if !fit {
		return rowsBelow(rows, width)
	}
	var lines []string
	head := strings.Join(rows[0], "") != ""
	for i, row := range rows {
		if i == 0 && !head {
			continue
		}
		lines = append(lines, columns(row, widths)...)
		if i == 0 {
			rules := make([]string, len(widths))
			for k := range rules {
				rules[k] = strings.Repeat("-", widths[k])
			}
			lines = append(lines, columns(rules, widths)...)
		}
	}
	return lines
}

// columnWidths are those of the columns of a table, of which the last may be broken into lines;
// fit is whether there is room for them.
func columnWidths(rows [][]string, width int) (widths []int, fit bool) {
	widths = make([]int, len(rows[0]))
	before := 0
	for i := range widths {
		for _, row := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		if i+1 < len(widths) {
			before += widths[i] + columnGap
		}
	}
	last := len(widths) - 1
	if before+min(widths[last], leastLast) > width {
		return nil, false
	}
	widths[last] = min(widths[last], width-before)
	return widths, true
}

// columns are the lines of one row. Only the last cell may take several.
func columns(row []string, widths []int) []string {
	last := len(widths) - 1
	var first strings.Builder
	for i, cell := range row[:last] {
		first.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+columnGap))
	}
	rest := strings.Repeat(" ", utf8.RuneCountInString(first.String()))
	lines := indent(first.String(), rest, wrap(row[last], widths[last]))
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// rowsBelow are rows with the first cell alone, and the others below it, which have
// their heads before them if there are several.
func rowsBelow(rows [][]string, width int) []string {
	var lines []string
	if strings.Join(rows[0][:2], "") != "" {
		lines = append(lines, rows[0][0])
		if len(rows[0]) == 2 {
			lines = append(lines, below+rows[0][1])
		}
		lines = append(lines, strings.Repeat("-", utf8.RuneCountInString(rows[0][0])))
	}
	for _, row := range rows[1:] {
		lines = append(lines, wrap(row[0], width)...)
		for i, cell := range row[1:] {
			if head := rows[0][i+1]; len(row) > 2 && cell != "" && head != "" {
				cell = head + ": " + cell
			}
			if cell != "" {
				lines = append(lines, indent(below, below, wrap(cell, width-len(below)))...)
			}
		}
	}
	return lines
}

// isTerms reports whether a table is a list of names, each with a text.
func isTerms(n *tables.Table) bool { return len(n.Alignments) == 2 }

// childrenOf are the nodes within a node.
func childrenOf(n ast.Node) []ast.Node {
	return slices.Collect(func(yield func(ast.Node) bool) {
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			if !yield(c) {
				return
			}
		}
	})
}

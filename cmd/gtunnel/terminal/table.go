package terminal

import (
	"fmt"
	"io"
	"strings"

	"github.com/cheggaaa/pb/v3"
)

// Table aligns the cells of lines, which tabs separate, in columns: by how wide they
// are on a terminal, where a wide character (CJK) takes two places. A line without a
// tab ends a table, and the next begins below it.
type Table struct {
	out  io.Writer
	text strings.Builder
}

// NewTable writes to out when it is flushed.
func NewTable(out io.Writer) *Table { return &Table{out: out} }

// columnGap is between two columns.
const columnGap = 2

// Write takes text. It never fails.
func (t *Table) Write(text []byte) (int, error) { return t.text.Write(text) }

// Flush prints the lines that were written.
func (t *Table) Flush() error {
	var aligned strings.Builder
	var rows [][]string
	for line := range strings.Lines(t.text.String()) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cells) == 1 {
			align(&aligned, rows)
			rows = nil
			aligned.WriteString(line)
			continue
		}
		rows = append(rows, cells)
	}
	align(&aligned, rows)
	t.text.Reset()
	_, err := io.WriteString(t.out, aligned.String())
	return err
}

// align writes rows; what comes after the last tab of one has no width.
func align(out *strings.Builder, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], pb.CellCount(cell))
		}
	}
	for _, row := range rows {
		last := len(row) - 1
		for i, cell := range row[:last] {
			out.WriteString(cell + strings.Repeat(" ", widths[i]-pb.CellCount(cell)+columnGap))
		}
		fmt.Fprintln(out, row[last])
	}
}

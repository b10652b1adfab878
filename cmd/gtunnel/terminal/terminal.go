// Package terminal is what a person sees and types: questions and passwords
// ([Keyboard]), how far something is ([Progress]), and tables ([NewTable]). It
// knows nothing of tunnels, certificates and databases.
package terminal

import (
	"io"
	"strings"
	"text/tabwriter"
)

// NewTable aligns the cells of lines, which tabs separate, in columns. Flush
// prints it.
func NewTable(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) }

// Printable is a name that does nothing to a terminal.
func Printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, name)
}

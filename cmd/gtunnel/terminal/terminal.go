// Package terminal is what a person sees and types: questions and passwords
// ([Keyboard]), how far something is ([Progress]), tables ([NewTable]), and the
// words for numbers and times. It knows nothing of tunnels, certificates and
// databases.
package terminal

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// NewTable aligns the cells of lines, which tabs separate, in columns. Flush
// prints it.
func NewTable(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) }

// Count is a number of things: "1 table", "2 tables".
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// Duration is d without the trailing zero units: 5m, not 5m0s.
func Duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Printable is a name that does nothing to a terminal.
func Printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, name)
}

// Package terminal is what a person sees and types: questions and passwords
// ([Keyboard]), lines ([Screen]), how far something is ([Progress]), and tables
// ([Table]). It knows nothing of tunnels, certificates and databases.
package terminal

import "strings"

// Printable is a name that does nothing to a terminal.
func Printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, name)
}

package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cheggaaa/pb/v3"
	"golang.org/x/term"
)

// Screen writes lines for a person: on a terminal in modest colours and wrapped at
// its width, elsewhere as they are.
type Screen struct {
	out      io.Writer
	terminal *os.File // nil: none
	coloured bool
}

// Colour is how the head of a line looks on a terminal. All are readable on a dark
// background and on a light one.
type Colour string

// The colours, as their SGR parameters (ECMA-48); Plain is the terminal's own.
const (
	Plain  Colour = ""
	Strong Colour = "1"
	Bad    Colour = "1;31"
	Doubt  Colour = "33"
	Good   Colour = "32"
)

// Head is what stands at the left of a line.
type Head struct {
	Text   string
	Colour Colour
}

// Wrapping is where a line may be broken on a terminal.
type Wrapping int

// The ways to wrap. SQL is broken between words outside quotes, where a line break
// means what a space means. What is to be pasted into a shell, or is a file, is left
// to the terminal, which does not put a line break into what is copied from it.
const (
	Prose Wrapping = iota
	SQL
	Verbatim
)

// The width of a terminal that does not say its own, and what a line must have left
// beside its head to be wrapped.
const (
	usualColumns = 80
	leastColumns = 20
)

// NewScreen writes to out. There are no colours where NO_COLOR is set (no-color.org)
// or the terminal is a dumb one.
func NewScreen(out io.Writer, getenv func(string) string) *Screen {
	s := &Screen{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.terminal = f
		s.coloured = getenv("NO_COLOR") == "" && getenv("TERM") != "" && getenv("TERM") != "dumb"
	}
	return s
}

// IsTerminal reports whether a person looks at it.
func (s *Screen) IsTerminal() bool { return s.terminal != nil }

// Columns is the width of a terminal, now: it may be changed; the usual one where it does not
// say, or there is none.
func (s *Screen) Columns() int {
	if s.terminal != nil {
		if width := columns(s.terminal); width > 0 {
			return width
		}
	}
	return usualColumns
}

// Clear empties a terminal, and goes on at its top (ECMA-48: CUP, ED).
func (s *Screen) Clear() {
	if s.terminal != nil {
		_, _ = io.WriteString(s.out, "\x1b[H\x1b[2J") // what is written next says whether it can be
	}
}

// Write writes a text behind its head; its other lines begin below the first.
func (s *Screen) Write(h Head, text string, wrapping Wrapping) {
	indent := pb.CellCount(h.Text)
	head := s.Paint(h)
	for line := range strings.SplitSeq(text, "\n") {
		for _, part := range s.wrap(s.printable(line), indent, wrapping) {
			fmt.Fprintln(s.out, strings.TrimRight(head+part, " "))
			head = strings.Repeat(" ", indent)
		}
	}
}

// Paint gives a head in its colour, if the screen has colours.
func (s *Screen) Paint(h Head) string {
	text := s.printable(h.Text)
	if !s.coloured || h.Colour == Plain {
		return text
	}
	word := strings.TrimRight(text, " ")
	return "\x1b[" + string(h.Colour) + "m" + word + "\x1b[0m" + text[len(word):]
}

// printable is a line that does nothing to a terminal.
func (s *Screen) printable(line string) string {
	if s.terminal == nil {
		return line
	}
	return Printable(line)
}

// wrap breaks a line into parts that fit beside an indent. The last column stays
// free: some terminals go to the next line there.
func (s *Screen) wrap(line string, indent int, wrapping Wrapping) []string {
	if s.terminal == nil || wrapping == Verbatim {
		return []string{line}
	}
	width := s.Columns() - indent - 1
	if width < leastColumns {
		return []string{line}
	}
	var parts []string
	for _, word := range words(line, wrapping) {
		last := len(parts) - 1
		if last >= 0 && pb.CellCount(parts[last])+1+pb.CellCount(word) <= width {
			parts[last] += " " + word
		} else {
			parts = append(parts, word)
		}
	}
	if len(parts) == 0 {
		return []string{""}
	}
	return parts
}

// words are the parts between which a line may be broken.
func words(line string, wrapping Wrapping) []string {
	if wrapping == Prose {
		return strings.Fields(line)
	}
	if strings.Contains(line, "--") { // it may begin a comment, which ends with the line
		return []string{line}
	}
	var list []string
	begin, quote, escaped := 0, rune(0), false
	for i, r := range line {
		switch {
		case escaped:
			escaped = false
		case quote != 0:
			escaped = r == '\\' && quote != '`'
			if r == quote {
				quote = 0
			}
		case r == '\'', r == '"', r == '`':
			quote = r
		case r == ' ':
			list = append(list, line[begin:i])
			begin = i + 1
		}
	}
	return append(list, line[begin:])
}

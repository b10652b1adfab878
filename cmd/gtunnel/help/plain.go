package help

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// width is that of a terminal, in characters.
const width = 80

// parse reads Markdown, with the tables of GitHub's.
func parse(source []byte) ast.Node {
	return goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(text.NewReader(source))
}

// renderer makes plain text of Markdown.
type renderer struct {
	source []byte
	linkTo func(shown, topic string) string // what stands for a link to a topic
}

// inTerminal names a topic as a terminal shows it.
func inTerminal(shown, topic string) string {
	if namesTopic(shown, topic) {
		return shown
	}
	return shown + " (gtunnel help " + topic + ")"
}

// namesTopic reports whether a text says what to type for a topic.
func namesTopic(shown, topic string) bool {
	return strings.Contains(strings.ReplaceAll(shown, keptSpace, " "), "gtunnel help "+topic)
}

// blocks are the lines of all that is within a node, with empty ones between.
func (r renderer) blocks(parent ast.Node, width int) []string {
	var lines []string
	list, inList := parent.Parent().(*ast.List)
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		block := r.block(n, width)
		if block == nil {
			continue
		}
		if lines != nil && (!inList || !list.IsTight) {
			lines = append(lines, "")
		}
		lines = append(lines, block...)
	}
	return lines
}

func (r renderer) block(n ast.Node, width int) []string {
	switch n := n.(type) {
	case *ast.Heading:
		title := r.inline(n)
		if n.Level > len(underlines) {
			return []string{title}
		}
		return []string{title, strings.Repeat(underlines[n.Level-1], utf8.RuneCountInString(title))}
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		return indent("    ", "    ", r.code(n))
	case *ast.List:
		return r.list(n, width)
	case *tables.Table:
		return r.table(n, width)
	case *ast.Blockquote:
		return indent("  ", "  ", r.blocks(n, width-2))
	case *ast.HTMLBlock:
		return nil // a comment
	default:
		return wrap(r.inline(n), width)
	}
}

// underlines are those of the headings, by their level.
var underlines = []string{"=", "-"}

// code are the lines of a block of code.
func (r renderer) code(n ast.Node) []string {
	lines := strings.Split(strings.TrimRight(string(n.Lines().Value(r.source)), "\n"), "\n")
	deep := width // what all lines are indented by
	for _, line := range lines {
		if text := strings.TrimLeft(line, " "); text != "" {
			deep = min(deep, len(line)-len(text))
		}
	}
	for i, line := range lines {
		lines[i] = line[min(deep, len(line)):]
	}
	return lines
}

func (r renderer) list(n *ast.List, width int) []string {
	var lines []string
	number := n.Start
	for item := n.FirstChild(); item != nil; item = item.NextSibling() {
		mark := "- "
		if n.IsOrdered() {
			mark = strconv.Itoa(number) + ". "
			number++
		}
		if lines != nil && !n.IsTight {
			lines = append(lines, "")
		}
		lines = append(lines, indent(mark, strings.Repeat(" ", len(mark)), r.blocks(item, width-len(mark)))...)
	}
	return lines
}

// inline is the text of a node without marks, but for the quotes of code.
func (r renderer) inline(parent ast.Node) string {
	var b strings.Builder
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Text:
			b.Write(unescape(n, r.source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		case *ast.CodeSpan:
			b.WriteString("`" + keep(r.span(n)) + "`")
		case *ast.AutoLink:
			b.Write(n.URL(r.source))
		case *ast.Link:
			b.WriteString(r.link(r.inline(n), string(n.Destination)))
		case *ast.RawHTML:
			b.Write(n.Segments.Value(r.source))
		default:
			b.WriteString(r.inline(n))
		}
	}
	return b.String()
}

// span is the text of code in a line.
func (r renderer) span(n *ast.CodeSpan) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(r.source))
		}
	}
	return strings.ReplaceAll(b.String(), "\n", " ")
}

// unescape is a text without the backslashes that keep its characters from being marks.
func unescape(n *ast.Text, source []byte) []byte {
	value := n.Segment.Value(source)
	var out []byte
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) && strings.IndexByte("\\`*_{}[]()#+-.!|<>~", value[i+1]) >= 0 {
			i++
		}
		out = append(out, value[i])
	}
	return out
}

// link is what stands for a link: to a topic its name, to a file of the repository its
// path, and within a topic nothing.
func (r renderer) link(shown, destination string) string {
	u, err := url.Parse(destination)
	switch {
	case err != nil || u.Scheme != "":
		return shown + " (" + destination + ")"
	case u.Path == "":
		return shown
	case path.Dir(u.Path) == "." && strings.HasSuffix(u.Path, ".md"):
		return r.linkTo(shown, strings.TrimSuffix(u.Path, ".md"))
	}
	if file := path.Join(folder, u.Path); !strings.Contains(shown, file) {
		return shown + " (" + file + " of the sources)"
	}
	return shown
}

// keptSpace is a space at which no line is broken.
const keptSpace = "\u00a0"

// keep keeps a command in one line, if it is a short one.
func keep(code string) string {
	if len(code) > width/2 {
		return code
	}
	return strings.ReplaceAll(code, " ", keptSpace)
}

// wrap breaks text into lines.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == ' ' || c == '\n' }) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	lines = append(lines, line)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], keptSpace, " ")
	}
	return lines
}

// indent puts first before the first line, and rest before the others that are not empty.
func indent(first, rest string, lines []string) []string {
	lines = slices.Clone(lines)
	for i, line := range lines {
		switch {
		case i == 0:
			lines[i] = first + line
		case line != "":
			lines[i] = rest + line
		}
	}
	return lines
}

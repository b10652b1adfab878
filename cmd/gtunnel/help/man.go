package help

import (
	"fmt"
	"io"
	"strings"

	"github.com/yuin/goldmark/ast"
	tables "github.com/yuin/goldmark/extension/ast"
)

// A Command is what its man page says of a command.
type Command struct {
	Name     string // with those that it is within: gtunnel replication status
	Summary  string // in a few words
	Usage    string // how it is called
	Text     string // paragraphs; lines that begin with a space are kept as they are
	Commands []Entry
	Groups   []Group
	Examples string   // lines that are kept as they are
	SeeAlso  []string // names of pages, such as gtunnel-crl(7)
}

// A Group is flags that belong together.
type Group struct {
	Title string
	Flags []Entry
}

// An Entry is a name and what it means.
type Entry struct{ Name, Text string }

// manWidth is what groff leaves for a line of a man page in a terminal, in characters.
const manWidth = 70

// WriteMan writes a topic, which must be one of [Topics], as the source of a man page
// of section 7 (groff_man(7)). The date, such as 2026-11-29, may be empty.
func WriteMan(w io.Writer, topic, date string) error {
	source := []byte(Markdown(topic))
	m := man{renderer: renderer{source: source, linkTo: inManPage}}
	m.head("gtunnel-"+topic, "7", date, Title(topic))
	m.line(".SH DESCRIPTION")
	for _, n := range childrenOf(parse(source))[1:] { // below the title
		m.block(n)
	}
	_, err := io.WriteString(w, m.String())
	return err
}

// WriteCommand writes the source of a man page of section 1.
func WriteCommand(w io.Writer, c Command, date string) error {
	var m man
	m.head(PageOf(c.Name), "1", date, c.Summary)
	m.line(".SH SYNOPSIS")
	m.text(c.Usage)
	m.line(".SH DESCRIPTION")
	m.paragraphs(c.Text)
	if len(c.Commands) > 0 {
		m.line(".SH COMMANDS")
		m.entries(c.Commands)
	}
	if len(c.Groups) > 0 {
		m.line(".SH OPTIONS")
		for _, g := range c.Groups {
			m.line(".SS " + roff(g.Title))
			m.entries(g.Flags)
		}
	}
	if c.Examples != "" {
		m.line(".SH EXAMPLES")
		m.asIs(strings.Split(strings.TrimRight(c.Examples, "\n"), "\n"))
	}
	m.line(".SH EXIT STATUS")
	m.text("0 done, 1 failed, 2 wrong usage or configuration.")
	m.line(".SH SEE ALSO")
	m.text(strings.Join(c.SeeAlso, ", "))
	_, err := io.WriteString(w, m.String())
	return err
}

// PageOf is the name of a command's man page, without its section.
func PageOf(command string) string { return strings.ReplaceAll(command, " ", "-") }

// inManPage names a topic as a man page does.
func inManPage(shown, topic string) string {
	page := "gtunnel-" + topic + "(7)"
	if namesTopic(shown, topic) {
		return page
	}
	return shown + " (" + page + ")"
}

// man collects roff.
type man struct {
	renderer
	lines []string
}

// String is all of it.
func (m *man) String() string { return strings.Join(m.lines, "\n") + "\n" }

// line writes a line. A heading needs no paragraph after it.
func (m *man) line(line string) {
	if n := len(m.lines); line == ".PP" && n > 0 && strings.HasPrefix(m.lines[n-1], ".S") {
		return
	}
	m.lines = append(m.lines, line)
}

func (m *man) text(text string) {
	if text = strings.TrimSpace(text); text != "" {
		m.line(roff(strings.ReplaceAll(text, keptSpace, " ")))
	}
}

func (m *man) head(name, section, date, summary string) {
	m.line(fmt.Sprintf(`.TH %s %s "%s" gtunnel gtunnel`, strings.ToUpper(name), section, date))
	m.line(".SH NAME")
	m.line(roff(name) + ` \- ` + roff(summary))
}

// asIs writes lines that are kept as they are.
func (m *man) asIs(lines []string) {
	m.line(".RS 4\n.nf")
	for _, line := range lines {
		if line == "" {
			line = `\&`
			m.line(line)
			continue
		}
		m.line(roff(line))
	}
	m.line(".fi\n.RE")
}

// paragraphs writes a text whose indented lines are kept.
func (m *man) paragraphs(text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		switch {
		case strings.HasPrefix(paragraph, " "):
			m.line(".PP")
			m.asIs(strings.Split(paragraph, "\n"))
			continue
		case i > 0:
			m.line(".PP")
		}
		m.text(paragraph)
	}
}

func (m *man) entries(entries []Entry) {
	for _, e := range entries {
		m.line(".TP")
		m.line(`\fB` + roff(e.Name) + `\fR`)
		m.text(e.Text)
	}
}

func (m *man) block(n ast.Node) {
	switch n := n.(type) {
	case *ast.Heading:
		m.line(map[bool]string{true: ".SH ", false: ".SS "}[n.Level <= 2] + roff(m.inline(n)))
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		m.line(".PP")
		m.asIs(m.code(n))
	case *ast.List:
		m.list(n)
	case *tables.Table:
		m.table(n)
	case *ast.HTMLBlock:
	default:
		m.line(".PP")
		m.text(m.inline(n))
	}
}

// list writes each item with its mark, and indents what is within it.
func (m *man) list(n *ast.List) {
	number := n.Start
	for _, item := range childrenOf(n) {
		mark := `\(bu 2`
		if n.IsOrdered() {
			mark = fmt.Sprintf("%d. 4", number)
			number++
		}
		m.line(".IP " + mark)
		for i, child := range childrenOf(item) {
			if i == 0 {
				m.text(m.inline(child))
				continue
			}
			m.line(".RS " + mark[strings.LastIndex(mark, " ")+1:])
			m.block(child)
			m.line(".RE")
		}
	}
}

func (m *man) table(n *tables.Table) {
	rows := m.rows(n)
	if _, fits := columnWidths(rows, manWidth); fits && !isTerms(n) {
		m.line(".PP")
		m.asIs(m.renderer.table(n, manWidth))
		return
	}
	if !isTerms(n) {
		m.rowsBelow(rows)
		return
	}
	if head := strings.TrimSpace(strings.Join(rows[0], ": ")); strings.Trim(head, ": ") != "" {
		m.line(".PP")
		m.text(strings.Trim(head, ": ") + ":")
	}
	for _, row := range rows[1:] {
		m.entries([]Entry{{Name: row[0], Text: row[1]}})
	}
}

// rowsBelow writes the first cell of each row as a name, and the others below it.
func (m *man) rowsBelow(rows [][]string) {
	for _, row := range rows[1:] {
		m.entries([]Entry{{Name: row[0]}})
		first := true
		for i, cell := range row[1:] {
			if cell == "" {
				continue
			}
			if !first {
				m.line(".br")
			}
			first = false
			m.text(rows[0][i+1] + ": " + cell)
		}
	}
}

// roff makes text that roff prints as it is.
func roff(text string) string {
	text = strings.NewReplacer(
		`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`, "\n.", "\n\\&.",
	).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

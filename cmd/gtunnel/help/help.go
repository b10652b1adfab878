// Package help holds the topics of gtunnel help: what concerns more than one
// command. Each is a file of Markdown in the folder topics, whose first line is
// its title. It is a text/template too, so that tables come from where the
// program has them: a topic cannot say otherwise than the program does.
package help

import (
	"embed"
	"fmt"
	"io"
	"path"
	"strings"
	"text/template"
)

//go:embed topics/*.md
var files embed.FS

var topics = template.Must(template.New("").Funcs(template.FuncMap{"wrap": wrap}).ParseFS(files, "topics/*.md"))

// Tables are what the program knows and topics show.
type Tables struct {
	Codes    []Code    // of package certs
	Findings []Finding // of package replication and its rooms
}

// Code is one row of a table of codes.
type Code struct {
	Code    string
	Meaning string
	Cure    string // what is mostly to do; may be empty
}

// Finding is one code of what replication finds.
type Finding struct {
	Code    string
	Where   string // the commands that find it
	Meaning string
	Cure    string // may be empty
}

// Topics lists the names of the topics in alphabetical order.
func Topics() []string {
	entries, err := files.ReadDir("topics")
	if err != nil {
		panic(err) // it is part of the program
	}
	var names []string
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".md"))
	}
	return names
}

// Title is the title of a topic, which must be one of [Topics].
func Title(topic string) string {
	text, err := files.ReadFile(path.Join("topics", topic+".md"))
	if err != nil {
		panic(err) // it is part of the program
	}
	title, _, _ := strings.Cut(strings.TrimPrefix(string(text), "# "), "\n")
	return title
}

// Write writes a topic, which must be one of [Topics]. The error is w's, or that
// of a table which the topic wants and Tables lacks.
func Write(w io.Writer, topic string, tables Tables) error {
	if err := topics.ExecuteTemplate(w, topic+".md", tables); err != nil {
		return fmt.Errorf("help topic %s: %w", topic, err)
	}
	return nil
}

// WriteMan writes a topic as the source of a man page of section 7 (groff_man(7)),
// with its text as it is.
func WriteMan(w io.Writer, topic string, tables Tables) error {
	var text strings.Builder
	if err := Write(&text, topic, tables); err != nil {
		return err
	}
	_, body, _ := strings.Cut(text.String(), "\n") // below the title
	_, err := fmt.Fprintf(w, ".TH GTUNNEL-%s 7\n.SH NAME\n%s \\- %s\n.SH DESCRIPTION\n.nf\n%s",
		strings.ToUpper(topic), roff("gtunnel-"+topic), roff(Title(topic)), roff(strings.TrimSpace(body)+"\n"))
	return err
}

// roff makes text that roff prints as it is.
func roff(text string) string {
	text = strings.NewReplacer(
		`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "\n.", "\n\\&.",
	).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// width is that of a line of a topic.
const width = 80

// wrap breaks text into lines, each with a line's end. The first begins with first,
// the others with as many spaces.
func wrap(first, text string) string {
	var b strings.Builder
	line := first
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case len(line)+1+len(word) > width:
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", len(first)) + word
		default:
			line += " " + word
		}
	}
	return b.String() + line + "\n"
}

// Package help holds the topics of gtunnel help: what concerns more than one
// command. Each is a file of Markdown in the folder topics, whose first line is
// its title, and which is read as it stands where the sources are. [Write] shows
// one in a terminal, [WriteMan] makes a man page of section 7 of it, and
// [WriteCommand] one of section 1 of a command.
//
// Links between topics are those of Markdown, such as [lists](crl.md). A terminal
// shows "gtunnel help crl" in their place, and a man page gtunnel-crl(7).
package help

import (
	"embed"
	"fmt"
	"io"
	"path"
	"strings"
)

//go:embed topics/*.md
var files embed.FS

// folder is where the topics are in the repository, which their links to its
// files begin at.
const folder = "cmd/gtunnel/help/topics"

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

// Markdown is the source of a topic, which must be one of [Topics].
func Markdown(topic string) string {
	text, err := files.ReadFile(path.Join("topics", topic+".md"))
	if err != nil {
		panic(err) // it is part of the program
	}
	return string(text)
}

// Title is the title of a topic, which must be one of [Topics].
func Title(topic string) string {
	title, _, _ := strings.Cut(strings.TrimPrefix(Markdown(topic), "# "), "\n")
	return title
}

// Write shows a topic, which must be one of [Topics], in plain text of at most 80
// columns; only what is to be pasted may be wider. The error is w's.
func Write(w io.Writer, topic string) error {
	source := []byte(Markdown(topic))
	r := renderer{source: source, linkTo: inTerminal}
	_, err := fmt.Fprintln(w, strings.Join(r.blocks(parse(source), width), "\n"))
	return err
}

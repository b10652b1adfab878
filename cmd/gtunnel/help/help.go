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

var topics = template.Must(template.ParseFS(files, "topics/*.md"))

// Tables are what the program knows and topics show.
type Tables struct {
	Codes []Code // of package certs
}

// Code is one row of a table of codes.
type Code struct {
	Code    string
	Meaning string
	Cure    string // what is mostly to do; may be empty
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

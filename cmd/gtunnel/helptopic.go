package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/replication/rules"
)

// helpTopic is a page of the help that is about no command.
type helpTopic struct {
	name    string
	short   string // for the list of topics, and the name of the man page
	text    string
	entries []helpEntry
}

// helpEntry explains one word of a topic. A word may have several.
type helpEntry struct {
	word  string
	where string
	text  string
	hint  string // may be empty
}

// helpTopics are all topics.
func helpTopics() []helpTopic {
	findings := helpTopic{
		name:  "findings",
		short: "codes of the problems and warnings of gtunnel replication",
		text: "What gtunnel replication finds has a code, which the --json of status and of plans shows: " +
			"here with the commands that find it, what it means, and what to do. " +
			"What is printed where it is found says more.",
	}
	for _, c := range rules.Codes() {
		findings.entries = append(findings.entries,
			helpEntry{word: c.Code, where: c.At.String(), text: c.Meaning, hint: c.Cure})
	}
	return []helpTopic{findings}
}

// helpCommand shows the help of a command, or a topic.
func (m *Main) helpCommand() *cobra.Command {
	asMan := false
	cmd := &cobra.Command{
		Use:   "help [COMMAND | TOPIC [WORD]...]",
		Short: "Help about a command or a topic",
		Long: `Help about a command, as COMMAND --help gives it; or about a topic, or words of
it only:

  findings     ` + helpTopics()[0].short,
		Example: `  gtunnel help replication setup-slave
  gtunnel help findings purged`,
		ValidArgsFunction: completeHelp,
		RunE: func(cmd *cobra.Command, args []string) error {
			if topic := topicNamed(args); topic != nil {
				return m.writeTopic(topic, args[1:], asMan)
			}
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				words := append(commandNames(cmd.Root()), topicNames()...)
				return unknown("command or topic", strings.Join(args, " "), words,
					"gtunnel --help lists the commands, gtunnel help --help the topics")
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		},
	}
	addFlags(cmd, "", []setting{{name: "man", target: &asMan, usage: "print a topic as a man page of section 7"}})
	return cmd
}

// completeHelp completes the names of commands and topics.
func completeHelp(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	about, _, err := cmd.Root().Find(args)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := commandNames(about)
	if len(args) == 0 {
		names = append(names, topicNames()...)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// topicNamed is the topic that arguments of help name; nil if they name none.
func topicNamed(args []string) *helpTopic {
	for _, topic := range helpTopics() {
		if len(args) > 0 && topic.name == args[0] {
			return &topic
		}
	}
	return nil
}

func topicNames() []string {
	var names []string
	for _, topic := range helpTopics() {
		names = append(names, topic.name)
	}
	return names
}

// writeTopic prints a topic, or what it says of some words.
func (m *Main) writeTopic(topic *helpTopic, words []string, asMan bool) error {
	known := map[string]bool{}
	var names []string
	for _, e := range topic.entries {
		known[e.word], names = true, append(names, e.word)
	}
	for _, word := range words {
		if !known[word] {
			return unknown("code", word, names, "gtunnel help "+topic.name+" lists all")
		}
	}
	if len(words) > 0 {
		topic.entries = slices.DeleteFunc(topic.entries, func(e helpEntry) bool {
			return !slices.Contains(words, e.word)
		})
	}
	if asMan {
		return topic.writeMan(m.Stdout)
	}
	return topic.writeText(m.Stdout, len(words) == 0)
}

// helpWidth is the width of a line of a topic.
const helpWidth = 80

// writeText prints the topic for a terminal.
func (t *helpTopic) writeText(w io.Writer, whole bool) error {
	var b strings.Builder
	if whole {
		b.WriteString(wrapped(t.text, "", "") + "\n")
	}
	for i, e := range t.entries {
		if i == 0 || t.entries[i-1].word != e.word || t.entries[i-1].where != e.where {
			fmt.Fprintf(&b, "%s (%s)\n", e.word, e.where)
		}
		b.WriteString(wrapped(e.text, "    ", "    "))
		if e.hint != "" {
			b.WriteString(wrapped(e.hint, "    hint: ", "          "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrapped breaks text into lines. The first begins with one indent, the others
// with another.
func wrapped(text, first, others string) string {
	var b strings.Builder
	line := first
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case len(line)+1+len(word) > helpWidth:
			b.WriteString(line + "\n")
			line = others + word
		default:
			line += " " + word
		}
	}
	return b.String() + line + "\n"
}

// writeMan prints the source of the topic's man page (groff_man(7)).
func (t *helpTopic) writeMan(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH GTUNNEL-%s 7\n.SH NAME\n%s \\- %s\n",
		strings.ToUpper(t.name), roff("gtunnel-"+t.name), roff(t.short))
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n.SH CODES\n", roff(t.text))
	for _, e := range t.entries {
		fmt.Fprintf(&b, ".TP\n.BR %s \" (%s)\"\n%s\n", roff(e.word), roff(e.where), roff(e.text))
		if e.hint != "" {
			fmt.Fprintf(&b, ".br\nhint: %s\n", roff(e.hint))
		}
	}
	b.WriteString(".SH SEE ALSO\ngtunnel replication \\-\\-help\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// roff makes text that roff prints as it is.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

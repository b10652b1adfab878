package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
)

// topicCommands are the topics of gtunnel help, which is what they are: without
// anything to run, a command is nothing but its help.
func topicCommands() []*cobra.Command {
	var topics []*cobra.Command
	for _, topic := range help.Topics() {
		cmd := &cobra.Command{Use: topic, Short: help.Title(topic)}
		cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { showTopic(cmd.OutOrStdout(), topic) })
		topics = append(topics, cmd)
	}
	return topics
}

// showTopic prints a topic.
func showTopic(out io.Writer, topic string) {
	_ = help.Write(out, topic) // a reader that is gone needs no help
}

// listTopics prints the topics, each with its title, and where the commands are.
func listTopics(out io.Writer) {
	var b strings.Builder
	b.WriteString("Topics, for gtunnel help TOPIC; gtunnel --help lists the commands, and\n" +
		"gtunnel help CODE explains a code\n\n")
	for _, topic := range help.Topics() {
		fmt.Fprintf(&b, "  %-15s  %s\n", topic, help.Title(topic))
	}
	fmt.Fprint(out, b.String())
}

// showHelp prints a command's help: what it does, its commands or its flags
// by group, and examples.
func showHelp(cmd *cobra.Command) {
	var b strings.Builder
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	fmt.Fprintf(&b, "%s\n\nUsage: %s\n", strings.TrimSpace(text), usageLine(cmd))
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-12s %s\n", c.Name(), c.Short)
			}
		}
	}
	if !cmd.HasParent() {
		b.WriteString("\ngtunnel help lists the topics: setup, failover, troubleshooting, security ...\n")
	}
	for _, g := range flagGroups(cmd) {
		writeGroup(&b, g)
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", strings.TrimRight(cmd.Example, "\n"))
	}
	fmt.Fprint(cmd.OutOrStdout(), b.String())
}

func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND [flags]      COMMAND --help explains each"
	}
	line := cmd.CommandPath()
	if _, arguments, ok := strings.Cut(cmd.Use, " "); ok {
		line += " " + arguments
	}
	if cmd.HasAvailableLocalFlags() {
		line += " [flags]      defaults in [brackets]"
	}
	return line
}

// valueOf is how a flag's value is written behind its name. Where the flag may stand alone,
// only an equals sign tells that a value belongs to it.
func valueOf(f *pflag.Flag) string {
	if f.NoOptDefVal != "" {
		return "[=" + config.ArgOf(f) + "]"
	}
	return " " + config.ArgOf(f)
}

// flagGroups are a command's flags by group, with how each is written and what it means.
func flagGroups(cmd *cobra.Command) []help.Group {
	flags := cmd.Flags()
	sorted := flags.SortFlags
	flags.SortFlags = false // the order of definition is the order of use
	defer func() { flags.SortFlags = sorted }()
	order := []string{
		config.GroupTunnel, config.GroupAccess, config.GroupCertificates, config.GroupLimits, config.GroupLogging,
		"", config.GroupVOMS, config.GroupPair, config.GroupLogin, config.GroupMaster,
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if group := config.GroupOf(f); !slices.Contains(order, group) {
			order = append(order, group)
		}
	})
	var groups []help.Group
	for _, group := range order {
		g := help.Group{Title: cmp.Or(group, "Flags")}
		flags.VisitAll(func(f *pflag.Flag) {
			if config.GroupOf(f) != group || f.Hidden || f.Name == "help" || f.Name == "version" {
				return
			}
			flag, usage := "--"+f.Name, f.Usage
			if f.Value.Type() != "bool" {
				flag += valueOf(f)
				if f.DefValue != "" {
					usage += " [" + f.DefValue + "]"
				}
			}
			g.Flags = append(g.Flags, help.Entry{Name: flag, Text: usage})
		})
		if len(g.Flags) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

func writeGroup(b *strings.Builder, group help.Group) {
	width := 0
	for _, f := range group.Flags {
		width = max(width, len(f.Name))
	}
	fmt.Fprintf(b, "\n%s:\n", group.Title)
	for _, f := range group.Flags {
		fmt.Fprintf(b, "  %-*s  %s\n", width, f.Name, f.Text)
	}
}

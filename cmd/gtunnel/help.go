package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/tunnel"
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
	if err := help.Write(out, topic, topicTables()); err != nil {
		fmt.Fprintf(out, "%v\n", err)
	}
}

// topicTables are the tables of the packages that know them.
func topicTables() help.Tables {
	var tables help.Tables
	for _, c := range certs.Codes() {
		tables.Codes = append(tables.Codes, help.Code{
			Code: string(c.Code), Meaning: inFlags(c.Meaning), Cure: inFlags(c.Cure),
		})
	}
	flags := new(config.Config)
	for _, c := range tunnel.Codes() {
		tables.Codes = append(tables.Codes, help.Code{
			Code: string(c.Code), Meaning: flags.Words(c.Meaning), Cure: flags.Words(c.Cure),
		})
	}
	for _, c := range rules.Codes() {
		tables.Findings = append(tables.Findings,
			help.Finding{Code: c.Code, Where: c.At.String(), Meaning: c.Meaning, Cure: finding.WithNames(c.Cure, nil)})
	}
	return tables
}

// manCommand is for the installation.
func (m *Main) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "man TOPIC",
		Short:     "A topic of the help as a man page of section 7",
		Hidden:    true,
		ValidArgs: help.Topics(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(help.Topics(), args[0]) {
				return unknown("topic", strings.Join(args, " "), help.Topics(), "gtunnel --help lists the topics")
			}
			return help.WriteMan(m.Stdout, args[0], topicTables())
		},
	}
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
		fmt.Fprintf(&b, "\nTopics, for gtunnel help TOPIC:\n  %s\n", strings.Join(help.Topics(), ", "))
	}
	for _, group := range []string{
		config.GroupTunnel, config.GroupAccess, config.GroupCertificates, config.GroupLimits, config.GroupLogging,
		"", config.GroupVOMS, config.GroupPair, config.GroupLogin, config.GroupMaster,
	} {
		writeGroup(&b, cmd, group)
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

func writeGroup(b *strings.Builder, cmd *cobra.Command, group string) {
	var left, right []string
	width := 0
	flags := cmd.Flags()
	sorted := flags.SortFlags
	flags.SortFlags = false // the order of definition is the order of use
	defer func() { flags.SortFlags = sorted }()
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
		left, right = append(left, flag), append(right, usage)
		width = max(width, len(flag))
	})
	if len(left) == 0 {
		return
	}
	if group == "" {
		group = "Flags"
	}
	fmt.Fprintf(b, "\n%s:\n", group)
	for i := range left {
		fmt.Fprintf(b, "  %-*s  %s\n", width, left[i], right[i])
	}
}

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// manPage is one page of the manual.
type manPage struct {
	name, section string // gtunnel-crl, 7
	write         func(io.Writer) error
}

// manCommand is for the installation.
func (m *Main) manCommand() *cobra.Command {
	var folder string
	cmd := &cobra.Command{
		Use:    "man [TOPIC]",
		Short:  "The man pages of the commands and topics",
		Hidden: true,
		Long: `Writes the man pages: of the commands, section 1, and of the topics, section 7,
into man1 and man7 of a folder; or that of a topic to the standard output. Their
date is that of SOURCE_DATE_EPOCH, if that is set, so that the same sources
always make the same bytes.`,
		ValidArgs: help.Topics(),
		RunE: func(cmd *cobra.Command, args []string) error {
			date, err := sourceDate(m.Getenv("SOURCE_DATE_EPOCH"))
			switch {
			case err != nil:
				return err
			case folder != "" && len(args) == 0:
				return writeManPages(folder, manPages(cmd.Root(), date))
			case folder == "" && len(args) == 1 && slices.Contains(help.Topics(), args[0]):
				return help.WriteMan(m.Stdout, args[0], date)
			}
			return unknown("topic", strings.Join(args, " "), help.Topics(), "gtunnel help lists the topics")
		},
	}
	config.AddFlags(cmd, "", []config.Setting{
		{Name: "folder", Arg: "DIR", Target: &folder, File: true, Usage: "write all pages below it"},
	})
	return cmd
}

// sourceDate is the day that SOURCE_DATE_EPOCH names, in UTC; empty if it is not set.
func sourceDate(epoch string) (string, error) {
	if epoch == "" {
		return "", nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return "", &usage.Error{
			Where: "SOURCE_DATE_EPOCH", Message: fmt.Sprintf("%q is no number of seconds", epoch),
			Cure: "set it to the time of the last commit, git log -1 --format=%ct, or unset it",
		}
	}
	return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
}

// manPages are all pages: of a command with those below it, and of the topics.
func manPages(root *cobra.Command, date string) []manPage {
	var pages []manPage
	var add func(cmd *cobra.Command)
	add = func(cmd *cobra.Command) {
		pages = append(pages, manPage{help.PageOf(cmd.CommandPath()), "1", func(w io.Writer) error {
			return help.WriteCommand(w, manCommandOf(cmd), date)
		}})
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				add(c)
			}
		}
	}
	add(root)
	for _, topic := range help.Topics() {
		pages = append(pages, manPage{"gtunnel-" + topic, "7", func(w io.Writer) error {
			return help.WriteMan(w, topic, date)
		}})
	}
	return pages
}

// manCommandOf is what the page of a command says.
func manCommandOf(cmd *cobra.Command) help.Command {
	usage, _, _ := strings.Cut(usageLine(cmd), "   ")
	c := help.Command{
		Name: cmd.CommandPath(), Summary: cmd.Short, Usage: usage, Text: cmp.Or(cmd.Long, cmd.Short),
		Groups: flagGroups(cmd), Examples: cmd.Example,
	}
	if cmd.HasParent() {
		c.SeeAlso = append(c.SeeAlso, help.PageOf(cmd.Parent().CommandPath())+"(1)")
	}
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() {
			c.Commands = append(c.Commands, help.Entry{Name: below.Name(), Text: below.Short})
			c.SeeAlso = append(c.SeeAlso, help.PageOf(below.CommandPath())+"(1)")
		}
	}
	for _, topic := range help.Topics() {
		if !cmd.HasParent() || strings.Contains(c.Text+cmd.Example, "gtunnel help "+topic) {
			c.SeeAlso = append(c.SeeAlso, "gtunnel-"+topic+"(7)")
		}
	}
	return c
}

// writeManPages writes each page into the folder of its section.
func writeManPages(folder string, pages []manPage) (err error) {
	for _, p := range pages {
		name := filepath.Join(folder, "man"+p.section, p.name+"."+p.section)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		if err := errors.Join(p.write(f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

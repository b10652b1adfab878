package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/tunnel"
)

// report prints each of the errors in err with its hint.
func (m *Main) report(w io.Writer, err error) {
	for _, err := range usage.Split(err) {
		fmt.Fprintf(w, "gtunnel: %s\n", inFlags(err.Error()))
		if hint := usage.HintOf(err); hint != "" {
			fmt.Fprintf(w, "hint: %s\n", m.inCommands(inFlags(hint)))
		}
	}
}

// inFlags is a message of package certs with its settings as flags.
func inFlags(message string) string { return certs.NameSettings(message, config.FlagName) }

// flagError turns an error of the flag parser into our words.
func flagError(cmd *cobra.Command, err error) error {
	help := cmd.CommandPath() + " --help shows the flags"
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 { // the flag is of what it does not have
			return oneOfItsCommands(cmd, words)
		}
		if file := passwordFlag(cmd, e); file != "" {
			return &usage.Error{
				Message: "a password is never an argument: whoever is on this host can see the arguments of programs (ps)",
				Cure: fmt.Sprintf("write it into a file of mode 0600 for --%s, or into ~/.my.cnf, "+
					"or leave it out to be asked", file),
			}
		}
		if e.GetSpecifiedShortnames() != "" {
			return &usage.Error{
				Message: "unknown flag -" + e.GetSpecifiedShortnames(), Cure: "flags begin with two hyphens: " + help,
			}
		}
		if other := config.OfOtherRole(tunnel.Role(cmd.Name()), e.GetSpecifiedName()); other != nil {
			return other
		}
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		return unknown("flag", "--"+e.GetSpecifiedName(), names, help)
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return &usage.Error{
			Where: "--" + e.GetSpecifiedName(), Message: "needs a value",
			Cure: fmt.Sprintf("write --%s %s: %s", e.GetSpecifiedName(), config.ArgOf(e.GetFlag()), help),
		}
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		hint := usage.HintOf(e.Unwrap())
		if hint == "" {
			hint = help
		}
		return &usage.Error{Where: "--" + e.GetFlag().Name, Err: e.Unwrap(), Cure: hint}
	}
	return &usage.Error{Err: err, Cure: help}
}

// passwordFlag is the flag to use for a password that was given as mysql takes
// it: --password, -p or -pPASSWORD, which must not be repeated on the screen.
// It is empty if it was something else.
func passwordFlag(cmd *cobra.Command, e *pflag.NotExistError) string {
	if cmd.Flags().Lookup("password-file") == nil {
		return ""
	}
	switch name := e.GetSpecifiedName(); {
	case strings.HasPrefix(e.GetSpecifiedShortnames(), "p"), name == "password":
		return "password-file"
	case name == "master-password":
		return "master-password-file"
	}
	return ""
}

// unknown says that a word is none of the known ones, and which it may mean.
func unknown(kind, word string, known []string, help string) error {
	hint := help
	if near := usage.Closest(word, known); near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, help)
	}
	return &usage.Error{Message: fmt.Sprintf("unknown %s %s", kind, word), Cure: hint}
}

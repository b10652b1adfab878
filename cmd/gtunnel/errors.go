package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/tunnel"
)

// usageError is a wrong usage or configuration: exit code 2.
type usageError struct {
	where   string // the flag, or file:line: key; may be empty
	line    int    // of the file, to order by; 0 if none
	message string
	hint    string
	err     error // the cause, if it is another package's
}

// Error names the place and says what is wrong there.
func (e *usageError) Error() string {
	message := e.message
	if e.err != nil {
		message = strings.TrimPrefix(message+": "+e.err.Error(), ": ")
	}
	return strings.TrimPrefix(e.where+": "+message, ": ")
}

// Unwrap gives the cause.
func (e *usageError) Unwrap() error { return e.err }

// Hint says what to do: this error's own words, else the cause's.
func (e *usageError) Hint() string {
	if e.hint == "" {
		return hintOf(e.err)
	}
	return e.hint
}

// isUsage tells whether any of the errors in err is a usageError.
func isUsage(err error) bool {
	_, ok := errors.AsType[*usageError](err)
	return ok
}

// hinter is an error that knows what to do about it.
type hinter interface {
	error
	Hint() string
}

// hintedError is a failure with what to do about it.
type hintedError struct {
	error
	hint string
}

// Unwrap gives the error without the hint.
func (e *hintedError) Unwrap() error { return e.error }

// Hint says what to do.
func (e *hintedError) Hint() string { return e.hint }

func hintOf(err error) string {
	if h, ok := errors.AsType[hinter](err); ok {
		return h.Hint()
	}
	return ""
}

// split gives the errors that errors.Join joined, else err alone.
func split(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error }) // only the outermost is a list
	if !ok {
		return []error{err}
	}
	return joined.Unwrap()
}

// report prints each of the errors in err with its hint.
func report(w io.Writer, err error) {
	for _, err := range split(err) {
		fmt.Fprintf(w, "gtunnel: %s\n", inFlags(err.Error()))
		if hint := hintOf(err); hint != "" {
			fmt.Fprintf(w, "hint: %s\n", inFlags(hint))
		}
	}
}

// inFlags is a message of package certs with its settings as flags.
func inFlags(message string) string { return certs.NameSettings(message, origin{}.settingName) }

// flagError turns an error of the flag parser into our words.
func flagError(cmd *cobra.Command, err error) error {
	help := cmd.CommandPath() + " --help shows the flags"
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if file := passwordFlag(cmd, e); file != "" {
			return &usageError{
				message: "a password is never an argument: whoever is on this host can see the arguments of programs (ps)",
				hint:    fmt.Sprintf("write it into a file of mode 0600 for --%s, or into ~/.my.cnf, or leave it out to be asked", file),
			}
		}
		if e.GetSpecifiedShortnames() != "" {
			return &usageError{message: "unknown flag -" + e.GetSpecifiedShortnames(), hint: "flags begin with two hyphens: " + help}
		}
		if role := otherRole(cmd, e.GetSpecifiedName()); role != "" {
			return &usageError{where: "--" + e.GetSpecifiedName(), message: fmt.Sprintf("is for gtunnel %s only", role), hint: roleHint(tunnel.Role(cmd.Name()), origin{})}
		}
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		return unknown("flag", "--"+e.GetSpecifiedName(), names, help)
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return &usageError{where: "--" + e.GetSpecifiedName(), message: "needs a value", hint: fmt.Sprintf("write --%s %s: %s", e.GetSpecifiedName(), argument(e.GetFlag()), help)}
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		hint := hintOf(e.Unwrap())
		if hint == "" {
			hint = help
		}
		return &usageError{where: "--" + e.GetFlag().Name, err: e.Unwrap(), hint: hint}
	}
	return &usageError{err: err, hint: help}
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

// otherRole is the role that has a flag which the command of the other role
// lacks.
func otherRole(cmd *cobra.Command, flag string) tunnel.Role {
	role := tunnel.Role(cmd.Name())
	if role != tunnel.Server && role != tunnel.Client {
		return ""
	}
	c := newTunnelConfig("", "")
	for _, s := range c.settings() {
		if s.name == flag && s.role != role {
			return s.role
		}
	}
	return ""
}

// unknown says that a word is none of the known ones, and which it may mean.
func unknown(kind, word string, known []string, help string) error {
	hint := help
	if near := closest(word, known); near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, help)
	}
	return &usageError{message: fmt.Sprintf("unknown %s %s", kind, word), hint: hint}
}

// closest gives the known word that word is most likely a slip of, or "".
func closest(word string, known []string) string {
	best, bound := "", 1+len(word)/3
	for _, k := range known {
		if d := distance(word, k); d <= bound {
			best, bound = k, d-1
		}
	}
	return best
}

// distance counts the insertions, deletions and changes of one byte that turn
// a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// joinErrors is errors.Join for a list of usage errors; nil if it is empty.
func joinErrors(list []*usageError) error {
	var joined []error
	for _, e := range list {
		joined = append(joined, e)
	}
	return errors.Join(joined...)
}

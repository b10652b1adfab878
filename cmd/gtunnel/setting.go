package main

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/tunnel"
)

// The groups of settings in the help.
const (
	groupTunnel       = "Tunnel"
	groupAccess       = "Access"
	groupCertificates = "Certificates"
	groupLimits       = "Limits and time-outs"
	groupLogging      = "Logging and admin"
	groupLogin        = "The server of this host"
	groupMaster       = "The master, through the tunnel"
)

// setting is one thing that a flag or a key of the configuration file sets.
type setting struct {
	name   string        // the flag; with underscores, the key
	group  string        // in the help; groupCertificates may stand in [tls] too
	role   tunnel.Role   // the only role that has it; empty: both
	arg    string        // the value's name in the help
	usage  string        // the help
	preset string        // the default, where the target does not hold it
	port   string        // of addresses: the usual one
	values []string      // the only values, if they can be counted
	zero   bool          // a duration may be 0
	least  time.Duration // the shortest duration above 0
	file   bool          // the value names a file: a relative one is beside the configuration file

	// target points into the configuration: *string, *bool, *int (1 or
	// more), *time.Duration, *[]string, *[]tunnel.Address, or an
	// encoding.TextUnmarshaler.
	target any
}

// key is the setting's name in the file.
func (s setting) key() string { return keyOf(s.name) }

// valueError says why a value does not fit a setting.
type valueError struct{ message, hint string }

func (e *valueError) Error() string { return e.message }

// Hint is a value that would fit.
func (e *valueError) Hint() string { return e.hint }

// setText sets the target from text. Lists grow by one.
func (s setting) setText(text string) error {
	if s.values != nil && !slices.Contains(s.values, text) {
		hint := ""
		if near := closest(text, s.values); near != "" {
			hint = "did you mean " + near + "?"
		}
		return &valueError{fmt.Sprintf("%q is none of %s", text, strings.Join(s.values, ", ")), hint}
	}
	switch target := s.target.(type) {
	case *string:
		if text == "" {
			return errors.New("is empty")
		}
		*target = text
	case *bool:
		on, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*target = on
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > math.MaxInt32 {
			return fmt.Errorf("%q is not a whole number of 1 or more", text)
		}
		*target = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 {
			return &valueError{fmt.Sprintf("%q is not a duration", text), "write a number with its unit, such as 500ms, 10s, 5m or 1h"}
		}
		if d == 0 && !s.zero {
			return &valueError{"must be longer than 0s", "remove it to have the default"}
		}
		if d > 0 && d < s.least {
			hint := fmt.Sprintf("give %s or more", s.least)
			if s.zero {
				hint += ", or 0s"
			}
			return &valueError{fmt.Sprintf("%s is too short", text), hint}
		}
		*target = d
	case *[]string:
		if text == "" {
			return errors.New("is empty")
		}
		*target = append(*target, text)
	case *tunnel.Address:
		a, err := s.address(text)
		if err != nil {
			return err
		}
		*target = a
	case *[]tunnel.Address:
		a, err := s.address(text)
		if err != nil {
			return err
		}
		*target = append(*target, a)
	case encoding.TextUnmarshaler:
		return target.UnmarshalText([]byte(text))
	default:
		panic(fmt.Sprintf("setting %s has a target of type %T", s.name, s.target))
	}
	return nil
}

// address reads an address; to a host without a port it suggests the usual
// one. What begins with a digit is a port or an IP address.
func (s setting) address(text string) (tunnel.Address, error) {
	a, err := tunnel.ParseAddress(text)
	if err == nil || s.port == "" {
		return a, err
	}
	full, err2 := tunnel.ParseAddress(text + ":" + s.port)
	if err2 == nil && full.Host != "" && (net.ParseIP(text) != nil || text[0] > '9') {
		return a, &valueError{err.Error(), "did you mean " + full.String() + "?"}
	}
	return a, err
}

// setValue sets the target from a value of the configuration file, whose type
// must be the setting's own. Lists are replaced.
func (s setting) setValue(value any) error {
	var kind string // what it should be
	switch target := s.target.(type) {
	case *bool:
		if on, ok := value.(bool); ok {
			*target = on
			return nil
		}
		kind = "true or false, without quotes"
	case *int:
		if n, ok := value.(int64); ok {
			return s.setText(strconv.FormatInt(n, 10))
		}
		kind = "a whole number, without quotes"
	case *[]string:
		*target = nil
		kind = `a list of strings, such as ["a", "b"]`
	case *[]tunnel.Address:
		*target = nil
		kind = `a list of addresses, such as ["server1:3307", "server2:3307"]`
	case *time.Duration:
		kind = `a duration in quotes, such as "10s"`
	default:
		kind = "a string in quotes"
	}
	switch value := value.(type) {
	case string:
		switch s.target.(type) {
		case *bool, *int:
		default: // a lone string is a list of one
			return s.setText(value)
		}
	case []any:
		switch s.target.(type) {
		case *[]string, *[]tunnel.Address:
			return s.setList(value, kind)
		}
	}
	return &valueError{"is " + kindOf(value), "must be " + kind}
}

// setList appends the elements, each of which must be a string.
func (s setting) setList(list []any, kind string) error {
	for _, element := range list {
		text, ok := element.(string)
		if !ok {
			return &valueError{"holds " + kindOf(element), "must be " + kind}
		}
		if err := s.setText(text); err != nil {
			return err
		}
	}
	return nil
}

// kindOf names the type of a TOML value.
func kindOf(value any) string {
	switch v := value.(type) {
	case string:
		return "a string"
	case int64:
		return fmt.Sprintf("the number %d", v)
	case float64:
		return fmt.Sprintf("the number %v", v)
	case bool:
		return strconv.FormatBool(v)
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}

// text is the target's value as the help shows it; empty if it is the zero
// value, or a list.
func (s setting) text() string {
	switch target := s.target.(type) {
	case *string:
		return *target
	case *int:
		return strconv.Itoa(*target)
	case *time.Duration:
		return shortDuration(*target)
	case *bool, *[]string, *[]tunnel.Address:
		return ""
	case encoding.TextMarshaler:
		if text, err := target.MarshalText(); err == nil {
			return string(text)
		}
	}
	return ""
}

// shortDuration is d without the trailing zero units: 5m, not 5m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// flagValue makes a setting a flag. It implements pflag.Value.
type flagValue struct{ setting }

func (v flagValue) Set(text string) error { return v.setText(text) }
func (v flagValue) String() string        { return v.preset }

func (v flagValue) Type() string {
	if _, ok := v.target.(*bool); ok {
		return "bool"
	}
	return "value"
}

// addFlags gives cmd a flag for each of the settings that the role has.
func addFlags(cmd *cobra.Command, role tunnel.Role, settings []setting) {
	for _, s := range settings {
		if s.role != "" && s.role != role {
			continue
		}
		if s.preset == "" {
			s.preset = s.text()
		}
		flag := &pflag.Flag{
			Name:        s.name,
			Usage:       s.usage,
			Value:       flagValue{s},
			DefValue:    s.preset,
			Annotations: map[string][]string{groupAnnotation: {s.group}, argAnnotation: {s.arg}},
		}
		if flag.Value.Type() == "bool" {
			flag.NoOptDefVal = "true"
		}
		cmd.Flags().AddFlag(flag)
		var err error
		switch {
		case s.values != nil:
			err = cmd.RegisterFlagCompletionFunc(s.name, cobra.FixedCompletions(s.values, cobra.ShellCompDirectiveNoFileComp))
		case s.file:
		default:
			err = cmd.RegisterFlagCompletionFunc(s.name, cobra.NoFileCompletions)
		}
		if err != nil {
			panic(err) // a flag is defined twice
		}
	}
}

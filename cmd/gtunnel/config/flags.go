package config

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/tunnel"
)

// The annotations of flags that the help reads.
const (
	groupAnnotation = "group"
	argAnnotation   = "value"
)

// GroupOf is the group of a flag in the help; empty if it has none.
func GroupOf(f *pflag.Flag) string { return strings.Join(f.Annotations[groupAnnotation], "") }

// ArgOf is the name of a flag's value in the help.
func ArgOf(f *pflag.Flag) string {
	if names := f.Annotations[argAnnotation]; len(names) > 0 {
		return names[0]
	}
	return strings.ToUpper(f.Value.Type())
}

// flagValue makes a setting a flag. It implements pflag.Value.
type flagValue struct{ Setting }

func (v flagValue) Set(text string) error { return v.setText(text) }
func (v flagValue) String() string        { return v.Preset }

func (v flagValue) Type() string {
	if _, ok := v.Target.(*bool); ok {
		return "bool"
	}
	return "value"
}

// ValueOf is the value that a flag was given, or its preset if that is one; empty if it has none,
// or there is no such flag.
func ValueOf(f *pflag.Flag) string {
	if f == nil {
		return ""
	}
	if v, ok := f.Value.(flagValue); ok {
		return v.text()
	}
	return f.Value.String()
}

// AddFlags gives cmd a flag for each of the settings that the role has. A shell is told the
// values of those that have only a few; completion of all others is the caller's.
func AddFlags(cmd *cobra.Command, role tunnel.Role, settings []Setting) {
	for _, s := range settings {
		if s.Role != "" && s.Role != role {
			continue
		}
		if s.Preset == "" {
			s.Preset = s.text()
		}
		flag := &pflag.Flag{
			Name:        s.Name,
			Usage:       s.Usage,
			Value:       flagValue{Setting: s},
			DefValue:    s.Preset,
			Annotations: map[string][]string{groupAnnotation: {s.Group}, argAnnotation: {s.Arg}},
		}
		flag.NoOptDefVal = s.Bare
		if flag.Value.Type() == "bool" {
			flag.NoOptDefVal = "true"
		}
		cmd.Flags().AddFlag(flag)
		if s.Values == nil {
			continue
		}
		values := cobra.FixedCompletions(s.Values, cobra.ShellCompDirectiveNoFileComp)
		if err := cmd.RegisterFlagCompletionFunc(s.Name, values); err != nil {
			panic(err) // a flag is defined twice
		}
	}
}

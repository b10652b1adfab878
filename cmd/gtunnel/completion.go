package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/tunnel"
)

// completionPatience is for how long a shell that waits for its user may wait for a process or
// a server.
const completionPatience = time.Second

// extensions are those of the files that flags name, by the flag; of others any file will do.
var extensions = map[string][]string{
	"config": {"toml"}, "hand-over": {"json"},
	"cert": {"pem", "crt", "cer"}, "cafile": {"pem", "crt", "cer"}, "key": {"pem", "key"},
	"defaults-file": {"cnf"}, "master-defaults-file": {"cnf"}, "monitor-file": {"cnf"}, "replication-file": {"cnf"},
}

// completeFlags has the shell complete the values of all flags of a command and of those below
// it, whose values are not a few that package config has told it already.
func (m *Main) completeFlags(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, known := cmd.GetFlagCompletionFunc(f.Name); !known {
			// It fails where a flag is completed already, and this one is not.
			_ = cmd.RegisterFlagCompletionFunc(f.Name, m.completionOf(f))
		}
	})
	for _, below := range cmd.Commands() {
		m.completeFlags(below)
	}
}

// completionOf is how the value of a flag is completed.
func (m *Main) completionOf(f *pflag.Flag) cobra.CompletionFunc {
	switch f.Name {
	case "databases", "replace-databases", "other-databases":
		return m.completeDatabases
	case "tunnel":
		return completeTunnels
	case "semi-sync":
		values := []string{semiSyncPreset, semiSyncEndless, semiSyncOff}
		return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	}
	switch config.ArgOf(f) {
	case "DIR":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case "FILE", "PATH":
		if of := extensions[f.Name]; of != nil {
			return cobra.FixedCompletions(of, cobra.ShellCompDirectiveFilterFileExt)
		}
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	}
	return cobra.NoFileCompletions
}

// completeDatabases lists the databases of this host's server, if a login by its socket works at
// once and without a question. Names before a comma are kept.
func (m *Main) completeDatabases(
	cmd *cobra.Command, _ []string, word string,
) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
	defer cancel()
	value := func(flag string) string { return config.ValueOf(cmd.Flags().Lookup(flag)) }
	l := loginFlags{
		defaultsFile: value("defaults-file"), socket: value("socket"), host: value("host"), port: value("port"),
		user: value("user"), passwordFile: value("password-file"), unsafePlaintext: new(bool),
	}
	login, err := l.credentials(m)
	if err != nil || login.ask || login.Network != "unix" {
		return nil, directive
	}
	s, err := server.Open(ctx, finding.Slave, login.Login)
	if err != nil {
		return nil, directive
	}
	defer func() { _ = s.Close() }() // only read
	names, err := facts.ListDatabases(ctx, s, s.DB)
	if err != nil {
		return nil, directive
	}
	before := word[:strings.LastIndexByte(word, ',')+1]
	given := strings.Split(before, ",")
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(given, name) })
	for i, name := range names {
		names[i] = before + name
	}
	return startingWith(names, word), directive
}

// runningTunnels asks the processes at an admin address, or all that there are, for their tunnels.
// Those that do not answer at once are left out.
func runningTunnels(ctx context.Context, admin tunnel.Address) []tunnel.Status {
	ctx, cancel := context.WithTimeout(ctx, completionPatience)
	defer cancel()
	processes, _, _ := askAll(ctx, admin, askedStatus) // who cannot be asked completes nothing
	return tunnelsOf(processes)
}

// adminOf is what the flag --admin of a command says; the zero value: all processes.
func adminOf(cmd *cobra.Command) tunnel.Address {
	admin, err := tunnel.ParseAddress(config.ValueOf(cmd.Flags().Lookup("admin")))
	if err != nil {
		return tunnel.Address{}
	}
	return admin
}

// completeTunnels lists the tunnels that run.
func completeTunnels(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, t := range runningTunnels(cmd.Context(), adminOf(cmd)) {
		names = append(names, t.Name)
	}
	return startingWith(names, word), cobra.ShellCompDirectiveNoFileComp
}

// completeSessions lists the open connections, each with its peer.
func completeSessions(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	for _, t := range runningTunnels(cmd.Context(), adminOf(cmd)) {
		for _, s := range t.Sessions {
			if !slices.Contains(args, s.ID) {
				ids = append(ids, cobra.CompletionWithDesc(s.ID, t.Name+", "+certs.ShowDN(s.PeerDN)))
			}
		}
	}
	return startingWith(ids, word), cobra.ShellCompDirectiveNoFileComp
}

// completeHelp lists the topics and commands, and codes once the first letter is typed: there are
// hundreds.
func completeHelp(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	within, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, c := range within.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
		}
	}
	if !within.HasParent() {
		for _, topic := range help.Topics() {
			names = append(names, cobra.CompletionWithDesc(topic, help.Title(topic)))
		}
		if word != "" {
			names = append(names, allCodes()...)
		}
	}
	return startingWith(names, word), cobra.ShellCompDirectiveNoFileComp
}

// startingWith are those of the completions that begin with a word.
func startingWith(completions []string, word string) []string {
	return slices.DeleteFunc(completions, func(c string) bool { return !strings.HasPrefix(c, word) })
}

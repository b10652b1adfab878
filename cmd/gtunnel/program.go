package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
)

// Main is one run of the program with everything that it takes from its
// process, so that tests can run it inside their own.
type Main struct {
	Args   []string // without the program's name
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string

	// OwnProcess says that the process ends with this run, and may be restricted until then.
	OwnProcess bool

	command *cobra.Command // that is run; nil before that
	asked   bool           // for a password

	pairMaster bool // this host is the master of its pair, as far as the command has found that out

	// clusterPeer is the other host of a pair whose roles a cluster manager decides, as far as the
	// command has found that out; empty: no manager does.
	clusterPeer string

	log *logQueue // to Stderr: what may not wait for it
}

// flagsFileVariable is what the systemd units call the file with the flags of a
// service by.
const flagsFileVariable = "GTUNNEL_FLAGS_FILE"

// Run runs the command that Args name until it is done or ctx ends, and
// returns the exit code. A serving command that ctx ends drains first.
func (m *Main) Run(ctx context.Context) int {
	m.log = &logQueue{out: m.Stderr}
	defer func() { _ = m.log.Sync() }() // fails if nobody reads it: then nobody could be told

	parsed := false // what fails before is wrong usage
	root := m.rootCommand()
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) { parsed, m.command = true, cmd }
	root.SetArgs(m.Args)
	root.SetIn(m.Stdin)
	root.SetOut(m.Stdout)
	root.SetErr(m.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if code, ended := m.pluginEnd(err); ended {
		return code
	}
	m.report(m.log, err)
	if parsed && !usage.Is(err) {
		return 1
	}
	if file := m.Getenv(flagsFileVariable); file != "" {
		fmt.Fprintf(m.log, "hint: this service has its flags from GTUNNEL_FLAGS in %s; "+
			"after a change: systemctl restart\n", file)
	}
	return 2
}

// rootCommand builds the program's commands.
func (m *Main) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "gtunnel",
		Short:         "Carries MySQL replication between grid hosts inside TLS",
		Version:       thisBuild().String(),
		SilenceErrors: true, // Run reports them
		SilenceUsage:  true,
		Example: `  gtunnel server --allow-host server2.domain.two      on the master
  gtunnel client --connect server1.domain.one:3307   on the slave`,
		Args: oneOfItsCommands,
		Run:  func(cmd *cobra.Command, _ []string) { showHelp(cmd) },
	}
	root.SetVersionTemplate("{{.Version}}")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { showHelp(cmd) })
	root.SetUsageFunc(func(cmd *cobra.Command) error { showHelp(cmd); return nil })
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		m.serverCommand(),
		m.clientCommand(),
		m.runCommand(),
		m.statusCommand(),
		m.sessionsCommand(),
		m.closeCommand(),
		m.logLevelCommand(),
		m.reloadCommand(),
		m.certsCommand(),
		m.replicationCommand(),
		m.versionCommand(),
		m.manCommand(),
	)
	root.AddCommand(topicCommands()...)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			cmd.Args, cmd.ValidArgsFunction = aTopic, completeHelp
			cmd.Use = "help [TOPIC|COMMAND|CODE]"
			cmd.Short = "A topic, a command or a code; without one, a list of the topics"
			cmd.Long = ""
			ofCommand := cmd.Run
			cmd.Run = func(cmd *cobra.Command, args []string) {
				switch {
				case len(args) == 0:
					listTopics(m.Stdout)
					return
				case len(args) == 1 && slices.Contains(allCodes(), args[0]) && showCode(m.Stdout, args[0]):
					return
				}
				ofCommand(cmd, args)
			}
		}
		if cmd.HasSubCommands() { // as if it were ours
			cmd.Args, cmd.Run = root.Args, root.Run
		}
	}
	m.completeFlags(root)
	return root
}

// oneOfItsCommands refuses the name of a command that cmd does not have.
func oneOfItsCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknownCommand("command", args[0], cmd)
}

// aTopic refuses what gtunnel help has nothing to say about.
func aTopic(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	switch {
	case err != nil || len(rest) == 0:
		return err
	case !found.HasParent() && len(rest) == 1 && slices.Contains(allCodes(), rest[0]):
		return nil
	case !found.HasParent():
		return unknownCommand("topic", rest[0], found)
	case found.Args == nil: // a topic takes no words, and minds none
		return nil
	}
	return found.Args(found, rest)
}

// unknownCommand says that cmd has no command, or topic, of this name, and which it may mean:
// one of its own, or one of a group, as gtunnel promote is gtunnel replication promote.
func unknownCommand(kind, word string, cmd *cobra.Command) error {
	own, grouped, paths := commandNames(cmd), []string{}, map[string][]string{}
	if !cmd.HasParent() {
		own = append(own, help.Topics()...)
	}
	if kind == "topic" {
		own = append(own, allCodes()...)
	}
	for _, group := range cmd.Root().Commands() {
		for _, name := range commandNames(group) {
			grouped, paths[name] = append(grouped, name), append(paths[name], group.CommandPath()+" "+name)
		}
	}
	near := usage.Closest(word, slices.Concat(own, grouped)) // of two that are as close, its own
	hint := cmd.CommandPath() + " --help lists the " + kind + "s"
	if kind == "topic" {
		hint = "gtunnel help lists the topics"
	}
	if near != "" && !slices.Contains(own, near) {
		near = strings.Join(paths[near], " or ")
	}
	if near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, hint)
	}
	return &usage.Error{Message: fmt.Sprintf("unknown %s %s", kind, word), Cure: hint}
}

// noArguments refuses whatever is not a flag, and knows the value of a flag that may
// stand alone, which was written as another word.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cure := cmd.CommandPath() + " takes flags only: " + cmd.CommandPath() + " --help shows them"
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.NoOptDefVal != "" && f.Value.Type() != "bool" && f.Value.Set(args[0]) == nil {
			cure = "write --" + f.Name + "=" + args[0]
		}
	})
	return &usage.Error{Message: fmt.Sprintf("unexpected argument %q", args[0]), Cure: cure}
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

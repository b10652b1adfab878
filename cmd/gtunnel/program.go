package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

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

	command *cobra.Command // that is run; nil before that
	asked   bool           // for a password

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
		m.certsCommand(),
		m.replicationCommand(),
		m.versionCommand(),
		m.manCommand(),
	)
	root.AddCommand(topicCommands()...)
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.HasSubCommands() { // as if it were ours
			cmd.Args, cmd.Run = root.Args, root.Run
		}
	}
	return root
}

// oneOfItsCommands refuses the name of a command that cmd does not have.
func oneOfItsCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return unknown("command", args[0], commandNames(cmd), cmd.CommandPath()+" --help lists the commands")
}

// noArguments refuses whatever is not a flag.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usage.Error{
		Message: fmt.Sprintf("unexpected argument %q", args[0]),
		Cure:    cmd.CommandPath() + " takes flags only: " + cmd.CommandPath() + " --help shows them",
	}
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

package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// curedCommand is a command of replication in a cure.
var curedCommand = regexp.MustCompile(`gtunnel replication (setup-master|setup-slave|status|compare|check|` +
	`promote|switchover|demote|rejoin|guard|follow)\b`)

// curedElsewhere is the end of a text after which a command is for the other host of a pair,
// and curedThere the beginning of one that says so behind the command.
var (
	curedElsewhere = regexp.MustCompile(`(\bon [^\s:]+|\bthere): $`)
	curedThere     = regexp.MustCompile(`^ (there\b|on [\w-]+\.)`)
)

// carried are the flags of this command that matter to another one, too: where the
// servers of this host and the other are, and where files are.
var carried = []string{
	"defaults-file", "socket", "host", "port", "user", "password-file", "unsafe-plaintext", "master",
	"hand-over", "config-dir", "state-dir", "monitor-file", "config", "replication-file",
}

// inCommands gives the commands of a cure that are for this host the flags with which
// this one was run, so that they can be pasted as they are.
func (m *Main) inCommands(cure string) string {
	if m.command == nil || m.command.Parent() == nil || m.command.Parent().Name() != "replication" {
		return cure
	}
	cure = m.inOrders(cure)
	cure = curedClient.ReplaceAllString(cure, "${1}"+strings.ReplaceAll(m.clientFlags(), "$", "$$")+" < ")
	var b strings.Builder
	for {
		at := curedCommand.FindStringSubmatchIndex(cure)
		if at == nil {
			b.WriteString(cure)
			return b.String()
		}
		commands := m.command.Parent().Commands()
		i := slices.IndexFunc(commands, func(c *cobra.Command) bool { return c.Name() == cure[at[2]:at[3]] })
		end := at[1] + endOfFlags(commands[i].Flags(), cure[at[1]:])
		b.WriteString(cure[:end])
		if !curedElsewhere.MatchString(b.String()[:b.Len()-(end-at[0])]) && !curedThere.MatchString(cure[end:]) &&
			!strings.HasPrefix(cure[end:], " on the slave") && // that is said on the master
			!strings.Contains(b.String(), "on each of them") { // which are slaves of this one
			b.WriteString(m.flagsFor(commands[i], cure[at[1]:end]))
		}
		cure = cure[end:]
	}
}

// curedClient is a command of the server's own client that reads a file, on this host.
var curedClient = regexp.MustCompile(`\b(mariadb|mysql) < `)

// clientFlags are the flags of such a client that reach the server of this command. It
// takes the option file only as the first one, and asks for a password where this one did, or
// has it from a file.
func (m *Main) clientFlags() string {
	var b strings.Builder
	for _, flag := range []string{"defaults-file", "socket", "host", "port", "user"} {
		for _, typed := range m.typed(flag) {
			b.WriteString(" " + strings.Replace(typed, "--"+flag+" ", "--"+flag+"=", 1))
		}
	}
	if len(m.typed("port")) > 0 && len(m.typed("host")) == 0 {
		b.WriteString(" --host=127.0.0.1") // MySQL's clients would take the socket
	}
	if m.asked || len(m.typed("defaults-file")) == 0 && len(m.typed("password-file")) > 0 {
		b.WriteString(" -p")
	}
	return b.String()
}

// endOfFlags is where the flags end that stand at the beginning of a text, which may go
// on with other words.
func endOfFlags(flags *pflag.FlagSet, text string) int {
	end := 0
	for {
		found := curedFlag.FindStringSubmatch(text[end:])
		if found == nil || flags.Lookup(found[1]) == nil {
			return end
		}
		switch {
		case flags.Lookup(found[1]).NoOptDefVal != "":
			end += len(" --" + found[1])
		case found[2] == "", found[2] == " with", // no value, but what it is, in words
			strings.HasSuffix(found[1], "table") && !strings.Contains(found[2], "."):
			return end
		default:
			end += len(found[0])
		}
	}
}

// curedFlag is a flag at the beginning of a text, with the word after it.
var curedFlag = regexp.MustCompile(`^ --([a-z-]+)( [^\s;,)]+)?`)

// flagsFor are the flags of this command for another one, beside those that it has.
func (m *Main) flagsFor(command *cobra.Command, has string) string {
	name, own := command.Name(), m.command.Name()
	ofEither := slices.Contains([]string{"promote", "switchover", "demote", "rejoin", "guard"}, name) ||
		m.pairMaster && !strings.HasPrefix(name, "setup-")
	if !ofEither && (name == "setup-master") != m.onMaster() {
		return "" // it is for the other host
	}
	flags := slices.Clone(carried)
	if name == own || own == "check" || name != "setup-slave" { // where it would make the login an administrator's
		flags = append(flags, "master-defaults-file", "master-user", "master-password-file")
	}
	if name == own && !strings.Contains(has, "-table ") || own == "check" && name != "compare" {
		flags = append(flags, "databases")
	}
	if name == own && name == "promote" {
		flags = append(flags, "yes")
	}
	var b strings.Builder
	for _, flag := range flags {
		if command.Flags().Lookup(flag) == nil || strings.Contains(has, " --"+flag) {
			continue
		}
		for _, typed := range m.typed(flag) {
			b.WriteString(" " + typed)
		}
	}
	// The login of the monitor account has two names: one in pairs and setups, one where it is asked by.
	b.WriteString(m.renamed(command, &b, "monitor-file", "master-defaults-file"))
	b.WriteString(m.renamed(command, &b, "master-defaults-file", "monitor-file"))
	return b.String()
}

// renamed is a flag of this command under the name that another command has for it, if that
// has no login there by now.
func (m *Main) renamed(command *cobra.Command, has *strings.Builder, from, to string) (text string) {
	if command.Flags().Lookup(from) != nil || command.Flags().Lookup(to) == nil ||
		strings.Contains(has.String(), " --master-") {
		return ""
	}
	for _, typed := range m.typed(from) {
		text += " --" + to + strings.TrimPrefix(typed, "--"+from)
	}
	return text
}

// onMaster reports whether this command is for the host of the master.
func (m *Main) onMaster() bool {
	role := m.command.Flags().Lookup("role")
	return m.command.Name() == "setup-master" || m.command.Name() == "dump" || m.pairMaster ||
		role != nil && role.Changed && slices.ContainsFunc(m.typed("role"), func(typed string) bool {
			return strings.HasSuffix(typed, string(finding.Master))
		})
}

// typed is a flag with its value as it was given, each time.
func (m *Main) typed(flag string) (list []string) {
	for i, arg := range m.Args {
		switch {
		case strings.HasPrefix(arg, "--"+flag+"="):
			list = append(list, finding.ShellWord(arg))
		case arg == "--"+flag && m.command.Flags().Lookup(flag).NoOptDefVal != "":
			list = append(list, arg)
		case arg == "--"+flag && i+1 < len(m.Args):
			list = append(list, arg+" "+finding.ShellWord(m.Args[i+1]))
		}
	}
	return list
}

// inCommandsOf gives problems whose cures have such flags.
func (m *Main) inCommandsOf(problems []*finding.Problem) []*finding.Problem {
	said := make([]*finding.Problem, len(problems))
	for i, p := range problems {
		named := *p
		named.Cure = m.inCommands(p.Cure)
		said[i] = &named
	}
	return said
}

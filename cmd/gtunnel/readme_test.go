package main_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/certs"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
)

// TestREADMETables holds the README's tables of codes and modes against the
// program.
func TestREADMETables(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := func(header string) []string {
		_, table, ok := strings.Cut(string(data), "\n"+header+"\n")
		if !ok {
			t.Fatalf("README.md has no table %s", header)
		}
		var rows []string
		for line := range strings.Lines(table) {
			if !strings.HasPrefix(line, "|") {
				break
			}
			rows = append(rows, strings.TrimSpace(line))
		}
		return rows[1:] // the rule
	}
	var want []string
	for _, c := range certs.Codes() {
		meaning := certs.NameSettings(c.Meaning, func(s certs.Setting) string { return "--" + string(s) })
		want = append(want, "| `"+string(c.Code)+"` | "+meaning+" |")
	}
	if got := rows("| code | meaning |"); !slices.Equal(got, want) {
		t.Errorf("the table of codes is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	word := regexp.MustCompile("`([a-z-]+)`")
	modes := func(header string) []string {
		var found []string
		for _, row := range rows(header) {
			cell, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
			for _, match := range word.FindAllStringSubmatch(cell, -1) {
				found = append(found, match[1])
			}
		}
		return found
	}
	if got, want := modes(
		"| `--crl` | a CA of the path without a current, verified list |",
	), valuesOf("crl"); !slices.Equal(got, want) {
		t.Errorf("--crl: %q, want %q", got, want)
	}
	if got, want := modes("| `--namespaces` | which files |"), valuesOf("namespaces"); !slices.Equal(got, want) {
		t.Errorf("--namespaces: %q, want %q", got, want)
	}
}

// valuesOf are the values of a flag of the tunnels.
func valuesOf(flag string) []string {
	t := config.NewTunnel("", "")
	for _, s := range t.Settings() {
		if s.Name == flag {
			return s.Values
		}
	}
	return nil
}

// pages are the ones with commands to paste.
var pages = []string{
	"README.md", "examples/systemd/README.md", "examples/voms/README.md", "examples/pacemaker/README.md",
}

// TestREADMECommands: every gtunnel command in a block of the pages, and every
// GTUNNEL_FLAGS, has flags and values that the program takes.
func TestREADMECommands(t *testing.T) {
	block := regexp.MustCompile("(?ms)^ *```[a-z]*\n(.*?)^ *```")
	flags := regexp.MustCompile(`GTUNNEL_FLAGS=(.*?)'? *(>> /etc/gtunnel/(server|client|compare)\.env)?$`)
	prompt := regexp.MustCompile(`^(both|server[12])# `)
	tried := 0
	try := func(page, line string) {
		t.Helper()
		// The shell takes comments and quotes away.
		words, err := exec.CommandContext(t.Context(), "sh", "-c",
			"set -f; for w in "+line+"\ndo printf '%s\\n' \"$w\"; done").Output()
		if err != nil {
			t.Fatalf("%s: %s: %v", page, line, err)
		}
		args := append(strings.Split(strings.TrimSuffix(string(words), "\n"), "\n"), "--help") // parses, and does nothing
		if code, _, stderr := runMain(t, args...); code != 0 {
			t.Errorf("%s: gtunnel %s: %s", page, line, stderr)
		}
		tried++
	}
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join("..", "..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range block.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(found[1], "══") {
				continue // the picture
			}
			for line := range strings.Lines(found[1]) {
				line = prompt.ReplaceAllString(strings.TrimSpace(line), "")
				if command, ok := strings.CutPrefix(line, "gtunnel "); ok {
					try(page, command)
				}
				if f := flags.FindStringSubmatch(line); f != nil {
					role := cmp.Or(f[3], "server")
					if role == "compare" {
						role = "replication compare"
					}
					try(page, role+" "+f[1])
				}
			}
		}
	}
	if tried < 15 {
		t.Errorf("only %d commands found", tried)
	}
}

// TestHelpCommands: every gtunnel command that stands on a line of its own in a help topic,
// or in the example of a command, has flags and values that the program takes.
func TestHelpCommands(t *testing.T) {
	var texts strings.Builder
	for _, topic := range help.Topics() {
		if err := help.Write(&texts, topic, help.Tables{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{"status", "check", "promote", "switchover", "demote", "rejoin", "follow", "guard"} {
		_, text, _ := runMain(t, "replication", command, "--help")
		texts.WriteString(text)
	}
	commands := regexp.MustCompile(`(?m)^ {2,}gtunnel ([a-z][^#\n]*)`).FindAllStringSubmatch(texts.String(), -1)
	for _, command := range commands {
		args := append(strings.Fields(command[1]), "--help") // parses, and does nothing
		if code, _, stderr := runMain(t, args...); code != 0 {
			t.Errorf("gtunnel %s: %s", command[1], stderr)
		}
	}
	if len(commands) < 25 {
		t.Errorf("only %d commands found", len(commands))
	}
}

// TestREADMEWords: what the README says that the program says.
func TestREADMEWords(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(text)), " ")
	s := newSite(t)
	server, address := s.startServer(startGreeter(t))
	client, _ := s.startClient(address)
	for _, said := range []string{
		server.waitMessage("target reached").field("message"),
		client.waitMessage("server reached and proven, and it accepts this host").field("message"),
	} {
		if !strings.Contains(page, "`"+said+"`") {
			t.Errorf("the README does not know %q", said)
		}
	}
	_, stdout, _ := runMain(t,
		append([]string{"certs", "check", "--connect", address, "--capath", s.capath}, s.client.flags()...)...)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if _, verdict, _ := strings.Cut(lines[len(lines)-1], address+": "); !strings.Contains(page,
		"it ends with `"+verdict+"`") {
		t.Errorf("the README does not know how certs check ends: %s", verdict)
	}
}

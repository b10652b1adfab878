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

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
)

// TestTopicModes holds the tables of modes against the program.
func TestTopicModes(t *testing.T) {
	word := regexp.MustCompile("`([a-z-]+)`")
	for flag, topic := range map[string]string{"crl": "crl", "namespaces": "policies"} {
		_, table, ok := strings.Cut(help.Markdown(topic), "\n| `--"+flag+"` |")
		if !ok {
			t.Fatalf("%s has no table of --%s", topic, flag)
		}
		var found []string
		for row := range strings.Lines(table[strings.Index(table, "\n")+1:]) {
			cell, ok := strings.CutPrefix(row, "|")
			if !ok {
				break
			}
			cell, _, _ = strings.Cut(cell, "|")
			for _, match := range word.FindAllStringSubmatch(cell, -1) {
				found = append(found, match[1])
			}
		}
		if want := valuesOf(flag); !slices.Equal(found, want) {
			t.Errorf("--%s: %q, want %q", flag, found, want)
		}
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

// commandPages are the pages with commands to paste.
func commandPages() []string {
	pages := markdownPages()
	for _, example := range []string{"pacemaker", "systemd", "voms"} {
		pages = append(pages, filepath.Join("..", "..", "examples", example, "README.md"))
	}
	return pages
}

var (
	promptWord = regexp.MustCompile(`^((both|server[12])# |ssh root@\S+ )`)
	flagsLine  = regexp.MustCompile(`GTUNNEL_FLAGS=(.*?)'? *(>>? ?/etc/gtunnel/(server|client|compare|monitor)\.env)?$`)
)

// TestPageCommands: every gtunnel command of the pages, in a block or within a line, and every
// GTUNNEL_FLAGS, has flags and values that the program takes.
func TestPageCommands(t *testing.T) {
	tried := map[string]bool{}
	try := func(page, line string) {
		t.Helper()
		line, _, _ = strings.Cut(line+" ", " | ")
		line = strings.TrimRight(line, " |&")
		if tried[line] || strings.Contains(line, "...") {
			return
		}
		tried[line] = true
		// The shell takes comments and quotes away.
		words, err := exec.CommandContext(t.Context(), "sh", "-c",
			"set -f; for w in "+line+"\ndo printf '%s\\n' \"$w\"; done").Output()
		if err != nil {
			t.Fatalf("%s: %s: %v", page, line, err)
		}
		args := onlyParsed(strings.Split(strings.TrimSuffix(string(words), "\n"), "\n"))
		if code, _, stderr := runMain(t, args...); code != 0 {
			t.Errorf("%s: gtunnel %s: %s", page, line, stderr)
		}
	}
	for _, page := range commandPages() {
		for _, line := range readPage(t, page).commands {
			if strings.Contains(line, "gtunnel server --") && strings.Contains(line, "gtunnel client --") {
				continue // the picture
			}
			line = promptWord.ReplaceAllString(line, "")
			if command, ok := strings.CutPrefix(line, "gtunnel "); ok {
				try(page, command)
			}
			if f := flagsLine.FindStringSubmatch(line); f != nil {
				role := cmp.Or(f[3], "server")
				if role == "compare" || role == "monitor" {
					role = "replication " + role
				}
				try(page, role+" "+f[1])
			}
		}
	}
	if len(tried) < 100 {
		t.Errorf("only %d commands found", len(tried))
	}
}

// onlyParsed is a command that is parsed, and does nothing: with --help before the flags, so that
// none can take it for its value.
func onlyParsed(args []string) []string {
	if args[0] == "help" {
		return args
	}
	first := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-") })
	if first < 0 {
		first = len(args)
	}
	return slices.Insert(args, first, "--help")
}

// TestExampleCommands: every example of a command has flags and values that it takes.
func TestExampleCommands(t *testing.T) {
	folder := t.TempDir()
	if code, _, stderr := runMain(t, "man", "--folder", folder); code != 0 {
		t.Fatal(stderr)
	}
	pages, err := filepath.Glob(filepath.Join(folder, "man1", "*.1"))
	if err != nil || len(pages) < 30 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	tried := 0
	for _, page := range pages {
		words := strings.Split(strings.TrimSuffix(filepath.Base(page), ".1"), "-")
		_, text, _ := runMain(t, commandOf(t, words)...)
		for _, command := range regexp.MustCompile(`(?m)^ {2,}gtunnel ([a-z][^#\n]*)`).FindAllStringSubmatch(text, -1) {
			line, _, _ := strings.Cut(command[1], "  ")
			for part := range strings.SplitSeq(strings.TrimSuffix(line, " |"), " && gtunnel ") {
				if code, _, stderr := runMain(t, onlyParsed(strings.Fields(part))...); code != 0 {
					t.Errorf("%s: gtunnel %s: %s", page, part, stderr)
				}
				tried++
			}
		}
	}
	if tried < 40 {
		t.Errorf("only %d examples found", tried)
	}
}

// commandOf asks a command for its help, by the words of its page's name, whose hyphens may be
// of the command.
func commandOf(t *testing.T, words []string) []string {
	t.Helper()
	var args []string
	for rest := words[1:]; len(rest) > 0; {
		if len(rest) > 1 && (rest[0] == "setup" || rest[0] == "log") {
			args, rest = append(args, rest[0]+"-"+rest[1]), rest[2:]
			continue
		}
		args, rest = append(args, rest[0]), rest[1:]
	}
	return append(args, "--help")
}

// TestREADMELength: five minutes.
func TestREADMELength(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines > 220 {
		t.Errorf("README.md has %d lines: what is not needed at first belongs in a topic", lines)
	}
}

// TestREADMEWords: what the README and the topics say that the program says.
func TestREADMEWords(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(text)+help.Markdown("monitoring")), " ")
	s := newSite(t)
	server, address := s.startServer(startGreeter(t))
	client, _ := s.startClient(address)
	for _, said := range []string{
		server.waitMessage("target reached").field("message"),
		client.waitMessage("server reached and proven, and it accepts this host").field("message"),
	} {
		if !strings.Contains(page, "`"+said+"`") {
			t.Errorf("the README and gtunnel help monitoring do not know %q", said)
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

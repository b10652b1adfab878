package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestVOMS lets the program tell its story, which checks each step, and looks whether the page
// tells a site to do just that.
func TestVOMS(t *testing.T) {
	gtunnel, dir := workspace(t)
	var stdout, stderr bytes.Buffer
	m := &Main{Gtunnel: gtunnel, TempDir: dir, Stdout: &stdout, Stderr: &stderr}
	if err := m.Run(t.Context()); err != nil {
		t.Fatalf("%s\n%s", stdout.String(), stderr.String())
	}
	t.Logf("\n%s", stdout.String())
	comparePage(t, stdout.String())
}

// workspace builds gtunnel, unless something is missing, and makes a directory that the users
// of the hosts can enter, which must be empty at the end.
func workspace(t *testing.T) (gtunnel, dir string) {
	t.Helper()
	t.Attr("needs", "voms")
	t.Attr("needs", "mariadb")
	if testing.Short() {
		t.Skip("left out by -short: needs VOMS, MariaDB and namespaces")
	}
	gtunnel = filepath.Join(t.TempDir(), "gtunnel")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", gtunnel, "../../cmd/gtunnel")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	var missing *hintError
	if err := needs(gtunnel); errors.As(err, &missing) {
		if os.Getenv("CI") != "" {
			t.Fatalf("CI requires VOMS: %v (%s)", err, missing.hint)
		}
		t.Skipf("%v (%s)", err, missing.hint)
	}
	dir, err := os.MkdirTemp("", "voms-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("files are left: %v %v", left, err)
		}
		_ = os.RemoveAll(dir)
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return gtunnel, dir
}

// TestInterrupt interrupts the program while it makes the CA: nothing may be left.
func TestInterrupt(t *testing.T) {
	gtunnel, dir := workspace(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stderr bytes.Buffer
	m := &Main{Gtunnel: gtunnel, TempDir: dir, Stdout: &firstStep{cancel: cancel}, Stderr: &stderr}
	if err := m.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("stderr: %s", stderr.String())
	}
}

// firstStep cancels when the first step is printed.
type firstStep struct{ cancel func() }

func (u *firstStep) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte(" 1. ")) {
		u.cancel()
	}
	return len(p), nil
}

// comparePage looks for each command at a prompt of the page in what was run.
func comparePage(t *testing.T, story string) {
	t.Helper()
	ran := map[string]bool{}
	for line := range strings.Lines(story) {
		ran[strings.TrimSuffix(strings.TrimSpace(line), " --yes")] = true
	}
	commands := pageCommands(t)
	if len(commands) < 25 {
		t.Errorf("only %d commands in README.md", len(commands))
	}
	for _, command := range commands {
		if !ran[command] {
			t.Errorf("README.md has a command that was not run: %s", command)
		}
	}
}

// pageCommands are the commands of the page at the prompts of the hosts and of Alice. Those at
// the prompt # alone are not run here.
func pageCommands(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	prompts := regexp.MustCompile(`(?m)^(both#|server[12]#|alice\$) (.*)$`)
	for _, found := range prompts.FindAllStringSubmatch(string(text), -1) {
		command, _, _ := strings.Cut(found[2], "  # ")
		command = strings.TrimSpace(command)
		if found[1] == "both#" {
			commands = append(commands, "server1# "+command, "server2# "+command)
			continue
		}
		commands = append(commands, found[1]+" "+command)
	}
	return commands
}

// TestFirewalls: the two forms of the firewall let the same ports pass.
func TestFirewalls(t *testing.T) {
	want := map[string][]string{"gtunnel": {"3307"}, "voms": {"15001", "8443"}}
	for name, ports := range want {
		text, err := files.ReadFile("site/firewalld/" + name + ".xml")
		if err != nil {
			t.Fatal(err)
		}
		var service struct {
			XMLName xml.Name `xml:"service"`
			Ports   []struct {
				Protocol string `xml:"protocol,attr"`
				Port     string `xml:"port,attr"`
			} `xml:"port"`
		}
		if err := xml.Unmarshal(text, &service); err != nil {
			t.Fatalf("%s.xml: %v", name, err)
		}
		var got []string
		for _, p := range service.Ports {
			if p.Protocol != "tcp" {
				t.Errorf("%s.xml: protocol %q", name, p.Protocol)
			}
			got = append(got, p.Port)
		}
		if !slices.Equal(got, ports) {
			t.Errorf("%s.xml: ports %q, want %q", name, got, ports)
		}
	}
	rules, err := files.ReadFile("site/nftables.conf")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []string{"ip saddr $peer tcp dport 3307 accept", "tcp dport { 15001, 8443 } accept"} {
		if !bytes.Contains(rules, []byte(rule)) {
			t.Errorf("nftables.conf has no rule %s", rule)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	for _, test := range []struct {
		about string
		args  []string
		want  string
	}{
		{"unknown flag", []string{"--fast"}, "-fast"},
		{"argument", []string{"bin/gtunnel"}, `unexpected argument "bin/gtunnel"`},
		{"no such binary", []string{"--gtunnel", "/no/such/gtunnel"}, "hint: run"},
	} {
		t.Run(test.about, func(t *testing.T) {
			var stderr bytes.Buffer
			m := &Main{TempDir: t.TempDir(), Stdout: io.Discard, Stderr: &stderr}
			err := m.ParseFlags(test.args)
			if err == nil {
				err = m.Run(t.Context())
			}
			if err == nil || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("error %v, stderr %q, want %q", err, stderr.String(), test.want)
			}
		})
	}
}

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/help"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// step is a line of a page that is run on hosts, and what the page says that it prints.
type step struct {
	line  string
	hosts string // server1, server2 or both
	says  []string
}

var (
	stepLine = regexp.MustCompile(`^ {6,}(\S.*?) +# (server1|server2|both)$`)
	stepSays = regexp.MustCompile("`([^`]+)`")
)

// stepsOf are the lines of a topic that say on which hosts they are run, in their order. What
// stands between one and the next in backquotes is what it prints.
func stepsOf(t *testing.T, topic string) []step {
	t.Helper()
	var steps []step
	for line := range strings.Lines(help.Markdown(topic)) {
		line = strings.TrimSuffix(line, "\n")
		if found := stepLine.FindStringSubmatch(line); found != nil {
			steps = append(steps, step{line: found[1], hosts: found[2]})
			continue
		}
		for _, found := range stepSays.FindAllStringSubmatch(line, -1) {
			if len(steps) == 0 {
				t.Fatalf("%s says what is printed before anything is run: %s", topic, line)
			}
			last := &steps[len(steps)-1]
			last.says = append(last.says, found[1])
		}
	}
	return steps
}

// TestDrill does all that the drill's page says, in its order, on two hosts. What is asked
// for at a terminal is agreed to by --yes.
func TestDrill(t *testing.T) {
	eachPairOf(t, usualKinds(), func(t *testing.T, p *twoHosts) {
		p.sameSalt()
		p.areReady()
		for _, h := range []*pairHost{p.a, p.b} {
			h.programs()
		}
		steps := stepsOf(t, "drill")
		if len(steps) < 25 {
			t.Fatalf("only %d lines to run", len(steps))
		}
		for _, s := range steps {
			for i, h := range []*pairHost{p.a, p.b} {
				if s.hosts == "both" || s.hosts == fmt.Sprintf("server%d", i+1) {
					h.does(s)
				}
			}
		}
		p.Equal()
		p.stopHalfway()
	})
}

// programs puts the programs that the page names into a folder of the host: with the places
// that the tests have for files which a host has in the usual ones, and the application's
// login.
func (h *pairHost) programs() {
	h.t.Helper()
	folder := filepath.Join(h.folder, "programs")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		h.t.Fatal(err)
	}
	client, err := h.Server.Kind.Find(map[bool]string{true: "mysql", false: "mariadb"}[h.Server.Kind.IsMySQL()])
	if err != nil {
		h.t.Fatal(err)
	}
	gtunnel := func(args []string) string { return binary(h.t) + ` "$@" ` + strings.Join(args[2:], " ") }
	for name, script := range map[string]string{
		"gtunnel": "case $2 in\n" +
			"status) exec " + gtunnel(h.statusArgs()) + ";;\n" +
			"compare) exec " + gtunnel(h.watchArgs("compare")) + ";;\n" +
			"*) exec " + gtunnel(h.args("")) + ";;\nesac",
		"mariadb": fmt.Sprintf(`exec %s --no-defaults --socket=%s --user=%s --password='%s' "$@"`,
			client, h.Server.Socket, failovertest.AppUser, failovertest.AppPassword),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			h.t.Fatal(err)
		}
	}
}

var (
	powerLine = regexp.MustCompile(`^ipmitool .*-H server1-ipmi .* chassis power (off|on)$`)
	asks      = regexp.MustCompile(`^gtunnel replication (switchover|promote|rejoin)\b`)
	looks     = regexp.MustCompile(`^(gtunnel replication (status|check)|mariadb .* "SELECT )`)
)

// does runs a line of a page. What only looks is run until it prints what the page says: what
// it looks at needs its time.
func (h *pairHost) does(s step) {
	h.t.Helper()
	if power := powerLine.FindStringSubmatch(s.line); power != nil {
		h.powersPeer(power[1])
		return
	}
	line := s.line
	if asks.MatchString(line) && !strings.Contains(line, "--dry-run") {
		line += " --yes"
	}
	begun := time.Now()
	run := func() (string, bool) {
		out, err := h.shell(line)
		may := strings.HasPrefix(line, "gtunnel replication status") // ends with 1 where there is a problem
		return fmt.Sprintf("%v:\n%s", err, out), (err == nil || may) && !slices.ContainsFunc(s.says, func(word string) bool {
			return !strings.Contains(out, word)
		})
	}
	if looks.MatchString(line) {
		pairs.WaitFor(h.t, databasePatience, "what the page says of "+line+" on "+h.Name, run)
	} else if out, ok := run(); !ok {
		h.t.Fatalf("%s on %s, which is to say %q: %s", line, h.Name, s.says, out)
	} else if asks.MatchString(line) {
		h.t.Logf("%s on %s took %v: %s", line, h.Name, time.Since(begun).Round(time.Millisecond),
			regexp.MustCompile(`Nobody could write.*|It took.*`).FindString(out))
	}
}

// shell runs a line in a shell on the host.
func (h *pairHost) shell(line string) (string, error) {
	h.t.Helper()
	cmd := h.command()
	cmd.Args = append(h.space.enter(), "sh", "-c", line)
	cmd.Env = append(cmd.Env, "PATH="+filepath.Join(h.folder, "programs")+":"+h.path())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// powersPeer is what the page has the other host's management card do.
func (h *pairHost) powersPeer(power string) {
	h.t.Helper()
	if power == "off" {
		h.peer.powerCut()
		if _, err := h.shell(`mariadb voms -e "INSERT INTO drill VALUES (NOW(), 'too early')"`); err == nil {
			h.t.Errorf("clients can write on %s, which nobody has promoted", h.Name)
		}
		return
	}
	h.peer.boot()
	h.peer.WaitReadOnly()
}

// stopHalfway has the worse part of the drill end before promote is answered: the power comes
// back, and the old master goes on by itself.
func (p *twoHosts) stopHalfway() {
	p.t.Helper()
	before := p.a.Note().Term
	p.a.powerCut()
	p.b.must("promote", "--dry-run")
	p.a.boot()
	p.a.WaitWritable()
	p.areReady()
	if after := p.a.Note().Term; !after.Same(before) {
		p.t.Errorf("the term was %+v, and is %+v", before, after)
	}
}

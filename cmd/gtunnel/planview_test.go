package main_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal/terminaltest"
	"github.com/gtunnel/gtunnel/replication/servertest"
)

// sitting is a command with somebody at its terminal.
type sitting struct {
	t   *testing.T
	far *os.File
	cmd *exec.Cmd
}

// sit starts a command at a terminal of so many columns.
func sit(t *testing.T, columns uint16, cmd *exec.Cmd, variables ...string) *sitting {
	t.Helper()
	far, near := terminaltest.Open(t, columns)
	cmd.Env = append(cmd.Env, variables...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = near, near, near
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &sitting{t: t, far: far, cmd: cmd}
}

// sees waits for a text and gives what came up to it.
func (s *sitting) sees(text string) string {
	s.t.Helper()
	return terminaltest.Shown(s.t, s.far, text)
}

// types types a text when another is shown, and gives what came before.
func (s *sitting) types(text, when string) string {
	s.t.Helper()
	shown := s.sees(when)
	if _, err := s.far.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
	return shown
}

// ends waits for the end of the command, which must have this exit code.
func (s *sitting) ends(code int) {
	s.t.Helper()
	_ = s.cmd.Wait() // the code tells
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("exit code %d, want %d", got, code)
	}
}

// withoutYes is a command line that asks.
func withoutYes(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--yes" })
}

// TestPlanOnTerminal: a plan is a line for each step, and the question shows the rest of
// it; Ctrl-C is a no; --show-sql shows everything, within the width and, with NO_COLOR,
// without colours.
func TestPlanOnTerminal(t *testing.T) {
	t.Parallel()
	p := &pair{t: t, folder: t.TempDir()}
	p.master = startDatabase(t, servertest.MariaDB, servertest.Options{Name: "master", ServerID: 1})
	p.sql(p.master, "CREATE DATABASE voms", "CREATE DATABASE `数据库`")
	args := p.setupMasterArgs("--databases", "voms,数据库")

	s := sit(t, 80, p.command(p.master, withoutYes(args)...), "TERM=xterm")
	const question = "write the hand-over file for the slave? [y]es, [a]ll of the rest, [s]how the SQL, [n]o: "
	summary := s.types("s\n", question)
	for _, want := range []string{
		"\x1b[1m 1.\x1b[0m master: write the hand-over file", "make the account 'db_rep'@'127.0.0.1'\r\n",
		" steps. At each question, s shows ",
	} {
		if !strings.Contains(summary, want) {
			t.Errorf("the summary lacks %q:\n%s", want, summary)
		}
	}
	if strings.Contains(summary, "CREATE USER") || strings.Contains(summary, "why") {
		t.Errorf("the summary is the whole plan:\n%s", summary)
	}
	if shown := s.types("what\n", question); !strings.Contains(shown, `"gtunnel_hand_over": 1`) ||
		strings.Contains(shown, "CREATE USER") {
		t.Errorf("s shows:\n%s", shown)
	}
	if shown := s.types("\x03", question); !strings.Contains(shown,
		"\"what\" is none of the answers: yes, all, show, no\r\n") {
		t.Errorf("an answer that is none: %s", shown)
	}
	s.sees("\r\ngtunnel: stopped before this step; nothing after it was done\r\n")
	s.ends(1)
	if _, err := os.Stat(p.handOver()); err == nil {
		t.Error("Ctrl-C at the first question has done the step")
	}

	s = sit(t, 40, p.command(p.master, append(args, "--dry-run", "--show-sql")...), "TERM=xterm", "NO_COLOR=1")
	whole := s.sees(" it\r\n")
	for _, want := range []string{
		"\r\n      SQL   CREATE USER\r\n            'db_rep'@'127.0.0.1'\r\n", "`数据库`.*", "undo",
		"\r\n      why   setup-slave needs the\r\n            passwords and the names of\r\n            the databases\r\n",
	} {
		if !strings.Contains(whole, want) {
			t.Errorf("the whole plan lacks %q:\n%s", want, whole)
		}
	}
	if strings.Contains(whole, "\x1b") {
		t.Errorf("NO_COLOR is set:\n%q", whole)
	}
	s.ends(0)
}

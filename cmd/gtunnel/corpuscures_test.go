package main_test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/corpus"
)

// newDirectPair starts two servers without a tunnel between them.
func newDirectPair(t testing.TB, kind servertest.Kind) *pair {
	t.Helper()
	p := &pair{t: t, folder: t.TempDir()}
	p.master = startDatabase(t, kind, servertest.Options{Name: "master", ServerID: 1})
	p.slave = startDatabase(t, kind, servertest.Options{Name: "slave", ServerID: 2})
	p.end = p.master.Address()
	return p
}

// pasteSQL runs SQL on a server as an administrator does.
func (p *pair) pasteSQL(s *servertest.Server, sql string) {
	p.t.Helper()
	if err := corpus.Paste(p.t.Context(), s, sql); err != nil {
		p.t.Fatalf("%v, of:\n%.300s", err, sql)
	}
}

// told is a problem of a plan, as a person reads it.
type told struct{ On, Code, Text, Cure string }

// problemsOf are the problems of the plan that a command makes.
func (p *pair) problemsOf(s *servertest.Server, args []string) []told {
	p.t.Helper()
	out, err := p.command(s, append(slices.Clone(args), "--dry-run", "--json")...).Output()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !ok {
		p.t.Fatal(err)
	}
	var plan struct{ Problems []told }
	if err := json.Unmarshal(out, &plan); err != nil {
		p.t.Fatalf("no plan: %v: %s%s", err, out, exit.Stderr)
	}
	return plan.Problems
}

// mostRounds is how often a setup may be refused.
const mostRounds = 3

// untilDone runs a setup and does what its plan says, until there is nothing left
// to say. It gives the output of the last run, and all problems that there were.
func (p *pair) untilDone(s *servertest.Server, args []string) (out string, all []told) {
	p.t.Helper()
	for range mostRounds + 1 {
		out, code := p.run(s, args...)
		if code == 0 {
			return out, all
		}
		problems := p.problemsOf(s, args)
		if len(problems) == 0 {
			p.t.Fatalf("%s fails, and its plan has no problem:\n%s", args[1], lastLines(out))
		}
		for _, problem := range problems {
			p.t.Logf("%s %s: %s\n\tcure: %s", problem.On, problem.Code, problem.Text, problem.Cure)
			args = p.follow(problem, args)
		}
		all = append(all, problems...)
	}
	p.t.Fatalf("%s is refused after %d cures: %+v", args[1], mostRounds, all)
	return "", nil
}

// lastLines is the end of an output.
func lastLines(out string) string {
	lines := strings.Split(out, "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}

var (
	// What a cure has to paste: from a word of SQL at the beginning of a line, or
	// after a colon, to the semicolon at the end of one.
	cureSQL = regexp.MustCompile(`(?ms)(?:^|: )\s*((?:ALTER|CREATE|DROP|GRANT|REVOKE|SET|UPDATE|DELETE|INSERT|REPLACE|` +
		`RENAME|INSTALL|UNINSTALL|USE|CALL|STOP|START|CHANGE) .*?;)(?:[ \t]*$| or )`)
	cureFile    = regexp.MustCompile(`(?m)(?:^|: )((?:mariadb|mysql) .*<.*)$`)
	cureCommand = regexp.MustCompile(`gtunnel replication (setup-master) ?([^;,\n]*)`)
	cureFlag    = regexp.MustCompile(`(--[a-z-]+)(?: ([A-Za-z0-9_.,` + "`" + `]+))?`)
)

// follow does what the cure of a problem says: it pastes SQL on the server that
// the problem is of, or gives the arguments the flags that are named.
func (p *pair) follow(problem told, args []string) []string {
	p.t.Helper()
	on := p.slave
	if problem.On == "master" && !strings.HasPrefix(problem.Cure, "on the slave") ||
		strings.HasPrefix(problem.Cure, "on the master") {
		on = p.master
	}
	if found := cureFile.FindStringSubmatch(problem.Cure); found != nil {
		p.paste(found[1])
		return args
	}
	if found := cureSQL.FindAllStringSubmatch(problem.Cure, -1); found != nil {
		var sql []string
		for _, statement := range found {
			sql = append(sql, statement[1])
		}
		p.pasteSQL(on, strings.Join(sql, "\n"))
		return args
	}
	if found := cureCommand.FindStringSubmatch(problem.Cure); found != nil {
		p.must(p.master, p.setupMasterArgs(strings.Fields(found[2])...)...)
		return args
	}
	found := cureFlag.FindStringSubmatch(problem.Cure)
	if found == nil {
		p.t.Fatalf("nothing to paste in the cure of %s (%s): %q", problem.Code, problem.Text, problem.Cure)
	}
	switch found[1] {
	case "--lock-tables", "--reseed":
		return append(args, found[1])
	default:
		return append(args, found[1], found[2])
	}
}

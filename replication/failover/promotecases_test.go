package failover_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/failover"
	"github.com/gtunnel/gtunnel/replication/failover/failovertest"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/term"
)

// promoteProgram promotes its host. It kills itself before or after a step, as in
// "before raise".
func promoteProgram(ctx context.Context, h failover.Host, out io.Writer, args []string) error {
	p := &failover.Promote{
		Host: h, Nonce: fmt.Sprint("nonce", os.Getpid()),
		PromoteWant: failover.PromoteWant{Fenced: h.Peer, LoseAtMost: failover.LoseAtMost{Any: true}},
	}
	die := func(when string, s *replication.Step) {
		fmt.Fprintln(out, when, s.Name)
		if len(args) > 0 && args[0] == when+" "+s.Name {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	p.Begin = func(s *replication.Step) error { die("before", s); return nil }
	p.End = func(s *replication.Step) { die("after", s) }
	_, err := p.Run(ctx)
	return err
}

// lose ends the master's server and all ways to its host.
func lose(h *failovertest.Host) {
	h.Peer.Link.Cut()
	h.Link.Cut()
	h.KillServer()
}

// statement is one that both families have by other names.
func statement(p *failovertest.Pair, old, replacement string) string {
	if p.Kind == servertest.MySQL97 {
		return replacement
	}
	return old
}

// stopApplying stops the slave's SQL thread, and has it receive some rows more.
func stopApplying(t *testing.T, p *failovertest.Pair) {
	t.Helper()
	p.Sync(p.A)
	p.B.Exec(statement(p, "STOP SLAVE SQL_THREAD", "STOP REPLICA SQL_THREAD"))
	for range 3 {
		p.A.Exec("INSERT INTO "+failovertest.Table+" (id, host, at) SELECT COALESCE(MAX(id), 0) + 1, 'a', NOW(6) FROM "+
			failovertest.Table, "FLUSH LOGS")
	}
	master, slave := p.A.Own(), p.B.Own()
	for deadline := time.Now().Add(failovertest.Patience); ; {
		at, err := master.Position(t.Context(), master.DB)
		if err != nil {
			t.Fatal(err)
		}
		status, err := slave.SlaveStatus(t.Context(), slave.DB)
		if err != nil {
			t.Fatal(err)
		}
		if !status.Read.Before(at) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the slave has received up to %s of %s", status.Read, at)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestPromoteStopped promotes a slave that was killed while its SQL thread was stopped,
// and has what it received in its relay log alone, the file that it stood in being over.
func TestPromoteStopped(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		stopApplying(t, p)
		rows := rowsOf(t, p.A)
		lose(p.A)
		p.B.KillServer()
		p.B.StartServer()
		p.B.StartGuard()
		command := promote(t, p.B)
		directory := t.TempDir()
		command.KeepRelayLog = failover.CopyRelayLog(directory)
		if _, err := command.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := rowsOf(t, p.B); got != rows {
			t.Errorf("%s rows, want all %s that were received", got, rows)
		}
		copies, _ := filepath.Glob(filepath.Join(directory, "relay-log-*", "*"))
		if p.Kind != servertest.MySQL97 && len(copies) < 3 {
			t.Errorf("copies of the relay log: %v", copies)
		}
		p.B.WaitWritable()
	})
}

// TestPromoteKilled kills the command before and after each of its steps, the one later
// than the other; the command that is not killed ends it.
func TestPromoteKilled(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		stopApplying(t, p)
		killAtEach(t, p, false, "begin", "start-applying", "stop-receiving", "apply", "stop-applying", "ask-again", "raise",
			"forget", "keep-logs", "open")
	})
}

// TestPromoteCrashed does the same, and its server is killed each time with the command.
// Both threads are stopped then: on MariaDB a start would delete what was received.
func TestPromoteCrashed(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		stopApplying(t, p)
		steps := []string{"apply-relay-log", "apply", "follow-by-gtid", "raise", "forget", "keep-logs", "open"}
		if p.Kind == servertest.MySQL97 {
			steps = []string{"start-applying", "apply", "stop-applying", "raise", "forget", "keep-logs", "open"}
		}
		p.B.KillServer()
		p.B.StartServer()
		killAtEach(t, p, true, steps...)
	})
}

// killAtEach loses the master, kills promotions at steps, and ends with one that is not
// killed: all that was received is there, and the term was raised once.
func killAtEach(t *testing.T, p *failovertest.Pair, servers bool, steps ...string) {
	t.Helper()
	retention := "SET GLOBAL " + statement(p, "expire_logs_days=7", "binlog_expire_logs_seconds=604800")
	p.B.Exec(retention)
	p.B.StartGuard()
	rows := rowsOf(t, p.A)
	lose(p.A)
	for _, step := range steps {
		for _, when := range []string{"before", "after"} {
			command := p.B.Start("promote", when+" "+step)
			err := command.Wait()
			t.Logf("killed %s %s: %s", when, step, strings.ReplaceAll(command.Output(), "\n", "; "))
			n := p.B.Note()
			if n.Term.Number > 2 {
				t.Fatalf("the term is %+v", n.Term)
			}
			if err == nil && n.Term.Number == 1 { // the guard may have done the rest
				t.Errorf("a promotion ended before it was killed %s %s", when, step)
			}
			if servers {
				p.B.KillServer()
				p.B.StartServer()
				p.B.Exec(retention)
			}
		}
	}
	if _, err := promote(t, p.B).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, p.B); got != rows {
		t.Errorf("%s rows, want all %s that were received", got, rows)
	}
	if n := p.B.Note(); n.Term.Number != 2 || n.Request != nil || n.Promotion.KeepLogs == "" {
		t.Errorf("the note is %+v", n)
	}
	p.B.WaitWritable()
}

// TestPromoteRefused has what a promotion refuses, and what the refusals say.
func TestPromoteRefused(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.Sync(p.A)
		refused(t, promote(t, p.A), "is-master")
		p.A.KillServer()
		host := promote(t, p.B) // its host lives
		refused(t, host, failover.PeerAlive)
		lose(p.A)

		other := promote(t, p.B)
		other.Fenced = "server3"
		refused(t, other, "fenced-other")
		unstated := promote(t, p.B)
		unstated.Fenced = ""
		refused(t, unstated, failover.NotFenced)
		strict := promote(t, p.B)
		strict.LoseAtMost = failover.LoseAtMost{}
		refused(t, strict, failover.LosesMore)

		typed := promote(t, p.B)
		typed.Fenced, typed.Ask = "", func(context.Context, string, string) (bool, error) { return false, nil }
		refused(t, typed, failover.NotFenced)

		p.B.Update(func(n *term.Note) error { return n.StandAside(time.Now()) })
		unstated = promote(t, p.B)
		unstated.Fenced = ""
		refused(t, unstated, "stands-aside")
		p.B.Update(func(n *term.Note) error { n.StandBy(); return nil })

		hooked := promote(t, p.B)
		hooked.Fenced, hooked.Hooks.Fence = "", script(t, "echo the power switch does not answer; exit 3")
		refused(t, hooked, failover.HookCode)
		hooked = promote(t, p.B)
		hooked.Hooks.PrePromote = script(t, "echo $GTUNNEL_PEER $GTUNNEL_TERM $GTUNNEL_GTID; exit 1")
		refused(t, hooked, failover.HookCode)
		hooks := p.B.Note().Hooks
		if len(hooks) != 2 || hooks[1].Error == "" || !strings.Contains(hooks[1].Output, p.A.Name+" 2 ") {
			t.Errorf("noted of the hooks: %+v", hooks)
		}
		if n := p.B.Note(); n.Term.Number != 1 || n.Request != nil || !n.Resume {
			t.Errorf("after the refusals the note is %+v", n)
		}
		dry := promote(t, p.B)
		dry.DryRun, dry.Agree = true, func(plan *replication.Plan) (bool, error) {
			if !hasCode(plan.Warnings, "do-not-now") || plan.Err() != nil {
				t.Errorf("the dry run warns of %v, and has %v", plan.Warnings, plan.Err())
			}
			return true, nil // and nothing is done nevertheless
		}
		if result, err := dry.Run(t.Context()); err != nil || result.Changed || p.B.Note().Term.Number != 1 {
			t.Errorf("the dry run: %+v, %v", result, err)
		}
	})
}

// TestPromoteCannotApply refuses a slave that cannot apply what it has received, and
// goes on once that is mended.
func TestPromoteCannotApply(t *testing.T) {
	onBothFamilies(t, func(t *testing.T, p *failovertest.Pair) {
		p.Sync(p.A)
		p.B.Exec("SET SESSION sql_log_bin=0", statement(p, "DO 0", "SET GLOBAL super_read_only=0"),
			"INSERT INTO "+failovertest.Table+" (id, host, at) VALUES (4711, 'b', NOW(6))")
		p.A.Exec("INSERT INTO " + failovertest.Table + " (id, host, at) VALUES (4711, 'a', NOW(6)), (4712, 'a', NOW(6))")
		slave := p.B.Own()
		for {
			status, err := slave.SlaveStatus(t.Context(), slave.DB)
			if err != nil {
				t.Fatal(err)
			}
			if status.SQLErrno != 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		lose(p.A)
		refused(t, promote(t, p.B), failover.ApplyFailed)
		refused(t, promote(t, p.B), failover.ApplyFailed)
		p.B.Exec("SET SESSION sql_log_bin=0", "DELETE FROM "+failovertest.Table+" WHERE id = 4711")
		if _, err := promote(t, p.B).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p.B.Value("SELECT COUNT(*) FROM "+failovertest.Table+" WHERE id IN (4711, 4712) AND host = 'a'") != "2" {
			t.Error("what was received is not there")
		}
		p.B.WaitWritable()
	})
}

// hasCode reports whether one of problems has a code.
func hasCode(problems []*finding.Problem, code string) bool {
	for _, p := range problems {
		if p.Code == code {
			return true
		}
	}
	return false
}

// script is a hook.
func script(t *testing.T, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+lines+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

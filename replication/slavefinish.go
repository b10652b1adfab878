package replication

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
)

// What a slave that cannot reach its master may take before its error counts.
const startPatience = 30 * time.Second

// accessDenied is the error of a wrong password.
const accessDenied = 1045

// lasting are the errors of the I/O thread that no waiting cures.
var lasting = map[int]bool{accessDenied: true, 1236: true, 1275: true, 1593: true, 2026: true, 2059: true, 2061: true}

// catchUp waits until the slave has applied all that the master had when it
// began.
func catchUp(ctx context.Context, a *Applier) error {
	target, err := a.Master.Position(ctx, a.Master.DB)
	if err != nil {
		return err
	}
	return a.Slave.WatchSlave(ctx, func(status *server.SlaveStatus, standing time.Duration) (bool, error) {
		switch {
		case status == nil:
			return true, finding.New(finding.Slave, "not-set-up", "run setup-slave again", "its replication was taken away")
		case status.SQLErrno != 0:
			return true, slaveProblem("broken", status.SQLErrno, status.SQLError)
		case status.IORunning == "Yes" && !status.Executed.Before(target):
			// A slave that has just connected by GTID still tells where it was before.
			err := a.Master.VerifySlave(ctx, status.Executed)
			if !finding.HasCode(err, "elsewhere") || standing > settleTime {
				return true, err
			}
		case status.IOErrno != 0 && (lasting[status.IOErrno] || standing > startPatience):
			return true, slaveProblem("not-connected", status.IOErrno, status.IOError)
		case status.SQLRunning != "Yes":
			return true, finding.New(finding.Slave, "stopped", "run setup-slave again", "its SQL thread was stopped")
		}
		if a.Waiting != nil && status.Executed.File != "" { // it has begun
			a.Waiting(fmt.Sprintf("at %s of %s", status.Executed, target))
		}
		return false, nil
	})
}

// slaveProblem is an error of a slave's thread, in plain words.
func slaveProblem(code string, number int, text string) *finding.Problem {
	p := finding.ExplainSlaveError(number, text)
	p.Code = code
	return p
}

// restoreEvents gives event_scheduler the value that it had, and has persisted
// what was.
func restoreEvents(ctx context.Context, a *Applier) error {
	var restore []server.Statement
	if a.State.EventScheduler != "" {
		restore = append(restore, server.SQL("SET GLOBAL event_scheduler=%s", a.State.EventScheduler))
	}
	if a.State.PersistedEvents != nil { // a clone was cut off
		restore = append(restore, seed.PersistEvents(*a.State.PersistedEvents))
	}
	if err := a.Slave.Run(ctx, restore); err != nil {
		return err
	}
	return a.note(func(s *journal.State) { s.EventScheduler, s.PersistedEvents = "", nil })
}

// compareAll compares what c names.
func compareAll(c *compare.Comparison) func(context.Context, *Applier) error {
	return func(ctx context.Context, a *Applier) error {
		c.Master, c.Slave, c.StateDir, c.Progress = a.Master, a.Slave, a.StateDir, a.Comparing
		result, err := c.Compare(ctx)
		if err != nil {
			return err
		}
		if a.Compared != nil {
			a.Compared(result)
		}
		if !result.Equal() {
			return finding.New(finding.Slave, "different", "gtunnel replication compare shows where; gtunnel replication setup-slave --reseed copies all anew", "the data differs from the master's")
		}
		return nil
	}
}

// dropSeedAccount has the seeding account drop itself, or drops it by an
// administrator's login.
func dropSeedAccount(ctx context.Context, a *Applier) error {
	_, err := a.Master.DB.ExecContext(ctx, "CALL "+server.QuoteTable("mysql", facts.DropSeedProcedure)+"()")
	const noAccount = 1396
	if err != nil && server.ErrorNumber(err) != noAccount {
		return a.Master.Explain("drop the account "+facts.SeedUser, err)
	}
	return a.note(func(s *journal.State) { s.SeedAccount = false })
}

// noteDone notes that the slave is set up, and of which master.
func (s *slavePlan) noteDone(_ context.Context, a *Applier) error {
	return a.note(func(state *journal.State) {
		state.Stage, state.AccountsOf = journal.StageDone, "" // other slaves may use them from now on
		state.MasterID, state.MasterUUID = a.MasterFacts.ServerID(), a.MasterFacts.UUID()
		state.MasterMark = cmp.Or(s.want.masterMark(a.MasterFacts), state.MasterMark)
		state.Begin(nil, time.Time{})
	})
}

// finish adds what comes when the slave runs.
func (s *slavePlan) finish(seeded bool) {
	state := s.want.State
	// Without a state that says so, nobody has seen that the data is the master's.
	due := seeded || state.Stage != journal.StageDone || s.newPassword() && !s.knowsMaster()
	if !due && s.established {
		_, due = s.masterNoted()
	}
	if due || !s.established || !s.status.Running() || len(s.drift()) > 0 {
		s.add(&Step{Name: "catch-up", On: finding.Slave, What: "wait until the slave has caught up", run: catchUp})
	}
	var readOnly []server.Statement
	if !s.slave.On("read_only") || seeded {
		readOnly = append(readOnly, server.SQL("SET GLOBAL read_only=1"))
	}
	if _, ok := s.slave.Variables["super_read_only"]; ok && (!s.slave.On("super_read_only") || seeded) {
		readOnly = append(readOnly, server.SQL("SET GLOBAL super_read_only=1"))
	}
	if len(readOnly) > 0 {
		s.add(&Step{Name: "read-only", On: finding.Slave, What: "make the slave read-only", Why: "whoever writes on a slave breaks it", SQL: readOnly, Undo: "SET GLOBAL read_only=0"})
	}
	if seeded && s.slave.On("event_scheduler") || state.EventScheduler != "" || state.PersistedEvents != nil {
		s.add(&Step{Name: "events-on", On: finding.Slave, What: "start the event scheduler again", Why: "the copied events are disabled on the slave; others are as before", run: restoreEvents})
	}
	if due && !s.want.SkipCompare {
		s.add(&Step{Name: "compare", On: finding.Slave, What: "compare the data of both at one position", run: compareAll(&compare.Comparison{Databases: s.want.Databases})})
	}
	if s.want.MonitorFile != nil && !s.want.MonitorFile.Same() {
		s.add(&Step{
			Name: "monitor-file", On: finding.Slave, What: "keep the login of the monitor account for status and compare", Undo: "remove the file",
			File: &File{Path: s.want.MonitorFile.Path, Mode: 0o600, Content: s.want.MonitorFile.Content()},
		})
	}
	if _, known := s.want.HandOver.Passwords[facts.SeedUser]; known && !s.byMonitor() && (seeded || state.SeedAccount || s.bySeedAccount() || s.want.NewPasswords) {
		s.add(&Step{
			Name: "drop-seed-account", On: finding.Master, What: "drop the account " + server.QuoteAccount(facts.SeedUser, server.Loopback), Why: "it has done its work",
			SQL: []server.Statement{server.SQL("CALL %s()", server.QuoteTable("mysql", facts.DropSeedProcedure))}, run: dropSeedAccount, Undo: "gtunnel replication setup-master --seed-again",
		})
	}
	if len(s.Steps) > 0 || due {
		s.add(&Step{Name: "note-done", On: finding.Slave, What: "note that the slave is set up", run: s.noteDone})
	}
}

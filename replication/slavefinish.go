package replication

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// finish adds what comes when the slave runs.
func (s *slavePlan) finish(seeded bool) {
	// Without a state that says so, nobody has seen that the data is the master's.
	due := seeded || s.State.Stage != journal.StageDone || s.newPassword() && !s.knowsMaster()
	if !due && s.established {
		_, other := s.masterNoted()
		due = other || s.Restored != nil || s.Restarted // only the data tells whether it is what it was
	}
	compares := due && !s.want.SkipCompare
	if due || !s.established || !s.status.Running() || s.newPassword() || len(s.drift()) > 0 {
		s.add(&Step{
			Name: "catch-up", On: finding.Slave, What: "wait until the slave has caught up",
			Action: catchUp{compares: compares, comparison: s.comparison()},
		})
	}
	if seeded && s.slave.On("event_scheduler") || s.State.EventScheduler != "" || s.State.PersistedEvents != nil {
		s.add(&Step{
			Name: "events-on", On: finding.Slave, What: "start the event scheduler again",
			Why: "the copied events are disabled on the slave; others are as before", Action: restoreEvents{},
		})
	}
	if s.want.MonitorFile != nil && s.MonitorThere != SameFile {
		s.add(&Step{
			Name: "monitor-file", On: finding.Slave, What: "keep the login of the monitor account for status and compare",
			File:       &File{Path: s.want.MonitorFile.Path, Mode: 0o600, Content: s.want.MonitorFile.Content()},
			UndoByHand: "remove the file",
		})
	}
	if pair := s.want.Pair; pair != nil {
		pair.fileSteps(s.Plan, finding.Slave, s.want.HandOver.Passwords, facts.MonitorUser)
		pair.noteStep(s.Plan, finding.Slave, s.want.Databases)
		pair.semiSyncStep(s.Plan, s.slave.Version)
	}
	if compares {
		s.add(&Step{
			Name: "compare", On: finding.Slave, What: "compare the data of both at one position",
			Action: s.comparison(),
		})
	}
	if s.seedAccountGoes(seeded) {
		what, why := "drop the account "+server.QuoteAccount(facts.SeedUser, server.Loopback), "it has done its work"
		if n := s.want.HandOver.Slaves; n > 1 {
			what += fmt.Sprintf(", if the master has its %s now", finding.Count(n, "slave"))
			why = "the last of them that is set up does it; the others copy by it"
		}
		s.add(&Step{
			Name: "drop-seed-account", On: finding.Master, What: what, Why: why,
			SQL: []server.Statement{server.SQL("CALL %s()", server.QuoteTable("mysql", facts.DropSeedProcedure))},
			UndoByHand: finding.WithNames(
				"gtunnel replication setup-master --seed-again --databases "+finding.Names, s.want.Databases),
			Action: dropSeedAccount{s.want.HandOver.Slaves},
		})
	}
	if len(s.Steps) > 0 || due {
		s.add(&Step{
			Name: "note-done", On: finding.Slave, What: "note that the slave is set up",
			Action: noteDone{master: s.masterIdentity(), pair: s.want.PairOfMaster},
		})
	}
}

// readOnly adds the step that makes the slave read-only before the replication starts, if
// it is not, or the copy has ended that: a row that is written meanwhile stops it later.
func (s *slavePlan) readOnly(seeded bool) {
	step := &Step{
		Name: "read-only", On: finding.Slave, What: "make the slave read-only", Why: "whoever writes on a slave breaks it",
	}
	if _, ok := s.slave.Variables["super_read_only"]; ok && (!s.slave.On("super_read_only") || seeded) {
		step.SQL, step.Undo = []server.Statement{server.SQL("SET GLOBAL super_read_only=1")},
			Undo{server.SQL("SET GLOBAL super_read_only=0")}
	}
	if !s.slave.On("read_only") || seeded {
		step.SQL = slices.Insert(step.SQL, 0, s.slave.ReadOnly())
		step.Undo = Undo{server.SQL("SET GLOBAL read_only=0")} // clears super_read_only as well
	}
	if len(step.SQL) > 0 {
		s.add(step)
	}
}

// seedAccountGoes reports whether the seeding account has done its work, and is still
// there as far as that is known. On a master where nobody can write it has to stay.
func (s *slavePlan) seedAccountGoes(seeded bool) bool {
	_, known := s.want.HandOver.Passwords[facts.SeedUser]
	return known && !s.byMonitor() && !s.master.ReadOnlyForAll() &&
		(seeded || s.State.Stage != journal.StageDone || len(s.master.Slaves) >= s.want.HandOver.Slaves) &&
		(seeded || s.State.SeedAccount || s.bySeedAccount() || s.want.NewPasswords)
}

// What a slave that cannot reach its master may take before its error counts.
const startPatience = 30 * time.Second

// lasting are the errors of the I/O thread that no waiting cures.
var lasting = map[int]bool{
	finding.AccessDenied: true, 1236: true, 1275: true, 1593: true, 2026: true, 2059: true, 2061: true,
}

// catchUp waits until the slave has applied all that the master had when it
// began.
type catchUp struct {
	compares   bool // a comparison comes next
	comparison compareData
}

func (a *Applier) catchUp(ctx context.Context, c catchUp) (err error) {
	target, err := a.Master.Position(ctx, a.Master.DB)
	if err != nil {
		return err
	}
	if c.compares {
		a.comparison = a.newComparison(c.comparison)
		var preparing sync.WaitGroup
		preparing.Go(func() { a.comparison.Prepare(ctx) }) // while the slave connects
		defer preparing.Wait()
	}
	problem := func(code string, number int, text string) *finding.Problem {
		p := *slaveProblem(code, number, text).For(a.State.Databases)
		p.Cure = a.Slave.Version.InWords(p.Cure)
		return &p
	}
	return a.Slave.WatchSlave(ctx, func(status *server.SlaveStatus, standing time.Duration) (bool, error) {
		switch {
		case status == nil:
			return true, finding.New(finding.Slave, "not-set-up", "run setup-slave again", "its replication was taken away")
		case status.SQLErrno != 0:
			return true, problem("broken", status.SQLErrno, status.SQLError)
		case status.IORunning == "Yes" && !status.Executed.Before(target):
			// A slave that has just connected by GTID still tells where it was before.
			err := a.Master.VerifySlave(ctx, status.Executed)
			if !finding.HasCode(err, "elsewhere") || standing > settleTime {
				return true, err
			}
		case status.IOErrno != 0 && (lasting[status.IOErrno] || standing > startPatience):
			return true, problem("not-connected", status.IOErrno, status.IOError)
		case status.SQLRunning != "Yes":
			return true, finding.New(finding.Slave, "stopped", "run setup-slave again", "its SQL thread was stopped")
		}
		if status.Executed.File != "" { // it has begun
			a.waiting("at %s of %s", status.Executed, target)
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
// what was: the notes of the copy tell.
type restoreEvents struct{}

func (a *Applier) restoreEvents(ctx context.Context) error {
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

// compareData compares databases, or some tables.
type compareData struct {
	databases, tables []string
	lockTables        bool // see compare.Comparison
}

// comparison is that of the whole slave.
func (s *slavePlan) comparison() compareData {
	return compareData{databases: s.want.Databases, lockTables: s.want.LockTables}
}

// newComparison is the comparison of a step.
func (a *Applier) newComparison(d compareData) *compare.Comparison {
	return &compare.Comparison{
		Master: a.Master, Slave: a.Slave, Databases: d.databases, Tables: d.tables, LockTables: d.lockTables,
		StateDir: a.StateDir, Progress: a.Comparing,
	}
}

func (a *Applier) compareData(ctx context.Context, d compareData) error {
	comparison := a.comparison // that catchUp has prepared
	if a.comparison = nil; comparison == nil {
		comparison = a.newComparison(d)
	}
	result, err := comparison.Compare(ctx)
	if err != nil {
		return err
	}
	if a.Compared != nil {
		a.Compared(result)
	}
	if !result.Equal() {
		return finding.New(finding.Slave, "different",
			"gtunnel replication compare shows where; --repair-table copies a table anew; or everything: "+finding.SeedAnew,
			"the data differs from the master's").For(a.State.Databases)
	}
	return nil
}

// dropSeedAccount runs the step's SQL, by which the seeding account drops itself, or
// an administrator's login drops it. It may have gone already. Where several slaves are
// made by it, the last of them does so.
type dropSeedAccount struct {
	slaves int // that the master is to have
}

func (a *Applier) dropSeedAccount(ctx context.Context, step *Step, d dropSeedAccount) error {
	const noAccount = 1396
	if a.place != nil {
		last, unlock, err := a.place.Leave(ctx)
		if err != nil {
			return err
		}
		defer unlock()
		registered, err := facts.RegisteredSlaves(ctx, a.Master, a.Master.DB)
		if err != nil || !last || len(registered) < d.slaves {
			return err
		}
	}
	if err := a.run(ctx, step); err != nil && server.ErrorNumber(err) != noAccount {
		return err
	}
	return a.note(func(s *journal.State) { s.SeedAccount = false })
}

// noteDone notes that the slave is set up, and of which master.
type noteDone struct {
	master identity
	pair   *term.Record // of the master; nil: of none
}

func (a *Applier) noteDone(n noteDone) error {
	return a.note(func(state *journal.State) {
		state.Stage, state.AccountsOf = journal.StageDone, "" // other slaves may use them from now on
		state.MasterID, state.MasterUUID = n.master.id, n.master.uuid
		state.MasterMark = cmp.Or(n.master.mark, state.MasterMark)
		state.Begin(nil, time.Time{})
		if n.pair != nil && n.pair.Term.Number >= state.Term {
			state.Term, state.TermNonce = n.pair.Term.Number, n.pair.Term.Nonce
		}
	})
}

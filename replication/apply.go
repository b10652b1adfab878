package replication

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Applier carries plans out.
type Applier struct {
	Master, Slave           *Server // Slave is nil for a plan of a master
	MasterFacts, SlaveFacts *Facts
	State                   *StateFile // of the slave's host; nil for a plan of a master or a repair
	StateDir                string     // of the slave's host, where a repair and a comparison are noted; empty: nowhere
	Wait                    bool       // for what the administrator must do, such as a restart

	Begin     func(*Step) error     // before each step; an error ends the work there; may be nil
	End       func(*Step)           // after each step that was done; may be nil
	Progress  func(Progress)        // of a copy; may be nil
	Waiting   func(text string)     // now and then while a step waits; may be nil
	Comparing func(CompareProgress) // of the comparison at the end; may be nil
	Compared  func(*CompareResult)  // what has come of it, before the step's end; may be nil
}

// lockName keeps two runs from changing the same server at once.
const lockName = "gtunnel.replication"

// lockPatience is how many seconds a server may take to notice that a run which
// was killed has gone.
const lockPatience = 10

// Apply carries out a plan, step by step, and stops at the first that fails. A
// later run with a new plan goes on from there.
func (a *Applier) Apply(ctx context.Context, p *Plan) (err error) {
	for _, s := range []*Server{a.Master, a.Slave} {
		if s == nil {
			continue
		}
		unlock, err := s.lock(ctx)
		if err != nil {
			return err
		}
		defer unlock()
	}
	for _, step := range p.Steps {
		if a.Begin != nil {
			if err := a.Begin(step); err != nil {
				return err
			}
		}
		if err := a.do(ctx, step); err != nil {
			return fmt.Errorf("%s: %w", step.What, err)
		}
		if a.End != nil {
			a.End(step)
		}
	}
	return nil
}

// lock keeps other runs of gtunnel from a server until unlock. See change.
func (s *Server) lock(ctx context.Context) (unlock func(), err error) {
	conn, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	got, err := s.value(ctx, conn, "SELECT GET_LOCK(?, ?)", lockName, lockPatience)
	if err == nil && got != "1" {
		err = problem(s.Role, "busy", "wait for its end, or look for it: SELECT IS_USED_LOCK('"+lockName+"') gives its connection", "another gtunnel replication works on it")
	}
	if err != nil {
		discard(conn) // with the lock, if it has it
		return nil, err
	}
	s.locked = conn
	return func() { s.locked = nil; discard(conn) }, nil
}

// change changes how a server replicates, by the connection that has its lock:
// if this run is killed, the next one gets the lock only when the server is done
// with what this one had asked for last. One goroutine at a time calls it.
func (s *Server) change(ctx context.Context, statements ...Statement) error {
	if s.locked != nil {
		err := s.exec(ctx, s.locked, statements...)
		if !errors.Is(err, driver.ErrBadConn) && !errors.Is(err, sql.ErrConnDone) {
			return err
		}
		s.locked = nil // it has ended with the context of an earlier statement
	}
	return s.exec(ctx, s.db, statements...)
}

// discard closes a connection instead of giving it back to the pool: what its
// session holds or has set must not live on.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // which is what it returns
}

func (a *Applier) do(ctx context.Context, step *Step) error {
	switch {
	case step.run != nil:
		return step.run(ctx, a)
	case step.File != nil:
		return a.write(step.File)
	}
	server := a.Slave
	if step.On == Master {
		server = a.Master
	}
	return server.run(ctx, step.SQL)
}

func (a *Applier) write(file *File) error {
	if err := os.MkdirAll(filepath.Dir(file.Path), 0o755); err != nil {
		return err
	}
	return writeFile(file.Path, []byte(file.Content.Reveal()), file.Mode)
}

// run executes statements in one session, which ends with them.
func (s *Server) run(ctx context.Context, statements []Statement) error {
	conn, err := s.session(ctx)
	if err != nil {
		return err
	}
	defer discard(conn)
	return s.exec(ctx, conn, statements...)
}

// note changes and saves the state.
func (a *Applier) note(change func(*State)) error {
	change(&a.State.State)
	return a.State.Save()
}

// noteSeed notes that the slave's data is no copy from now on.
func noteSeed(want SlaveWant) func(context.Context, *Applier) error {
	return func(ctx context.Context, a *Applier) error {
		if err := a.forgetRepair(); err != nil {
			return err
		}
		persisted := a.State.PersistedEvents
		if want.Method == SeedClone && persisted == nil {
			var err error
			if persisted, err = persistedEvents(ctx, a.Slave); err != nil {
				return err
			}
		}
		return a.note(func(s *State) {
			begun := s.Stage == StageSeeding
			s.Stage, s.Databases, s.Method, s.Start = StageSeeding, want.Databases, want.Method, Position{}
			s.Begun = slices.DeleteFunc(s.Begun, func(name string) bool { return !begun || !slices.Contains(want.Databases, name) })
			s.MasterID, s.MasterUUID, s.MasterMark = a.MasterFacts.ServerID(), a.MasterFacts.UUID(), want.masterMark(a.MasterFacts)
			s.SeedAccount = true
			if s.EventScheduler == "" && a.SlaveFacts.on("event_scheduler") {
				s.EventScheduler = "ON"
			}
			s.PersistedEvents = persisted
		})
	}
}

// forgetRepair removes the note of a repair that was cut off, because all of the
// slave's data is replaced.
func (a *Applier) forgetRepair() error {
	_, file := noteFiles(a.StateDir, a.SlaveFacts.ServerID())
	return file.remove()
}

// runSeed copies the databases.
func runSeed(want SlaveWant) func(context.Context, *Applier) error {
	return func(ctx context.Context, a *Applier) error {
		now, err := a.Slave.now(ctx)
		if err != nil {
			return err
		}
		begun := want.Databases // nothing is left there that is not a copy
		if want.Method == SeedClone {
			begun = nil // when a clone begins to erase is not known
		}
		if err := a.note(func(s *State) { s.begin(begun, now) }); err != nil {
			return err
		}
		stop := a.noteAlive(ctx)
		start, err := want.newSeed(a).Run(ctx)
		stop()
		if err != nil {
			return err
		}
		return a.note(func(s *State) {
			if s.Stage, s.Start = StageSeeded, start; want.Method == SeedClone {
				s.PersistedEvents = nil
			}
		})
	}
}

// aliveEvery is how often it is noted that a copy goes on.
const aliveEvery = 10 * time.Second

// noteAlive notes now and then that a copy goes on, until stop. Without such a
// note, what a copy leaves that is cut off is taken for somebody's data.
func (a *Applier) noteAlive(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var noting sync.WaitGroup
	noting.Go(func() {
		for pause(ctx, aliveEvery) == nil {
			if now, err := a.Slave.now(ctx); err == nil {
				_ = a.note(func(s *State) { s.BegunUntil = now }) // the next may succeed
			}
		}
	})
	return func() { cancel(); noting.Wait() }
}

// changeMaster points the slave to its master, from where the copy ends.
func (s *slavePlan) changeMaster(ctx context.Context, a *Applier) error {
	if err := a.forgetRepair(); err != nil {
		return err
	}
	start := a.State.Start
	if s.want.Method == SeedNone {
		start = s.want.Start
		err := a.note(func(state *State) { // the same command again is to go on
			state.Stage, state.Databases, state.Method, state.Start = StageNone, s.want.Databases, SeedNone, start
			state.begin(nil, time.Time{})
		})
		if err != nil {
			return err
		}
	}
	c := s.connection(start, a.State.Method)
	if err := a.note(func(state *State) { state.ByGTID = c.byGTID }); err != nil {
		return err
	}
	conn, err := a.Slave.session(ctx)
	if err != nil {
		return err
	}
	defer discard(conn)
	if c.byGTID && a.Slave.Version.Family == MySQL {
		missing, err := a.Slave.value(ctx, conn, "SELECT GTID_SUBTRACT(?, @@GLOBAL.gtid_executed)", start.GTID)
		if err != nil {
			return err
		}
		if c.start.GTID = missing; missing == "" {
			return a.Slave.exec(ctx, conn, a.Slave.Version.changeMaster(c))
		}
	}
	return a.Slave.exec(ctx, conn, s.changeMasterSQL(c)...)
}

// startSlave starts both threads.
func startSlave(ctx context.Context, a *Applier) error {
	if err := a.Slave.run(ctx, []Statement{a.Slave.Version.startSlave(bothThreads)}); err != nil {
		return err
	}
	return a.note(func(s *State) {
		s.Stage = StageRunning
		s.begin(nil, time.Time{})
	})
}

// What a slave that cannot reach its master may take before its error counts.
const startPatience = 30 * time.Second

// accessDenied is the error of a wrong password.
const accessDenied = 1045

// lasting are the errors of the I/O thread that no waiting cures.
var lasting = map[int]bool{accessDenied: true, 1236: true, 1275: true, 1593: true, 2026: true, 2059: true, 2061: true}

// catchUp waits until the slave has applied all that the master had when it
// began.
func catchUp(ctx context.Context, a *Applier) error {
	rows, err := a.Master.query(ctx, a.Master.db, a.Master.Version.showMasterStatus())
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return problem(Master, "no-binary-log", "gtunnel replication setup-master there", "its binary log is off")
	}
	target := newPosition(rows[0])
	lastMove := time.Now()
	var last Position
	for {
		status, err := a.Slave.slaveStatus(ctx, a.Slave.db)
		if err != nil {
			return err
		}
		if status == nil {
			return problem(Slave, "not-set-up", "run setup-slave again", "its replication was taken away")
		}
		switch {
		case status.SQLErrno != 0:
			return slaveProblem("broken", status.SQLErrno, status.SQLError)
		case status.IORunning == "Yes" && !status.Executed.before(target):
			// A slave that has just connected by GTID still tells where it was before.
			if err := a.Master.knows(ctx, status.Executed); !HasCode(err, "elsewhere") || time.Since(lastMove) > settleTime {
				return err
			}
		case status.IOErrno != 0 && (lasting[status.IOErrno] || time.Since(lastMove) > startPatience):
			return slaveProblem("not-connected", status.IOErrno, status.IOError)
		case status.SQLRunning != "Yes":
			return problem(Slave, "stopped", "run setup-slave again", "its SQL thread was stopped")
		}
		if status.Executed != last {
			last, lastMove = status.Executed, time.Now()
		}
		if a.Waiting != nil && status.Executed.File != "" { // it has begun
			a.Waiting(fmt.Sprintf("at %s of %s", status.Executed, target))
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// slaveProblem is an error of a slave's thread, in plain words.
func slaveProblem(code string, number int, text string) *Problem {
	p := explainSlaveError(number, text)
	p.Code = code
	return p
}

// restoreEvents gives event_scheduler the value that it had, and has persisted
// what was.
func restoreEvents(ctx context.Context, a *Applier) error {
	var restore []Statement
	if a.State.EventScheduler != "" {
		restore = append(restore, statement("SET GLOBAL event_scheduler=%s", a.State.EventScheduler))
	}
	if a.State.PersistedEvents != nil { // a clone was cut off
		restore = append(restore, persistEvents(*a.State.PersistedEvents))
	}
	if err := a.Slave.run(ctx, restore); err != nil {
		return err
	}
	return a.note(func(s *State) { s.EventScheduler, s.PersistedEvents = "", nil })
}

// compareAll compares what c names.
func compareAll(c *Comparison) func(context.Context, *Applier) error {
	return func(ctx context.Context, a *Applier) error {
		c.Master, c.Slave, c.StateDir, c.Progress = a.Master, a.Slave, a.StateDir, a.Comparing
		result, err := c.compare(ctx)
		if err != nil {
			return err
		}
		if a.Compared != nil {
			a.Compared(result)
		}
		if !result.Equal() {
			return problem(Slave, "different", "gtunnel replication compare shows where; gtunnel replication setup-slave --reseed copies all anew", "the data differs from the master's")
		}
		return nil
	}
}

// dropSeedAccount has the seeding account drop itself, or drops it by an
// administrator's login.
func dropSeedAccount(ctx context.Context, a *Applier) error {
	_, err := a.Master.db.ExecContext(ctx, "CALL "+quoteTable("mysql", dropSeedProcedure)+"()")
	const noAccount = 1396
	if err != nil && serverError(err) != noAccount {
		return a.Master.explain("drop the account "+SeedUser, err)
	}
	return a.note(func(s *State) { s.SeedAccount = false })
}

// noteDone notes that the slave is set up, and of which master.
func (s *slavePlan) noteDone(_ context.Context, a *Applier) error {
	return a.note(func(state *State) {
		state.Stage, state.AccountsOf = StageDone, "" // other slaves may use them from now on
		state.MasterID, state.MasterUUID = a.MasterFacts.ServerID(), a.MasterFacts.UUID()
		state.MasterMark = cmp.Or(s.want.masterMark(a.MasterFacts), state.MasterMark)
		state.begin(nil, time.Time{})
	})
}

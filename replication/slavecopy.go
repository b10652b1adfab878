package replication

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
)

// seed adds the steps of the copy.
func (s *slavePlan) seed() {
	if s.want.Method != journal.SeedNone {
		s.add(&Step{
			Name: "note-seed", On: finding.Slave, What: "note that the databases are being copied",
			Why: "a run that is cut off must not leave half a copy that looks whole",
			Action: noteSeed{
				databases: s.want.Databases, method: s.want.Method, master: s.masterIdentity(), goesOn: s.left() != nil,
			},
		})
	}
	if s.status != nil {
		s.add(&Step{
			Name: "stop-slave", On: finding.Slave, What: "stop the replication and forget its master",
			Why: "the databases are copied anew",
			SQL: []server.Statement{s.slave.Version.StopSlave(server.BothThreads), s.slave.Version.ResetSlaveAll()},
		})
	}
	if s.want.Method == journal.SeedNone {
		s.disableEvents(true)
		return
	}
	s.writable("let the copy be written")
	if s.slave.On("event_scheduler") {
		s.add(&Step{
			Name: "events-off", On: finding.Slave, What: "stop the event scheduler during the copy",
			Why:  "the master's events must not run here",
			SQL:  []server.Statement{server.SQL("SET GLOBAL event_scheduler=OFF")},
			Undo: Undo{server.SQL("SET GLOBAL event_scheduler=ON")},
		})
	}
	s.dropDatabases()
	compress, _ := s.compresses()
	step := &Step{
		Name: "seed", On: finding.Slave, What: s.copying(),
		Why:    "a slave begins with what the master has at one position of its binary log",
		Action: copyDatabases{want: s.want, compress: compress, left: s.left(), goOn: s.goesOn()},
	}
	if s.want.Method == journal.SeedClone {
		step.Loses = s.lost()
	}
	s.add(step)
}

// copying says what is copied, and how.
func (s *slavePlan) copying() string {
	if d := s.want.Dump; d != nil && s.left() != nil {
		return fmt.Sprintf("go on with the load of %s from %s, at the table %s: %d of %s are whole",
			strings.Join(s.want.Databases, ", "), d.Name, s.left().Next, s.left().Whole, finding.Count(d.Tail.Tables, "table"))
	}
	if d := s.want.Dump; d != nil {
		return fmt.Sprintf("load %s, about %s, from %s (a dump of %s, made on %s)", strings.Join(s.want.Databases, ", "),
			finding.FormatBytes(d.Head.Bytes), d.Name, d.Head.Begun.Local().Format(time.DateTime), d.Head.Host)
	}
	how := string(s.want.Method)
	if on, why := s.compresses(); on {
		how += ", compressed: " + why
	} else if why != "" {
		how += ", uncompressed: " + why
	}
	what := fmt.Sprintf("copy %s, about %s, through the tunnel (%s)", strings.Join(s.want.Databases, ", "),
		finding.FormatBytes(sizeOf(s.master, s.want.Databases)), how)
	if s.goesOn() {
		what += "; the tables that the copy which was cut off has brought are held against the master's, " +
			"and kept where they are the same"
	}
	return what
}

// left is what the load of a dump has left that was cut off, and is gone on with; nil: nothing.
func (s *slavePlan) left() *journal.LoadNote {
	if s.want.Dump == nil || s.Notes.Load == nil {
		return nil
	}
	for _, name := range s.want.Databases {
		if d := s.slave.Database(name); d != nil && !s.State.Left(d) { // somebody has made something in it
			return nil
		}
	}
	return s.Notes.Load
}

// goesOn reports whether what the slave has of the databases is left of a copy that was cut
// off, by the method that goes on with it, from the same master.
func (s *slavePlan) goesOn() bool {
	same, other := s.masterNoted()
	return s.want.Method == journal.SeedParallel && s.State.Method == journal.SeedParallel &&
		s.State.Stage == journal.StageSeeding && same && !other && len(s.lost()) == 0 &&
		slices.Equal(slices.Sorted(slices.Values(s.want.Databases)), slices.Sorted(slices.Values(s.State.Databases)))
}

// dropDatabases adds the step that drops the slave's own databases of the names that are
// copied. A clone does that itself, and so does a copy that goes on.
func (s *slavePlan) dropDatabases() {
	if s.want.Method == journal.SeedClone || s.left() != nil || s.goesOn() {
		return
	}
	drops := []server.Statement{server.SQL("SET SESSION sql_log_bin=0"), server.SQL("SET SESSION foreign_key_checks=0")}
	session := len(drops)
	for _, name := range s.want.Databases {
		if s.slave.Database(name) != nil {
			drops = append(drops, server.SQL("DROP DATABASE IF EXISTS %s", server.QuoteName(name)))
		}
	}
	if len(drops) == session {
		return
	}
	s.add(&Step{
		Name: "drop-databases", On: finding.Slave, What: "drop the slave's own databases of these names",
		Why: "they are copied from the master", SQL: drops, Loses: s.lost(), UndoByHand: "none: the data is gone",
	})
}

// writable adds the step that ends a read-only state, if there is one, for what
// comes before the slave is read-only again.
func (s *slavePlan) writable(what string) {
	if s.want.Pair != nil { // whose guards let no client write on a slave, and administrators may
		if s.slave.ReadOnlyForAll() {
			begin, end := s.slave.LetAdministratorsWrite()
			s.add(&Step{Name: "writable", On: finding.Slave, What: what, SQL: []server.Statement{begin}, Undo: Undo{end}})
		}
		return
	}
	undo := Undo{s.slave.ReadOnly()}
	switch {
	case s.slave.On("super_read_only"): // which makes both
		undo = Undo{server.SQL("SET GLOBAL super_read_only=1")}
	case !s.slave.On("read_only"):
		return
	}
	off := []server.Statement{server.SQL("SET GLOBAL read_only=0")} // clears super_read_only as well
	s.add(&Step{Name: "writable", On: finding.Slave, What: what, SQL: off, Undo: undo})
}

// disableEvents adds the step that disables the events of data that was there:
// a copy does that itself. The slave becomes read-only at the end if it is seeded.
func (s *slavePlan) disableEvents(seeded bool) {
	var enabled []facts.Event
	for _, name := range s.want.Databases {
		if d := s.slave.Database(name); d != nil {
			enabled = append(enabled, d.EnabledEvents...)
		}
	}
	disable, enable := seed.DisableEvents(s.slave.Version, enabled), seed.EnableEvents(s.slave.Version, enabled)
	if len(disable) == 0 {
		return
	}
	if seeded {
		s.writable("let the events be changed")
	} else if s.slave.ReadOnlyForAll() { // not for this step
		begin, end := s.slave.LetAdministratorsWrite()
		while := func(statements []server.Statement) []server.Statement {
			return slices.Concat([]server.Statement{begin}, statements, []server.Statement{end})
		}
		disable, enable = while(disable), while(enable)
	}
	s.add(&Step{
		Name: "events-disable", On: finding.Slave, What: "disable the events of " + finding.List(s.want.Databases),
		Why: "they run on the master, and what they do is replicated: here they would do it once more",
		SQL: disable, Undo: enable,
	})
}

// agreeOnBytes has the administrator agree to what a copy does with columns that
// hold another encoding than they say: it is the first step, and asked about as
// all are. --yes covers it, because nothing is lost: copy and replication leave
// every byte as it is, and the columns can be mended on the master at any time.
func (p *Plan) agreeOnBytes() {
	for _, w := range p.Warnings {
		if w.Code == seed.MislabelledCode {
			p.Steps = slices.Insert(p.Steps, 0, &Step{
				Name: "keep-bytes", On: finding.Slave, What: "copy these byte by byte, as they are: " + w.Text,
				Why: "only on the master can it be mended, before or after this; say no to do it before", Action: agreeOnBytes{},
			})
			return
		}
	}
}

// agreeOnBytes does nothing: the step is there to be agreed with.
type agreeOnBytes struct{}

// noteSeed notes that the slave's data is no copy from now on.
type noteSeed struct {
	databases []string
	method    journal.SeedMethod
	master    identity
	goesOn    bool // with what a load has left
}

func (a *Applier) noteSeed(ctx context.Context, n noteSeed) error {
	if err := a.forgetRepair(); err != nil {
		return err
	}
	if !n.goesOn { // what is there is replaced by another copy
		if err := journal.LoadFile(a.StateDir, a.SlaveFacts.ServerID()).Remove(); err != nil {
			return err
		}
	}
	persisted := a.State.PersistedEvents
	if n.method == journal.SeedClone && persisted == nil {
		var err error
		if persisted, err = seed.PersistedEvents(ctx, a.Slave); err != nil {
			return err
		}
	}
	return a.note(func(s *journal.State) {
		begun := s.Stage == journal.StageSeeding
		s.Stage, s.Databases, s.Method, s.Start = journal.StageSeeding, n.databases, n.method, server.Position{}
		s.Begun = slices.DeleteFunc(s.Begun, func(name string) bool { return !begun || !slices.Contains(n.databases, name) })
		s.MasterID, s.MasterUUID, s.MasterMark = n.master.id, n.master.uuid, n.master.mark
		s.SeedAccount = true
		if s.EventScheduler == "" && a.SlaveFacts.On("event_scheduler") {
			s.EventScheduler = "ON"
		}
		s.PersistedEvents = persisted
	})
}

// masterIdentity is that of the plan's master.
func (s *slavePlan) masterIdentity() identity {
	return identity{id: s.master.ServerID(), uuid: s.master.UUID(), mark: s.subject().MasterMark()}
}

// identity is by what a master is known.
type identity struct {
	id         uint32 // server_id
	uuid, mark string // empty where the family has none
}

// forgetRepair removes the note of a repair that was cut off, because all of the
// slave's data is replaced.
func (a *Applier) forgetRepair() error {
	_, file := journal.NoteFiles(a.StateDir, a.SlaveFacts.ServerID())
	return file.Remove()
}

// copyDatabases copies them from the master.
type copyDatabases struct {
	want     SlaveWant
	compress bool
	left     *journal.LoadNote // see slavePlan.left
	goOn     bool              // see slavePlan.goesOn
}

func (a *Applier) copyDatabases(ctx context.Context, c copyDatabases) error {
	now, err := a.Slave.Now(ctx)
	if err != nil {
		return err
	}
	begun := c.want.Databases // nothing is left there that is not a copy
	if c.want.Method == journal.SeedClone {
		begun = nil // when a clone begins to erase is not known
	}
	err = a.note(func(s *journal.State) {
		from := s.BegunFrom
		if s.Begin(begun, now); c.left != nil || c.goOn { // what is kept was made before
			s.BegunFrom = from
		}
	})
	if err != nil {
		return err
	}
	stop := a.noteAlive(ctx)
	copies := c.want.newSeed(a)
	copies.Compress, copies.Left, copies.GoOn = c.compress, c.left, c.goOn
	start, err := copies.Run(ctx)
	stop()
	if err != nil {
		return err
	}
	return a.note(func(s *journal.State) {
		if s.Stage, s.Start = journal.StageSeeded, start; c.want.Method == journal.SeedClone {
			s.PersistedEvents = nil
		}
	})
}

// aliveEvery is how often it is noted that a copy goes on.
const aliveEvery = 10 * time.Second

// noteAlive notes now and then that a copy goes on, until stop. Without such a
// note, what a copy leaves that is cut off is taken for somebody's data.
func (a *Applier) noteAlive(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var noting sync.WaitGroup
	noting.Go(func() {
		for server.Pause(ctx, aliveEvery) == nil {
			if now, err := a.Slave.Now(ctx); err == nil {
				_ = a.note(func(s *journal.State) { s.BegunUntil = now }) // the next may succeed
			}
		}
	})
	return func() { cancel(); noting.Wait() }
}

// newSeed is the copy that is wanted.
func (w *SlaveWant) newSeed(a *Applier) *seed.Seed {
	return &seed.Seed{
		Master: a.Master, Slave: a.Slave, MasterFacts: a.MasterFacts, SlaveFacts: a.SlaveFacts,
		Databases: w.Databases, Method: w.Method, LockTables: w.LockTables, MaxRate: w.MaxRate,
		Progress: a.Progress, Waiting: a.Waiting, PersistedEvents: a.State.PersistedEvents, StateDir: a.StateDir,
		File: a.Dump,
	}
}

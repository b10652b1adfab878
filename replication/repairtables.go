package replication

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
)

// repairTables does the work of a repair. It runs the step's statements around the copy,
// whose position is known only then. Another run may have ended since the plan was made:
// the filters are those that the slave then has.
type repairTables struct {
	databases  []string // of the master
	tables     []string // "database.table", of one of them
	lockTables bool     // hold writers off the master meanwhile
}

func (a *Applier) repairTables(ctx context.Context, t repairTables) error {
	r := &repair{databases: t.databases, tables: t.tables, lockTables: t.lockTables}
	return r.run(ctx, a)
}

// repair is the work of a repair.
type repair struct {
	databases  []string            // of the master
	tables     []string            // "database.table", of one database
	lockTables bool                // hold writers off the master meanwhile
	others     []string            // tables that the slave leaves out for another reason
	before     *server.SlaveStatus // of the slave
	began      bool                // changes of the tables may have been left out
	to         server.Position     // of the copy
}

func newRepair(before *server.SlaveStatus, databases, tables []string) *repair {
	r := &repair{databases: databases, tables: tables, before: before}
	for _, table := range before.IgnoreTable { // an earlier repair may have left ours
		if !slices.Contains(tables, table) {
			r.others = append(r.others, table)
		}
	}
	return r
}

// run repairs. It leaves the slave running if it returns no error.
func (r *repair) run(ctx context.Context, a *Applier) (err error) {
	if err := r.mustExist(ctx, a.Master); err != nil {
		return err
	}
	if err := r.mustBeToldApart(ctx, a); err != nil {
		return err
	}
	// As it is now: another run may have ended since the plan was made.
	f, err := facts.ReadVariables(ctx, a.Slave, a.Slave.DB, "server_id", "read_only", "super_read_only")
	if err != nil {
		return err
	}
	status, err := a.Slave.SlaveStatus(ctx, a.Slave.DB)
	if err != nil || status == nil {
		return cmp.Or(err, status.MustRun())
	}
	lock := r.lockTables
	*r = *newRepair(status, r.databases, r.tables)
	r.lockTables = lock
	_, file := journal.NoteFiles(a.StateDir, f.ServerID())
	earlier, err := journal.ReadNote[journal.RepairNote](file)
	if err != nil {
		return err
	}
	note := journal.RepairNote{Began: time.Now(), Tables: r.tables, SuperReadOnly: f.ReadOnlyForAll()}
	if earlier != nil {
		if !containsAll(r.tables, earlier.Tables) {
			return earlier.CutOff(f, r.before)
		}
		note.SuperReadOnly = note.SuperReadOnly || earlier.SuperReadOnly
	}
	if status.RestartDeletes(a.Slave.Version) {
		if err := a.applyRelayLog(ctx); err != nil {
			return err
		}
	}
	if err := file.Write(note); err != nil {
		return noteProblem(err)
	}
	err = a.whileWritable(ctx, f, note.SuperReadOnly, func() error { return r.copyAnew(ctx, a) })
	if err != nil {
		switch {
		case r.began: // the note stays
		case earlier != nil:
			_ = file.Write(earlier) // this one says the same
		case finding.HasCode(err, "repair"): // the slave is not as it was
		default:
			_ = file.Remove() // the first error says more
		}
		return err
	}
	return file.Remove()
}

// mustStand refuses a slave that has left the position of the copy, or lost the
// filter, as by a restart of its server.
func (r *repair) mustStand(ctx context.Context, slave *server.Server) error {
	s, err := slave.SlaveStatus(ctx, slave.DB)
	if err != nil {
		return err
	}
	if s == nil || s.SQLRunning == "Yes" || !containsAll(s.IgnoreTable, r.tables) {
		return finding.New(finding.Slave, "slave-elsewhere", "leave the slave alone meanwhile, and run this again",
			"the slave was started, or its server restarted, while the tables were copied")
	}
	return s.MustStandAt(r.to)
}

// mustBeToldApart refuses tables with which MariaDB's filter would leave others
// out while they are repaired.
func (r *repair) mustBeToldApart(ctx context.Context, a *Applier) error {
	if a.Slave.Version.Family != server.MariaDB {
		return nil
	}
	for _, table := range r.tables {
		rows, err := a.Master.Query(ctx, a.Master.DB,
			"SELECT CONCAT(table_schema, '.', table_name) AS t FROM information_schema.tables"+
				" WHERE LOWER(CONCAT(table_schema, '.', table_name)) = LOWER(?)", table)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if other := row["t"]; !slices.Contains(r.tables, other) {
				return finding.New(finding.Slave, rules.CaseOfName,
					"is the name right, in upper and lower case too? Repair both at once: --repair-table "+table+" --repair-table "+
						other,
					"the filter of the slave does not tell %s from %s", table, other)
			}
		}
	}
	return nil
}

// mustExist refuses tables that the master does not have.
func (r *repair) mustExist(ctx context.Context, master *server.Server) error {
	for _, table := range r.tables {
		database, name := server.SplitTable(table, r.databases)
		n, err := master.Value(ctx, master.DB,
			"SELECT COUNT(*) FROM information_schema.tables WHERE table_type <> 'VIEW' AND table_schema = "+
				server.QuoteString(database)+" AND table_name = "+server.QuoteString(name))
		if err != nil {
			return err
		}
		if n == "0" {
			return finding.New(finding.Master, "no-table", "if it is to be gone, drop it on the slave by hand",
				"there is no table %s, or the login may not see it", table)
		}
	}
	return nil
}

// copyAnew replaces the tables. It leaves the slave running if it returns no error.
func (r *repair) copyAnew(ctx context.Context, a *Applier) (err error) {
	v := a.Slave.Version
	defer func() {
		if err != nil {
			err = r.leave(ctx, a, err)
		}
	}()
	err = a.Slave.Change(ctx, r.leaveOut(v)...)
	if err != nil {
		return err
	}
	seed := &seed.Seed{
		Master: a.Master, Slave: a.Slave, MasterFacts: a.MasterFacts, SlaveFacts: a.SlaveFacts,
		Databases: []string{r.database()}, Tables: r.tables, LockTables: r.lockTables,
		Progress: a.Progress, StateDir: a.StateDir,
		Started: func(ctx context.Context, p server.Position) error { return r.advance(ctx, a, p) },
	}
	if _, err = seed.Run(ctx); err != nil {
		return err
	}
	if err := r.mustStand(ctx, a.Slave); err != nil {
		return err
	}
	if err := a.mayStart(ctx); err != nil {
		return err
	}
	return a.Slave.Change(ctx, r.takeIn(v)...)
}

// advance brings the slave, which is stopped, to the position of the copy. It
// cannot be beyond: it was stopped before the copy began.
func (r *repair) advance(ctx context.Context, a *Applier, to server.Position) error {
	if err := a.mayStart(ctx); err != nil {
		return err
	}
	r.began = true
	var err error
	r.to, err = a.Slave.AdvanceSlave(ctx, a.Master, to, server.SlavePatience, func(at server.Position) {
		a.waiting("at %s of %s", at, to)
	})
	return err
}

// leave leaves the slave after an error: as it was if nothing has been left
// out, and otherwise running without the tables. It adds to the error what must
// be known.
func (r *repair) leave(ctx context.Context, a *Applier, err error) error {
	ctx, cancel := server.CleanUp(ctx)
	defer cancel()
	p := a.Slave.Explain("copy "+finding.List(r.tables)+" anew", err)
	if e := r.restart(ctx, a); e != nil {
		return &finding.Problem{
			On: finding.Slave, Code: "repair",
			Text: "the repair was cut off, and the slave could not be left as it should be (" + e.Error() + ")",
			Err:  err, Cure: "gtunnel replication status; then the same command again",
		}
	}
	if r.began {
		return &finding.Problem{
			On: finding.Slave, Code: "repair",
			Text: "the repair was cut off: the slave goes on without " + finding.List(r.tables), Err: err,
			Cure: "the same command again; until then replicate_ignore_table leaves their changes out",
		}
	}
	return p
}

// restart starts the threads of a slave that is left.
func (r *repair) restart(ctx context.Context, a *Applier) error {
	v := a.Slave.Version
	ignored := r.before.IgnoreTable
	if r.began {
		ignored = r.ignoring() // a restart may have lost it
	}
	if err := a.Slave.Change(ctx, v.StopSlave(server.SQLThread), r.setIgnored(v, ignored)); err != nil {
		return err
	}
	var starts []server.Statement
	if r.began || r.before.IORunning != "No" {
		starts = append(starts, v.StartSlave(server.IOThread))
	}
	if r.began || r.before.SQLRunning == "Yes" {
		starts = append(starts, v.StartSlave(server.SQLThread))
	}
	if len(starts) > 0 {
		if err := a.mayStart(ctx); err != nil {
			return err
		}
	}
	if !r.began && r.before.IORunning == "No" {
		starts = append(starts, v.StopSlave(server.IOThread))
	}
	return a.Slave.Change(ctx, starts...)
}

// leaveOut are the statements that make the slave leave changes of the tables out, up
// to the position of the copy, where it is told to stop. Its I/O thread goes on: MariaDB
// deletes what a slave has received when it starts with both threads stopped.
func (r *repair) leaveOut(v server.Version) []server.Statement {
	return []server.Statement{
		v.StopSlave(server.SQLThread), r.setIgnored(v, r.ignoring()), v.StartSlave(server.IOThread),
	}
}

// takeIn are the statements that make it replicate them again.
func (r *repair) takeIn(v server.Version) []server.Statement {
	return []server.Statement{v.StopSlave(server.SQLThread), r.setIgnored(v, r.others), v.StartSlave(server.BothThreads)}
}

// setIgnored makes the slave leave tables out.
func (r *repair) setIgnored(v server.Version, tables []string) server.Statement {
	return v.SetIgnored(tables, r.databases)
}

// ignoring are the tables that the slave leaves out during the repair.
func (r *repair) ignoring() []string { return slices.Concat(r.others, r.tables) }

// database is that of the tables.
func (r *repair) database() string {
	name, _ := server.SplitTable(r.tables[0], r.databases)
	return name
}

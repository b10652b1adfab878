package replication

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// PlanRepair plans to copy tables of one database anew from the master, and to
// compare them, after what is left of a run that was cut off. A slave that has
// stopped at an error of one of them goes on after that.
//
// The slave leaves changes of the tables out while it comes to the position of
// the copy. Should the repair be cut off after that, it goes on leaving them
// out, because what it has of them is no copy: the status says so, and the next
// repair of the tables ends it. It is also noted in the Applier's StateDir, for
// a restart of the slave's server loses the filter.
func (a *Applier) PlanRepair(ctx context.Context, tables []string) (*Plan, error) {
	busy, err := a.Slave.busy(ctx, a.Slave.db) // for the end of the run that works Apply waits
	if busy || err != nil {
		return planRepair(a.MasterFacts, a.SlaveFacts, tables, nil, nil), err
	}
	compared, repaired, err := readNotes(a.StateDir, a.SlaveFacts.ServerID())
	if err != nil {
		return nil, err
	}
	return planRepair(a.MasterFacts, a.SlaveFacts, tables, compared, repaired), nil
}

// planRepair plans a repair after what runs have noted that were cut off.
func planRepair(master, slave *Facts, tables []string, compared *compareNote, repaired *repairNote) *Plan {
	p := &Plan{}
	cannot := func(on Role, code, cure, format string, args ...any) {
		p.Problems = append(p.Problems, problem(on, code, cure, format, args...))
	}
	status := slave.master()
	if status == nil {
		cannot(Slave, "no-slave", "gtunnel replication setup-slave", "this server is no slave")
		return p
	}
	if format := strings.ToUpper(master.variable("binlog_format")); format != "ROW" {
		cannot(Master, "binlog-format", "SET GLOBAL binlog_format=ROW, reconnect the applications, and wait until the slave has caught up",
			"binlog_format is %s: a statement that changes another table, too, would be left out as a whole", format)
	}
	one, _ := splitTable(tables[0], databaseNames(master))
	for _, table := range tables {
		if strings.Contains(table, ",") {
			cannot(Slave, "table-name", "copy everything anew: gtunnel replication setup-slave --reseed", "a filter cannot name %s, because of the comma", table)
		}
		if database, _ := splitTable(table, databaseNames(master)); !status.replicatesOf(database) {
			cannot(Slave, "not-replicated", "copy it by hand if it is to be the master's once: nothing would keep it so", "%s is of a database that is not replicated", table)
		}
		if !isOf(table, one) {
			cannot(Slave, "one-database", "repair the tables of one database after those of the other", "%s and %s are of different databases", tables[0], table)
		}
	}
	v, r := slave.Version, newRepair(status, databaseNames(master), tables)
	why := "the other tables are replicated up to the position of the copy and no further until it is there"
	switch {
	case repaired != nil && !containsAll(tables, repaired.Tables):
		p.Problems = append(p.Problems, repaired.cutOff(slave, status))
	case repaired != nil:
		why += "; it ends what is left of an earlier one: " + repaired.cutOff(slave, status).Text
	case compared.holds(status):
		restart := []Statement{v.stopSlave(sqlThread), v.startSlave(sqlThread)}
		p.add(&Step{Name: "end-compare", On: Slave, What: "start the SQL thread, which a comparison that was cut off has stopped", Why: compared.cutOff(v, status).Text, SQL: restart})
	}
	p.add(&Step{
		Name: "repair", On: Slave, What: "copy " + listed(tables) + " anew from the master",
		Why: why,
		SQL: []Statement{
			v.stopSlave(bothThreads), r.setIgnored(v, r.ignoring()), v.startSlave(ioThread), statement("START %s SQL_THREAD UNTIL the position of the copy", v.word("SLAVE", "REPLICA")),
			v.stopSlave(bothThreads), r.setIgnored(v, r.others), v.startSlave(bothThreads),
		},
		Loses: tables, run: r.run,
	})
	p.add(&Step{Name: "compare", On: Slave, What: "compare " + listed(tables), run: compareAll(&Comparison{Tables: tables})})
	return p
}

// repair is the work of a repair.
type repair struct {
	databases []string     // of the master
	tables    []string     // "database.table", of one database
	others    []string     // tables that the slave leaves out for another reason
	before    *SlaveStatus // of the slave
	began     bool         // changes of the tables may have been left out
	to        Position     // of the copy
}

func newRepair(before *SlaveStatus, databases, tables []string) *repair {
	r := &repair{databases: databases, tables: tables, before: before}
	for _, table := range before.IgnoreTable { // an earlier repair may have left ours
		if !slices.Contains(tables, table) {
			r.others = append(r.others, table)
		}
	}
	return r
}

// database is that of the tables.
func (r *repair) database() string {
	name, _ := splitTable(r.tables[0], r.databases)
	return name
}

// ignoring are the tables that the slave leaves out during the repair.
func (r *repair) ignoring() []string { return slices.Concat(r.others, r.tables) }

// setIgnored makes the slave leave tables out.
func (r *repair) setIgnored(v Version, tables []string) Statement {
	return v.setIgnored(tables, r.databases)
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
	f := &Facts{}
	if f.Variables, err = a.Slave.variables(ctx, a.Slave.db, "server_id", "super_read_only"); err != nil {
		return err
	}
	status, err := a.Slave.slaveStatus(ctx, a.Slave.db)
	if err != nil || status == nil {
		return cmp.Or(err, mustRun(status))
	}
	*r = *newRepair(status, r.databases, r.tables)
	_, file := noteFiles(a.StateDir, f.ServerID())
	earlier, err := readNote[repairNote](file)
	if err != nil {
		return err
	}
	note := repairNote{Began: time.Now(), Tables: r.tables, SuperReadOnly: f.on("super_read_only")}
	if earlier != nil {
		if !containsAll(r.tables, earlier.Tables) {
			return earlier.cutOff(f, r.before)
		}
		note.SuperReadOnly = note.SuperReadOnly || earlier.SuperReadOnly
	}
	if err := file.write(note); err != nil {
		return &Problem{Code: "state", Text: "what is about to be done cannot be noted", Err: err, Cure: "name a directory that this user may write with --state-dir"}
	}
	if err := r.copyAnew(ctx, a, note.SuperReadOnly); err != nil {
		switch {
		case r.began: // the note stays
		case earlier != nil:
			_ = file.write(earlier) // this one says the same
		case HasCode(err, "repair"): // the slave is not as it was
		default:
			_ = file.remove() // the first error says more
		}
		return err
	}
	return file.remove()
}

// copyAnew replaces the tables. It leaves the slave running if it returns no
// error, and super_read_only ON if it is to be so.
func (r *repair) copyAnew(ctx context.Context, a *Applier, superReadOnly bool) (err error) {
	if superReadOnly {
		defer func() {
			if e := a.Slave.setSuperReadOnly(ctx); err == nil {
				err = e
			}
		}()
		if err := a.Slave.change(ctx, statement("SET GLOBAL super_read_only=OFF")); err != nil {
			return err
		}
	}
	v := a.Slave.Version
	defer func() {
		if err != nil {
			err = r.leave(ctx, a.Slave, err)
		}
	}()
	err = a.Slave.change(ctx, v.stopSlave(bothThreads), r.setIgnored(v, r.ignoring()), v.startSlave(ioThread))
	if err != nil {
		return err
	}
	seed := &Seed{
		Master: a.Master, Slave: a.Slave, MasterFacts: a.MasterFacts, SlaveFacts: a.SlaveFacts,
		Databases: []string{r.database()}, Tables: r.tables, Progress: a.Progress, StateDir: a.StateDir,
		Started: func(ctx context.Context, p Position) error { return r.advance(ctx, a, p) },
	}
	if _, err = seed.Run(ctx); err != nil {
		return err
	}
	if err := r.mustStand(ctx, a.Slave); err != nil {
		return err
	}
	return a.Slave.change(ctx, v.stopSlave(bothThreads), r.setIgnored(v, r.others), v.startSlave(bothThreads))
}

// mustStand refuses a slave that has left the position of the copy, or lost the
// filter, as by a restart of its server.
func (r *repair) mustStand(ctx context.Context, slave *Server) error {
	s, err := slave.slaveStatus(ctx, slave.db)
	if err != nil {
		return err
	}
	if s == nil || s.SQLRunning == "Yes" || !containsAll(s.IgnoreTable, r.tables) {
		return problem(Slave, "slave-elsewhere", "leave the slave alone meanwhile, and run this again", "the slave was started, or its server restarted, while the tables were copied")
	}
	return arrived(s, r.to)
}

// mustExist refuses tables that the master does not have.
func (r *repair) mustExist(ctx context.Context, master *Server) error {
	for _, table := range r.tables {
		database, name := splitTable(table, r.databases)
		n, err := master.value(ctx, master.db, "SELECT COUNT(*) FROM information_schema.tables WHERE table_type <> 'VIEW' AND table_schema = "+
			quoteString(database)+" AND table_name = "+quoteString(name))
		if err != nil {
			return err
		}
		if n == "0" {
			return problem(Master, "no-table", "if it is to be gone, drop it on the slave by hand", "there is no table %s, or the login may not see it", table)
		}
	}
	return nil
}

// advance brings the slave, which is stopped, to the position of the copy. It
// cannot be beyond: it was stopped before the copy began.
func (r *repair) advance(ctx context.Context, a *Applier, to Position) error {
	r.began, r.to = true, to
	slave := &pausedSlave{server: a.Slave, status: r.before}
	return slave.advance(ctx, to, comparePatience, func(at Position) {
		if a.Waiting != nil {
			a.Waiting("at " + at.String() + " of " + to.String())
		}
	})
}

// leave leaves the slave after an error: as it was if nothing has been left
// out, and otherwise running without the tables. It adds to the error what must
// be known.
func (r *repair) leave(ctx context.Context, slave *Server, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	v := slave.Version
	ignored := r.before.IgnoreTable
	if r.began {
		ignored = r.ignoring() // a restart may have lost it
	}
	statements := []Statement{v.stopSlave(bothThreads), r.setIgnored(v, ignored)}
	if r.began || r.before.IORunning != "No" {
		statements = append(statements, v.startSlave(ioThread))
	}
	if r.began || r.before.SQLRunning == "Yes" {
		statements = append(statements, v.startSlave(sqlThread))
	}
	p := slave.explain("copy "+listed(r.tables)+" anew", err)
	if e := slave.change(ctx, statements...); e != nil {
		return &Problem{
			On: Slave, Code: "repair", Text: "the repair was cut off, and the slave could not be left as it should be (" + e.Error() + ")",
			Err: err, Cure: "gtunnel replication status; then the same command again",
		}
	}
	if r.began {
		return &Problem{
			On: Slave, Code: "repair", Text: "the repair was cut off: the slave goes on without " + listed(r.tables), Err: err,
			Cure: "the same command again; until then replicate_ignore_table leaves their changes out",
		}
	}
	return p
}

// setSuperReadOnly keeps administrators from writing to a MySQL slave again, even
// when ctx has ended.
func (s *Server) setSuperReadOnly(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	return s.change(ctx, statement("SET GLOBAL super_read_only=ON"))
}

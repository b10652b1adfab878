package replication

import (
	"context"
	"slices"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/seed"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Repair copies tables of one database anew from the master, and compares them. A slave
// that has stopped at an error of one of them goes on after that.
//
// The slave leaves changes of the tables out while it comes to the position of
// the copy. Should the repair be cut off after that, it goes on leaving them
// out, because what it has of them is no copy: the status says so, and the next
// repair of the tables ends it. It is also noted in StateDir, for a restart of the
// slave's server loses the filter.
type Repair struct {
	Master, Slave *server.Server
	Tables        []string // "database.table", of one database
	LockTables    bool     // hold writers off the master while they are copied and compared; see seed.Seed
	StateDir      string   // of the slave's host; empty: nothing is noted

	Dialogue
}

// Run reads both ends, plans, has the plan agreed to, and applies it.
func (r *Repair) Run(ctx context.Context) error {
	if err := r.Slave.MustDiffer(ctx, r.Master); err != nil {
		return err
	}
	situation, err := r.read(ctx)
	if err != nil {
		return err
	}
	plan := PlanRepair(situation, r.Tables, r.LockTables)
	if agreed, err := r.Consent(plan); !agreed || err != nil {
		return err
	}
	applier := &Applier{
		Master: r.Master, Slave: r.Slave, MasterFacts: situation.MasterFacts, SlaveFacts: situation.SlaveFacts,
		StateDir: r.StateDir, Dialogue: r.Dialogue,
	}
	return applier.Apply(ctx, plan)
}

// read reads what a repair's plan depends on. For the end of a run that works Apply
// waits.
func (r *Repair) read(ctx context.Context) (s Situation, err error) {
	if s.MasterFacts, err = facts.Read(ctx, r.Master); err != nil {
		return s, err
	}
	if s.SlaveFacts, err = facts.Read(ctx, r.Slave); err != nil {
		return s, err
	}
	busy, err := r.Slave.Busy(ctx, r.Slave.DB)
	if busy || err != nil {
		return s, err
	}
	if s.Notes, err = journal.ReadNotes(r.StateDir, s.SlaveFacts.ServerID()); err != nil || s.SlaveFacts.Master() == nil {
		return s, err
	}
	s.Beginning, err = r.checkCopy(ctx, &s)
	return s, err
}

// checkCopy finds what would end the copy in its middle, or make it another.
func (r *Repair) checkCopy(ctx context.Context, s *Situation) (finding.Findings, error) {
	found, err := (&seed.Seed{
		Master: r.Master, Slave: r.Slave, MasterFacts: s.MasterFacts, SlaveFacts: s.SlaveFacts,
		Databases: s.MasterFacts.DatabaseNames(), Tables: r.Tables, LockTables: r.LockTables,
	}).Check(ctx)
	// Of tables without transactions the plan says that.
	found.Problems = slices.DeleteFunc(found.Problems,
		func(p *finding.Problem) bool { return p.Code == seed.UnsnappedCode })
	return found, err
}

// PlanRepair plans to copy tables of one database anew, and to compare them, after what
// is left of a run that was cut off. Of the situation it needs the facts, the notes and
// what was found of the copy. With lockTables the master's writers are held off
// meanwhile. It is a function of its arguments alone, which it leaves as they are.
func PlanRepair(situation Situation, tables []string, lockTables bool) *Plan {
	master, slave := situation.MasterFacts, situation.SlaveFacts
	status := slave.Master()
	p := &Plan{Findings: rules.Judge(&rules.Subject{
		Moment: rules.Repair, Master: master, Slave: slave, Tables: tables, LockTables: lockTables,
		Repaired: situation.Notes.Repair,
	})}
	p.Add(situation.Beginning)
	if status == nil {
		return p
	}
	v, r := slave.Version, newRepair(status, master.DatabaseNames(), tables)
	why := "the other tables are replicated up to the position of the copy and no further until it is there"
	compared, repaired := situation.Notes.Comparison, situation.Notes.Repair
	switch {
	case repaired != nil:
		why += "; it ends what is left of an earlier one: " + repaired.CutOff(slave, status).Text
	case compared.Holds(status):
		p.add(&Step{
			Name: "end-compare", On: finding.Slave,
			What: "start the SQL thread, which a comparison that was cut off has stopped",
			Why:  compared.CutOff(v, status).Text,
			SQL:  []server.Statement{v.StopSlave(server.SQLThread), v.StartSlave(server.SQLThread)}, Action: startAgain{},
		})
	}
	toCopy := server.SQL("START %s SQL_THREAD UNTIL the position of the copy", v.Word("SLAVE", "REPLICA"))
	what := "copy " + finding.List(tables) + " anew from the master"
	if lockTables {
		what += ", where nobody can write meanwhile (--lock-tables)"
	}
	p.add(&Step{
		Name: "repair", On: finding.Slave, What: what, Why: why,
		SQL: slices.Concat(r.leaveOut(v), []server.Statement{toCopy}, r.takeIn(v)), Loses: tables,
		Action: repairTables{databases: r.databases, tables: tables, lockTables: lockTables},
	})
	p.add(&Step{
		Name: "compare", On: finding.Slave, What: "compare " + finding.List(tables),
		Action: compareData{tables: tables, lockTables: lockTables},
	})
	return p
}

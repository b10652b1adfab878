package replication

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/rules"
	"github.com/gtunnel/gtunnel/replication/server"
)

// RowRepair compares, and puts the rows that differ right, by their keys, in the slave
// and not in its binary log. What differs and is no row stays as it is.
//
// The slave stands at one position of the master while the rows are read there and
// written here, and goes on whatever happens. Should the repair be killed, each table is
// as it was, or has been put right as a whole, if it has transactions: the next
// comparison ends what is left.
type RowRepair struct {
	Master, Slave *server.Server
	Databases     []string // to compare; empty: all that the slave replicates
	Tables        []string // "database.table"; empty: all of the databases
	LockTables    bool     // see compare.Comparison
	StateDir      string   // of the slave's host; empty: nothing is noted

	// Of the comparison that finds the rows: see compare.Comparison.
	MaxSnapshot, MaxLag time.Duration
	PauseWhen           []compare.Load

	Dialogue
}

// Run compares, plans, has the plan agreed to, and applies it. The Problem different says
// what still differs.
func (r *RowRepair) Run(ctx context.Context) error {
	comparison := r.comparison()
	result, err := comparison.Run(ctx)
	if err != nil {
		return err
	}
	look, err := comparison.LookAtRows(ctx, result)
	if err != nil {
		return err
	}
	situation := Situation{}
	err = server.AtOnce(ctx, func(ctx context.Context) (err error) {
		situation.MasterFacts, err = facts.Read(ctx, r.Master)
		return err
	}, func(ctx context.Context) (err error) {
		situation.SlaveFacts, err = facts.Read(ctx, r.Slave)
		return err
	})
	if err != nil {
		return err
	}
	plan := PlanRowRepair(situation, look, r.LockTables)
	agreed, err := r.Consent(plan)
	if err != nil {
		return err
	}
	if agreed {
		applier := &Applier{
			Master: r.Master, Slave: r.Slave, MasterFacts: situation.MasterFacts, SlaveFacts: situation.SlaveFacts,
			StateDir: r.StateDir, Dialogue: r.Dialogue,
		}
		err = applier.Apply(ctx, plan)
	}
	if err == nil && len(look.Others) > 0 && (agreed || len(plan.Steps) == 0) {
		err = stillDiffers(look.Others)
	}
	return err
}

// comparison is what finds the rows: of each table all of its differences.
func (r *RowRepair) comparison() *compare.Comparison {
	return &compare.Comparison{
		Master: r.Master, Slave: r.Slave, Databases: r.Databases, Tables: r.Tables, LockTables: r.LockTables,
		All: true, StateDir: r.StateDir, Progress: r.Comparing,
		MaxSnapshot: r.MaxSnapshot, MaxLag: r.MaxLag, PauseWhen: r.PauseWhen,
	}
}

// stillDiffers is the problem of what differs and is no row.
func stillDiffers(others []string) *finding.Problem {
	return finding.New(finding.Slave, "different",
		"gtunnel replication compare shows all of it; --repair-table copies a table anew; or everything: "+finding.SeedAnew,
		"this differs, and is no row: %s", finding.Items(others))
}

// PlanRowRepair plans to put the rows right that a look has found to differ. Of the
// situation it needs the facts. It is a function of its arguments alone, which it leaves
// as they are.
func PlanRowRepair(situation Situation, look *compare.RowLook, lockTables bool) *Plan {
	slave := situation.SlaveFacts
	var tables []string
	for _, t := range look.Tables {
		tables = append(tables, t.Table)
	}
	p := &Plan{Findings: rules.Judge(&rules.Subject{
		Moment: rules.RepairRows, Master: situation.MasterFacts, Slave: slave, Tables: tables,
	})}
	p.Problems = append(p.Problems, refusedTables(look, tables)...)
	if len(look.Others) > 0 && len(tables) > 0 {
		p.Warn(finding.Slave, "rows-alone", "gtunnel replication compare says what to do about it",
			"this differs, too, and is no row; it stays as it is: %s", finding.Items(look.Others))
	}
	if len(tables) == 0 {
		return p
	}
	p.Warnings = append(p.Warnings, lostRows(slave, look.Tables)...)
	locked := lockTables && slices.ContainsFunc(look.Tables, func(t *compare.TableRows) bool { return t.LocksMaster })
	p.add(rowsStep(slave.Version, look, tables, locked))
	p.add(&Step{
		Name: "compare", On: finding.Slave, What: "compare " + finding.List(tables),
		Action: compareData{tables: tables, lockTables: lockTables},
	})
	return p
}

// refusedTables are the problems of tables that cannot be put right by rows, with how
// the others can be.
func refusedTables(look *compare.RowLook, others []string) []*finding.Problem {
	problems := make([]*finding.Problem, 0, len(look.Refused))
	for _, refused := range look.Refused {
		p := *refused
		if len(others) > 0 {
			p.Cure += "; the others by themselves: " + RowRepairCommand(others)
		}
		problems = append(problems, &p)
	}
	return problems
}

// RowRepairCommand is the command line that puts the rows of tables right.
func RowRepairCommand(tables []string) string {
	const most = 10 // that fit into a line
	words := []string{"gtunnel replication compare --repair-rows"}
	for _, table := range tables[:min(len(tables), most)] {
		words = append(words, "--table "+finding.ShellWord(table))
	}
	return strings.Join(words, " ")
}

// lostRows warns of rows that the slave loses.
func lostRows(slave *facts.Facts, tables []*compare.TableRows) []*finding.Problem {
	extra, changed := 0, 0
	for _, t := range tables {
		extra += t.Count(compare.Extra)
		changed += t.Count(compare.Differs)
	}
	if extra+changed == 0 {
		return nil
	}
	text := fmt.Sprintf("what the slave has otherwise than the master is lost: %s of its own, and values in %s",
		finding.Count(extra, "row"), finding.Count(changed, "other row"))
	if !slave.On("read_only") && !slave.ReadOnlyForAll() {
		text += "; it is not read-only, and an application may write here instead of on the master"
	}
	return []*finding.Problem{finding.New(finding.Slave, "rows-lost",
		"if they were written here on purpose, keep them first: --dry-run --json prints their values", "%s", text)}
}

// rowsStep is the step that puts the rows right.
func rowsStep(v server.Version, look *compare.RowLook, tables []string, locked bool) *Step {
	var inserted, changed, deleted int
	step := &Step{
		Name: "rows", On: finding.Slave, Tables: look.Tables,
		Why:        "the slave stands at one position of the master meanwhile; rows that are equal by then are left alone",
		UndoByHand: "nothing brings the slave's own values back: --dry-run --json prints them while it has them",
		Action:     repairRows{tables: look.Tables, lockTables: locked},
	}
	step.SQL = append(step.SQL, v.StopSlave(server.SQLThread),
		server.SQL("START %s SQL_THREAD UNTIL the position at which the master's rows are read",
			v.Word("SLAVE", "REPLICA")))
	step.SQL = append(step.SQL, compare.WriteSettings(v)...)
	for _, t := range look.Tables {
		step.SQL = append(step.SQL, server.SQL("START TRANSACTION"))
		step.SQL = append(step.SQL, t.Statements...)
		step.SQL = append(step.SQL, server.SQL("COMMIT"))
		inserted, changed, deleted = inserted+t.Count(compare.Missing), changed+t.Count(compare.Differs),
			deleted+t.Count(compare.Extra)
	}
	step.SQL = append(step.SQL, v.StopSlave(server.SQLThread), v.StartSlave(server.SQLThread))
	var counts []string
	for _, c := range []struct {
		n    int
		what string
	}{{inserted, "inserted"}, {changed, "changed"}, {deleted, "DELETED"}} {
		if c.n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	step.What = fmt.Sprintf("put %s of %s right: %s", finding.Count(inserted+changed+deleted, "row"),
		finding.List(tables), strings.Join(counts, ", "))
	if locked {
		step.What += ", while those without transactions are locked on the master (--lock-tables)"
	}
	return step
}

package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// repairRows puts rows right. The step's statements have the keys, which are all that is
// known before the master's rows are read.
type repairRows struct {
	tables     []*compare.TableRows
	lockTables bool // see compare.Comparison
}

func (a *Applier) repairRows(ctx context.Context, r repairRows) error {
	// As it is now: another run may have ended since the plan was made.
	f, err := facts.ReadVariables(ctx, a.Slave, a.Slave.DB, "server_id", "read_only", "super_read_only")
	if err != nil {
		return err
	}
	_, file := journal.NoteFiles(a.StateDir, f.ServerID())
	earlier, err := journal.ReadNote[journal.RepairNote](file)
	if err != nil {
		return err
	}
	if earlier != nil { // since the comparison, which ends one of rows
		status, err := a.Slave.SlaveStatus(ctx, a.Slave.DB)
		if err != nil {
			return err
		}
		return earlier.CutOff(f, status)
	}
	note := journal.RepairNote{Began: time.Now(), SuperReadOnly: f.ReadOnlyForAll(), Rows: true}
	for _, t := range r.tables {
		note.Tables = append(note.Tables, t.Table)
	}
	if err := file.Write(note); err != nil {
		return noteProblem(err)
	}
	comparison := &compare.Comparison{
		Master: a.Master, Slave: a.Slave, LockTables: r.lockTables, StateDir: a.StateDir, Progress: a.Comparing,
	}
	var done []string
	err = a.whileWritable(ctx, f, note.SuperReadOnly, func() error {
		return comparison.RepairRows(ctx, r.tables, func(t *compare.TableRows) {
			done = append(done, t.Table)
			a.waiting("%s: %s put right", t.Table, finding.Count(len(t.Rows), "row"))
		})
	})
	if err != nil {
		err = fmt.Errorf("%s of %s put right: %w", finding.Count(len(done), "table"),
			finding.Count(len(r.tables), "table"), err)
	}
	if finding.HasCode(err, "slave-paused") || finding.HasCode(err, stillWritable) { // the note stays
		return err
	}
	return errors.Join(err, file.Remove())
}

// stillWritable is the code of a server that could not be made read-only again.
const stillWritable = "still-writable"

// whileWritable does something while administrators can write on the slave, if it is
// read-only for all, as it is again at the end.
func (a *Applier) whileWritable(ctx context.Context, f *facts.Facts, readOnlyForAll bool, do func() error) (err error) {
	if !readOnlyForAll {
		return do()
	}
	begin, end := f.LetAdministratorsWrite()
	defer func() {
		ctx, cancel := server.CleanUp(ctx)
		defer cancel()
		if e := a.Slave.Change(ctx, end); err == nil && e != nil {
			err = &finding.Problem{
				On: finding.Slave, Code: stillWritable, Text: "it could not be made read-only again", Err: e,
				Cure: "on it: " + end.String(),
			}
		}
	}()
	if err := a.Slave.Change(ctx, begin); err != nil {
		return err
	}
	return do()
}

// noteProblem is the problem of work that cannot be noted.
func noteProblem(err error) error {
	return &finding.Problem{
		Code: "state", Text: "what is about to be done cannot be noted", Err: err,
		Cure: "name a directory that this user may write with --state-dir",
	}
}

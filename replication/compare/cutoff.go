package compare

import (
	"context"
	"slices"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
)

// goOn starts a slave that a comparison which was cut off has stopped. What the
// server shows of a repair that was cut off must be ended first.
func (c *Comparison) goOn(ctx context.Context) error {
	compareFile, repairFile, err := journal.NotesOf(ctx, c.Slave, c.StateDir)
	if err != nil {
		return err
	}
	compared, err := journal.ReadNote[journal.ComparisonNote](compareFile)
	if err != nil {
		return err
	}
	repaired, err := journal.ReadNote[journal.RepairNote](repairFile)
	if err != nil || compared == nil && repaired == nil {
		return err
	}
	status, err := c.Slave.SlaveStatus(ctx, c.Slave.DB)
	if err != nil {
		return err
	}
	if repaired != nil {
		f, err := facts.ReadVariables(ctx, c.Slave, c.Slave.DB, "read_only", "super_read_only")
		if err != nil {
			return err
		}
		switch {
		case repaired.Rows:
			if err := c.endRows(ctx, repaired, f, repairFile); err != nil {
				return err
			}
		case repaired.Holds(f, status):
			return repaired.CutOff(f, status)
		}
	}
	if compared.Holds(status) {
		return (&pausedSlave{server: c.Slave, note: compareFile, paused: true}).resume(ctx)
	}
	return nil
}

// endRows ends a repair of rows that was cut off. What it has not put right this
// comparison finds.
func (c *Comparison) endRows(
	ctx context.Context, repaired *journal.RepairNote, f *facts.Facts, file journal.NoteFile,
) error {
	if repaired.SuperReadOnly && !f.ReadOnlyForAll() {
		_, end := f.LetAdministratorsWrite()
		if err := c.Slave.Change(ctx, end); err != nil {
			return err
		}
	}
	return file.Remove()
}

// endRepair ends the note of a repair that was cut off, of which the server
// shows nothing, if its tables have turned out to be equal.
func (c *Comparison) endRepair(ctx context.Context, r *Result) error {
	_, file, err := journal.NotesOf(ctx, c.Slave, c.StateDir)
	if err != nil {
		return err
	}
	note, err := journal.ReadNote[journal.RepairNote](file)
	if note == nil || err != nil {
		return err
	}
	for _, name := range note.Tables {
		if !slices.ContainsFunc(r.Tables, func(t TableResult) bool { return t.Table == name && t.Equal() }) {
			return nil
		}
	}
	return file.Remove()
}

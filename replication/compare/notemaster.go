package compare

import (
	"context"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
)

// noteResult notes what was found, for status, unless it is of some tables only.
func (c *Comparison) noteResult(ctx context.Context, result *Result) error {
	if len(c.Tables) > 0 || c.StateDir == "" {
		return nil
	}
	slave, err := facts.ReadVariables(ctx, c.Slave, c.Slave.DB)
	if err != nil {
		return err
	}
	note := journal.ComparedNote{
		Slave: slave.Identity(), Ended: time.Now().UTC(), At: result.At, Tables: len(result.Tables),
		Differing: len(result.Objects), NotCompared: result.NotCompared(), Databases: c.Databases,
	}
	for _, t := range result.Tables {
		if !t.Equal() {
			note.Differing++
		}
	}
	_ = journal.ComparedFile(c.StateDir, slave.ServerID()).Write(note) // a user may not write there
	if note.Differing > 0 {
		return nil
	}
	return c.noteMaster(ctx, slave)
}

// noteMaster notes how the master is, if both ends are equal in all that is replicated:
// what was noted of its past before does not matter any more.
func (c *Comparison) noteMaster(ctx context.Context, slave *facts.Facts) error {
	status, err := c.Slave.SlaveStatus(ctx, c.Slave.DB)
	if err != nil || status == nil {
		return err
	}
	left := func(name string) bool { return !slices.Contains(c.Databases, name) }
	if len(c.Databases) > 0 && slices.ContainsFunc(status.Replicated(), left) {
		return nil
	}
	journal.MasterFile(c.StateDir, slave.ServerID()).Refresh(nil, c.seen)
	return nil
}

// look sees how the master is before anything is compared, if that may be noted: what
// happens to it meanwhile is seen by the note then.
func (c *Comparison) look(ctx context.Context) error {
	if len(c.Tables) > 0 || c.StateDir == "" {
		return nil
	}
	slave, err := facts.ReadVariables(ctx, c.Slave, c.Slave.DB)
	if err != nil {
		return err
	}
	c.seen, err = journal.LookAtMaster(ctx, c.Master, slave)
	return err
}

package compare

import (
	"context"
	"slices"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/journal"
)

// noteMaster notes how the master is, if both ends are equal in all that is replicated:
// what was noted of its past before does not matter any more.
func (c *Comparison) noteMaster(ctx context.Context, result *Result) error {
	if !result.Equal() || len(c.Tables) > 0 || c.StateDir == "" {
		return nil
	}
	status, err := c.Slave.SlaveStatus(ctx, c.Slave.DB)
	if err != nil || status == nil {
		return err
	}
	left := func(name string) bool { return !slices.Contains(c.Databases, name) }
	if len(c.Databases) > 0 && slices.ContainsFunc(status.Replicated(), left) {
		return nil
	}
	slave, err := facts.ReadVariables(ctx, c.Slave, c.Slave.DB)
	if err != nil {
		return err
	}
	now, err := journal.LookAtMaster(ctx, c.Master, slave)
	if err != nil {
		return err
	}
	journal.MasterFile(c.StateDir, slave.ServerID()).Refresh(nil, now)
	return nil
}

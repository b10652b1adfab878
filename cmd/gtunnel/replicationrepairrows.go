package main

import (
	"context"
	"errors"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
)

// repairRows compares, puts the rows that differ right after consent, and compares their
// tables again.
func (m *Main) repairRows(ctx context.Context, c *replicationCompare) error {
	if len(c.repair) > 0 {
		return &usage.Error{
			Where: "--repair-rows", Message: "another repair than --repair-table", Cure: "give one of them, and then the other",
		}
	}
	c.tables = splitTables(c.tables)
	if err := checkTables("--table", c.tables); err != nil {
		return err
	}
	comparison, closeBoth, err := m.newComparison(ctx, c)
	if err != nil {
		return err
	}
	defer closeBoth()
	talk, end := m.dialogue(ctx, c.plan)
	var result *compare.Result
	talk.Compared = func(r *compare.Result) { result = r }
	repair := &replication.RowRepair{
		Master: comparison.Master, Slave: comparison.Slave, Databases: comparison.Databases, Tables: c.tables,
		LockTables: c.lockTables, StateDir: c.stateDir, Dialogue: talk,
	}
	err = repair.Run(ctx)
	end()
	if result == nil {
		return err
	}
	return errors.Join(m.writeComparison(result, true), err)
}

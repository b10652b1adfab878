package main

import (
	"context"
	"errors"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
)

// repairSettings are the flags of both repairs.
func (c *replicationCompare) repairSettings() []config.Setting {
	return []config.Setting{
		{
			Name: "repair-table", Arg: "DATABASE.TABLE", Target: &c.repair, Preset: "none",
			Usage: "copy this anew; or several, by commas",
		},
		{Name: "repair-rows", Target: &c.repairRows, Usage: "put the rows that differ right, by their keys"},
		{Name: "dry-run", Target: &c.plan.dryRun, Usage: "of a repair: show the plan only"},
		{Name: "show-sql", Target: &c.plan.showSQL, Usage: "of a repair: show the whole plan"},
		{Name: "yes", Target: &c.plan.yes, Usage: "of a repair: do not ask"},
	}
}

// repair repairs rows or tables. Given reports whether a flag is.
func (m *Main) repair(ctx context.Context, c *replicationCompare, given func(flag string) bool) error {
	repair, others := m.repairTables, []string{"resume", "pause-when", "max-lag", "max-snapshot"}
	flag := "--repair-table"
	if c.repairRows {
		repair, others, flag = m.repairRows, []string{"resume"}, "--repair-rows"
		if len(c.repair) > 0 {
			return &usage.Error{
				Where: flag, Message: "another repair than --repair-table", Cure: "give one of them, and then the other",
			}
		}
	}
	for _, name := range others {
		if given(name) {
			return &usage.Error{Where: "--" + name, Message: "is not for " + flag, Cure: "leave it out with " + flag}
		}
	}
	return repair(ctx, c)
}

// repairRows compares, puts the rows that differ right after consent, and compares their
// tables again.
func (m *Main) repairRows(ctx context.Context, c *replicationCompare) error {
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
		MaxSnapshot: comparison.MaxSnapshot, MaxLag: comparison.MaxLag, PauseWhen: comparison.PauseWhen,
	}
	err = explainLoad(repair.Run(ctx))
	end()
	if result == nil {
		return err
	}
	return errors.Join(m.writeComparison(result, true), err)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gtunnel/gtunnel/cmd/gtunnel/config"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/terminal"
	"github.com/gtunnel/gtunnel/cmd/gtunnel/usage"
	"github.com/gtunnel/gtunnel/replication"
	"github.com/gtunnel/gtunnel/replication/compare"
	"github.com/gtunnel/gtunnel/replication/finding"
)

// replicationCompare is the command line of compare.
type replicationCompare struct {
	login      loginFlags
	master     masterFlags
	databases  []string
	tables     []string
	repair     []string
	repairRows bool
	lockTables bool
	all        bool
	resume     bool
	snapshot   time.Duration
	lag        time.Duration
	pauseWhen  []string
	stateDir   string
	plan       planFlags
}

// compareHelp is what the command says of itself.
const compareHelp = `Compares the tables of this host's server, the slave, with those of its master
at one position of the master's binary log. The slave stops just there for a
moment and then goes on; the master is written to all the while. Shows what
differs, rows by their keys, and what was not compared, and why; --all and
--json show the equal tables, too. Exit 1 if something differs, or a table could
not be compared. AUTO_INCREMENT counters are not looked at.

A MySQL master is locked for some milliseconds. Tables without transactions,
such as MyISAM, hold the slave up while they are compared, and what is written
to them meanwhile looks like a difference unless --lock-tables keeps writes off.

No snapshot is held on the master for longer than --max-snapshot: the rest is
compared at a later position, a large table in pieces by its key. Between two
pieces it waits while the slave lags (--max-lag) or the master has more than
--pause-when allows. One that was cut off goes on by the same flags and
--resume. The unit gtunnel-compare.timer compares each night.

--repair-rows puts the rows right that differ, by their keys, after it has shown
which: up to 10,000 of a table with a primary or unique key. Nothing is logged
on the slave, which stands at one position of the master meanwhile, and what it
has of its own in these rows is lost. Other tables take --repair-table, and so
does a slave that has stopped at an error of a row.

--repair-table replaces the slave's copy of a table by a new one from the
master, whose login must be one that may dump it, and compares that. A slave
that has stopped at an error of the table (1062, 1032) goes on then. A table
without transactions takes --lock-tables, which keeps all writers off the master
while it is copied.

After a kill or a crash in the middle the same command again ends what it left;
gtunnel replication status says what that is.`

func (m *Main) replicationCompareCommand() *cobra.Command {
	c := &replicationCompare{stateDir: defaultStateDir, snapshot: time.Minute, lag: 30 * time.Second}
	c.login.unsafePlaintext = &c.master.unsafePlaintext
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Compare the slave's data with the master's, at one position",
		Long:  compareHelp,
		Example: `  gtunnel replication compare
  gtunnel replication compare --table voms.acl2 --table voms.usr
  gtunnel replication compare --json
  gtunnel replication compare --resume --pause-when Threads_running=50
  gtunnel replication compare --repair-rows --dry-run
  gtunnel replication compare --repair-table voms.acl2 --master-user dba`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// the slave must go on
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			if c.repairRows || len(c.repair) > 0 {
				return m.repair(ctx, c, cmd.Flags().Changed)
			}
			return m.compareReplication(ctx, c)
		},
	}
	config.AddFlags(cmd, "", c.settings())
	return cmd
}

// settings are its flags.
func (c *replicationCompare) settings() []config.Setting {
	settings := []config.Setting{
		{
			Name: "databases", Arg: "NAME", Target: &c.databases, Preset: "what is replicated",
			Usage: "to compare; separated by commas, or repeated",
		},
		{Name: "table", Arg: "DATABASE.TABLE", Target: &c.tables, Preset: "all", Usage: "only this; or several, by commas"},
		{Name: "lock-tables", Target: &c.lockTables, Usage: "lock tables without transactions on the master"},
		{Name: "all", Target: &c.all, Usage: "show every table and all of their differences"},
		{
			Name: "max-snapshot", Arg: "TIME", Target: &c.snapshot, Least: time.Second,
			Usage: "how long to hold a snapshot on the master",
		},
		{
			Name: "max-lag", Arg: "TIME", Target: &c.lag, Zero: true, Least: time.Second,
			Usage: "wait while the slave is further behind; 0s: never",
		},
		{
			Name: "pause-when", Arg: "NAME=NUMBER", Target: &c.pauseWhen, Preset: "never",
			Usage: "wait while a status variable of the master is above that",
		},
		{Name: "resume", Target: &c.resume, Usage: "go on where a comparison was cut off"},
		{Name: "state-dir", Arg: "DIR", Target: &c.stateDir, File: true, Usage: "where to note what it does"},
		{Name: "json", Target: &c.plan.asJSON, Usage: "print JSON"},
	}
	settings = slices.Concat(settings, c.repairSettings(), c.login.settings())
	return append(settings, c.master.settings()...)
}

func (m *Main) compareReplication(ctx context.Context, c *replicationCompare) error {
	c.tables = splitTables(c.tables)
	if err := checkTables("--table", c.tables); err != nil {
		return err
	}
	if c.plan.dryRun || c.plan.yes {
		return &usage.Error{Message: "--dry-run and --yes are for a repair", Cure: "a comparison changes no data"}
	}
	comparison, closeBoth, err := m.newComparison(ctx, c)
	if err != nil {
		return err
	}
	defer closeBoth()
	comparison.Keep, comparison.Resume = true, c.resume
	comparison.Say = func(text string) { fmt.Fprintf(m.Stderr, "%s\n", terminal.Printable(text)) }
	result, err := m.runComparison(ctx, comparison)
	if err != nil {
		return explainLoad(err)
	}
	if c.plan.asJSON {
		err = m.printJSON(result)
	} else {
		err = m.writeComparison(result, c.all)
	}
	if err == nil && !result.Equal() {
		err = usage.WithHint(errors.New("the slave's data is not the master's"), comparisonCure(result))
	}
	return err
}

// parseLoads reads what --pause-when says.
func parseLoads(list []string) ([]compare.Load, error) {
	var loads []compare.Load
	for _, text := range splitNames(list) {
		load, err := compare.ParseLoad(text)
		if err != nil {
			return nil, &usage.Error{
				Where: "--pause-when", Message: err.Error(), Cure: "write it so: --pause-when Threads_running=50",
			}
		}
		loads = append(loads, load)
	}
	return loads, nil
}

// explainLoad names the status variable that was meant by --pause-when.
func explainLoad(err error) error {
	unknown, ok := errors.AsType[*compare.UnknownLoadError](err)
	if !ok {
		return err
	}
	cure := "SHOW GLOBAL STATUS on the master lists all"
	byLower := map[string]string{}
	for _, name := range unknown.Known {
		byLower[strings.ToLower(name)] = name
	}
	near := usage.Closest(strings.ToLower(unknown.Load.Name), slices.Sorted(maps.Keys(byLower)))
	if near != "" {
		cure = "did you mean " + byLower[near] + "?"
	}
	return &usage.Error{Where: "--pause-when", Message: err.Error(), Cure: cure}
}

// splitTables takes tables from a flag that is repeated, or has several of them with
// commas between. A comma may be in a name, too.
func splitTables(list []string) []string {
	var tables []string
	for _, text := range list {
		names := splitNames([]string{text})
		if checkTables("", names) != nil {
			names = []string{text}
		}
		tables = append(tables, names...)
	}
	return tables
}

// checkTables refuses names of tables without their database.
func checkTables(flag string, tables []string) error {
	for _, table := range tables {
		if database, name, _ := strings.Cut(table, "."); database == "" || name == "" {
			return &usage.Error{
				Where: flag, Message: fmt.Sprintf("%q is no table with its database", table), Cure: "write DATABASE.TABLE",
			}
		}
	}
	return nil
}

// repairTables copies tables anew, after consent, and compares them.
func (m *Main) repairTables(ctx context.Context, c *replicationCompare) error {
	c.repair = splitTables(c.repair)
	if err := checkTables("--repair-table", c.repair); err != nil {
		return err
	}
	if len(c.tables) > 0 || len(c.databases) > 0 {
		return &usage.Error{
			Where: "--repair-table", Message: "compares the repaired tables only", Cure: "leave --table and --databases out",
		}
	}
	comparison, closeBoth, err := m.newComparison(ctx, c)
	if err != nil {
		return err
	}
	defer closeBoth()
	talk, end := m.dialogue(ctx, c.plan)
	var result *compare.Result
	talk.Compared = func(r *compare.Result) { result = r }
	repair := &replication.Repair{
		Master: comparison.Master, Slave: comparison.Slave, Tables: c.repair,
		LockTables: c.lockTables, StateDir: c.stateDir, Dialogue: talk,
	}
	err = repair.Run(ctx)
	end()
	if result == nil {
		return err
	}
	return errors.Join(m.writeComparison(result, true), err)
}

// newComparison logs in to both servers. The caller closes them.
func (m *Main) newComparison(ctx context.Context, c *replicationCompare) (*compare.Comparison, func(), error) {
	loads, err := parseLoads(c.pauseWhen)
	if err != nil {
		return nil, nil, err
	}
	slave, err := m.openLocal(ctx, finding.Slave, &c.login)
	if err != nil {
		return nil, nil, err
	}
	master, err := m.openMaster(ctx, &c.master)
	if err != nil {
		_ = slave.Close() // the first error says more
		return nil, nil, err
	}
	closeBoth := func() {
		_ = slave.Close() // nothing is left to fail
		_ = master.Close()
	}
	return &compare.Comparison{
		Master: master, Slave: slave, Databases: splitNames(c.databases), Tables: c.tables, LockTables: c.lockTables,
		All: c.all, StateDir: c.stateDir, MaxSnapshot: c.snapshot, MaxLag: c.lag, PauseWhen: loads,
	}, closeBoth, nil
}

// runComparison compares and shows how far it is.
func (m *Main) runComparison(ctx context.Context, c *compare.Comparison) (*compare.Result, error) {
	view := m.newProgressView()
	defer view.End()
	c.Progress = view.compare
	return c.Run(ctx)
}

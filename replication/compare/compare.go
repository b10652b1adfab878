package compare

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/facts"
	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Comparison compares the tables of a master with those of its slave at one
// position of the master's binary log.
//
// The slave's SQL thread stops just there, which takes as long as the slave is
// behind, and goes on as soon as both ends have a snapshot. Tables without
// transactions are in no snapshot: the slave stays stopped while they are
// compared. Whatever happens but a kill of this process, the SQL thread runs
// again when Run returns; and after a kill the next Run, if it finds the note of
// StateDir, starts it again.
type Comparison struct {
	// Master's login needs SELECT on the databases and BINLOG MONITOR
	// (REPLICATION CLIENT on MySQL and before MariaDB 10.5); on MySQL also
	// FLUSH_TABLES or RELOAD for a read lock of some milliseconds.
	Master *server.Server
	Slave  *server.Server // its login may start and stop the slave

	Databases []string // empty: all that the slave replicates
	Tables    []string // "database.table", sequences among them; empty: all of the databases

	// LockTables locks the master's tables without transactions against
	// writes while they are compared. Without it a difference in such a table
	// may be a write that came in between; they are compared once more then.
	LockTables bool

	All bool // list all differences of a table, and not the first of them only

	// MaxSnapshot is how long a snapshot is held on the master; 0: a minute. What is left
	// then is compared at a later position, and so is the rest of a table that can be cut
	// by a key. A table that cannot is compared whole, at the beginning of a snapshot.
	MaxSnapshot time.Duration

	// What the comparison gives way to: it ends its snapshots and waits while the slave is
	// further behind than MaxLag (0: does not matter) or the master has more than one of
	// the loads.
	MaxLag    time.Duration
	PauseWhen []Load

	StateDir string // where what stops the slave is noted meanwhile; empty: nowhere

	// Keep keeps a checkpoint in StateDir until the comparison has ended, and Resume goes
	// on from the one of a comparison that was cut off, if there is one.
	Keep, Resume bool

	Say      func(text string) // may be nil: tells what has become of a checkpoint
	Progress func(Progress)    // may be nil; called in Run's goroutine

	prepared *prepared           // by Prepare; nil: nothing is
	seen     *journal.MasterNote // how the master was when this began; nil: it is not noted

	// Of tests; 0: what the methods patience, chunkBytes and limit say.
	slavePatience time.Duration
	chunkSize     uint64
	queryLimit    time.Duration
}

// Progress is how far a comparison has come. The bytes are the servers'
// own estimates.
type Progress struct {
	GivesWay    string           // the reason for which it waits, in words; empty: it does not
	WaitsFor    *server.Position // the slave is on its way there; nil: tables are compared
	Slave       server.Position  // where it is, while it is waited for
	Table       string           // "database.table"
	Bytes       uint64           // compared
	Total       uint64           // to compare
	Differences int              // tables that differ so far
}

// Run compares. It returns a result only if it has looked at every table; that
// something differs is no error.
func (c *Comparison) Run(ctx context.Context) (*Result, error) {
	if err := c.Slave.MustDiffer(ctx, c.Master); err != nil {
		return nil, err
	}
	unlock, err := c.Slave.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return c.Compare(ctx)
}

// Compare compares for those who hold the lock of the slave.
func (c *Comparison) Compare(ctx context.Context) (*Result, error) {
	started := time.Now()
	if err := c.goOn(ctx); err != nil {
		return nil, err
	}
	if err := c.mustKnowLoads(ctx); err != nil {
		return nil, err
	}
	first, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	if err := first.run(ctx); err != nil {
		first.checkpoint.tellKept(c)
		return nil, err
	}
	result := first.result
	again := result.again
	for _, t := range result.Tables {
		if t.again {
			again = append(again, t.Table)
		}
	}
	if len(again) > 0 {
		second := c.newWalk(again)
		second.second = true
		if err := second.run(ctx); err != nil {
			first.checkpoint.tellKept(c)
			return nil, err
		}
		result.replace(again, second.result)
	}
	result.total()
	result.Took = time.Since(started)
	if err := c.noteResult(ctx, result); err != nil {
		return nil, err
	}
	first.checkpoint.remove()
	return result, c.endRepair(ctx, result)
}

// pauseSlave stops the slave's SQL thread once the slave has come to a position at which the
// master was just before: one that lags or hangs is waited for while it runs, and with no
// lock on the master. The caller must resume it.
func (c *Comparison) pauseSlave(ctx context.Context, to server.Position) (*pausedSlave, error) {
	err := c.Slave.WaitForSlave(ctx, to, c.patience(), func(at server.Position) { c.waits(to, at) })
	if err != nil {
		return nil, err
	}
	note, _, err := journal.NotesOf(ctx, c.Slave, c.StateDir)
	if err != nil {
		return nil, err
	}
	return pauseSlave(ctx, c.Slave, note, c.patience())
}

// databases gives the names of the databases to compare, and of those of the slave
// that are left out because it does not replicate them.
func (c *Comparison) databases(ctx context.Context) (names, others []string, err error) {
	all, err := c.databaseNames(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range c.Databases {
		if !slices.Contains(all, name) {
			return nil, nil, finding.New("", "no-database",
				"is the name right, in upper and lower case too? May the logins see it?",
				"neither the master nor the slave has a database %s", name)
		}
	}
	if len(c.Databases) > 0 {
		return c.Databases, nil, nil
	}
	if len(c.Tables) > 0 {
		names, err = databasesOf(all, c.Tables)
		return names, nil, err
	}
	status, err := c.Slave.SlaveStatus(ctx, c.Slave.DB)
	if err != nil {
		return nil, nil, err
	}
	if err := status.MustRun(); err != nil {
		return nil, nil, err
	}
	for _, name := range all {
		if status.ReplicatesOf(name) {
			names = append(names, name)
		} else {
			others = append(others, name)
		}
	}
	if len(names) == 0 {
		return nil, nil, finding.New("", "no-database", "name databases that the master's login may read",
			"there is no database that both the slave replicates and the logins may see")
	}
	return names, others, nil
}

// databasesOf gives those of the databases that tables may be of, for a dot may be
// part of a name.
func databasesOf(databases, tables []string) ([]string, error) {
	for _, table := range tables {
		if !slices.ContainsFunc(databases, func(name string) bool { return strings.HasPrefix(table, name+".") }) {
			return nil, noTableProblem(table)
		}
	}
	return slices.DeleteFunc(databases, func(name string) bool {
		return !slices.ContainsFunc(tables, func(table string) bool { return strings.HasPrefix(table, name+".") })
	}), nil
}

// databaseNames gives the names of the databases that there are.
func (c *Comparison) databaseNames(ctx context.Context) ([]string, error) {
	var names []string
	for _, s := range []*server.Server{c.Master, c.Slave} {
		list, err := facts.ListDatabases(ctx, s, s.DB)
		if err != nil {
			return nil, err
		}
		for _, name := range list {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// noTableProblem is the problem of a table that was named and is nowhere.
func noTableProblem(name string) *finding.Problem {
	return finding.New("", "no-table", "write database.table", "neither the master nor the slave has a table %s", name)
}

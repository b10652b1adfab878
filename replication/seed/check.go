package seed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/journal"
	"github.com/gtunnel/gtunnel/replication/server"
)

// longStatement is how long a statement on the master may have been running
// when a seed takes its lock, behind which all others would have to wait.
const longStatement = 5 * time.Second

// Check finds what is wrong before anything is done. Problems make Run fail or
// copy what is not consistent. The error is that of a server which could not be
// asked.
func (s *Seed) Check(ctx context.Context) (finding.Findings, error) {
	checks := []func(*seedCheck, context.Context) error{(*seedCheck).foreignKeys}
	switch s.Method {
	case journal.SeedNone:
	case journal.SeedFile:
		checks = append(checks, (*seedCheck).ofFile)
	case journal.SeedClone:
		checks = append(checks, (*seedCheck).extents, (*seedCheck).clone)
	default:
		checks = append(checks, (*seedCheck).extents, (*seedCheck).locked, (*seedCheck).copying, (*seedCheck).sequences,
			(*seedCheck).accounts, (*seedCheck).encoding, (*seedCheck).values, (*seedCheck).views, (*seedCheck).timeZones,
			(*seedCheck).tablespaces, (*seedCheck).codeNames)
	}
	extent := s.extent()
	extent.trip = s.Master.RoundTrip()
	parts := make([]seedCheck, len(checks))
	err := server.Each(ctx, s.Master, s.Master.DB, checks,
		func(ctx context.Context, i int, check func(*seedCheck, context.Context) error) error {
			parts[i] = seedCheck{seed: s, extent: extent}
			return check(&parts[i], ctx)
		})
	if err != nil {
		return finding.Findings{}, err
	}
	var found finding.Findings
	for _, part := range parts {
		found.Problems = append(found.Problems, part.Problems...)
		found.Warnings = append(found.Warnings, part.Warnings...)
	}
	return found, nil
}

// seedCheck collects what one of the checks finds. They run together: see
// server.Server.Together.
type seedCheck struct {
	finding.Findings
	extent

	seed    *Seed
	dumper  *tool // nil: it is missing
	foreign bool  // see copying
}

// extents finds what is wrong with what is to be copied.
func (c *seedCheck) extents(context.Context) error {
	c.databases()
	c.retention()
	c.longWay()
	if s := c.seed; s.MaxRate > 0 && !s.byDumps() {
		c.Warn("", "no-rate", "use the method dump", "the method %s takes no --max-rate", s.Method)
	}
	return nil
}

// copying finds what keeps the tools from copying.
func (c *seedCheck) copying(ctx context.Context) error {
	for _, check := range []func(context.Context) error{c.tools, c.mydumper, c.statements, c.history} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// databases finds those that are not on the master.
func (c *seedCheck) databases() {
	for _, name := range c.seed.databases() {
		if c.seed.MasterFacts.Database(name) == nil {
			c.Problem(finding.Master, "unknown-database",
				"is the name right, in upper and lower case too? May the seeding account see it?",
				"there is no database %s", name)
		}
	}
}

// tools finds those that are missing.
func (c *seedCheck) tools(ctx context.Context) error {
	if err := c.dumpTool(ctx); err != nil {
		return err
	}
	return c.loaders(ctx)
}

// dumpTool finds whether the tool that dumps is missing.
func (c *seedCheck) dumpTool(ctx context.Context) error {
	dumper, foreign, err := c.seed.dumperOf(ctx)
	c.dumper, c.foreign = dumper, foreign
	if err == nil {
		if p := c.seed.mayEnd(dumper); p != nil {
			c.found(p, c.seed.MaxRate > 0) // which makes it wait for certain
		}
	}
	return c.take(err)
}

// loaders finds the other tools that are missing.
func (c *seedCheck) loaders(ctx context.Context) error {
	for _, kind := range c.seed.otherTools() {
		_, err := findTool(ctx, kind)
		if err = c.take(err); err != nil {
			return err
		}
	}
	return nil
}

// take takes an error that is a Problem for something found.
func (c *seedCheck) take(err error) error {
	p, ok := errors.AsType[*finding.Problem](err)
	if !ok {
		return err
	}
	c.Problems = append(c.Problems, p)
	return nil
}

// otherTools are the tools that the method needs beside that which dumps.
func (s *Seed) otherTools() []toolKind {
	kinds := []toolKind{loadTool(s.Slave.Version.Family)}
	if s.Method == journal.SeedMydumper {
		kinds = append(kinds, mydumperTool, myloaderTool)
	}
	return kinds
}

// UnsnappedCode is the code of tables that can change while they are copied.
const UnsnappedCode = "not-transactional"

// locked finds the tables that only a lock keeps consistent, and says what the
// lock costs.
func (c *seedCheck) locked(context.Context) error {
	tables := c.seed.unsnapped()
	takes := c.estimate()
	switch {
	case c.seed.LockTables:
		c.Warn(finding.Master, "lock-tables", "", "nobody can write while the copy is made, for about %v",
			max(takes, time.Second))
	case len(tables) > 0:
		c.Problem(finding.Master, UnsnappedCode,
			fmt.Sprintf("--lock-tables holds writers off while the copy is made, for about %v;"+
				" or make them InnoDB: ALTER TABLE ... ENGINE=InnoDB", max(takes, time.Second)),
			"tables without transactions can change while they are copied: %s", finding.Items(tables))
	}
	return nil
}

// retention warns if the binary log may be purged before the slave follows it.
func (c *seedCheck) retention() {
	kept, takes := c.seed.MasterFacts.Retention(), c.estimate()
	if kept == 0 || kept > 3*takes {
		return
	}
	c.Warn(finding.Master, "short-retention",
		fmt.Sprintf("raise %s on the master", c.seed.Master.Version.RetentionVariable()),
		"binary logs are kept for %v, and the seed takes about %v: they should be kept for three times as long",
		kept, takes)
}

// unsnapped are the tables to copy that a consistent snapshot does not cover.
func (s *Seed) unsnapped() []string {
	var names []string
	for _, database := range s.databases() {
		if d := s.MasterFacts.Database(database); d != nil {
			names = append(names, d.Locked...)
		}
	}
	if len(s.Tables) > 0 {
		names = slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(s.Tables, name) })
	}
	return names
}

// statements finds those that run for long, if a lock is taken: it waits for
// them, and everybody else waits for it.
func (c *seedCheck) statements(ctx context.Context) error {
	s := c.seed
	if s.Master.Version.Family == server.MariaDB && s.Method != journal.SeedMydumper && !s.LockTables && !c.foreign {
		return nil
	}
	threads, err := s.Master.Processes(ctx, s.Master.DB)
	if err != nil {
		return err
	}
	var long []string
	for _, t := range threads {
		if isLong(t) {
			long = append(long, t.String())
		}
	}
	if len(long) > 0 {
		c.Problem(finding.Master, "long-statement", "wait until they are done, or end them: KILL QUERY ...",
			"statements that run for long would hold up the lock that the copy begins with,"+
				" and all writers behind it: %s", finding.Items(long))
	}
	return nil
}

// isLong reports whether the thread is a client's with a statement that a lock
// on all tables has to wait for.
func isLong(t server.Process) bool {
	return t.Statement != "" && t.Time >= longStatement && !t.IsServers()
}

// history warns if old rows of MariaDB's system-versioned tables are left out.
func (c *seedCheck) history(ctx context.Context) error {
	s := c.seed
	if !s.Master.Version.AtLeast(server.MariaDB, 10, 3, 4) {
		return nil
	}
	if c.dumper == nil || c.dumper.knows("dump-history") != "" {
		return nil // if it is missing, tools has said so
	}
	rows, err := s.Master.Query(ctx, s.Master.DB,
		"SELECT CONCAT(table_schema, '.', table_name) AS t FROM information_schema.tables"+
			" WHERE table_type = 'SYSTEM VERSIONED' AND table_schema IN ("+server.QuoteExactly(s.databases())+")")
	if err != nil {
		return err
	}
	var names []string
	for _, r := range rows {
		names = append(names, r["t"])
	}
	if len(names) > 0 {
		c.Warn(finding.Master, "no-history",
			"if it matters: mariadb-dump of MariaDB 10.11 or later copies it, where no table is versioned by transactions",
			"the history of system-versioned tables is not copied: %s", finding.Items(names))
	}
	return nil
}

// sequences warns of ALTER SEQUENCE, which MariaDB's slaves leave out when they
// filter tables: to their filter the statement changes none.
func (c *seedCheck) sequences(ctx context.Context) error {
	s := c.seed
	if !s.Master.Version.AtLeast(server.MariaDB, 10, 3, 1) || !s.Slave.Version.AtLeast(server.MariaDB, 10, 3, 1) ||
		len(s.Tables) > 0 {
		return nil
	}
	rows, err := s.Master.Query(ctx, s.Master.DB,
		"SELECT CONCAT(table_schema, '.', table_name) AS t FROM information_schema.tables"+
			" WHERE table_type = 'SEQUENCE' AND table_schema IN ("+server.QuoteExactly(s.Databases)+") ORDER BY 1")
	if err != nil || len(rows) == 0 {
		return err
	}
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r["t"]
	}
	c.Warn(finding.Slave, "alter-sequence",
		"after an ALTER SEQUENCE on the master: "+journal.RepairCommand([]string{"SEQUENCE"}),
		"MariaDB's slaves that replicate some databases only leave ALTER SEQUENCE out, as compare then says;"+
			" the numbers that are taken from sequences are replicated: %s", finding.Items(names))
	return nil
}

// accounts finds those that the slave lacks, and those that lack rights there.
func (c *seedCheck) accounts(ctx context.Context) error {
	if len(c.seed.Tables) > 0 {
		return nil
	}
	d, err := readDefined(ctx, c.seed.Master, c.seed.Databases)
	if err != nil {
		return err
	}
	missing, err := missingAccounts(ctx, c.seed.Master, c.seed.MasterFacts, c.seed.SlaveFacts, d)
	if err != nil {
		return err
	}
	if err := removeAccountFiles(c.seed.StateDir); err != nil {
		return err
	}
	for _, m := range missing {
		how, err := m.how(c.seed.StateDir, c.seed.SlaveFacts)
		if err != nil {
			return err
		}
		c.found(m.problem(how), len(m.bars) > 0)
	}
	return c.definerRights(ctx, d)
}

// found takes a problem, or a warning if it does not bar the copy.
func (c *seedCheck) found(p *finding.Problem, bars bool) {
	if bars {
		c.Problems = append(c.Problems, p)
	} else {
		c.Warnings = append(c.Warnings, p)
	}
}

// encoding warns of columns whose bytes are not what they are said to be.
func (c *seedCheck) encoding(ctx context.Context) error {
	columns, err := mislabelled(ctx, c.seed.Master, c.seed.databases())
	if err != nil || len(columns) == 0 {
		return err
	}
	c.Warn(finding.Master, MislabelledCode,
		"the copy has the very same bytes, and applications see on the slave what they see on the master."+
			" To mend it, on the master:"+
			" ALTER TABLE ... MODIFY to VARBINARY or BLOB, then MODIFY to the type with CHARACTER SET utf8mb4;"+
			" and let applications say SET NAMES utf8mb4",
		"columns are said to be latin1 and hold UTF-8: %s", finding.Items(columns))
	return nil
}

package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gtunnel/gtunnel/replication/servertest"
	"github.com/gtunnel/gtunnel/replication/servertest/corpus"
	"github.com/gtunnel/gtunnel/replication/servertest/pairs"
)

// TestCorpus takes the schemas of services through a setup, random writes by
// procedures and events, schema changes, a comparison and a repair. What compare
// says is held against dumps of both ends.
func TestCorpus(t *testing.T) {
	t.Parallel()
	tables, writes := 100, 300
	if longCorpus() {
		tables, writes = 640, 5000
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("GTUNNEL_CORPUS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("the same again: GTUNNEL_CORPUS_SEED=%d", seed)
	kinds := usualKinds()
	if longCorpus() {
		kinds = corpusKinds()
	}
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			schemas, err := corpus.Schemas(kind, tables)
			if err != nil {
				t.Fatal(err)
			}
			c := &corpusRun{pair: newDirectPair(t, kind), schemas: schemas, random: rand.New(rand.NewPCG(seed, 0))}
			c.setUp()
			c.write(writes)
			c.change()
			c.write(writes)
			c.stopWriting()
			c.agree(c.databases)
			c.findsPlants()
			c.repairsRows()
			c.repairs()
		})
	}
}

// corpusRun is the way of the schemas through one pair.
type corpusRun struct {
	*pair

	schemas   []corpus.Schema
	databases []string
	random    *rand.Rand
}

// setUp sets the replication up.
func (c *corpusRun) setUp() {
	c.t.Helper()
	c.setUpMaster()
	c.untilDone(c.slave, c.setupSlaveArgs())
}

// setUpMaster makes the schemas on the master, whose events write from then on.
func (c *corpusRun) setUpMaster() {
	c.t.Helper()
	for _, s := range []*servertest.Server{c.master, c.slave} {
		c.sql(s, "SET GLOBAL sync_binlog=0, GLOBAL innodb_flush_log_at_trx_commit=2") // fast, if not durable
	}
	for _, schema := range c.schemas {
		c.pasteSQL(c.master, schema.Create)
		c.databases = append(c.databases, schema.Databases...)
	}
	for _, database := range c.databases {
		c.sql(c.master, fmt.Sprintf("UPDATE `%s`.dice SET n = %d", database, c.random.Int32()))
	}
	c.untilDone(c.master, c.setupMasterArgs("--databases", strings.Join(c.databases, ",")))
	c.sql(c.master, "SET GLOBAL event_scheduler=ON")
}

// write has the master make changes that are drawn.
func (c *corpusRun) write(n int) {
	c.t.Helper()
	for range n {
		database := c.databases[c.random.IntN(len(c.databases))]
		call := fmt.Sprintf("CALL `%s`.write_some(%d)", database, c.random.Int32())
		if _, err := c.master.DB.ExecContext(c.t.Context(), call); err != nil && !strings.Contains(err.Error(), "Deadlock") {
			c.t.Fatalf("%s: %v", call, err)
		}
	}
}

// change makes of each schema what a later version of its service wants.
func (c *corpusRun) change() {
	c.t.Helper()
	for _, schema := range c.schemas {
		c.pasteSQL(c.master, schema.Change)
		c.write(5)
	}
}

// stopWriting stops the events, of which one has written, and waits until the slave
// has everything.
func (c *corpusRun) stopWriting() {
	c.t.Helper()
	drawn := c.value(c.master, "SELECT n FROM voms_atlas.dice")
	pairs.WaitFor(c.t, databasePatience, "write by an event", func() (string, bool) {
		return "", c.value(c.master, "SELECT n FROM voms_atlas.dice") != drawn
	})
	c.sql(c.master, "SET GLOBAL event_scheduler=OFF")
	pairs.WaitFor(c.t, databasePatience, "end of events", func() (string, bool) {
		running := c.value(c.master, "SELECT COUNT(*) FROM information_schema.processlist WHERE db IS NOT NULL"+
			" AND command IN ('Connect', 'Daemon') AND user NOT IN ('system user', 'event_scheduler')")
		return running, running == "0"
	})
	c.sql(c.master, "CREATE TABLE voms_atlas.the_end (id INT PRIMARY KEY)")
	c.waitSlave("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'voms_atlas' AND " +
		"table_name = 'the_end'")
}

// comparedAs is what compare prints, as far as it matters here.
type comparedAs struct {
	Equal  bool
	Tables []struct {
		Table, Problem, Note string
		Differences          []struct{ Kind string }
		Structure            []string
	}
	Objects []string
}

// differing are the tables that differ, and those of which something is noted, as
// objects of a dump.
func (r *comparedAs) differing() (tables, noted []string) {
	for _, t := range r.Tables {
		if len(t.Differences)+len(t.Structure) > 0 || t.Problem != "" {
			tables = append(tables, "table "+t.Table)
		}
		if t.Note != "" {
			noted = append(noted, "table "+t.Table)
		}
	}
	return tables, noted
}

// isOf reports whether a line of other objects is about an object of a dump.
func isOf(line, object string) bool {
	_, name, _ := strings.Cut(object, " ")
	return strings.Contains(line, name)
}

// findsPlants makes one difference of each kind on the slave: compare must find
// each, and nothing else.
func (c *corpusRun) findsPlants() {
	c.t.Helper()
	plants, err := corpus.Plants(c.slave.Kind)
	if err != nil {
		c.t.Fatal(err)
	}
	planted := map[string]string{}
	for _, plant := range plants {
		c.pasteSQL(c.slave, corpus.AsSlave(c.slave.Kind, plant.SQL))
		planted[plant.Object] = plant.What
	}
	master, slave := c.dumps(c.databases)
	differ := corpus.Differences(master, slave)
	for _, plant := range plants {
		if !slices.Contains(differ, plant.Object) {
			c.t.Errorf("%s: the dumps of %s are the same", plant.What, plant.Object)
		}
	}
	out, _ := c.command(c.slave, c.compareArgs("--json")...).Output()
	var result comparedAs
	if err := json.Unmarshal(out, &result); err != nil {
		c.t.Fatalf("%v: %s", err, out)
	}
	tables, noted := result.differing()
	for _, object := range differ {
		if !slices.Contains(slices.Concat(tables, noted), object) &&
			!slices.ContainsFunc(result.Objects, func(line string) bool { return isOf(line, object) }) {
			c.t.Errorf("compare does not say that %s differs (%s): %s", object, planted[object],
				corpus.Unlike(master, slave, object))
		}
	}
	for _, table := range tables {
		if !slices.Contains(differ, table) {
			c.t.Errorf("compare says that %s differs: the dumps do not", table)
		}
	}
	for _, line := range result.Objects {
		if !slices.ContainsFunc(differ, func(object string) bool { return isOf(line, object) }) {
			c.t.Errorf("compare says %q: the dumps do not", line)
		}
	}
	if result.Equal {
		c.t.Error("compare says that both are equal")
	}
}

// repairs copies tables anew that differ, and then everything: nothing else mends a
// view or a routine.
func (c *corpusRun) repairs() {
	c.t.Helper()
	boss := c.administrator()
	for _, tables := range [][]string{{"voms_atlas.groups", "voms_atlas.roles"}, {"groups %_ & näme.日本"}} {
		args, only := c.compareArgs(append(boss, "--lock-tables", "--yes")...), c.compareArgs()
		for _, table := range tables {
			args, only = append(args, "--repair-table", table), append(only, "--table", table)
		}
		c.must(c.slave, args...)
		c.must(c.slave, only...)
	}
	c.must(c.master, c.setupMasterArgs("--databases", strings.Join(c.databases, ","), "--seed-again")...)
	c.untilDone(c.slave, c.setupSlaveArgs("--reseed", "--lock-tables",
		"--replace-databases", strings.Join(c.databases, ",")))
	c.agree(c.databases)
}

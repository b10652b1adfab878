package seed

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// object is a table, view or sequence of the master.
type object struct {
	database, name string
	kind           string // table_type of information_schema.tables
	engine         string
	bytes          uint64 // by the server's estimate
	fold           string // equal for names that a tool may take for the same
}

// String is its name as the tools and the meter have it.
func (o object) String() string { return o.database + "." + o.name }

// quoted is its name in a statement, which no other has.
func (o object) quoted() string { return server.QuoteTable(o.database, o.name) }

// isTable reports whether it has rows, or could have.
func (o object) isTable() bool { return o.kind != "VIEW" && o.kind != "SEQUENCE" }

// objects are all of the databases to copy.
func (c *copying) objects(ctx context.Context) ([]object, error) {
	// MariaDB's tool compares the names that it is to pass over by this collation.
	rows, err := c.Master.Query(ctx, c.Master.DB,
		"SELECT table_schema AS d, table_name AS n, table_type AS k, engine AS e, HEX(WEIGHT_STRING(CONVERT("+
			"CONCAT(table_schema, '.', table_name) USING utf8mb4) COLLATE utf8mb4_general_ci)) AS f"+
			" FROM information_schema.tables WHERE table_schema IN ("+server.QuoteExactly(c.Databases)+") ORDER BY 1, 2")
	if err != nil {
		return nil, err
	}
	all := make([]object, len(rows))
	for i, r := range rows {
		all[i] = object{database: r["d"], name: r["n"], kind: r["k"], engine: r["e"], fold: r["f"]}
		all[i].bytes = c.meter.sizes[all[i].String()]
	}
	return all, nil
}

// mostDumps is how many dumps go on at once at the most.
const mostDumps = 16

// shortWay is the round trip up to which one dump is as fast as several.
const shortWay = time.Millisecond

// dumpsAtOnce is how many dumps over a way with a round trip keep both servers busy: on a
// short one a single dump, else two, and one more for each 4 ms.
func dumpsAtOnce(trip time.Duration) int {
	if trip < shortWay {
		return 1
	}
	return min(mostDumps, 2+int(trip/(4*time.Millisecond)))
}

// partition shares tables out to parts, of which there are so many at the most, so that
// all take about as long: the longest first, each to the part that has the least. Tables
// that a tool may take for one another stay together. No part is empty.
func partition(tables []object, most int, trip time.Duration) [][]object {
	type unit struct {
		tables []object
		takes  time.Duration
	}
	places := map[string]int{}
	var units []unit
	for _, table := range tables {
		i, known := places[table.fold]
		if !known {
			i, places[table.fold] = len(units), len(units)
			units = append(units, unit{})
		}
		bytes := time.Duration(float64(table.bytes) / assumedRate * float64(time.Second))
		units[i].tables = append(units[i].tables, table)
		units[i].takes += tableTime + tripsPerTable*trip + bytes
	}
	slices.SortStableFunc(units, func(a, b unit) int { return cmp.Compare(b.takes, a.takes) })
	parts := make([]unit, min(most, len(units)))
	for _, u := range units {
		least := 0
		for i := range parts {
			if parts[i].takes < parts[least].takes {
				least = i
			}
		}
		parts[least].tables = append(parts[least].tables, u.tables...)
		parts[least].takes += u.takes
	}
	shared := make([][]object, len(parts))
	for i, part := range parts {
		shared[i] = part.tables
	}
	return shared
}

// freeConnections is how many more a login may make to a server, without taking the last
// ones from others.
func freeConnections(ctx context.Context, s *server.Server) (int, error) {
	var rows, status []server.Record
	err := s.Together(ctx, s.DB,
		func(ctx context.Context) (err error) {
			rows, err = s.Query(ctx, s.DB, "SELECT @@max_connections AS most, @@max_user_connections AS own")
			return err
		},
		func(ctx context.Context) (err error) {
			status, err = s.Query(ctx, s.DB, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")
			return err
		})
	if err != nil {
		return 0, err
	}
	const others = 6                                                           // of this run
	free := (int(rows[0].Number("most")) - int(status[0].Number("value"))) / 2 //nolint:gosec // at most 100000
	if own := int(rows[0].Number("own")); own > 0 {                            //nolint:gosec // as above
		free = min(free, own-others)
	}
	return free, nil
}

// part is what one of the dumps takes.
type part struct {
	databases []string
	takes     map[string]bool // as object.String
	args      []string        // beside the usual ones
}

// The dumps that stand beside those of the tables: what these are put into, and what
// needs them.
var (
	firstArguments = []string{"--no-data", "--skip-triggers"}
	lastArguments  = []string{"--no-data", "--skip-triggers", "--routines", "--events", "--no-create-db"}
	tableArguments = []string{"--triggers", "--no-create-db"}
)

// newPart makes the part of some of the objects. It is of all databases, or of those of
// the objects.
func newPart(args []string, databases []string, all, some []object) *part {
	p := &part{databases: databases, takes: make(map[string]bool, len(some)), args: args}
	for _, o := range some {
		p.takes[o.String()] = true
	}
	if databases == nil {
		for _, o := range all { // in their order
			if p.takes[o.String()] && !slices.Contains(p.databases, o.database) {
				p.databases = append(p.databases, o.database)
			}
		}
	}
	return p
}

// tool is the tool that dumps the part, and passes over all else.
func (p *part) tool(dumper *tool, all []object) *tool {
	t := *dumper
	t.passes = nil
	for _, o := range all {
		if !p.takes[o.String()] && slices.Contains(p.databases, o.database) {
			t.passes = append(t.passes, o.String())
		}
	}
	return &t
}

// dumpArguments are those of the part's dump.
func (p *part) dumpArguments(plain []string) []string {
	return slices.Concat(plain, p.args, []string{"--databases", "--"}, p.databases)
}

// those gives the objects for which a function holds.
func those(all []object, holds func(object) bool) []object {
	return slices.DeleteFunc(slices.Clone(all), func(o object) bool { return !holds(o) })
}

// The statements by which sessions make tables in turn. They take the place of comments of
// a dump, which are as long at least.
const (
	beginTurn = "DO GET_LOCK('gtunnel',99999);"
	endTurn   = "DO RELEASE_LOCK('gtunnel');"
)

// takeTable notes that a table begins, whose comment this line is.
func (d *dumpStream) takeTable(line []byte, table string) {
	due, known := d.takes[table]
	switch {
	case !known && d.strange == "":
		d.strange = table
	case due:
		d.takes[table] = false
		if d.inTurn && !d.holds {
			d.holds = true
			overwrite(line, beginTurn)
		}
	}
}

// endTurn lets others make tables, in place of the comment that rows begin.
func (d *dumpStream) endTurn(line []byte) {
	if d.holds {
		d.holds = false
		overwrite(line, endTurn)
	}
}

// overwrite puts a shorter text in a line's place.
func overwrite(line []byte, text string) {
	for i := copy(line, text); i < len(line); i++ {
		line[i] = ' '
	}
}

// missed is the problem of tables that came without being due, or did not come.
func (d *dumpStream) missed() error {
	if d.strange != "" {
		return changedMeanwhile(d.strange)
	}
	for _, table := range slices.Sorted(maps.Keys(d.takes)) {
		if d.takes[table] {
			return changedMeanwhile(table)
		}
	}
	return nil
}

// changedMeanwhile is the problem of a table that was made, dropped or renamed during the
// copy.
func changedMeanwhile(table string) error {
	return finding.New(finding.Master, schemaChanged,
		"run this again, while nobody makes or drops tables; or copy by --method dump",
		"the table %s was made, dropped or renamed while the databases were copied", table)
}

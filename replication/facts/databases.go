package facts

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Database is one database with what a copy of it must care for.
type Database struct {
	Name       string
	Tables     int
	Others     int                 // views, and MariaDB's sequences
	Bytes      uint64              // data, an estimate of the server's
	IndexBytes uint64              // of other indexes than the data is in, an estimate too
	Locked     []string            // "database.table" that a consistent snapshot does not cover: see IsTransactional
	OfEngine   map[string][]string // "database.table" by the engine, in lower case, but for those of InnoDB
	Events     int
	Routines   int
	Collations []string // that its tables and columns use

	// Of a slave's database only.
	EnabledEvents  []Event
	Oldest, Newest time.Time // when the first and the last thing in it was made, by the server's clock; zero: not known
}

// OwnDatabase has the table of a pair (package term), of each server alone.
const OwnDatabase = "gtunnel"

// SystemDatabases are never replicated.
var SystemDatabases = []string{"mysql", "information_schema", "performance_schema", "sys", OwnDatabase}

// isNoSystem is the condition that a column names none of the SystemDatabases.
func isNoSystem(column string) string {
	return column + " NOT IN (" + server.QuoteList(SystemDatabases) + ")"
}

// TableTypes are the types, in information_schema.tables, of what holds rows.
const TableTypes = "'BASE TABLE', 'SYSTEM VERSIONED'"

// IsTransactional reports whether a consistent snapshot covers the tables of a
// storage engine, or they hold no data of their own. MyISAM and Aria are not.
func IsTransactional(engine string) bool {
	switch strings.ToLower(engine) {
	case "", "innodb", "rocksdb", "tokudb", "sequence", "blackhole":
		return true
	}
	return false
}

// DatabaseNames are the names of the databases.
func (f *Facts) DatabaseNames() []string {
	names := make([]string, len(f.Databases))
	for i, d := range f.Databases {
		names[i] = d.Name
	}
	return names
}

// Database gives a database by name; nil if there is none.
func (f *Facts) Database(name string) *Database {
	for i := range f.Databases {
		if f.Databases[i].Name == name {
			return &f.Databases[i]
		}
	}
	return nil
}

// BytesOnDisk is the size of some of the databases with their indexes, by the
// server's estimate.
func (f *Facts) BytesOnDisk(counts func(name string) bool) uint64 {
	var bytes uint64
	for _, d := range f.Databases {
		if counts(d.Name) {
			bytes += d.Bytes + d.IndexBytes
		}
	}
	return bytes
}

// ListDatabases gives the names of all databases that the login sees, but for
// those of the system, in order.
func ListDatabases(ctx context.Context, s *server.Server, on server.Execer) ([]string, error) {
	rows, err := s.Query(ctx, on, "SELECT schema_name AS name FROM information_schema.schemata WHERE "+
		isNoSystem("schema_name")+" ORDER BY schema_name")
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r["name"]
	}
	return names, err
}

// readDatabases reads which databases there are.
func (f *Facts) readDatabases(ctx context.Context, s *server.Server, conn server.Execer) error {
	names, err := ListDatabases(ctx, s, conn)
	if err != nil {
		return err
	}
	f.Databases = make([]Database, len(names))
	for i, name := range names {
		f.Databases[i].Name = name
	}
	return nil
}

// readCounts counts what else is in them.
func (f *Facts) readCounts(ctx context.Context, s *server.Server, conn server.Execer) error {
	byName := f.byName()
	count := func(query string, of func(*Database) *int) func(context.Context) error {
		return func(ctx context.Context) error { // a GROUP BY would not tell upper and lower case apart everywhere
			rows, err := s.Query(ctx, conn, query)
			for _, r := range rows {
				if d := byName[r["d"]]; d != nil {
					*of(d)++
				}
			}
			return err
		}
	}
	return s.Together(ctx, conn,
		count("SELECT event_schema AS d FROM information_schema.events", func(d *Database) *int { return &d.Events }),
		count("SELECT routine_schema AS d FROM information_schema.routines", func(d *Database) *int { return &d.Routines }))
}

// readEvents reads the enabled events of a slave.
func (f *Facts) readEvents(ctx context.Context, s *server.Server, conn server.Execer) error {
	if s.Role != finding.Slave {
		return nil
	}
	events, err := EnabledEvents(ctx, s, conn, nil)
	for _, e := range events {
		if d := f.Database(e.Database); d != nil {
			d.EnabledEvents = append(d.EnabledEvents, e)
		}
	}
	return err
}

// readTables reads how many tables the databases have, and of what size.
func (f *Facts) readTables(ctx context.Context, s *server.Server, conn server.Execer) error {
	tables, err := s.Query(ctx, conn, s.Freshly(
		"SELECT table_schema AS d, table_name AS t, table_type IN ("+TableTypes+") AS is_table, engine AS e,"+
			" COALESCE(data_length, 0) AS bytes, COALESCE(index_length, 0) AS index_bytes"+
			" FROM information_schema.tables WHERE "+isNoSystem("table_schema")))
	byName := f.byName()
	for _, r := range tables {
		d := byName[r["d"]]
		if d == nil { // made meanwhile
			continue
		}
		if r["is_table"] != "1" {
			d.Others++
			continue
		}
		d.Tables++
		d.Bytes += r.Number("bytes")
		d.IndexBytes += r.Number("index_bytes")
		if !IsTransactional(r["e"]) {
			d.Locked = append(d.Locked, r["d"]+"."+r["t"])
		}
		if engine := strings.ToLower(r["e"]); engine != "" && engine != "innodb" {
			if d.OfEngine == nil {
				d.OfEngine = map[string][]string{}
			}
			d.OfEngine[engine] = append(d.OfEngine[engine], r["d"]+"."+r["t"])
		}
	}
	return err
}

// byName are the databases by their names: what is in them may be much.
func (f *Facts) byName() map[string]*Database {
	byName := make(map[string]*Database, len(f.Databases))
	for i := range f.Databases {
		byName[f.Databases[i].Name] = &f.Databases[i]
	}
	return byName
}

// readCollations reads which collations the server knows and the databases use.
func (f *Facts) readCollations(ctx context.Context, s *server.Server, conn server.Execer) error {
	known := "SELECT collation_name AS name FROM information_schema.collations"
	if s.Version.AtLeast(server.MariaDB, 10, 10, 1) { // one collation serves several character sets there
		known = "SELECT full_collation_name AS name FROM information_schema.collation_character_set_applicability"
	}
	used := "SELECT table_schema AS d, collation_name AS c FROM information_schema.columns" +
		" WHERE collation_name IS NOT NULL AND " + isNoSystem("table_schema") +
		" GROUP BY CAST(table_schema AS BINARY), collation_name" +
		" UNION ALL SELECT schema_name, default_collation_name FROM information_schema.schemata" +
		" WHERE " + isNoSystem("schema_name") + " ORDER BY 1, 2"
	return s.Together(ctx, conn, func(ctx context.Context) error {
		rows, err := s.Query(ctx, conn, known)
		f.Collations = make(map[string]bool, len(rows))
		for _, r := range rows {
			f.Collations[strings.ToLower(r["name"])] = true
		}
		return err
	}, func(ctx context.Context) error {
		rows, err := s.Query(ctx, conn, used)
		for _, r := range rows {
			c := strings.ToLower(r["c"])
			if d := f.Database(r["d"]); d != nil && !slices.Contains(d.Collations, c) {
				d.Collations = append(d.Collations, c)
			}
		}
		return err
	})
}

// readAges reads when what is in a slave's databases was made. Some tables do not
// tell it.
func (f *Facts) readAges(ctx context.Context, s *server.Server, conn server.Execer) error {
	if s.Role != finding.Slave || len(f.Databases) == 0 {
		return nil
	}
	queries := []string{
		"SELECT table_schema AS d, MIN(create_time) AS oldest, MAX(create_time) AS newest" +
			" FROM information_schema.tables WHERE " + isNoSystem("table_schema") + " GROUP BY table_schema",
		"SELECT routine_schema AS d, MIN(created) AS oldest, MAX(created) AS newest" +
			" FROM information_schema.routines GROUP BY routine_schema",
		"SELECT event_schema AS d, MIN(created) AS oldest, MAX(created) AS newest" +
			" FROM information_schema.events GROUP BY event_schema",
	}
	found := make([][]server.Record, len(queries))
	err := server.Each(ctx, s, conn, queries, func(ctx context.Context, i int, query string) (err error) {
		found[i], err = s.Query(ctx, conn, query)
		return err
	})
	if err != nil {
		return err
	}
	for _, rows := range found {
		for _, r := range rows {
			d, oldest, newest := f.Database(r["d"]), r.Time("oldest"), r.Time("newest")
			if d == nil || oldest.IsZero() {
				continue
			}
			if d.Oldest.IsZero() || oldest.Before(d.Oldest) {
				d.Oldest = oldest
			}
			if newest.After(d.Newest) {
				d.Newest = newest
			}
		}
	}
	return nil
}

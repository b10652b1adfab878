package facts

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// JoinTables joins information_schema.tables as t to another list, c, of what
// tables have. The second condition tells upper and lower case apart; the first
// one is for speed.
const JoinTables = " JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name" +
	" AND CAST(t.table_schema AS BINARY) = CAST(c.table_schema AS BINARY) AND CAST(t.table_name AS BINARY) = CAST(c.table_name AS BINARY)"

// DatabaseNames are the databases that are nobody's system databases.
func (f *Facts) DatabaseNames() []string { return slices.Clone(DatabaseNames(f)) }

func DatabaseNames(f *Facts) []string {
	names := make([]string, len(f.Databases))
	for i, d := range f.Databases {
		names[i] = d.Name
	}
	return names
}

// Database is one database with what a copy of it must care for.
type Database struct {
	Name       string
	Tables     int
	Others     int               // views, and MariaDB's sequences
	Bytes      uint64            // data, an estimate of the server's
	IndexBytes uint64            // of other indexes than the data is in, an estimate too
	Engines    map[string]uint64 // bytes of the tables by storage engine
	Locked     []string          // tables that a consistent snapshot does not cover: MyISAM, Aria and other engines without transactions
	Events     int
	Routines   int

	Oldest, Newest time.Time // of a slave: when the first and the last thing in it was made, by the server's clock; zero: not known

	EnabledEvents []Event // of a slave's database

	Collations []string // that its tables and columns use
}

// TableTypes are the types, in information_schema.tables, of what holds rows.
const TableTypes = "'BASE TABLE', 'SYSTEM VERSIONED'"

// SystemDatabases are never replicated.
var SystemDatabases = []string{"mysql", "information_schema", "performance_schema", "sys"}

// Database gives a database by name; nil if there is none.
func (f *Facts) Database(name string) *Database {
	for i := range f.Databases {
		if f.Databases[i].Name == name {
			return &f.Databases[i]
		}
	}
	return nil
}

// Transactional are the storage engines whose tables a consistent snapshot
// covers, and those that hold no data of their own.
var Transactional = map[string]bool{"": true, "innodb": true, "rocksdb": true, "tokudb": true, "sequence": true, "blackhole": true}

func (f *Facts) readDatabases(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	names, err := s.Query(ctx, conn,
		"SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name NOT IN ("+server.QuoteList(SystemDatabases)+") ORDER BY schema_name")
	if err != nil {
		return err
	}
	byName := make(map[string]*Database, len(names))
	f.Databases = make([]Database, len(names))
	for i, r := range names {
		f.Databases[i] = Database{Name: r["name"], Engines: map[string]uint64{}}
		byName[r["name"]] = &f.Databases[i]
	}
	if err := s.FreshSizes(ctx, conn); err != nil {
		return err
	}
	tables, err := s.Query(ctx, conn,
		"SELECT table_schema AS d, table_name AS t, table_type IN ("+TableTypes+") AS is_table, engine AS e, COALESCE(data_length, 0) AS bytes, COALESCE(index_length, 0) AS index_bytes FROM information_schema.tables"+
			" WHERE table_schema NOT IN ("+server.QuoteList(SystemDatabases)+")")
	if err != nil {
		return err
	}
	for _, r := range tables {
		d := byName[r["d"]]
		if d == nil { // made meanwhile
			continue
		}
		if r["is_table"] != "1" {
			d.Others++
			continue
		}
		bytes, _ := strconv.ParseUint(r["bytes"], 10, 64) // a number on every server
		indexes, _ := strconv.ParseUint(r["index_bytes"], 10, 64)
		d.IndexBytes += indexes
		d.Tables++
		d.Bytes += bytes
		d.Engines[r["e"]] += bytes
		if !Transactional[strings.ToLower(r["e"])] {
			d.Locked = append(d.Locked, r["d"]+"."+r["t"])
		}
	}
	for query, count := range map[string]func(*Database) *int{ // a GROUP BY would not tell upper and lower case apart everywhere
		"SELECT event_schema AS d FROM information_schema.events":     func(d *Database) *int { return &d.Events },
		"SELECT routine_schema AS d FROM information_schema.routines": func(d *Database) *int { return &d.Routines },
	} {
		rows, err := s.Query(ctx, conn, query)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if d := byName[r["d"]]; d != nil {
				*count(d)++
			}
		}
	}
	for i := range f.Databases {
		d := &f.Databases[i]
		if s.Role != finding.Slave || d.Events == 0 {
			continue
		}
		if d.EnabledEvents, err = EnabledEvents(ctx, s, conn, []string{d.Name}); err != nil {
			return err
		}
	}
	return nil
}

// readCollations reads which collations the server knows and the databases use.
func (f *Facts) readCollations(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	known := "SELECT collation_name AS name FROM information_schema.collations"
	if s.Version.AtLeast(server.MariaDB, 10, 10, 1) { // one collation serves several character sets there
		known = "SELECT full_collation_name AS name FROM information_schema.collation_character_set_applicability"
	}
	rows, err := s.Query(ctx, conn, known)
	if err != nil {
		return err
	}
	f.Collations = make(map[string]bool, len(rows))
	for _, r := range rows {
		f.Collations[strings.ToLower(r["name"])] = true
	}
	used, err := s.Query(ctx, conn,
		"SELECT table_schema AS d, collation_name AS c FROM information_schema.columns"+
			" WHERE collation_name IS NOT NULL AND table_schema NOT IN ("+server.QuoteList(SystemDatabases)+") GROUP BY CAST(table_schema AS BINARY), collation_name"+
			" UNION ALL SELECT schema_name, default_collation_name FROM information_schema.schemata"+
			" WHERE schema_name NOT IN ("+server.QuoteList(SystemDatabases)+") ORDER BY 1, 2")
	if err != nil {
		return err
	}
	for _, r := range used {
		c := strings.ToLower(r["c"])
		if d := f.Database(r["d"]); d != nil && !slices.Contains(d.Collations, c) {
			d.Collations = append(d.Collations, c)
		}
	}
	return nil
}

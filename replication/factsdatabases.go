package replication

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"
)

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

// tableTypes are the types, in information_schema.tables, of what holds rows.
const tableTypes = "'BASE TABLE', 'SYSTEM VERSIONED'"

// systemDatabases are never replicated.
var systemDatabases = []string{"mysql", "information_schema", "performance_schema", "sys"}

// database gives a database by name; nil if there is none.
func (f *Facts) database(name string) *Database {
	for i := range f.Databases {
		if f.Databases[i].Name == name {
			return &f.Databases[i]
		}
	}
	return nil
}

// transactional are the storage engines whose tables a consistent snapshot
// covers, and those that hold no data of their own.
var transactional = map[string]bool{"": true, "innodb": true, "rocksdb": true, "tokudb": true, "sequence": true, "blackhole": true}

func (f *Facts) readDatabases(ctx context.Context, s *Server, conn *sql.Conn) error {
	names, err := s.query(ctx, conn,
		"SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name NOT IN ("+quoteList(systemDatabases)+") ORDER BY schema_name")
	if err != nil {
		return err
	}
	byName := make(map[string]*Database, len(names))
	f.Databases = make([]Database, len(names))
	for i, r := range names {
		f.Databases[i] = Database{Name: r["name"], Engines: map[string]uint64{}}
		byName[r["name"]] = &f.Databases[i]
	}
	if err := s.freshSizes(ctx, conn); err != nil {
		return err
	}
	tables, err := s.query(ctx, conn,
		"SELECT table_schema AS d, table_name AS t, table_type IN ("+tableTypes+") AS is_table, engine AS e, COALESCE(data_length, 0) AS bytes, COALESCE(index_length, 0) AS index_bytes FROM information_schema.tables"+
			" WHERE table_schema NOT IN ("+quoteList(systemDatabases)+")")
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
		if !transactional[strings.ToLower(r["e"])] {
			d.Locked = append(d.Locked, r["d"]+"."+r["t"])
		}
	}
	for query, count := range map[string]func(*Database) *int{ // a GROUP BY would not tell upper and lower case apart everywhere
		"SELECT event_schema AS d FROM information_schema.events":     func(d *Database) *int { return &d.Events },
		"SELECT routine_schema AS d FROM information_schema.routines": func(d *Database) *int { return &d.Routines },
	} {
		rows, err := s.query(ctx, conn, query)
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
		if s.Role != Slave || d.Events == 0 {
			continue
		}
		if d.EnabledEvents, err = enabledEvents(ctx, s, conn, []string{d.Name}); err != nil {
			return err
		}
	}
	return nil
}

// readCollations reads which collations the server knows and the databases use.
func (f *Facts) readCollations(ctx context.Context, s *Server, conn *sql.Conn) error {
	known := "SELECT collation_name AS name FROM information_schema.collations"
	if s.Version.atLeast(MariaDB, 10, 10, 1) { // one collation serves several character sets there
		known = "SELECT full_collation_name AS name FROM information_schema.collation_character_set_applicability"
	}
	rows, err := s.query(ctx, conn, known)
	if err != nil {
		return err
	}
	f.Collations = make(map[string]bool, len(rows))
	for _, r := range rows {
		f.Collations[strings.ToLower(r["name"])] = true
	}
	used, err := s.query(ctx, conn,
		"SELECT table_schema AS d, collation_name AS c FROM information_schema.columns"+
			" WHERE collation_name IS NOT NULL AND table_schema NOT IN ("+quoteList(systemDatabases)+") GROUP BY CAST(table_schema AS BINARY), collation_name"+
			" UNION ALL SELECT schema_name, default_collation_name FROM information_schema.schemata"+
			" WHERE schema_name NOT IN ("+quoteList(systemDatabases)+") ORDER BY 1, 2")
	if err != nil {
		return err
	}
	for _, r := range used {
		c := strings.ToLower(r["c"])
		if d := f.database(r["d"]); d != nil && !slices.Contains(d.Collations, c) {
			d.Collations = append(d.Collations, c)
		}
	}
	return nil
}

// freshSizes makes a session tell the sizes of tables as they are: MySQL tells
// them as they were up to a day ago (its manual, information_schema_stats_expiry).
func (s *Server) freshSizes(ctx context.Context, on execer) error {
	if !s.Version.atLeast(MySQL, 8, 0, 3) {
		return nil
	}
	return s.exec(ctx, on, statement("SET SESSION information_schema_stats_expiry=0"))
}

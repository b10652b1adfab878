package seed

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// No snapshot outlives its connections, on neither family: a copy that was cut off is gone
// on with at a new one. Of what is there a table is kept if it is the same on both ends at
// that snapshot: as it and its database are made, its triggers, and all of its rows by their
// number and checksum. So a half table is none that is kept, however it came to be. All else is
// dropped, and copied.

// keptChanged is the code of tables that were the same on both ends before the snapshot,
// and not at it.
const keptChanged = "kept-changed"

// kept are the tables that are on the slave already, quoted, with what they are by.
type kept map[string]string

// mayKeep reports whether a table's rows are in a snapshot, and in a checksum of it.
func (o object) mayKeep() bool {
	return o.kind == "BASE TABLE" && strings.EqualFold(o.engine, "InnoDB")
}

// keeps reports whether a table is kept.
func (r *parallelRun) keeps(o object) bool {
	_, is := r.kept[o.quoted()]
	return is
}

// findKept finds what is kept: at the first attempt what is the same on both ends, then
// what still was when the one before began, and at the last nothing.
func (r *parallelRun) findKept(ctx context.Context) (err error) {
	if !r.GoOn {
		return nil
	}
	c := r.copying
	switch c.attempt++; c.attempt {
	case 1:
		c.kept, err = c.keepable(ctx, r.objects)
	case lockAttempts:
		c.kept = nil
	}
	c.kept = c.kept.apart(r.objects)
	return err
}

// apart gives those of the kept that are still there, and that no tool takes for another
// which is to be copied: it would pass over that, too.
func (k kept) apart(all []object) kept {
	copied := map[string]bool{}
	for _, o := range all {
		if _, is := k[o.quoted()]; !is {
			copied[o.fold] = true
		}
	}
	apart := kept{}
	for _, o := range all {
		if by, is := k[o.quoted()]; is && !copied[o.fold] {
			apart[o.quoted()] = by
		}
	}
	return apart
}

// keepable finds the tables that are the same on both ends now.
func (c *copying) keepable(ctx context.Context, all []object) (kept, error) {
	there, err := c.Slave.Query(ctx, c.Slave.DB,
		"SELECT table_schema AS d, table_name AS n FROM information_schema.tables"+
			" WHERE table_schema IN ("+server.QuoteExactly(c.Databases)+")")
	if err != nil || len(there) == 0 {
		return nil, err
	}
	names := make(map[string]bool, len(there))
	for _, r := range there {
		names[server.QuoteTable(r["d"], r["n"])] = true
	}
	candidates := those(all, func(o object) bool { return o.mayKeep() && names[o.quoted()] })
	onMaster, err := describeTables(ctx, c.Master, c.Master.DB, candidates)
	if err != nil {
		return nil, err
	}
	onSlave, err := describeTables(ctx, c.Slave, c.Slave.DB, candidates)
	if err != nil {
		return nil, err
	}
	same := kept{}
	for _, o := range candidates {
		if by, known := onSlave[o.quoted()]; known && onMaster[o.quoted()] == by {
			same[o.quoted()] = by
		}
	}
	return same, nil
}

// ownSnapshot is a session on the master that is at the snapshot of the dumps, too; nil:
// there is none, because no table is kept.
type ownSnapshot struct {
	master *server.Server
	conn   *sql.Conn
}

// ownSnapshot logs in. The caller ends it.
func (r *parallelRun) ownSnapshot(ctx context.Context) (*ownSnapshot, error) {
	if len(r.kept) == 0 {
		return nil, nil //nolint:nilnil // it is not needed
	}
	conn, err := r.Master.Session(ctx)
	if err != nil {
		return nil, err
	}
	own := &ownSnapshot{master: r.Master, conn: conn}
	if err := r.Master.Exec(ctx, conn, server.SQL("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")); err != nil {
		own.end()
		return nil, err
	}
	return own, nil
}

// take takes the snapshot.
func (o *ownSnapshot) take(ctx context.Context) error {
	if o == nil {
		return nil
	}
	return o.master.Exec(ctx, o.conn, server.SQL("START TRANSACTION WITH CONSISTENT SNAPSHOT"))
}

// position is where the binary log of MariaDB stood then.
func (o *ownSnapshot) position(ctx context.Context) (server.Position, error) {
	if o == nil {
		return server.Position{}, nil
	}
	return o.master.SnapshotPosition(ctx, o.conn)
}

// end ends the session.
func (o *ownSnapshot) end() {
	if o != nil {
		server.Discard(o.conn)
	}
}

// stillSame finds whether the kept tables are the same at the snapshot. Those that are not
// are no longer kept, and the error says to begin anew.
func (r *parallelRun) stillSame(ctx context.Context, own *ownSnapshot) error {
	if own == nil {
		return nil
	}
	tables := those(r.objects, r.keeps)
	now, err := describeTables(ctx, r.Master, own.conn, tables)
	if err != nil {
		return err
	}
	var changed []string
	for _, o := range tables {
		if now[o.quoted()] != r.kept[o.quoted()] {
			changed = append(changed, o.quoted())
		}
	}
	if len(changed) == 0 {
		return nil
	}
	for _, name := range changed {
		delete(r.kept, name)
	}
	return finding.New(finding.Master, keptChanged, "run this again",
		"tables were changed before the copy could begin: %s", finding.Items(changed))
}

// clearSlave drops all that the slave has of the databases but the kept tables.
func (r *parallelRun) clearSlave(ctx context.Context) error {
	statements := []server.Statement{
		server.SQL("SET SESSION sql_log_bin=0"), server.SQL("SET SESSION foreign_key_checks=0"),
	}
	for _, database := range r.Databases {
		if !r.keepsIn(database) {
			statements = append(statements, server.SQL("DROP DATABASE IF EXISTS %s", server.QuoteName(database)))
		}
	}
	for _, list := range []string{
		"SELECT event_schema AS d, event_name AS n, 'EVENT' AS k FROM information_schema.events WHERE event_schema",
		"SELECT routine_schema AS d, routine_name AS n, routine_type AS k FROM information_schema.routines" +
			" WHERE routine_schema",
		"SELECT table_schema AS d, table_name AS n, table_type AS k FROM information_schema.tables WHERE table_schema",
	} {
		rows, err := r.Slave.Query(ctx, r.Slave.DB, list+" IN ("+server.QuoteExactly(r.Databases)+")")
		if err != nil {
			return err
		}
		for _, row := range rows {
			if _, is := r.kept[server.QuoteTable(row["d"], row["n"])]; is && isTableKind(row["k"]) || !r.keepsIn(row["d"]) {
				continue
			}
			word := row["k"]
			if isTableKind(word) {
				word = "TABLE"
			}
			drop := server.SQL("DROP %s IF EXISTS %s", word, server.QuoteTable(row["d"], row["n"]))
			if strings.HasPrefix(word, "PACKAGE") { // which MariaDB knows of in this mode, and later in any
				statements = append(statements,
					server.SQL("SET SESSION sql_mode=ORACLE"), drop, server.SQL("SET SESSION sql_mode=DEFAULT"))
				continue
			}
			statements = append(statements, drop)
		}
	}
	return r.Slave.Run(ctx, statements)
}

// isTableKind reports whether what information_schema calls so is dropped as a table.
func isTableKind(kind string) bool {
	return strings.HasPrefix(kind, "BASE") || strings.HasPrefix(kind, "SYSTEM")
}

// keepsIn reports whether a table of a database is kept.
func (r *parallelRun) keepsIn(database string) bool {
	return slices.ContainsFunc(r.objects, func(o object) bool { return o.database == database && r.keeps(o) })
}

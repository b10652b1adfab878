package term

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/server"
)

// The only row of the table.
const (
	readRow    = "SELECT record FROM `" + Database + "`.`" + Table + "` WHERE id = 1"
	replaceRow = "REPLACE INTO `" + Database + "`.`" + Table + "` (id, record) VALUES (1, %s)"
)

// MakeTable gives the statements that make the table of the Record, and let the monitor
// account read it, in a session that logs nothing. They change nothing where that is done.
func MakeTable(monitor, host string) []server.Statement {
	table := server.QuoteTable(Database, Table)
	return []server.Statement{
		server.SQL("SET SESSION sql_log_bin=0"),
		server.SQL("CREATE DATABASE IF NOT EXISTS %s", server.QuoteName(Database)),
		server.SQL("CREATE TABLE IF NOT EXISTS %s (id TINYINT NOT NULL PRIMARY KEY,"+
			" record MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL) ENGINE=InnoDB", table),
		server.SQL("GRANT SELECT ON %s TO %s", table, server.QuoteAccount(monitor, host)),
	}
}

// ReadRecord reads the row of a server; nil if there is none. The caller asks whose it is.
func ReadRecord(ctx context.Context, s *server.Server, on server.Execer) (*Record, error) {
	rows, err := server.ReadRecords(ctx, on, readRow)
	switch number := server.ErrorNumber(err); {
	case number == 1049 || number == 1146: // no such database, no such table
		return nil, nil //nolint:nilnil // there is no row
	case err != nil && server.IsDenied(err):
		return nil, &finding.Problem{
			On: s.Role, Code: "pair-table", Text: "the table of the pair, " + Database + "." + Table + ", cannot be read",
			Err: err, Cure: "gtunnel replication setup-master on the master, and then setup-slave on the other host, again",
		}
	case err != nil:
		return nil, s.Explain(readRow, err)
	case len(rows) == 0:
		return nil, nil //nolint:nilnil // there is no row
	}
	var r Record
	if err := json.Unmarshal([]byte(rows[0]["record"]), &r); err != nil {
		return nil, &finding.Problem{
			On: s.Role, Code: "pair-table", Text: "the row in " + Database + "." + Table + " cannot be read", Err: err,
			Cure: "on that host: systemctl restart gtunnel-guard, which writes it anew",
		}
	}
	if r.Format > recordFormat {
		return nil, finding.New(s.Role, "pair-table", "use the same gtunnel on both hosts",
			"the row in %s.%s was written by a later gtunnel: it has the format %d, and this one knows up to %d",
			Database, Table, r.Format, recordFormat)
	}
	return &r, nil
}

// PublishStatements are those of PublishRecord, to be run in one session.
func PublishStatements(r Record, super bool) []server.Statement {
	content, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("term: a record cannot be written: %v", err)) // it has texts, numbers and times alone
	}
	row := server.SQL(replaceRow, server.QuoteString(string(content)))
	statements := []server.Statement{server.SQL("SET SESSION sql_log_bin=0"), row}
	if super {
		statements = slices.Insert(statements, 1, server.SQL("SET GLOBAL super_read_only=0"))
		statements = append(statements, superReadOnly())
	}
	return statements
}

// superReadOnly keeps all from writing again, unless the server was made writable meanwhile.
func superReadOnly() server.Statement {
	return server.SQL("SET GLOBAL super_read_only=@@GLOBAL.read_only")
}

// PublishRecord writes the row, in a session of its own that logs nothing. super is that
// the server has super_read_only on, as only MySQL can: it is off while the row is written,
// and read_only is not; whatever happens, it is on afterwards, or the error says that it
// is not known to be. Guard and command may do so at the same time, and each then finds
// that the other has set it again: it is tried anew a few times.
func PublishRecord(ctx context.Context, s *server.Server, r Record, super bool) error {
	const isReadOnly, tries = 1290, 5
	err := s.Run(ctx, PublishStatements(r, super))
	for i := 1; i < tries && server.ErrorNumber(err) == isReadOnly && s.Version.Family == server.MySQL; i++ {
		super = true
		err = s.Run(ctx, PublishStatements(r, super))
	}
	if err != nil && super {
		within, cancel := server.CleanUp(ctx)
		defer cancel()
		if notAgain := s.Run(within, []server.Statement{superReadOnly()}); notAgain != nil {
			return notAgain
		}
	}
	return err
}

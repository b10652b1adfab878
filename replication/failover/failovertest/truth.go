package failovertest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/gtunnel/gtunnel/replication/server"
	"github.com/gtunnel/gtunnel/replication/term"
)

// Truth is what is so of a host, by what a client can do, its server's own tables and its
// files: not by a word of gtunnel's. It can be compared.
type Truth struct {
	Answers bool // its server answers
	Writes  bool // a client of the application can write

	Follows           bool // its server has a connection to a master
	Receives, Applies bool // both threads of that run, and it is connected

	Note, Row TermTruth // the term by the note, and by the row that the other host reads
}

// TermTruth is which term it is; zero: none.
type TermTruth struct {
	Number        uint64
	Nonce, Master string
}

func truthOf(t term.Term) TermTruth {
	return TermTruth{Number: t.Number, Nonce: t.Nonce, Master: t.Master}
}

// Truth looks at the host.
func (h *Host) Truth() Truth {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 3*writeLimit)
	defer cancel()
	now := Truth{Note: truthOf(h.Note().Term)}
	if h.Server.DB.PingContext(ctx) != nil {
		return now
	}
	now.Answers, now.Writes = true, h.clientWrites(ctx)
	var record string
	var row term.Record
	err := h.Server.DB.QueryRowContext(ctx, "SELECT record FROM gtunnel.pair").Scan(&record)
	if err == nil && json.Unmarshal([]byte(record), &row) == nil {
		now.Row = truthOf(row.Term)
	}
	query := "SHOW SLAVE STATUS"
	if h.Server.Kind.IsMySQL() {
		query = "SHOW REPLICA STATUS"
	}
	status, err := server.ReadRecords(ctx, h.Server.DB, query)
	if err != nil {
		now.Answers = false // it has gone meanwhile
	}
	for _, r := range status {
		now.Follows = true
		for name, value := range r {
			switch strings.NewReplacer("slave", "", "replica", "").Replace(strings.ToLower(name)) {
			case "_io_running":
				now.Receives = value == "Yes"
			case "_sql_running":
				now.Applies = value == "Yes"
			}
		}
	}
	return now
}

// clientWrites tries to write as a client of the application, and leaves nothing behind.
func (h *Host) clientWrites(ctx context.Context) bool {
	db := h.app()
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	for _, statement := range []string{
		"SET SESSION lock_wait_timeout=1, innodb_lock_wait_timeout=1", "BEGIN",
		"INSERT INTO " + Table + " (id, host, at) VALUES (-1, 'a try', NOW(6))",
	} {
		if _, err = conn.ExecContext(ctx, statement); err != nil {
			break
		}
	}
	_, _ = conn.ExecContext(ctx, "ROLLBACK")
	const duplicate = 1062
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return e.Number == duplicate // it was let in
	}
	return err == nil
}

package server

import (
	"context"
	"fmt"
	"time"
)

// OpenTransaction is one of InnoDB's that has changed something and has not ended.
type OpenTransaction struct {
	Session uint64 // its connection; 0: none, as of a prepared transaction of XA
	Age     time.Duration
}

// LongTransactions gives those that are older than a time, in whole seconds. The login
// needs the privilege PROCESS.
func (s *Server) LongTransactions(ctx context.Context, on Execer, than time.Duration) ([]OpenTransaction, error) {
	// trx_started is in the time zone of the system, whatever the session's is.
	const age = "TIMESTAMPDIFF(SECOND, trx_started, CONVERT_TZ(NOW(), @@session.time_zone, 'SYSTEM'))"
	rows, err := s.Query(ctx, on, fmt.Sprintf("SELECT trx_mysql_thread_id AS session, %s AS age"+
		" FROM information_schema.innodb_trx WHERE trx_rows_modified > 0 AND (trx_mysql_thread_id = 0 OR %s >= %d)",
		age, age, int(than.Seconds())))
	open := make([]OpenTransaction, len(rows))
	for i, r := range rows {
		age := time.Second * time.Duration(r.Number("age")) //nolint:gosec // since this machine was started
		open[i] = OpenTransaction{Session: r.Number("session"), Age: age}
	}
	return open, err
}

// Prepared counts the prepared transactions of XA. MySQL's needs a privilege for it.
func (s *Server) Prepared(ctx context.Context, on Execer) (int, error) {
	rows, err := s.Query(ctx, on, "XA RECOVER")
	return len(rows), err
}

// OpenTemporaryTables counts the tables of a slave's that live with a connection of its
// master's: they are lost when its SQL thread stops.
func (s *Server) OpenTemporaryTables(ctx context.Context, on Execer) (uint64, error) {
	rows, err := s.Query(ctx, on, "SHOW GLOBAL STATUS WHERE variable_name IN"+
		" ('Slave_open_temp_tables', 'Replica_open_temp_tables')")
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return rows[0].Number("value"), nil
}

package server

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// Heard is a text that changes whenever a slave's I/O thread receives anything, heartbeats
// too; empty: it is not connected.
func (s *Server) Heard(ctx context.Context, on Execer, status *SlaveStatus) (string, error) {
	if status == nil || status.IORunning != "Yes" {
		return "", nil
	}
	heartbeats := fmt.Sprint(status.Heartbeats)
	if s.Version.Family == MySQL {
		var err error
		heartbeats, err = s.Value(ctx, on, "SELECT count_received_heartbeats FROM"+
			" performance_schema.replication_connection_status WHERE channel_name = ''")
		if err != nil {
			return "", err
		}
	}
	return strings.Join([]string{status.Read.String(), status.GTIDReceived, heartbeats}, " "), nil
}

// Incomplete is the GTID of a transaction of which MySQL's I/O thread has received a part;
// empty: there is none, or the server does not tell.
func (s *Server) Incomplete(ctx context.Context, on Execer) (string, error) {
	if !s.Version.AtLeast(MySQL, 8, 0, 0) {
		return "", nil
	}
	gtid, err := s.Value(ctx, on, "SELECT queueing_transaction FROM"+
		" performance_schema.replication_connection_status WHERE channel_name = ''")
	if gtid == "ANONYMOUS" {
		gtid = "an anonymous one"
	}
	return gtid, err
}

// Parts are the connections of those threads of MySQL's applier that have a part of a
// transaction, and wait for the rest. A stop of the slave waits with them, for a minute: also
// the coordinator, which does not always notice that its worker was ended.
func (s *Server) Parts(ctx context.Context, on Execer) ([]uint64, error) {
	if !s.Version.AtLeast(MySQL, 8, 0, 0) {
		return nil, nil
	}
	const workers = "performance_schema.replication_applier_status_by_worker"
	const hasPart = "w.channel_name = '' AND w.applying_transaction <> ''"
	rows, err := s.Query(ctx, on, "SELECT t.processlist_id AS id FROM performance_schema.threads AS t"+
		" JOIN "+workers+" AS w ON w.thread_id = t.thread_id WHERE "+hasPart+
		" UNION SELECT t.processlist_id FROM performance_schema.threads AS t"+
		" JOIN performance_schema.replication_applier_status_by_coordinator AS c ON c.thread_id = t.thread_id"+
		" WHERE c.channel_name = '' AND EXISTS (SELECT 1 FROM "+workers+" AS w WHERE "+hasPart+" AND w.thread_id IS NULL)")
	ids := make([]uint64, len(rows))
	for i, r := range rows {
		ids[i] = r.Number("id")
	}
	return ids, err
}

// PreparedXA names the transactions of two phases that are prepared and neither committed
// nor rolled back.
func (s *Server) PreparedXA(ctx context.Context, on Execer) ([]string, error) {
	rows, err := s.Query(ctx, on, "XA RECOVER")
	var names []string
	for _, r := range rows {
		names = append(names, strings.ToValidUTF8(r["data"], "?"))
	}
	return names, err
}

// KeepLogs has a server remove no binary log by itself, until its restart.
func (v Version) KeepLogs() Statement { return v.SetRetention("0") }

// SetRetention sets for how long binary logs are kept: a value of RetentionVariable.
func (v Version) SetRetention(value string) Statement {
	return SQL("SET GLOBAL %s=%s", v.RetentionVariable(), value)
}

// RaiseSequence sets a sequence of MariaDB's, by its quoted name, to a next value unless
// it is there already. Its binary log has it.
func (v Version) RaiseSequence(quoted, next string) Statement {
	return SQL("DO SETVAL(%s, %s, 0)", quoted, next)
}

// Applies reports whether a thread of a slave other than the first of its SQL threads
// applies something: that one may have read all, and a worker not have ended.
func (s *Server) Applies(ctx context.Context, on Execer) (bool, error) {
	processes, err := s.Processes(ctx, on)
	for _, p := range processes {
		if p.User == "system user" && !idleThread.MatchString(p.State) {
			return true, nil
		}
	}
	return false, err
}

// idleThread are the states of a slave's threads that wait for more, or receive.
var idleThread = regexp.MustCompile(`(?i)^$|has read all|for an event from coordinator|for work from sql thread|` +
	`(master|source)|for the slave i/o thread|binlog state store`)

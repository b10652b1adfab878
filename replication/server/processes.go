package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Process is a connection as a server sees it, a row of SHOW PROCESSLIST.
type Process struct {
	ID        uint64
	User      string
	Host      string // from which it comes, with its port
	Command   string
	Time      time.Duration // in this state, in whole seconds
	State     string
	Statement string // that it executes; empty if none
}

// IsServers reports whether the connection is the server's own and no client's: of its
// replication, its event scheduler, or a slave that reads its binary log. It may be in
// the same state for days, and say that it executes something.
func (p Process) IsServers() bool {
	return p.User == "system user" || p.User == "event_scheduler" || p.Command == "Daemon" ||
		p.ReadsBinaryLog()
}

// ReadsBinaryLog reports whether the connection is a slave's that reads the binary log.
func (p Process) ReadsBinaryLog() bool { return strings.HasPrefix(p.Command, "Binlog Dump") }

// Processes gives the connections that the login may see.
func (s *Server) Processes(ctx context.Context, on Execer) ([]Process, error) {
	rows, err := s.Query(ctx, on, "SHOW FULL PROCESSLIST")
	if err != nil {
		return nil, err
	}
	processes := make([]Process, len(rows))
	for i, r := range rows {
		id, err := strconv.ParseUint(r["id"], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("SHOW FULL PROCESSLIST: id %q: %w", r["id"], err)
		}
		seconds, _ := strconv.ParseInt(r["time"], 10, 64) // 0 where it is unknown
		processes[i] = Process{
			ID: id, User: r["user"], Host: r["host"], Command: r["command"],
			Time: time.Duration(seconds) * time.Second, State: r["state"], Statement: r["info"],
		}
	}
	return processes, nil
}

// ServerIDOrigin is the query of where the present server_id of a running server comes
// from; empty: it cannot be asked.
func (v Version) ServerIDOrigin() string {
	switch {
	case v.AtLeast(MariaDB, 10, 1, 1):
		return "SELECT global_value_origin AS origin FROM information_schema.system_variables" +
			" WHERE variable_name = 'SERVER_ID'"
	case v.AtLeast(MySQL, 8, 0, 0):
		return "SELECT variable_source AS origin FROM performance_schema.variables_info WHERE variable_name = 'server_id'"
	}
	return ""
}

// IDChanged reports whether the server_id may have been set since the server's start. A
// session goes on writing events with the one that it began with, on both families, and
// no server tells which that is.
func (s *Server) IDChanged(ctx context.Context, on Execer) (bool, error) {
	query := s.Version.ServerIDOrigin()
	if query == "" {
		return true, nil
	}
	origin, err := s.Value(ctx, on, query)
	return origin == "SQL" || origin == "DYNAMIC" || origin == "", err
}

// statementPatience is how long statements of the master are waited for that may
// use a sequence.
const statementPatience = 10 * time.Second

// StatementsEnd waits until the statements have ended that ran on a MariaDB server
// at a moment, ten seconds at most, and reports whether they have. Of a login that
// may not see them all that is not known.
func (s *Server) StatementsEnd(ctx context.Context, moment time.Time) (bool, error) {
	sees, err := s.Value(ctx, s.DB, "SELECT COUNT(*) FROM information_schema.user_privileges"+
		" WHERE privilege_type = 'PROCESS' AND "+OwnGrantee)
	if err != nil || sees == "0" {
		return false, err
	}
	for time.Since(moment) < statementPatience {
		// Not by query_id: a stored function has others.
		older, err := s.Value(ctx, s.DB, "SELECT COUNT(*) FROM information_schema.processlist"+
			" WHERE command NOT IN ('Sleep', 'Daemon', 'Binlog Dump') AND user <> 'system user'"+
			" AND id <> CONNECTION_ID() AND time_ms >= "+strconv.FormatInt(time.Since(moment).Milliseconds(), 10))
		if err != nil || older == "0" {
			return err == nil, err
		}
		if err := Pause(ctx, pollSlave); err != nil {
			return false, err
		}
	}
	return false, nil
}

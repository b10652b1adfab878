package simulation

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

func init() { //nolint:gochecknoinits // as that of statements
	started := `SELECT CAST\(UNIX_TIMESTAMP\(NOW\(\)\) - variable_value AS SIGNED\) FROM `
	statements = append(statements,
		know(server.MariaDB, started+`information_schema.global_status WHERE variable_name = 'Uptime'`, (*engine).startedAt),
		know(server.MySQL, started+`performance_schema.global_status WHERE variable_name = 'Uptime'`, (*engine).startedAt),
		know("", `SELECT trx_mysql_thread_id AS id FROM information_schema.innodb_trx WHERE trx_rows_modified > 0`+
			` AND trx_mysql_thread_id IN \(SELECT id FROM information_schema.processlist`+
			` WHERE user <> 'system user' AND id <> CONNECTION_ID\(\)\)`, (*engine).openTransactions),
		know("", `SHOW GLOBAL STATUS (LIKE '.*'|WHERE variable_name IN \(.*\))`, (*engine).showStatus),
		know("", `SELECT trx_mysql_thread_id AS session, .* AS age FROM information_schema\.innodb_trx WHERE .*`,
			(*engine).none), // no transaction of the model is long
		know(server.MySQL, `SELECT queueing_transaction FROM performance_schema\.replication_connection_status`+
			` WHERE channel_name = ''`, (*engine).queueing),
		know(server.MySQL, `SELECT t\.processlist_id AS id FROM performance_schema\.threads AS t`+
			` JOIN performance_schema\.replication_applier_status_by_worker AS w .*`, (*engine).none),
		know(server.MySQL, `SELECT count_received_heartbeats FROM performance_schema\.replication_connection_status`+
			` WHERE channel_name = ''`, (*engine).heartbeats),
		know(server.MariaDB, `SHOW RELAYLOG EVENTS IN 'relay\.(\d+)' FROM (\d+) LIMIT (\d+)`, (*engine).relayEvents),
		know("", `SELECT schema_name AS name FROM information_schema\.schemata`+
			` WHERE schema_name NOT IN \(.*\) ORDER BY schema_name`,
			(*engine).databases),
		know(server.MariaDB, `SELECT global_value_origin AS origin FROM information_schema\.system_variables`+
			` WHERE variable_name = 'SERVER_ID'`, (*engine).idOrigin),
		know(server.MySQL, `SELECT variable_source AS origin FROM performance_schema\.variables_info`+
			` WHERE variable_name = 'server_id'`, (*engine).idOrigin),
		know("", `XA RECOVER`, (*engine).none),
		know("", `SELECT event_schema.* FROM information_schema\.events WHERE .*`, (*engine).enabledEvents),
		know(server.MariaDB, `SELECT table_schema AS d, table_name AS t FROM information_schema\.tables`+
			` WHERE table_type = 'SEQUENCE' AND .*`, (*engine).none),
	)
}

// showStatus is SHOW GLOBAL STATUS: of semi-synchronous replication, which is off, and of
// temporary tables.
func (e *engine) showStatus(_ *session, m []string) (*table, error) {
	switch pattern := strings.ToLower(m[1]); {
	case strings.Contains(pattern, "semi"):
		return &table{columns: []string{"Variable_name", "Value"}}, nil
	case strings.Contains(pattern, "open_temp_tables"):
		return one("Variable_name", "Slave_open_temp_tables", "Value", 0), nil
	}
	return nil, e.unknown("SHOW GLOBAL STATUS " + m[1])
}

// idOrigin is where the server_id comes from.
func (e *engine) idOrigin(*session, []string) (*table, error) {
	set, given := "SQL", "CONFIG"
	if e.family == server.MySQL {
		set, given = "DYNAMIC", "EXPLICIT"
	}
	if e.idSet {
		return one("origin", set), nil
	}
	return one("origin", given), nil
}

// queueing is the transaction of which a part was received: none in the model.
func (e *engine) queueing(*session, []string) (*table, error) {
	return one("queueing_transaction", ""), nil
}

// heartbeats is how many the I/O thread has received: as for MariaDB, none.
func (e *engine) heartbeats(*session, []string) (*table, error) {
	return one("count_received_heartbeats", 0), nil
}

// relayEvents is SHOW RELAYLOG EVENTS: of the only file, from a place where an event begins on.
func (e *engine) relayEvents(_ *session, m []string) (*table, error) {
	if m[1] != "000001" {
		return nil, failure(1220, "Error when executing command SHOW RELAYLOG EVENTS: Could not find target log")
	}
	from, _ := strconv.Atoi(m[2])
	t := &table{columns: []string{"Log_name", "Pos", "Event_type", "Server_id", "End_log_pos", "Info"}}
	add := func(at int, kind string, by int, end uint64, info string) {
		t.rows = append(t.rows, []any{"relay.000001", at, kind, by, end, info})
	}
	for i, l := range e.relay {
		at := 4 + 100*(e.applied+i)
		if at < from {
			continue
		}
		add(at, "Rotate", l.by, 0, logName(l.file)+";pos=4")
		add(at, "Gtid", l.by, l.end-50, "BEGIN GTID "+l.id.format())
		add(at+50, "Xid", l.by, l.end, "COMMIT /* xid=1 */")
	}
	return t, nil
}

// databases are those of applications.
func (e *engine) databases(*session, []string) (*table, error) { return one("name", "t"), nil }

// none is the answer of a query that finds nothing.
func (e *engine) none(*session, []string) (*table, error) { return &table{columns: []string{"x"}}, nil }

// startedAt is when the server was started.
func (e *engine) startedAt(*session, []string) (*table, error) {
	return one("started", e.startedUnix), nil
}

// openTransactions are the connections that have changed something in a transaction.
func (e *engine) openTransactions(s *session, _ []string) (*table, error) {
	t := &table{columns: []string{"id"}}
	for _, id := range slices.Sorted(maps.Keys(e.sessions)) {
		if other := e.sessions[id]; other != s && other.row != 0 {
			t.rows = append(t.rows, []any{id})
		}
	}
	return t, nil
}

// enabledEvents are the events that run.
func (e *engine) enabledEvents(*session, []string) (*table, error) {
	t := &table{columns: []string{"d", "n", "definer", "status"}}
	for _, name := range slices.Sorted(maps.Keys(e.events)) {
		if e.events[name] == "ENABLED" {
			database, event, _ := strings.Cut(name, ".")
			t.rows = append(t.rows, []any{database, event, "root@localhost", "ENABLED"})
		}
	}
	return t, nil
}

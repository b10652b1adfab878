package simulation

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gtunnel/gtunnel/replication/server"
)

// showMaster is SHOW MASTER STATUS.
func (e *engine) showMaster(*session, []string) (*table, error) {
	t := one("File", logName(e.file), "Position", e.tail, "Binlog_Do_DB", "", "Binlog_Ignore_DB", "")
	if e.family == server.MySQL {
		t.columns, t.rows[0] = append(t.columns, "Executed_Gtid_Set"), append(t.rows[0], formatSet(e.executed()))
	}
	return t, nil
}

// showLogs is SHOW BINARY LOGS.
func (e *engine) showLogs(*session, []string) (*table, error) {
	t := &table{columns: []string{"Log_name", "File_size"}}
	for file := 1; file <= e.file; file++ {
		size := uint64(4)
		for _, l := range e.log {
			if l.file == file {
				size = l.end
			}
		}
		t.rows = append(t.rows, []any{logName(file), size})
	}
	return t, nil
}

// slaveColumns are those of SHOW SLAVE STATUS that gtunnel reads, with the old names.
func (e *engine) slaveColumns() []any {
	m := e.master
	place := func(p place) string {
		if p.file == 0 {
			return ""
		}
		return logName(p.file)
	}
	yes := func(b bool) string {
		if b {
			return "Yes"
		}
		return "No"
	}
	var behind any
	if e.sql.running && e.ioState() == "Yes" {
		behind = len(e.relay)
	}
	row := []any{
		"Master_Host", m.host, "Master_User", m.user, "Master_Port", m.port, "Connect_Retry", 10,
		"Master_Log_File", place(m.read), "Read_Master_Log_Pos", m.read.offset,
		"Relay_Log_File", "relay.000001", "Relay_Log_Pos", 4 + 100*e.applied,
		"Relay_Master_Log_File", place(m.done), "Exec_Master_Log_Pos", m.done.offset,
		"Slave_IO_Running", e.ioState(), "Slave_SQL_Running", yes(e.sql.running),
		"Slave_IO_State", e.ioWords(), "Slave_SQL_Running_State", e.sqlWords(),
		"Last_IO_Errno", e.io.errno, "Last_IO_Error", e.io.text,
		"Last_SQL_Errno", e.sql.errno, "Last_SQL_Error", e.sql.text,
		"Seconds_Behind_Master", behind, "Master_Server_Id", e.w.other(e.host).engine.number,
		"Replicate_Wild_Do_Table", "t.%", "Until_Condition", "None", "Skip_Counter", 0, "SQL_Delay", 0,
		"Master_SSL_Allowed", "No", "Slave_heartbeat_period", "10.000",
	}
	return row
}

// ioWords and sqlWords are the states of the threads in the servers' words.
func (e *engine) ioWords() string {
	switch e.ioState() {
	case "Yes":
		return "Waiting for master to send event"
	case "Connecting":
		return "Reconnecting after a failed master event read"
	}
	return ""
}

func (e *engine) sqlWords() string {
	switch {
	case !e.sql.running:
		return ""
	case len(e.relay) > 0:
		return "Reading event from the relay log"
	case e.family == server.MySQL:
		return "Replica has read all relay log; waiting for more updates"
	}
	return "Slave has read all relay log; waiting for more updates"
}

// newNames makes the old names of columns those of MySQL 9.
var newNames = strings.NewReplacer("Master", "Source", "Slave_IO", "Replica_IO", "Slave_SQL", "Replica_SQL")

// showSlave is SHOW SLAVE STATUS.
func (e *engine) showSlave(*session, []string) (*table, error) {
	if e.master == nil {
		return &table{columns: []string{"Slave_IO_State"}}, nil
	}
	row := e.slaveColumns()
	if e.family == server.MariaDB {
		mode := "No"
		if e.master.byGTID {
			mode = "Slave_Pos"
		}
		received := e.received.format()
		row = append(row, "Connection_name", "", "Using_Gtid", mode, "Gtid_IO_Pos", received,
			"Slave_received_heartbeats", 0)
		return one(row...), nil
	}
	for i := 0; i < len(row); i += 2 {
		name := row[i].(string)
		row[i] = newNames.Replace(name)
	}
	row = append(row, "Channel_Name", "", "Retrieved_Gtid_Set", formatSet(e.retrieved),
		"Executed_Gtid_Set", formatSet(e.executed()), "Auto_Position", number(e.master.byGTID),
		"Source_UUID", uuid(e.w.other(e.host).engine.number), "Source_Retry_Count", 86400, "Get_Source_public_key", 1)
	return one(row...), nil
}

// startOrStop is START and STOP SLAVE.
func (e *engine) startOrStop(_ *session, m []string) (*table, error) {
	if e.master == nil {
		if strings.EqualFold(m[1], "STOP") {
			return nil, nil //nolint:nilnil // a warning
		}
		return nil, failure(1200, "The server is not configured as slave; fix in config file or with CHANGE MASTER TO")
	}
	io, sql := !strings.EqualFold(m[2], "SQL_THREAD"), !strings.EqualFold(m[2], "IO_THREAD")
	if strings.EqualFold(m[1], "START") {
		e.start(io, sql)
	} else {
		e.halt(io, sql)
	}
	return nil, nil //nolint:nilnil // no rows
}

// resetSlave is RESET SLAVE ALL: what was received and not applied is gone.
func (e *engine) resetSlave(*session, []string) (*table, error) {
	if e.io.running || e.sql.running {
		return nil, failure(e.number2(1198, 3081), "This operation cannot be performed as you have a running slave")
	}
	e.master, e.relay, e.retrieved, e.received = nil, nil, nil, gtid{}
	return nil, nil //nolint:nilnil // no rows
}

// changeMaster is CHANGE MASTER: unless it names a place of the relay log, that is gone.
func (e *engine) changeMaster(_ *session, m []string) (*table, error) {
	if e.io.running || e.sql.running {
		return nil, failure(e.number2(1198, 3021), "This operation cannot be performed as you have a running slave")
	}
	next := source{}
	if e.master != nil {
		next = *e.master
	}
	keepsRelay := false
	for _, option := range split(m[1]) {
		name, value, _ := strings.Cut(option, "=")
		if strings.HasPrefix(name, "RELAY_LOG_") {
			keepsRelay = true
		}
		if err := next.set(strings.TrimSpace(name), unquote(value)); err != nil {
			return nil, e.unknown(fmt.Sprintf("CHANGE MASTER TO %s", name))
		}
	}
	if keepsRelay && len(e.relay) > e.host.copied {
		e.w.violate("%s applies a relay log by hand of which there is no copy", e.host.letter)
	}
	if !keepsRelay {
		e.relay, e.retrieved, e.received, e.applied = nil, nil, gtid{}, 0
	}
	e.master = &next
	return nil, nil //nolint:nilnil // no rows
}

// number2 is the number of an error, which each family has of its own.
func (e *engine) number2(mariadb, mysql uint16) uint16 {
	if e.family == server.MySQL {
		return mysql
	}
	return mariadb
}

// set sets an option of CHANGE MASTER.
func (s *source) set(name, value string) error {
	switch strings.TrimPrefix(strings.Replace(name, "SOURCE_", "MASTER_", 1), "GET_") {
	case "MASTER_HOST":
		s.host = value
	case "MASTER_PORT":
		s.port, _ = strconv.Atoi(value)
	case "MASTER_USER":
		s.user = value
	case "MASTER_USE_GTID":
		s.byGTID = value != "no"
	case "MASTER_AUTO_POSITION":
		s.byGTID = value == "1"
	case "MASTER_LOG_FILE":
		s.read.file = parseFile(value)
		s.done.file = s.read.file
	case "MASTER_LOG_POS":
		s.read.offset, _ = strconv.ParseUint(value, 10, 64)
		s.done.offset = s.read.offset
	case "RELAY_LOG_FILE", "RELAY_LOG_POS":
	case "MASTER_PASSWORD", "MASTER_CONNECT_RETRY", "MASTER_RETRY_COUNT", "MASTER_HEARTBEAT_PERIOD", "MASTER_SSL",
		"MASTER_SSL_VERIFY_SERVER_CERT", "MASTER_DELAY", "MASTER_BIND", "IGNORE_SERVER_IDS", "DO_DOMAIN_IDS",
		"IGNORE_DOMAIN_IDS", "MASTER_PUBLIC_KEY":
	default:
		return errWait
	}
	return nil
}

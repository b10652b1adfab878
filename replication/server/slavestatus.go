package server

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
)

// SlaveStatus is what a slave says of one of its masters: SHOW SLAVE STATUS,
// whatever the server calls it.
type SlaveStatus struct {
	Channel string `json:"channel,omitempty"` // or MariaDB's connection; empty: the default one

	MasterHost string `json:"master_host"`
	MasterPort int    `json:"master_port"`
	MasterUser string `json:"master_user"`

	IORunning  string `json:"io_running"` // Yes, No, Connecting, Preparing
	SQLRunning string `json:"sql_running"`
	IOState    string `json:"io_state"`
	SQLState   string `json:"sql_state"`

	IOErrno     int    `json:"io_errno"`
	IOError     string `json:"io_error,omitempty"`
	IOErrorTime string `json:"io_error_time,omitempty"`
	SQLErrno    int    `json:"sql_errno"`
	SQLError    string `json:"sql_error,omitempty"`

	Read     Position `json:"read"`     // received from the master
	Executed Position `json:"executed"` // applied
	Relay    Position `json:"relay"`    // where that ends in the slave's own relay log

	ByGTID       bool   `json:"by_gtid"`
	GTIDReceived string `json:"gtid_received,omitempty"` // MariaDB: Gtid_IO_Pos; MySQL: Retrieved_Gtid_Set
	GTIDExecuted string `json:"gtid_executed,omitempty"` // MySQL only

	SecondsBehind *int64 `json:"seconds_behind"` // null if the server does not know

	// The filters of tables, in the order in which a server asks them: the first
	// that knows a table decides (MySQL manual, "Evaluation of Table-Level
	// Replication Options").
	IgnoreTable     []string `json:"ignore_table,omitempty"` // "database.table"
	WildDoTable     []string `json:"wild_do_table,omitempty"`
	WildIgnoreTable []string `json:"wild_ignore_table,omitempty"`
	OtherFilters    []string `json:"other_filters,omitempty"` // "name=value" of all other filters that are set

	Until         string `json:"until,omitempty"` // the position, or GTIDs, at which the SQL thread was told to stop
	SSLAllowed    string `json:"ssl_allowed"`     // Yes, No
	GetsPublicKey *bool  `json:"gets_public_key"` // MySQL 8.0 and later only
	Heartbeats    uint64 `json:"heartbeats"`      // received since the slave was started; MariaDB only

	HeartbeatPeriod time.Duration `json:"-"`             // heartbeat_seconds of the JSON; 0 where it is not known
	ConnectRetry    time.Duration `json:"-"`             // connect_retry_seconds of the JSON
	SkipCounter     uint64        `json:"skip_counter"`  // events that the next start of the SQL thread passes over
	RetryCount      int           `json:"retry_count"`   // MySQL only; 0: without end
	Delay           int           `json:"delay_seconds"` // by which it is told to stay behind
	MasterID        uint32        `json:"master_server_id"`
	MasterUUID      string        `json:"master_uuid,omitempty"` // MySQL only
	UsesGTIDMode    string        `json:"using_gtid,omitempty"`  // MariaDB only: No, Slave_Pos, Current_Pos

	version Version // of the slave
}

// SlaveStatus gives the status of the default connection; nil if there is none.
func (s *Server) SlaveStatus(ctx context.Context, on Execer) (*SlaveStatus, error) {
	statuses, err := s.SlaveStatuses(ctx, on)
	if err != nil {
		return nil, err
	}
	for _, status := range statuses {
		if status.Channel == "" {
			return status, nil
		}
	}
	return nil, nil //nolint:nilnil // a server may be no slave
}

// SlaveStatuses gives the status of each of the server's masters; none if it
// is no slave. It does not wait for the answer without end.
func (s *Server) SlaveStatuses(ctx context.Context, on Execer) ([]*SlaveStatus, error) {
	ctx = EachWithin(ctx, statusLimit)
	rows, err := s.Query(ctx, on, s.Version.ShowSlaveStatus())
	if err != nil {
		return nil, s.whySilent(ctx, s.Explain("", err))
	}
	statuses := make([]*SlaveStatus, len(rows))
	for i, r := range rows {
		statuses[i] = newSlaveStatus(r)
		statuses[i].version = s.Version
		if s.Version.Family == MySQL && statuses[i].SQLErrno != 0 {
			if err := s.readWorkerError(ctx, on, statuses[i]); err != nil {
				return nil, err
			}
		}
	}
	return statuses, nil
}

// readWorkerError replaces what MySQL's coordinator says of a worker that has
// failed by the worker's own words.
func (s *Server) readWorkerError(ctx context.Context, on Execer, status *SlaveStatus) error {
	rows, err := ReadRecords(ctx, on, "SELECT last_error_number AS number, last_error_message AS text"+
		" FROM performance_schema.replication_applier_status_by_worker"+
		" WHERE channel_name = "+QuoteString(status.Channel)+" AND last_error_number <> 0"+
		" ORDER BY last_error_timestamp DESC LIMIT 1")
	if err != nil && !IsDenied(err) {
		return s.Explain("read performance_schema.replication_applier_status_by_worker", err)
	}
	if len(rows) > 0 {
		status.SQLErrno, _ = strconv.Atoi(rows[0]["number"]) // a number on every server
		status.SQLError = finding.ScrubQuery(rows[0]["text"])
	}
	return nil
}

// newSlaveStatus reads a row whose columns have the old names or the new ones.
func newSlaveStatus(r Record) *SlaveStatus {
	old := make(Record, len(r))
	for column, value := range r {
		old[oldColumn(column)] = value
	}
	small := func(column string) int { return int(uint32(old.Number(column))) } //nolint:gosec // it has 32 bits
	s := &SlaveStatus{
		Channel:      old["connection_name"] + old["channel_name"],
		MasterHost:   old["master_host"],
		MasterPort:   small("master_port"),
		MasterUser:   old["master_user"],
		IORunning:    old["slave_io_running"],
		SQLRunning:   old["slave_sql_running"],
		IOState:      old["slave_io_state"],
		SQLState:     old["slave_sql_running_state"],
		IOErrno:      finding.ClientErrno(small("last_io_errno"), old["last_io_error"]),
		IOError:      old["last_io_error"],
		IOErrorTime:  old["last_io_error_timestamp"],
		SQLErrno:     small("last_sql_errno"),
		SQLError:     finding.ScrubQuery(old["last_sql_error"]),
		Read:         Position{File: old["master_log_file"], Offset: old.Number("read_master_log_pos")},
		Executed:     Position{File: old["relay_master_log_file"], Offset: old.Number("exec_master_log_pos")},
		Relay:        Position{File: old["relay_log_file"], Offset: old.Number("relay_log_pos")},
		ByGTID:       old["auto_position"] == "1" || strings.HasSuffix(old["using_gtid"], "_Pos"),
		GTIDReceived: old["gtid_io_pos"] + old["retrieved_gtid_set"],
		GTIDExecuted: old["executed_gtid_set"],
		SSLAllowed:   old["master_ssl_allowed"],
		Until:        until(old),
		Heartbeats:   old.Number("slave_received_heartbeats"),
		ConnectRetry: time.Duration(small("connect_retry")) * time.Second,
		RetryCount:   small("master_retry_count"),
		SkipCounter:  old.Number("skip_counter"),
		Delay:        small("sql_delay"),
		MasterID:     uint32(small("master_server_id")), //nolint:gosec // it has 32 bits; 0 before the first connection
		MasterUUID:   old["master_uuid"],
		UsesGTIDMode: old["using_gtid"],
	}
	s.readFilters(old)
	s.readOptional(old)
	return s
}

// readOptional reads what a server may not know.
func (s *SlaveStatus) readOptional(old Record) {
	if period, err := strconv.ParseFloat(old["slave_heartbeat_period"], 64); err == nil {
		s.HeartbeatPeriod = time.Duration(period * float64(time.Second))
	}
	if key, ok := old["get_master_public_key"]; ok {
		gets := key != "0" && key != "No"
		s.GetsPublicKey = &gets
	}
	if behind, err := strconv.ParseInt(old["seconds_behind_master"], 10, 64); err == nil {
		s.SecondsBehind = &behind
	}
}

// ReadFilters gives the filters alone, by the names of their variables, as a server
// has them that follows nobody yet.
func ReadFilters(values map[string]string) *SlaveStatus {
	s := &SlaveStatus{}
	s.readFilters(values)
	return s
}

// readFilters reads what the slave leaves out.
func (s *SlaveStatus) readFilters(old Record) {
	s.IgnoreTable = old.List("replicate_ignore_table")
	s.WildDoTable = old.List("replicate_wild_do_table")
	s.WildIgnoreTable = old.List("replicate_wild_ignore_table")
	for _, column := range otherFilters {
		if old[column] != "" {
			s.OtherFilters = append(s.OtherFilters, column+"="+strings.TrimSpace(old[column]))
		}
	}
}

// otherFilters are the columns of the filters that gtunnel never sets.
var otherFilters = []string{
	"replicate_do_db", "replicate_ignore_db", "replicate_do_table", "replicate_rewrite_db",
	"replicate_do_domain_ids", "replicate_ignore_domain_ids", "replicate_ignore_server_ids",
}

// until is where START ... UNTIL has told the SQL thread to stop; empty if
// nowhere.
func until(r Record) string {
	switch r["until_condition"] {
	case "", "None", "DONE": // MySQL's own, by which it has ended what a crash had left of several workers
		return ""
	case "Master", "Source":
		return r["until_log_file"] + ":" + r["until_log_pos"]
	}
	return r["until_condition"] // GTIDs, or relay log coordinates
}

// oldColumn gives the old name of a column of SHOW REPLICA STATUS.
func oldColumn(column string) string {
	column = strings.ReplaceAll(column, "source", "master")
	if !strings.HasPrefix(column, "replicate_") {
		column = strings.ReplaceAll(column, "replica_", "slave_")
	}
	return column
}

// Running reports whether both threads run.
func (s *SlaveStatus) Running() bool { return s.IORunning == "Yes" && s.SQLRunning == "Yes" }

// Active reports whether one of the threads runs, or tries to.
func (s *SlaveStatus) Active() bool {
	return s.SQLRunning == "Yes" || s.IORunning != "" && s.IORunning != "No"
}

// Forget shows how a server of a version forgets this master.
func (s *SlaveStatus) Forget(v Version) string {
	switch {
	case s.Channel == "":
		return v.ResetSlaveAll().String()
	case v.Family == MariaDB:
		return "RESET SLAVE " + QuoteString(s.Channel) + " ALL"
	default:
		return "RESET " + v.Word("SLAVE", "REPLICA") + " ALL FOR CHANNEL " + QuoteString(s.Channel)
	}
}

// MarshalJSON writes times in seconds.
func (s *SlaveStatus) MarshalJSON() ([]byte, error) {
	type plain SlaveStatus // without this method
	return json.Marshal(struct {
		*plain
		ConnectRetry float64 `json:"connect_retry_seconds"`
		Heartbeat    float64 `json:"heartbeat_seconds"`
	}{plain: (*plain)(s), ConnectRetry: s.ConnectRetry.Seconds(), Heartbeat: s.HeartbeatPeriod.Seconds()})
}

package replication

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Facts are what is true of a server at one moment, as far as replication
// depends on it.
type Facts struct {
	Role    Role
	Version Version

	// Variables are the global variables by name in lower case. The methods of
	// Facts give those that matter in their own types.
	Variables map[string]string

	// Persisted are the variables that SET PERSIST has set, which MySQL takes at
	// its start, whatever its option files say.
	Persisted map[string]string

	// OptionFiles are those that the server has read values from; nil if it
	// cannot tell.
	OptionFiles []string

	dropIn *DropIn // that the server has read, where this host has such a file; nil: none is known

	root string // of the server's process, as this host has it; empty: not known

	User      string              // CURRENT_USER() of the login
	Grants    []string            // its SHOW GRANTS
	Accounts  []Account           // of the server; nil if the login may not see them
	OurGrants map[string][]string // SHOW GRANTS of those of our accounts that exist
	Writers   []string            // of a slave: accounts that can write in spite of read_only; nil if they cannot be seen
	SeedMade  bool                // the seeding account was made once: what drops it is there
	Mark      string              // of a master of MariaDB's, which has no UUID: what setup-master has left there; empty: none, or it may not be seen
	MasterLog Position            // where the binary log stands; zero if it is off, or may not be seen
	BinlogDo  []string            // binlog-do-db, which makes the master leave databases out
	BinlogNot []string            // binlog-ignore-db

	BinaryLogs []BinaryLog // nil if it is off, or may not be seen

	Free *uint64 // bytes on the disk of the data directory; nil if that is not known

	Databases  []Database      // those that are nobody's system databases, in order of their names
	Collations map[string]bool // that the server knows
	Session    uint64          // CONNECTION_ID() of the login, on a master
	Sessions   []Session       // of programs, on a master; their own only if the login may see no others
	Started    time.Time       // the server, on a master
	Slaves     []uint32        // server ids of the slaves that are registered with this master
	Masters    []*SlaveStatus
	Cluster    string // "Galera" or "Group Replication" if the server is a member of one

	Plugins map[string]bool // names, in lower case, of the active plugins
}

// BinaryLog is one file of a binary log.
type BinaryLog struct {
	File  string
	Bytes uint64
}

// variable gives a global variable; empty if the server has none of that name.
func (f *Facts) variable(names ...string) string {
	for _, name := range names {
		if value, ok := f.Variables[name]; ok {
			return value
		}
	}
	return ""
}

// number gives a global variable as a number; 0 if it is none.
func (f *Facts) number(names ...string) uint64 {
	n, _ := strconv.ParseUint(f.variable(names...), 10, 64)
	return n
}

// on tells whether a global variable is on.
func (f *Facts) on(names ...string) bool {
	value := strings.ToUpper(f.variable(names...))
	return value == "ON" || value == "1" || value == "YES"
}

// ServerID is the server_id.
func (f *Facts) ServerID() uint32 { return uint32(f.number("server_id")) } // #nosec G115 -- it has 32 bits

// UUID is MySQL's server_uuid; empty on MariaDB.
func (f *Facts) UUID() string { return f.variable("server_uuid") }

// HasBinaryLog tells whether the server writes one.
func (f *Facts) HasBinaryLog() bool { return f.on("log_bin") }

// Retention is how long binary logs are kept; 0: for ever.
func (f *Facts) Retention() time.Duration {
	if seconds := f.number("binlog_expire_logs_seconds"); seconds > 0 {
		return time.Duration(seconds) * time.Second // #nosec G115 -- it has 32 bits
	}
	days, err := strconv.ParseFloat(f.variable("expire_logs_days"), 64) // MariaDB has fractions
	if err != nil {
		return 0
	}
	return time.Duration(days * 24 * float64(time.Hour))
}

// MaxAllowedPacket is the server's max_allowed_packet, in bytes.
func (f *Facts) MaxAllowedPacket() uint64 { return f.number("max_allowed_packet") }

// GTIDs tells whether the server's transactions can be followed by GTID as it
// stands.
func (f *Facts) GTIDs() bool {
	if f.Version.Family == MariaDB {
		return f.Version.atLeast(MariaDB, 10, 0, 2)
	}
	return f.variable("gtid_mode") == "ON"
}

// master gives the status of the default connection; nil if there is none.
func (f *Facts) master() *SlaveStatus {
	for _, m := range f.Masters {
		if m.Channel == "" {
			return m
		}
	}
	return nil
}

// ReadFacts reads a server. What its login may not see is left out: the checks
// of a plan name the privilege where it matters.
func ReadFacts(ctx context.Context, s *Server) (*Facts, error) {
	conn, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // back to the pool
	f := &Facts{Role: s.Role, Version: s.Version}
	for _, read := range []func(context.Context, *Server, *sql.Conn) error{
		f.readVariables, f.readPersisted, f.readOptionFiles, f.readLogin, f.readAccounts, f.readBound, f.readWriters, f.readMaster, f.readSlave, f.readPlugins,
		f.readCluster, f.readSessions, f.readRoom, f.readDatabases, f.readAges, f.readCollations,
	} {
		if err := read(ctx, s, conn); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *Facts) readVariables(ctx context.Context, s *Server, conn *sql.Conn) error {
	rows, err := s.query(ctx, conn, "SHOW GLOBAL VARIABLES")
	if err != nil {
		return err
	}
	f.Variables = make(map[string]string, len(rows))
	for _, r := range rows {
		f.Variables[strings.ToLower(r["variable_name"])] = r["value"]
	}
	return nil
}

// readPersisted reads what MySQL 8.0 and later have persisted.
func (f *Facts) readPersisted(ctx context.Context, s *Server, conn *sql.Conn) error {
	if !s.Version.atLeast(MySQL, 8, 0, 0) {
		return nil
	}
	const query = "SELECT LOWER(variable_name) AS name, variable_value AS value FROM performance_schema.persisted_variables"
	rows, err := readRecords(ctx, conn, query)
	if err != nil && !isDenied(err) {
		return s.explain(query, err)
	}
	f.Persisted = make(map[string]string, len(rows))
	for _, r := range rows {
		f.Persisted[r["name"]] = r["value"]
	}
	return nil
}

// readOptionFiles asks where values of variables come from, which MariaDB 10.5
// and MySQL 8.0 know, and notes whose paths these are.
func (f *Facts) readOptionFiles(ctx context.Context, s *Server, conn *sql.Conn) error {
	f.root = s.root()
	var query string
	switch {
	case s.Version.atLeast(MariaDB, 10, 5, 0):
		query = "SELECT DISTINCT global_value_path AS path FROM information_schema.system_variables WHERE global_value_path IS NOT NULL"
	case s.Version.atLeast(MySQL, 8, 0, 0):
		query = "SELECT DISTINCT variable_path AS path FROM performance_schema.variables_info WHERE variable_path <> '' AND variable_source <> 'PERSISTED'"
	default:
		return nil
	}
	rows, err := readRecords(ctx, conn, query)
	if err != nil {
		if isDenied(err) {
			return nil
		}
		return s.explain(query, err)
	}
	f.OptionFiles = []string{}
	for _, r := range rows {
		f.OptionFiles = append(f.OptionFiles, r["path"])
	}
	if file := f.ourFile(); file != "" {
		if _, err := os.Stat(file); err == nil {
			f.dropIn, _ = ReadDropIn(filepath.Dir(file)) // what this user may not read is not known
		}
	}
	return nil
}

// isDenied tells whether a privilege was missing.
func isDenied(err error) bool {
	switch serverError(err) {
	case 1044, 1142, 1143, 1227, 1370:
		return true
	}
	return false
}

func (f *Facts) readMaster(ctx context.Context, s *Server, conn *sql.Conn) error {
	if !f.HasBinaryLog() {
		return nil
	}
	rows, err := readRecords(ctx, conn, s.Version.showMasterStatus())
	if err != nil && !isDenied(err) {
		return s.explain(s.Version.showMasterStatus(), err)
	}
	if len(rows) > 0 {
		f.MasterLog = newPosition(rows[0])
		f.BinlogDo, f.BinlogNot = splitList(rows[0]["binlog_do_db"]), splitList(rows[0]["binlog_ignore_db"])
	}
	if f.BinaryLogs, err = s.binaryLogs(ctx, conn); err != nil && !isDenied(err) {
		return err
	}
	show := "SHOW " + s.Version.word("SLAVE HOSTS", "REPLICAS")
	slaves, err := readRecords(ctx, conn, show)
	if err != nil && !isDenied(err) {
		return s.explain(show, err)
	}
	for _, r := range slaves {
		id, err := strconv.ParseUint(r["server_id"], 10, 32)
		if err != nil {
			return fmt.Errorf("%s: server_id %q: %w", show, r["server_id"], err)
		}
		f.Slaves = append(f.Slaves, uint32(id))
	}
	return nil
}

// binaryLogs gives the files of the server's binary log.
func (s *Server) binaryLogs(ctx context.Context, on execer) ([]BinaryLog, error) {
	rows, err := s.query(ctx, on, "SHOW BINARY LOGS")
	logs := make([]BinaryLog, len(rows))
	for i, r := range rows {
		bytes, _ := strconv.ParseUint(r["file_size"], 10, 64) // a number on every server
		logs[i] = BinaryLog{File: r["log_name"], Bytes: bytes}
	}
	return logs, err
}

// newPosition reads a row of SHOW MASTER STATUS.
func newPosition(r record) Position {
	offset, _ := strconv.ParseUint(r["position"], 10, 64) // a number on every server
	return Position{File: r["file"], Offset: offset, GTID: strings.ReplaceAll(r["executed_gtid_set"], "\n", "")}
}

func (f *Facts) readSlave(ctx context.Context, s *Server, conn *sql.Conn) (err error) {
	f.Masters, err = s.slaveStatuses(ctx, conn)
	if err != nil && isDenied(err) {
		return nil
	}
	return err
}

func (f *Facts) readPlugins(ctx context.Context, s *Server, conn *sql.Conn) error {
	rows, err := s.query(ctx, conn, "SELECT plugin_name AS name FROM information_schema.plugins WHERE plugin_status = 'ACTIVE'")
	f.Plugins = make(map[string]bool, len(rows))
	for _, r := range rows {
		f.Plugins[strings.ToLower(r["name"])] = true
	}
	return err
}

// readCluster finds Galera and Group Replication, whose members must not be
// set up by hand as a master or slave.
func (f *Facts) readCluster(ctx context.Context, s *Server, conn *sql.Conn) error {
	if f.on("wsrep_on") && f.variable("wsrep_provider") != "" && f.variable("wsrep_provider") != "none" {
		f.Cluster = "Galera"
		return nil
	}
	if !f.Plugins["group_replication"] {
		return nil
	}
	members, err := readRecords(ctx, conn,
		"SELECT member_id FROM performance_schema.replication_group_members WHERE member_state <> 'OFFLINE'")
	if err != nil && !isDenied(err) {
		return s.explain("read performance_schema.replication_group_members", err)
	}
	if len(members) > 0 {
		f.Cluster = "Group Replication"
	}
	return nil
}

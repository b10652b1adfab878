package facts

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/finding"
	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// Facts are what is true of a server at one moment, as far as replication
// depends on it.
type Facts struct {
	Role    finding.Role
	Version server.Version

	// Variables are the global variables by name in lower case. The methods of
	// Facts give those that matter in their own types.
	Variables map[string]string

	// Persisted are the variables that SET PERSIST has set, which MySQL takes at
	// its start, whatever its option files say.
	Persisted map[string]string

	// OptionFiles are those that the server has read values from; nil if it
	// cannot tell.
	OptionFiles []string

	DropIn *optionfile.DropIn // that the server has read, where this host has such a file; nil: none is known

	root string // of the server's process, as this host has it; empty: not known

	User      string              // CURRENT_USER() of the login
	Grants    []string            // its SHOW GRANTS
	Accounts  []Account           // of the server; nil if the login may not see them
	OurGrants map[string][]string // SHOW GRANTS of those of our accounts that exist
	Writers   []string            // of a slave: accounts that can write in spite of read_only; nil if they cannot be seen
	SeedMade  bool                // the seeding account was made once: what drops it is there
	Mark      string              // of a master of MariaDB's, which has no UUID: what setup-master has left there; empty: none, or it may not be seen
	MasterLog server.Position     // where the binary log stands; zero if it is off, or may not be seen
	BinlogDo  []string            // binlog-do-db, which makes the master leave databases out
	BinlogNot []string            // binlog-ignore-db

	BinaryLogs []server.BinaryLog // nil if it is off, or may not be seen

	Free *uint64 // bytes on the disk of the data directory; nil if that is not known

	Databases  []Database      // those that are nobody's system databases, in order of their names
	Collations map[string]bool // that the server knows
	Session    uint64          // CONNECTION_ID() of the login, on a master
	Sessions   []Session       // of programs, on a master; their own only if the login may see no others
	Started    time.Time       // the server, on a master
	Slaves     []uint32        // server ids of the slaves that are registered with this master
	Masters    []*server.SlaveStatus
	Cluster    string // "Galera" or "Group Replication" if the server is a member of one

	Plugins map[string]bool // names, in lower case, of the active plugins
}

// Variable gives a global variable; empty if the server has none of that name.
func (f *Facts) Variable(names ...string) string {
	for _, name := range names {
		if value, ok := f.Variables[name]; ok {
			return value
		}
	}
	return ""
}

// Number gives a global variable as a number; 0 if it is none.
func (f *Facts) Number(names ...string) uint64 {
	n, _ := strconv.ParseUint(f.Variable(names...), 10, 64)
	return n
}

// On reports whether a global variable is on.
func (f *Facts) On(names ...string) bool {
	value := strings.ToUpper(f.Variable(names...))
	return value == "ON" || value == "1" || value == "YES"
}

// ServerID is the server_id.
func (f *Facts) ServerID() uint32 { return uint32(f.Number("server_id")) } // #nosec G115 -- it has 32 bits

// UUID is MySQL's server_uuid; empty on MariaDB.
func (f *Facts) UUID() string { return f.Variable("server_uuid") }

// HasBinaryLog reports whether the server writes one.
func (f *Facts) HasBinaryLog() bool { return f.On("log_bin") }

// Retention is how long binary logs are kept; 0: for ever.
func (f *Facts) Retention() time.Duration {
	if seconds := f.Number("binlog_expire_logs_seconds"); seconds > 0 {
		return time.Duration(seconds) * time.Second // #nosec G115 -- it has 32 bits
	}
	days, err := strconv.ParseFloat(f.Variable("expire_logs_days"), 64) // MariaDB has fractions
	if err != nil {
		return 0
	}
	return time.Duration(days * 24 * float64(time.Hour))
}

// MaxAllowedPacket is the server's max_allowed_packet, in bytes.
func (f *Facts) MaxAllowedPacket() uint64 { return f.Number("max_allowed_packet") }

// GTIDs reports whether the server's transactions can be followed by GTID as it
// stands.
func (f *Facts) GTIDs() bool {
	if f.Version.Family == server.MariaDB {
		return f.Version.AtLeast(server.MariaDB, 10, 0, 2)
	}
	return f.Variable("gtid_mode") == "ON"
}

// Master gives the status of the default connection; nil if there is none.
func (f *Facts) Master() *server.SlaveStatus {
	for _, m := range f.Masters {
		if m.Channel == "" {
			return m
		}
	}
	return nil
}

// Read reads a server. What its login may not see is left out: the checks
// of a plan name the privilege where it matters.
func Read(ctx context.Context, s *server.Server) (*Facts, error) {
	conn, err := s.Session(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }() // back to the pool
	f := &Facts{Role: s.Role, Version: s.Version}
	for _, read := range []func(context.Context, *server.Server, *sql.Conn) error{
		f.ReadVariables, f.ReadPersisted, f.ReadOptionFiles, f.readLogin, f.readAccounts, f.readBound, f.readWriters, f.readMaster, f.readSlave, f.readPlugins,
		f.readCluster, f.readSessions, f.readRoom, f.readDatabases, f.readAges, f.readCollations,
	} {
		if err := read(ctx, s, conn); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *Facts) ReadVariables(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	rows, err := s.Query(ctx, conn, "SHOW GLOBAL VARIABLES")
	if err != nil {
		return err
	}
	f.Variables = make(map[string]string, len(rows))
	for _, r := range rows {
		f.Variables[strings.ToLower(r["variable_name"])] = r["value"]
	}
	return nil
}

// ReadPersisted reads what MySQL 8.0 and later have persisted.
func (f *Facts) ReadPersisted(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	if !s.Version.AtLeast(server.MySQL, 8, 0, 0) {
		return nil
	}
	const query = "SELECT LOWER(variable_name) AS name, variable_value AS value FROM performance_schema.persisted_variables"
	rows, err := server.ReadRecords(ctx, conn, query)
	if err != nil && !server.IsDenied(err) {
		return s.Explain(query, err)
	}
	f.Persisted = make(map[string]string, len(rows))
	for _, r := range rows {
		f.Persisted[r["name"]] = r["value"]
	}
	return nil
}

// ReadOptionFiles asks where values of variables come from, which MariaDB 10.5
// and MySQL 8.0 know, and notes whose paths these are.
func (f *Facts) ReadOptionFiles(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	f.root = s.Root()
	var query string
	switch {
	case s.Version.AtLeast(server.MariaDB, 10, 5, 0):
		query = "SELECT DISTINCT global_value_path AS path FROM information_schema.system_variables WHERE global_value_path IS NOT NULL"
	case s.Version.AtLeast(server.MySQL, 8, 0, 0):
		query = "SELECT DISTINCT variable_path AS path FROM performance_schema.variables_info WHERE variable_path <> '' AND variable_source <> 'PERSISTED'"
	default:
		return nil
	}
	rows, err := server.ReadRecords(ctx, conn, query)
	if err != nil {
		if server.IsDenied(err) {
			return nil
		}
		return s.Explain(query, err)
	}
	f.OptionFiles = []string{}
	for _, r := range rows {
		f.OptionFiles = append(f.OptionFiles, r["path"])
	}
	if file := f.ourFile(); file != "" {
		if _, err := os.Stat(file); err == nil {
			f.DropIn, _ = optionfile.ReadDropIn(filepath.Dir(file)) // what this user may not read is not known
		}
	}
	return nil
}

func (f *Facts) readMaster(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	if !f.HasBinaryLog() {
		return nil
	}
	rows, err := server.ReadRecords(ctx, conn, s.Version.ShowMasterStatus())
	if err != nil && !server.IsDenied(err) {
		return s.Explain(s.Version.ShowMasterStatus(), err)
	}
	if len(rows) > 0 {
		f.MasterLog = rows[0].Position()
		f.BinlogDo, f.BinlogNot = rows[0].List("binlog_do_db"), rows[0].List("binlog_ignore_db")
	}
	if f.BinaryLogs, err = s.BinaryLogs(ctx, conn); err != nil && !server.IsDenied(err) {
		return err
	}
	show := "SHOW " + s.Version.Word("SLAVE HOSTS", "REPLICAS")
	slaves, err := server.ReadRecords(ctx, conn, show)
	if err != nil && !server.IsDenied(err) {
		return s.Explain(show, err)
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

func (f *Facts) readSlave(ctx context.Context, s *server.Server, conn *sql.Conn) (err error) {
	f.Masters, err = s.SlaveStatuses(ctx, conn)
	if err != nil && server.IsDenied(err) {
		return nil
	}
	return err
}

func (f *Facts) readPlugins(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	rows, err := s.Query(ctx, conn, "SELECT plugin_name AS name FROM information_schema.plugins WHERE plugin_status = 'ACTIVE'")
	f.Plugins = make(map[string]bool, len(rows))
	for _, r := range rows {
		f.Plugins[strings.ToLower(r["name"])] = true
	}
	return err
}

// readCluster finds Galera and Group Replication, whose members must not be
// set up by hand as a master or slave.
func (f *Facts) readCluster(ctx context.Context, s *server.Server, conn *sql.Conn) error {
	if f.On("wsrep_on") && f.Variable("wsrep_provider") != "" && f.Variable("wsrep_provider") != "none" {
		f.Cluster = "Galera"
		return nil
	}
	if !f.Plugins["group_replication"] {
		return nil
	}
	members, err := server.ReadRecords(ctx, conn,
		"SELECT member_id FROM performance_schema.replication_group_members WHERE member_state <> 'OFFLINE'")
	if err != nil && !server.IsDenied(err) {
		return s.Explain("read performance_schema.replication_group_members", err)
	}
	if len(members) > 0 {
		f.Cluster = "Group Replication"
	}
	return nil
}

// VariableName gives the first of several names that the server has.
func (f *Facts) VariableName(names ...string) string {
	for _, name := range names {
		if _, ok := f.Variables[name]; ok {
			return name
		}
	}
	return ""
}

// Identity tells a server from the others that may have the same state
// directory.
func (f *Facts) Identity() string {
	if id := f.UUID(); id != "" {
		return id
	}
	return fmt.Sprintf("%s:%s %s", f.Variable("hostname"), f.Variable("port"), f.Variable("datadir"))
}

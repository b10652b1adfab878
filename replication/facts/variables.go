package facts

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gtunnel/gtunnel/replication/optionfile"
	"github.com/gtunnel/gtunnel/replication/server"
)

// ReadVariables reads some global variables of a server, all if none is named,
// and nothing else of the Facts.
func ReadVariables(ctx context.Context, s *server.Server, on server.Execer, names ...string) (*Facts, error) {
	f := &Facts{Role: s.Role, Version: s.Version}
	var err error
	f.Variables, err = s.Variables(ctx, on, names...)
	return f, err
}

// VariableName gives the first of several names that the server has; empty if it
// has none.
func (f *Facts) VariableName(names ...string) string {
	for _, name := range names {
		if _, ok := f.Variables[name]; ok {
			return name
		}
	}
	return ""
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
	switch strings.ToUpper(f.Variable(names...)) {
	case "ON", "1", "YES", noLock, noLockNoAdmin:
		return true
	}
	return false
}

// IsAs reports whether a global variable has a value, however that is written.
func (f *Facts) IsAs(name, value string) bool {
	is, ok := f.Variables[name]
	return ok && canonical(is) == canonical(value)
}

// ServerID is the server_id.
func (f *Facts) ServerID() uint32 { return uint32(f.Number("server_id")) } // #nosec G115 -- it has 32 bits

// UUID is MySQL's server_uuid; empty on MariaDB.
func (f *Facts) UUID() string { return f.Variable("server_uuid") }

// Identity tells a server from the others that may have the same state
// directory.
func (f *Facts) Identity() string {
	if id := f.UUID(); id != "" {
		return id
	}
	return fmt.Sprintf("%s:%s %s", f.Variable("hostname"), f.Variable("port"), f.Variable("datadir"))
}

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

// ReadSources reads where the values of variables come from: what is persisted,
// and which option files the server has read.
func (f *Facts) ReadSources(ctx context.Context, s *server.Server, on server.Execer) error {
	return f.readTogether(ctx, s, on, f.readPersisted, f.readOptionFiles)
}

// readPersisted reads what MySQL 8.0 and later have persisted.
func (f *Facts) readPersisted(ctx context.Context, s *server.Server, on server.Execer) error {
	if !s.Version.AtLeast(server.MySQL, 8, 0, 0) {
		return nil
	}
	const query = "SELECT LOWER(variable_name) AS name, variable_value AS value" +
		" FROM performance_schema.persisted_variables"
	rows, err := server.ReadRecords(ctx, on, query)
	if err != nil && !server.IsDenied(err) {
		return s.Explain(query, err)
	}
	f.Persisted = make(map[string]string, len(rows))
	for _, r := range rows {
		f.Persisted[r["name"]] = r["value"]
	}
	return nil
}

// IsPersistedOtherwise reports whether SET PERSIST has given a variable another
// value than this one.
func (f *Facts) IsPersistedOtherwise(name, value string) bool {
	persisted, ok := f.Persisted[name]
	return ok && canonical(persisted) != canonical(value)
}

// canonical writes a value of a variable as a server may not: ON is 1.
func canonical(value string) string {
	return strings.NewReplacer("ON", "1", "OFF", "0").Replace(strings.ToUpper(value))
}

// readOptionFiles asks where values of variables come from, which MariaDB 10.5
// and MySQL 8.0 know, and notes whose paths these are.
func (f *Facts) readOptionFiles(ctx context.Context, s *server.Server, on server.Execer) error {
	f.root = s.Root()
	var query string
	switch {
	case s.Version.AtLeast(server.MariaDB, 10, 5, 0):
		query = "SELECT DISTINCT global_value_path AS path FROM information_schema.system_variables" +
			" WHERE global_value_path IS NOT NULL"
	case s.Version.AtLeast(server.MySQL, 8, 0, 0):
		query = "SELECT DISTINCT variable_path AS path FROM performance_schema.variables_info" +
			" WHERE variable_path <> '' AND variable_source <> 'PERSISTED'"
	default:
		return nil
	}
	rows, err := server.ReadRecords(ctx, on, query)
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
	directory := f.ConfigDirectory()
	if file := f.ourFile(); directory == "" && file != "" {
		if _, err := os.Stat(file); err == nil {
			directory = filepath.Dir(file)
		}
	}
	if directory != "" {
		f.DropIn, _ = optionfile.ReadDropIn(directory) // what this user may not read is not known
	}
	return nil
}

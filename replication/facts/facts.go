package facts

import (
	"context"
	"path/filepath"
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

	// DropIn is the file of gtunnel's that the server reads when it starts, as it is
	// now; nil: no place for it is known.
	DropIn *optionfile.DropIn

	root string // of the server's process, as this host has it; empty: not known

	User      string              // CURRENT_USER() of the login
	Grants    []string            // its SHOW GRANTS
	Accounts  []Account           // of the server; nil if the login may not see them
	Creators  []string            // who may create routines or triggers without SUPER; nil if that cannot be seen
	OurGrants map[string][]string // SHOW GRANTS of those of our accounts that exist
	Writers   []string            // of a slave: who can write in spite of read_only; nil if that cannot be seen
	SeedMade  bool                // the seeding account was made once: what drops it is there
	Mark      string              // of a MariaDB master, which has no UUID, by setup-master; empty: none is seen
	MasterLog server.Position     // where the binary log stands; zero if it is off, or may not be seen
	BinlogDo  []string            // binlog-do-db, which makes the master leave databases out
	BinlogNot []string            // binlog-ignore-db

	BinaryLogs []server.BinaryLog // nil if it is off, or may not be seen

	Free    *uint64 // bytes on the disk of the data directory; nil if that is not known
	LogFree *uint64 // and on that of the binary logs

	Databases  []Database            // those that are nobody's system databases, in order of their names
	Collations map[string]bool       // that the server knows
	Session    uint64                // CONNECTION_ID() of the login, on a master
	Sessions   []Session             // of programs, on a master; their own only if the login may see no others
	Started    time.Time             // the server, on a master
	Slaves     []uint32              // server ids of the slaves that are registered with this master
	Registered []Registered          // the same slaves
	Followers  []Follower            // slaves that read the binary log now; see ReadAsMaster
	Masters    []*server.SlaveStatus // whom the server follows; none if it is no slave
	Filters    *server.SlaveStatus   // of one that follows nobody yet, as it would have them; nil if that is not known
	Transient  []string              // settings of a slave that its next restart loses
	Unseen     bool                  // the login may not see whom it follows
	Cluster    string                // "Galera" or "Group Replication" if the server is a member of one

	Plugins map[string]bool // names, in lower case, of the active plugins
	Engines map[string]bool // names, in lower case, of the storage engines; nil: not known

	BrokenViews []BrokenView // of a master, which its login cannot open

	users userRows // of which Accounts is made
}

// Read reads a server. What its login may not see is left out: the rules name the
// privilege where it matters. However much there is on the server, it takes a few round
// trips.
func Read(ctx context.Context, s *server.Server) (*Facts, error) {
	ctx = server.EachWithin(ctx, server.ReadLimit)
	f := &Facts{Role: s.Role, Version: s.Version}
	err := f.readTogether(ctx, s, s.DB,
		f.hasRoom, f.readVariables, f.ReadSources, f.readLogin, f.readWriters, f.readPlugins, f.readSessions,
		f.readDatabases, f.readEngines)
	if err != nil {
		return nil, err
	}
	err = f.readTogether(ctx, s, s.DB, // what depends on that
		f.readAccounts, f.readMaster, f.readCluster, f.readFree, f.readTables, f.readCounts, f.readEvents,
		f.readAges, f.readCollations, f.readBrokenViews,
		f.readSlave) // last, as it may be refused: the server passes over what comes after it, and is asked again
	if err != nil {
		return nil, err
	}
	return f, nil
}

// readTogether reads parts that do not depend on each other.
func (f *Facts) readTogether(
	ctx context.Context, s *server.Server, conn server.Execer,
	parts ...func(context.Context, *server.Server, server.Execer) error,
) error {
	return server.Each(ctx, s, conn, parts,
		func(ctx context.Context, _ int, read func(context.Context, *server.Server, server.Execer) error) error {
			return read(ctx, s, conn)
		})
}

// hasRoom refuses a slave that would not tell how it replicates.
func (f *Facts) hasRoom(ctx context.Context, s *server.Server, on server.Execer) error {
	return s.HasRoom(ctx, on)
}

// readVariables reads all global variables.
func (f *Facts) readVariables(ctx context.Context, s *server.Server, on server.Execer) (err error) {
	f.Variables, err = s.Variables(ctx, on)
	return err
}

// readMaster reads the binary log, and who is registered as a slave.
func (f *Facts) readMaster(ctx context.Context, s *server.Server, conn server.Execer) error {
	if !f.HasBinaryLog() {
		return nil
	}
	return s.Together(ctx, conn, func(ctx context.Context) error {
		rows, err := server.ReadRecords(ctx, conn, s.Version.ShowMasterStatus())
		if err != nil && !server.IsDenied(err) {
			return s.Explain(s.Version.ShowMasterStatus(), err)
		}
		if len(rows) > 0 {
			f.MasterLog = rows[0].Position()
			f.BinlogDo, f.BinlogNot = rows[0].List("binlog_do_db"), rows[0].List("binlog_ignore_db")
		}
		return nil
	}, func(ctx context.Context) (err error) {
		f.BinaryLogs, err = s.BinaryLogs(ctx, conn)
		return unlessDenied(err)
	}, func(ctx context.Context) (err error) {
		if f.isOrdinary("REPLICATION CLIENT") {
			return nil
		}
		f.Registered, err = RegisteredSlaves(ctx, s, conn)
		for _, r := range f.Registered {
			f.Slaves = append(f.Slaves, r.ServerID)
		}
		return unlessDenied(err)
	})
}

// readSlave reads whom the server follows.
func (f *Facts) readSlave(ctx context.Context, s *server.Server, conn server.Execer) (err error) {
	if f.Unseen = f.isOrdinary(); !f.Unseen {
		f.Masters, err = s.SlaveStatuses(ctx, conn)
		f.Unseen = server.IsDenied(err)
	}
	if f.Unseen {
		return f.readFilters(ctx, s, conn)
	}
	switch {
	case err != nil || f.Role != finding.Slave:
		return err
	case f.Master() == nil:
		return f.readFilters(ctx, s, conn)
	}
	return f.ReadTransient(ctx, s, conn)
}

// readFilters reads the filters that a new connection would have.
func (f *Facts) readFilters(ctx context.Context, s *server.Server, conn server.Execer) error {
	values := f.Variables
	if s.Version.Family == server.MySQL {
		const query = "SELECT LOWER(filter_name) AS name, filter_rule AS value" +
			" FROM performance_schema.replication_applier_global_filters"
		rows, err := server.ReadRecords(ctx, conn, query)
		const noTable = 1146 // of MySQL 5.7
		switch {
		case server.ErrorNumber(err) == noTable || server.IsDenied(err):
			return nil // they are not known
		case err != nil:
			return s.Explain("read the filters", err)
		}
		values = map[string]string{}
		for _, r := range rows {
			values[r["name"]] = r["value"]
		}
	}
	f.Filters = server.ReadFilters(values)
	return nil
}

// readEngines reads which storage engines the server has.
func (f *Facts) readEngines(ctx context.Context, s *server.Server, conn server.Execer) error {
	rows, err := s.Query(ctx, conn,
		"SELECT engine AS name FROM information_schema.engines WHERE support IN ('YES', 'DEFAULT')")
	f.Engines = make(map[string]bool, len(rows))
	for _, r := range rows {
		f.Engines[strings.ToLower(r["name"])] = true
	}
	return err
}

// FollowsNobody reports whether the server is known to be nobody's slave, not even
// one that is stopped.
func (f *Facts) FollowsNobody() bool { return len(f.Masters) == 0 && !f.Unseen }

func (f *Facts) readPlugins(ctx context.Context, s *server.Server, conn server.Execer) error {
	return f.ReadPlugins(ctx, s, conn)
}

// ReadPlugins reads which plugins are active.
func (f *Facts) ReadPlugins(ctx context.Context, s *server.Server, conn server.Execer) error {
	rows, err := s.Query(ctx, conn,
		"SELECT plugin_name AS name FROM information_schema.plugins WHERE plugin_status = 'ACTIVE'")
	f.Plugins = make(map[string]bool, len(rows))
	for _, r := range rows {
		f.Plugins[strings.ToLower(r["name"])] = true
	}
	return err
}

// readCluster finds Galera and Group Replication, whose members must not be
// set up by hand as a master or slave.
func (f *Facts) readCluster(ctx context.Context, s *server.Server, conn server.Execer) error {
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

// readFree reads how much is free where the data directory is. It is looked at
// as the process sees it that listens at the socket; by TCP, or without the
// right to look, it is not known.
func (f *Facts) readFree(context.Context, *server.Server, server.Execer) error {
	f.Free = f.freeAt(f.Variable("datadir"))
	if log := f.Variable("log_bin_basename"); log != "" {
		f.LogFree = f.freeAt(filepath.Dir(log))
	}
	return nil
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
